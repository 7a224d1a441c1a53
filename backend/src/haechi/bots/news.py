"""What was observed of bots, and the lines of their logs: gathered in memory, written once a pass for all of them."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Table, and_, bindparam, or_, select, update

from haechi.bots.allocation import ENDED
from haechi.bots.models import FAILED, RUNNING, STOPPED, Bot, BotLine
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session

REASON_CHARS_MAX = 200


class Due(msgspec.Struct, frozen=True):
    """A bot, and what was desired of it when it was looked at."""

    id: str
    user_id: str
    account_id: str
    desired: str


COLUMNS = (Bot.id, Bot.user_id, Bot.account_id, Bot.desired)
DIFFERS = and_(Bot.deleted_at.is_(None), or_(and_(Bot.desired == RUNNING, Bot.observed.not_in((RUNNING, FAILED))),
                                             and_(Bot.desired == STOPPED, Bot.observed.not_in(ENDED))))
NOT_GIVEN_UP = and_(Bot.deleted_at.is_(None), or_(and_(Bot.desired == RUNNING, Bot.observed != FAILED),
                                                  and_(Bot.desired == STOPPED, Bot.observed.not_in(ENDED))))
TABLE = Bot.__table__
assert isinstance(TABLE, Table)
# Unless its owner has wished something else meanwhile: then it is older than the wish.
OBSERVED = (update(TABLE).where(TABLE.c.id == bindparam("of"), TABLE.c.desired == bindparam("while_desired"))
            .values({name: bindparam(f"new_{name}") for name in ("observed", "reason", "attempts", "retry_ms", "ended_at")}))


# Asked every second: building it each time would cost more than the question.
DIFFERING = select(*COLUMNS, Bot.flatten).where(DIFFERS, Bot.retry_ms <= bindparam("now")).order_by(Bot.id)


async def differing(session: Session, now_ms: int) -> list[tuple[Due, bool]]:
    """Bots that are not as desired and whose next try has come; and whether what they hold is to be closed."""
    return [(Due(*row[:4]), row[4]) for row in (await session.execute(DIFFERING, {"now": now_ms})).all()]


async def of_account(session: Session, user_id: str, account_id: str) -> list[Due]:
    """Its bots that run, or are on their way to or from it."""
    query = select(*COLUMNS).where(NOT_GIVEN_UP, Bot.user_id == user_id, Bot.account_id == account_id).order_by(Bot.id)
    return [Due(*row) for row in (await session.execute(query)).all()]


class News:
    """In the order it was heard of. What the database does not take is kept for the next time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock
        self._observed: list[dict[str, Any]] = []
        self._lines: list[dict[str, Any]] = []

    def observe(self, one: Due, observed: str, reason: str = "", attempts: int = 0, retry_ms: int = 0) -> None:
        ended_at, kept = self.clock.now() if observed in ENDED else None, reason[:REASON_CHARS_MAX]
        self._observed.append({"of": one.id, "while_desired": one.desired, "new_observed": observed, "new_reason": kept,
                               "new_attempts": attempts, "new_retry_ms": retry_ms, "new_ended_at": ended_at})

    def say(self, one: Due, code: str, **facts: str) -> None:
        self._lines.append({"user_id": one.user_id, "bot_id": one.id, "time_ms": self.clock.now_ms(), "code": code, "facts": facts})

    def unwritten(self) -> dict[str, str]:
        """Bot -> what was observed of it last, where its row does not say so yet."""
        return {one["of"]: one["new_observed"] for one in self._observed}

    async def write(self) -> None:
        observed, lines = list(self._observed), list(self._lines)
        if not observed and not lines:
            return
        async with self.database.writing() as session:
            if observed:
                await (await session.connection()).execute(OBSERVED, observed)
            there = await self._there(session, {line["bot_id"] for line in lines})
            session.add_all([BotLine(**line) for line in lines if line["bot_id"] in there])
        del self._observed[:len(observed)], self._lines[:len(lines)]

    @staticmethod
    async def _there(session: Session, bot_ids: set[str]) -> set[str]:
        """Those that are there still. Lines of one that went with its owner can never be written, and would hold up all others."""
        if not bot_ids:
            return set()
        return set((await session.execute(select(Bot.id).where(Bot.id.in_(sorted(bot_ids))))).scalars())

    def clear(self) -> None:
        self._observed.clear()
        self._lines.clear()


