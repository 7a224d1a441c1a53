"""HTTP of exchange keys: saved after a check, shown masked, checked, mended, deleted."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Header

from haechi.errors import BadInput, Conflict
from haechi.exchanges.bitget.sign import ApiKey
from haechi.exchanges.port import Accepted, Rejected
from haechi.identity.audit import Act, record
from haechi.identity.current import CurrentUser, FreshUser, strong_user
from haechi.identity.models import User
from haechi.identity.origins import From
from haechi.platform.answers import errors
from haechi.platform.db import Session
from haechi.platform.house import House, Reading, TheHouse
from haechi.trading import key_doctor, keys
from haechi.trading.account_schemas import FixBody, KeyAnswer, KeyBody, KeysAnswer
from haechi.trading.accounts import MUST_NOT
from haechi.trading.connections import Connections
from haechi.trading.key_doctor import BAD, OK, Report
from haechi.trading.key_words import sentence
from haechi.trading.keys import ExchangeKey
from haechi.trading.models import LIVE

router = APIRouter(prefix="/account", tags=["account"])
Accepts = Annotated[str, Header(alias="accept-language", max_length=1000)]
SURE = ("key", "withdraw")  # what must be known to be right before a key is kept


def language(accepts: str) -> str:
    return "ko" if accepts.lower().startswith("ko") else "en"


async def proved(user: User, mode: str) -> None:
    """Live keys want the second factor beside the fresh proof."""
    if mode == LIVE:
        await strong_user(user)


@router.get("/keys", operation_id="account_keys", summary="Your keys", responses=errors(401, 422))
async def account_keys(user: CurrentUser, session: Reading, accepts: Accepts = "") -> KeysAnswer:
    """Masked, each with its last check."""
    return KeysAnswer(items=[KeyAnswer.of(one, language(accepts)) for one in await keys.keys_of(session, user.id)])


@router.post("/keys", operation_id="account_key_save", summary="Save a key", status_code=201, responses=errors(401, 403, 409, 422))
async def account_key_save(body: KeyBody, user: FreshUser, house: TheHouse, origin: From, accepts: Accepts = "") -> KeyAnswer:
    """Checked first: one that may withdraw (`withdraw`), of a unified account (`account_mode`) or that Bitget refuses (`key`) is not kept.
    Wants a fresh proof, and the second factor for live."""
    return await saved(body, user, house, origin.address, language(accepts))


@router.post("/save_keys", operation_id="account_save_keys", summary="Save a key", status_code=201, responses=errors(401, 403, 409, 422))
async def account_save_keys(body: KeyBody, user: FreshUser, house: TheHouse, origin: From, accepts: Accepts = "") -> KeyAnswer:
    """Another name of `POST /account/keys`."""
    return await saved(body, user, house, origin.address, language(accepts))


async def saved(body: KeyBody, user: User, house: House, address: str, spoken: str) -> KeyAnswer:
    """The exchange is asked before the transaction begins."""
    await proved(user, body.mode)
    given = ApiKey(body.api_key.get_secret_value(), body.secret.get_secret_value(), body.passphrase.get_secret_value())
    found = await key_doctor.examined(house.part(Connections).rest_of(body.mode, given))
    refuse_unfit(found)
    now = house.clock.now()
    async with house.database.writing() as session:
        await keys.check_room(session, house.vault, user.id, given)
        row = keys.sealed(house.vault, user.id, given, mode=body.mode, label=body.label, now=now)
        keep(row, found, house)
        session.add(row)
        await record(session, Act("key.saved", user.id, row.id, address, {"mode": row.mode, "label": row.label}), now)
        return KeyAnswer.of(row, spoken)


def refuse_unfit(found: Report) -> None:
    """Raises BadInput for what must not be, Conflict when the exchange did not say enough to know."""
    for name in MUST_NOT:
        one = found.of(name)
        if one.state == BAD:
            raise BadInput(sentence("en", one.say, one.facts), code=name)
    if any(found.of(name).state != OK for name in SURE):
        raise Conflict("Bitget could not be asked what this key may do, so it was not kept; try again in a minute.",
                       code="exchange_unreachable")


def keep(row: ExchangeKey, found: Report, house: House) -> None:
    row.last_check, row.checked_at = msgspec.to_builtins(found), house.clock.now()


@router.post("/keys/{id}/check", operation_id="account_key_check", summary="Key doctor", responses=errors(401, 404, 422))
async def account_key_check(id: str, user: CurrentUser, house: TheHouse, accepts: Accepts = "") -> KeyAnswer:  # noqa: A002 - the path's name
    """What is right and wrong with the key and its account. An exchange that does not answer makes `unknown`."""
    return await checked(house, user.id, id, language(accepts))


async def checked(house: House, user_id: str, key_id: str, spoken: str) -> KeyAnswer:
    async with house.database.reading() as session:
        row = await keys.key_of(session, user_id, key_id)
    found = await key_doctor.examined(house.part(Connections).rest_of(row.mode, keys.opened(house.vault, row)))
    async with house.database.writing() as session:
        row = await keys.key_of(session, user_id, key_id)
        keep(row, found, house)
        return KeyAnswer.of(row, spoken)


@router.post("/keys/{id}/fix", operation_id="account_key_fix", summary="Mend what a check found", responses=errors(401, 403, 404, 409, 422))
async def account_key_fix(id: str, body: FixBody, user: FreshUser, house: TheHouse, origin: From, accepts: Accepts = "") -> KeyAnswer:  # noqa: A002
    """Changes the account at Bitget, then checks again. Refused there while something is held or rests."""
    async with house.database.reading() as session:
        row = await keys.key_of(session, user.id, id)
    await proved(user, row.mode)
    rest = house.part(Connections).rest_of(row.mode, keys.opened(house.vault, row))
    done = await key_doctor.mended(rest, body.fix)
    if not isinstance(done, Accepted):
        raise not_mended(done.reason if isinstance(done, Rejected) else "unknown")
    async with house.database.writing() as session:
        await record(session, Act("key.fixed", user.id, id, origin.address, {"fix": body.fix}), house.clock.now())
    return await checked(house, user.id, id, language(accepts))


def not_mended(reason: str) -> Conflict:
    if reason == "position_open":
        return Conflict("Bitget changes this only while nothing is held and no order rests; close and cancel first.", code=reason)
    if reason in ("unknown", "unreachable", "rate", "busy"):
        return Conflict("Bitget did not say whether it was changed; check the key, then try again.", code="exchange_unreachable")
    return Conflict(f"Bitget refuses the change ({reason}).", code="exchange_refused")


@router.delete("/keys/{id}", operation_id="account_key_delete", summary="Delete a key", status_code=204,
               responses=errors(401, 403, 404, 409, 422))
async def account_key_delete(id: str, user: FreshUser, house: TheHouse, origin: From) -> None:  # noqa: A002
    """For ever. Refused (`key_in_use`) while an account with it has something running, resting or held."""
    connections = house.part(Connections)
    async with house.database.writing() as session:
        row = await keys.key_of(session, user.id, id)
        await proved(user, row.mode)
        closed = await without(session, connections, row)
        await keys.shredded(session, row)
        await record(session, Act("key.deleted", user.id, id, origin.address), house.clock.now())
    for account_id in closed:
        await connections.close_of(account_id)


async def without(session: Session, connections: Connections, row: ExchangeKey) -> list[str]:
    """The accounts that lose their key. Raises Conflict when one is in use."""
    theirs = await keys.accounts_with(session, row.user_id, row.id)
    for one in theirs:
        said = await connections.in_use(session, one.id)
        if said:
            raise Conflict(f"The account {one.name!r} needs this key. {said}", code="key_in_use")
    for one in theirs:
        one.key_id = None
    return [one.id for one in theirs]
