"""Equity points: at whole moments and each midnight, once, fine for two days and hourly after; time is virtual."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from ledger_stage import START, START_MS, opened
from sqlalchemy import select
from structlog.testing import capture_logs

from haechi.platform.clock import SetClock
from haechi.trading.equity import DAY_MS, HOUR_MS, MINUTE_MS, EquityHistory, EquityNow, history
from haechi.trading.models import EquityPoint

D = Decimal


@pytest.fixture
async def books(tmp_path):
    async with opened(tmp_path) as made:
        yield made


def worth(bot: str = "", equity: str = "10", account: str = "a1") -> EquityNow:
    return EquityNow(f"u{account[1:]}", account, bot, D(equity), D("9"), D(equity) - 9)


async def times(books, bot: str = "") -> list[int]:
    async with books.database.reading() as session:
        rows = await session.execute(select(EquityPoint.time_ms).where(EquityPoint.bot_id == bot).order_by(EquityPoint.time_ms))
        return [time - START_MS for time in rows.scalars()]


@pytest.mark.parametrize(("fault", "told"), [(OSError("no database"), False), (ValueError("ours"), True)])
async def test_it_writes_at_whole_multiples_and_at_midnight_and_survives_a_fault(books, fault: Exception, told: bool) -> None:
    clock = SetClock(START + timedelta(hours=23, minutes=50, seconds=7))
    calls, done = [], asyncio.Event()

    async def sleep(seconds: float) -> None:
        if clock.now_ms() >= START_MS + DAY_MS + 14 * MINUTE_MS:
            done.set()
            await asyncio.Event().wait()
        clock.advance(timedelta(seconds=seconds))

    def source() -> list[EquityNow]:
        calls.append(clock.now_ms() - START_MS)
        if len(calls) == 2:
            raise fault
        return [worth(), worth("bot1", "5")]

    with capture_logs() as logged:
        task = asyncio.create_task(EquityHistory(books.database, clock, source, sleep=sleep, every_ms=7 * MINUTE_MS).run())
        await done.wait()
        task.cancel()
    assert [(one["event"], one["exc_info"]) for one in logged] == [("equity_unwritten", fault if told else None)], "where, when it is ours"
    midnight = DAY_MS
    assert calls == [midnight - 5 * MINUTE_MS, midnight, midnight + 2 * MINUTE_MS, midnight + 9 * MINUTE_MS, midnight + 16 * MINUTE_MS]
    assert await times(books) == await times(books, "bot1") == [calls[0], *calls[2:]]


async def test_a_moment_is_written_once(books) -> None:
    task = EquityHistory(books.database, SetClock(START), lambda: [worth(), worth("bot1")])
    assert [await task.write(START_MS), await task.write(START_MS), await task.write(START_MS + 1)] == [2, 0, 2]


async def test_what_is_older_than_two_days_keeps_the_last_of_each_hour(books) -> None:
    async with books.database.writing() as session:
        for minute in (*range(0, 125), *range(48 * 60 - 3, 48 * 60 + 3)):
            for account, bot in (("a1", ""), ("a1", "bot1"), ("a2", "")):
                session.add(EquityPoint(time_ms=START_MS + minute * MINUTE_MS, account_id=account, bot_id=bot, user_id=f"u{account[1:]}", equity=D(1),
                                        wallet=D(1), unrealised=D(0)))
    task = EquityHistory(books.database, SetClock(START), lambda: [worth()])
    await task.write(START_MS + 2 * DAY_MS + 2 * HOUR_MS + 59 * MINUTE_MS)
    fine = [minute * MINUTE_MS for minute in (120, 121, 122, 123, 124, 2877, 2878, 2879, 2880, 2881, 2882)]
    assert await times(books, "bot1") == [59 * MINUTE_MS, 119 * MINUTE_MS, *fine]
    await task.write(START_MS + 2 * DAY_MS + 3 * HOUR_MS)
    assert await times(books, "bot1") == [59 * MINUTE_MS, 119 * MINUTE_MS, 124 * MINUTE_MS, *fine[5:]]


async def test_the_answer_is_thinned_evenly_and_ends_with_the_newest(books) -> None:
    async with books.database.writing() as session:
        session.add_all([EquityPoint(time_ms=START_MS + minute, account_id="a1", bot_id="", user_id="u1", equity=D(minute), wallet=D(1),
                                     unrealised=D(0)) for minute in range(1001)])
    async with books.database.reading() as session:
        found = [int(one.equity) for one in await history(session, "u1", "a1", "", points=100)]
        assert found == list(range(10, 1001, 11)) and len(found) <= 100
        some = await history(session, "u1", "a1", "", since_ms=START_MS + 5, until_ms=START_MS + 8, points=100)
        assert [int(one.equity) for one in some] == [5, 6, 7]
        assert list(await history(session, "u2", "a1", "")) == []
