"""What a bot knows, kept in its row: written beside what leaves, read by its next start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, update

from haechi.bots.models import BotState
from haechi.platform.db import Session
from haechi.platform.points import reached
from haechi.trading.owner import Owner

STATES = BotState.__table__
INSERT_STATE = insert(STATES)  # type: ignore[arg-type]
UPDATE_STATE = (update(STATES).where(STATES.c.user_id == bindparam("of_user"), STATES.c.bot_id == bindparam("of_bot"))  # type: ignore[arg-type]
                .values(body=bindparam("body"), updated_ms=bindparam("updated_ms")))


class Saved(msgspec.Struct):
    """Body of a BotState. heard: how many of its bookings the mind knows; exiting: an exit is wanted until nothing is held."""

    heard: int
    mind: str
    exiting: bool = False


def saving(owner: Owner, saved: Saved, now_ms: int) -> Callable[[Session], Awaitable[None]]:
    """The work that writes it, for a transaction of others or one of its own."""
    body = msgspec.json.encode(saved).decode()

    async def work(session: Session) -> None:
        values: Mapping[str, Any] = {"body": body, "updated_ms": now_ms}
        done = await session.execute(UPDATE_STATE, {"of_user": owner.user_id, "of_bot": owner.bot_id, **values})
        if not done.rowcount:  # type: ignore[attr-defined]
            await session.execute(INSERT_STATE, {"bot_id": owner.bot_id, "user_id": owner.user_id, **values})
        reached("snapshot_written")

    return work
