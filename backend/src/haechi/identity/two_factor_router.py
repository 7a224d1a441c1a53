"""HTTP of the second factor."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from haechi.errors import Conflict
from haechi.identity import letters, second_factor
from haechi.identity.audit import Act, record
from haechi.identity.current import Current, FreshUser
from haechi.identity.models import User
from haechi.identity.origins import From
from haechi.identity.schemas import CodeBody, RecoveryAnswer, SetupAnswer
from haechi.identity.service import Identity
from haechi.identity.store import locked_user
from haechi.identity.tokens import refused
from haechi.platform.answers import errors
from haechi.platform.db import Session
from haechi.platform.house import TheHouse, Writing
from haechi.platform.limits import limited

router = APIRouter(prefix="/auth/2fa", tags=["auth"])


async def held(session: Session, user: User) -> User:
    """The person's row, to be changed in this transaction."""
    found = await locked_user(session, user.id)
    if found is None:
        raise refused()
    return found


@router.post("/setup", operation_id="two_factor_setup", summary="Begin with a second factor", responses=errors(401, 403, 409))
async def setup(user: FreshUser, session: Writing, house: TheHouse) -> SetupAnswer:
    """A secret for an authenticator app, as text, address and picture. It is in use only after POST /auth/2fa/verify."""
    secret = house.part(Identity).factor.begin(await held(session, user))
    uri = second_factor.address(secret, user.email)
    return SetupAnswer(secret=secret, uri=uri, qr=second_factor.picture(uri))


@router.post("/verify", operation_id="two_factor_verify", summary="Turn the second factor on", responses=errors(401, 409, 422, 429),
             dependencies=[Depends(limited("confirm", 20, 300, fail="closed"))])
async def verify(body: CodeBody, found: Current, house: TheHouse, origin: From) -> RecoveryAnswer:
    """The first code of the app. Answers with ten recovery codes, shown only now; all other sessions end."""
    identity, now = house.part(Identity), house.clock.now()
    counted = identity.tries.code(found[0].id)
    await identity.tries.count(counted, now)
    async with house.database.writing() as session:
        user = await held(session, found[0])
        codes = await identity.factor.turn_on(session, user, body.code, now)
        await identity.sessions.end_all(session, user.id, but=found[1].id)
        await identity.sessions.freshen(session, found[1].id, with_2fa=True)
        await record(session, Act("2fa.enabled", user.id, user.id, origin.address), now)
    await identity.tries.forgive(counted, now)
    return RecoveryAnswer(recovery_codes=codes)


@router.post("/disable", operation_id="two_factor_disable", summary="Turn the second factor off", status_code=204,
             responses=errors(401, 403, 409))
async def disable(user: FreshUser, found: Current, session: Writing, house: TheHouse, origin: From) -> None:
    """Wants a fresh code (POST /auth/confirm). The recovery codes are gone too; all other sessions end."""
    identity = house.part(Identity)
    mine = await held(session, user)
    if not mine.has_2fa:
        raise Conflict("The second factor is off already.", code="two_factor_off")
    await identity.factor.turn_off(session, mine)
    await identity.sessions.end_all(session, user.id, but=found[1].id)
    await record(session, Act("2fa.disabled", user.id, user.id, origin.address), house.clock.now())
    identity.letterbox.put(letters.factor_off(user.email))


@router.post("/recovery-codes", operation_id="two_factor_recovery_codes", summary="New recovery codes", responses=errors(401, 403, 409))
async def recovery_codes(user: FreshUser, session: Writing, house: TheHouse, origin: From) -> RecoveryAnswer:
    """Ten new ones, shown only now; the old ones are worth nothing from now on. Wants a fresh code (POST /auth/confirm)."""
    mine = await held(session, user)
    if not mine.has_2fa:
        raise Conflict("The second factor is off: turn it on with POST /auth/2fa/setup.", code="two_factor_off")
    codes = await house.part(Identity).factor.new_recovery_codes(session, mine)
    await record(session, Act("2fa.recovery_codes", user.id, user.id, origin.address), house.clock.now())
    return RecoveryAnswer(recovery_codes=codes)
