"""HTTP of everybody's bots, and of the kill switch, for admins."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import select

from haechi.admin.access import Acting
from haechi.admin.schemas import AnyBotAnswer, Id, KillBody, KilledAnswer, SwitchAnswer
from haechi.bots.models import STOPPED, Bot
from haechi.bots.service import Bots
from haechi.errors import NotFound
from haechi.identity.audit import record
from haechi.identity.current import AdminUser
from haechi.platform.answers import errors
from haechi.platform.house import Reading, TheHouse
from haechi.platform.ids import ID_CHARS
from haechi.platform.paging import Page, Paging, cursor, cut
from haechi.trading.kill_switch import Kills

router = APIRouter(prefix="/admin", tags=["admin"])

Observed = Literal["starting", "running", "stopping", "recovering", "stopped", "failed"]
Owner = Annotated[str | None, Query(pattern=f"^[0-9a-f]{{{ID_CHARS}}}$", description="Only this person's.")]


@router.get("/bots", operation_id="admin_bots", summary="Everybody's bots", responses=errors(401, 403, 422))
async def bots(_admin: AdminUser, session: Reading, paging: Paging, observed: Observed | None = None,
               user: Owner = None) -> Page[AnyBotAnswer]:
    """Newest first."""
    query = select(Bot).where(Bot.deleted_at.is_(None))
    if observed is not None:
        query = query.where(Bot.observed == observed)
    if user is not None:
        query = query.where(Bot.user_id == user)
    rows, more = cut((await session.execute(paging.below(query, Bot.id))).scalars().all(), paging.limit)
    return Page(items=[AnyBotAnswer.of(row) for row in rows], next_cursor=cursor(rows[-1].id) if more else None)


@router.post("/bots/{id}/stop", operation_id="admin_stop_bot", summary="Stop somebody's bot", responses=errors(401, 403, 404, 409, 422))
async def stop(id: Id, act: Acting, house: TheHouse) -> AnyBotAnswer:
    """As its owner would: entries are cancelled, what is held is closed at the next price."""
    async with house.database.writing() as session:
        bot = await session.get(Bot, id)
        if bot is None:
            raise NotFound("There is no such bot.")
        house.part(Bots).refuse_if_ended(bot)
        change = {"before": bot.desired, "after": STOPPED}
        await record(session, act("bot.stopped", id, owner=bot.user_id, desired=change), house.clock.now())
        bot.desired = STOPPED
    return AnyBotAnswer.of(await house.part(Bots).stop_one(bot))


@router.get("/kill-switch", operation_id="kill_switch", summary="The kill switch", responses=errors(401, 403))
async def switch(_admin: AdminUser, house: TheHouse) -> SwitchAnswer:
    """Whether it is on."""
    return SwitchAnswer(**SwitchAnswer.fields(house.part(Kills).read()))


@router.post("/kill-switch", operation_id="kill_switch_on", summary="Stop all trading", responses=errors(401, 403, 422))
async def kill(act: Acting, house: TheHouse, body: KillBody = KillBody()) -> KilledAnswer:
    """From now on no bot starts, no running one takes on new risk, and every one is stopped; over restarts too.

    Asked again, it stops what still runs. It is on even when this answers with an error: what stops waits for no book.
    """
    made = act("kill_switch.on", "platform", reason=body.reason)
    turned = house.part(Kills).turn_on("platform", by=made.actor, reason=body.reason)  # before the audit, which may fail
    async with house.database.writing() as session:
        await record(session, made, house.clock.now())
    stopping, failed = await house.part(Bots).stop_all()
    return KilledAnswer(**SwitchAnswer.fields(turned), stopping=stopping, failed=failed)


@router.delete("/kill-switch", operation_id="kill_switch_off", summary="Allow trading again", responses=errors(401, 403))
async def allow(act: Acting, house: TheHouse) -> SwitchAnswer:
    """Bots may be started again; none starts by itself."""
    async with house.database.writing() as session:
        await record(session, act("kill_switch.off", "platform"), house.clock.now())
    house.part(Kills).turn_off("platform")
    return SwitchAnswer(on=False)
