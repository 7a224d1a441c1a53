"""The equity history: what each open account and bot is worth, every few minutes and at each day's end; thinned as it grows old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import structlog
from sqlalchemy import CursorResult, delete, func, select, tuple_

from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.trading.models import EquityPoint
from haechi.trading.scribe import away

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
FINE_KEPT_MS = 2 * DAY_MS  # older than this one point an hour stays: the hour's last
THIN_AT_ONCE = 500  # points deleted in one statement: SQLite takes so many values
log = structlog.get_logger(__name__)


class EquityNow(msgspec.Struct, frozen=True):
    """bot_id '' is the account itself."""

    user_id: str
    account_id: str
    bot_id: str
    equity: Decimal
    wallet: Decimal
    unrealised: Decimal


class EquityHistory:
    """Writes what `source` tells at whole multiples of `every_ms` and at midnight UTC. `run` goes on until it is cancelled."""

    def __init__(self, database: Database, clock: Clock, source: Callable[[], Iterable[EquityNow]], *,
                 sleep: Callable[[float], Awaitable[object]] = asyncio.sleep, every_ms: int = 5 * MINUTE_MS) -> None:
        self.database, self.clock, self.source, self.sleep, self.every_ms = database, clock, source, sleep, every_ms
        self.thinned_ms = 0  # the hour up to which it was thinned

    async def run(self) -> None:
        while True:
            due = self.next_ms(self.clock.now_ms())
            while (left := due - self.clock.now_ms()) > 0:
                await self.sleep(left / 1000)
            try:
                await self.write(due)
            except Exception as fault:  # a database that is away for a while costs points, not the history
                log.warning("equity_unwritten", error=type(fault).__name__, exc_info=None if away(fault) else fault)

    def next_ms(self, now_ms: int) -> int:
        """The next moment to write at; each midnight is one."""
        return min((now_ms // self.every_ms + 1) * self.every_ms, (now_ms // DAY_MS + 1) * DAY_MS)

    async def write(self, time_ms: int) -> int:
        """A point for all that is open; how many. A moment is written once, also after a restart within it."""
        points = list(self.source())
        async with self.database.writing() as session:
            known = select(EquityPoint.account_id, EquityPoint.bot_id).where(
                EquityPoint.time_ms == time_ms, EquityPoint.account_id.in_({one.account_id for one in points}))
            there = {(row.account_id, row.bot_id) for row in (await session.execute(known)).all()}
            fresh = [one for one in points if (one.account_id, one.bot_id) not in there]
            session.add_all([EquityPoint(time_ms=time_ms, **msgspec.structs.asdict(one)) for one in fresh])
            await self._thin(session, time_ms)
        return len(fresh)

    async def _thin(self, session: Session, now_ms: int) -> None:
        """Once an hour. After the first time there is one hour's worth to look at."""
        end = (now_ms - FINE_KEPT_MS) // HOUR_MS * HOUR_MS
        if end <= self.thinned_ms:
            return
        await thin(session, self.thinned_ms, end)
        self.thinned_ms = end


async def thin(session: Session, start_ms: int, end_ms: int) -> int:
    """Of every hour in [start, end) keep the last point of each account and bot; how many went."""
    hour = EquityPoint.time_ms - EquityPoint.time_ms % HOUR_MS
    place = func.row_number().over(partition_by=(EquityPoint.account_id, EquityPoint.bot_id, hour), order_by=EquityPoint.time_ms.desc())
    ranked = select(EquityPoint.account_id, EquityPoint.bot_id, EquityPoint.time_ms, place.label("place")).where(
        EquityPoint.time_ms >= start_ms, EquityPoint.time_ms < end_ms).subquery()
    over = (await session.execute(select(ranked.c.account_id, ranked.c.bot_id, ranked.c.time_ms).where(ranked.c.place > 1))).all()
    key, gone = tuple_(EquityPoint.account_id, EquityPoint.bot_id, EquityPoint.time_ms), 0
    for first in range(0, len(over), THIN_AT_ONCE):
        done: CursorResult[Any] = await session.execute(  # type: ignore[assignment]
            delete(EquityPoint).where(key.in_([tuple(row) for row in over[first:first + THIN_AT_ONCE]])))
        gone += done.rowcount
    return gone


async def history(session: Session, user_id: str, account_id: str, bot_id: str, *, since_ms: int | None = None, until_ms: int | None = None,
                  points: int = 500) -> Sequence[EquityPoint]:
    """Oldest first, at most `points`, evenly thinned; the newest is always among them."""
    mine = [EquityPoint.user_id == user_id, EquityPoint.account_id == account_id, EquityPoint.bot_id == bot_id]
    if since_ms is not None:
        mine.append(EquityPoint.time_ms >= since_ms)
    if until_ms is not None:
        mine.append(EquityPoint.time_ms < until_ms)
    count = (await session.execute(select(func.count()).select_from(EquityPoint).where(*mine))).scalar_one()
    step = max(1, -(-count // points))
    place = func.row_number().over(order_by=EquityPoint.time_ms.desc())
    ranked = select(EquityPoint.time_ms.label("time_ms"), place.label("place")).where(*mine).subquery()
    times = select(ranked.c.time_ms).where((ranked.c.place - 1) % step == 0)
    query = select(EquityPoint).where(*mine, EquityPoint.time_ms.in_(times)).order_by(EquityPoint.time_ms)
    return (await session.execute(query)).scalars().all()
