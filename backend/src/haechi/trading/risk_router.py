"""HTTP of a person's own limits."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from haechi.errors import BadInput
from haechi.identity.audit import Act, record
from haechi.identity.current import Current, CurrentUser, is_fresh, stale
from haechi.identity.models import User, UserSession
from haechi.identity.origins import From, Origin
from haechi.platform.answers import errors
from haechi.platform.db import Session
from haechi.platform.house import House, Reading, TheHouse
from haechi.trading.limits import RiskBook, RiskSettings, limits_of, raised, settings_of, values_of
from haechi.trading.risk_schemas import RiskAnswer, RiskBody

router = APIRouter(prefix="/account", tags=["account"])


@router.get("/risk-settings", operation_id="risk_settings", summary="Your limits", responses=errors(401))
async def risk_settings(user: CurrentUser, session: Reading) -> RiskAnswer:
    """What the gate measures every order of yours and of your bots by."""
    return RiskAnswer.of(values_of(await settings_of(session, user.id)))


@router.put("/risk-settings", operation_id="risk_settings_change", summary="Change your limits", responses=errors(401, 403, 422))
async def risk_settings_change(body: RiskBody, found: Current, house: TheHouse, origin: From) -> RiskAnswer:
    """At once, for what runs too. To allow more wants a fresh proof (`POST /auth/confirm`); to allow less does not."""
    user, signed_in = found
    book = house.part(RiskBook)
    async with book.changing:
        after = await changed(body, user, signed_in, house, origin)
        book.set_user(user.id, limits_of(after))
    return RiskAnswer.of(after)


async def changed(body: RiskBody, user: User, signed_in: UserSession, house: House, origin: Origin) -> dict[str, Any]:
    """Committed and audited. Raises BadInput, and NotPermitted when it allows more and nobody proved to be there."""
    async with house.database.writing() as session:
        row = await settings_of(session, user.id)
        before = values_of(row)
        after = body.over(before)
        check(after)
        if raised(before, after) and not is_fresh(user, signed_in, house):
            raise stale()
        await kept(session, row, user.id, after, house)
        different = {name: {"before": before[name], "after": after[name]} for name in after if after[name] != before[name]}
        await record(session, Act("risk.changed", user.id, user.id, origin.address, different), house.clock.now())
    return after


def check(values: dict[str, Any]) -> None:
    if values["order_value_min"] > values["order_value_max"]:
        raise BadInput("order_value_min is above order_value_max; no order would pass.")


async def kept(session: Session, row: RiskSettings | None, user_id: str, values: dict[str, Any], house: House) -> None:
    if row is None:
        session.add(RiskSettings(user_id=user_id, **values, updated_at=house.clock.now()))
    else:
        for name, value in (values | {"updated_at": house.clock.now()}).items():
            setattr(row, name, value)
    await session.flush()
