"""Profit and loss by bot, day and symbol: the sums of the postings, exactly, and at once also after a busy year."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from ledger_stage import START_MS, Books, opened
from sqlalchemy import event, insert

from haechi.errors import BadInput
from haechi.exchanges.port import Liquidated, Moved, Paid
from haechi.trading.models import Booking, Entry, LedgerDay
from haechi.trading.statements import Asked, Line, statement, total

D = Decimal
HOUR, DAY = 3_600_000, 86_400_000
YEAR_BOOKINGS, BOTS, SYMBOLS = 25_000, 10, 5


@pytest.fixture
async def books(tmp_path):
    async with opened(tmp_path) as made:
        yield made


async def said(books: Books, by: str, *, zone: str | None = None, user: str = "u1", **given) -> list[Line]:
    async with books.database.reading() as session:
        return await statement(session, Asked(user, **given), by, None if zone is None else ZoneInfo(zone))


async def two_days(books: Books) -> None:
    await books.take(Moved("m1", "transfer", D(1000), START_MS))
    await books.take(books.fill("buy", "1", "100", fee="0.06"), "bot1")
    await books.take(books.fill("sell", "1", "106", realized="6", fee="0.07", at=16 * HOUR), "bot1")
    await books.take(books.fill("sell", "3", "10", fee="0.01", symbol="ETHUSDT", at=DAY), "bot2")
    await books.take(Paid("p1", "ETHUSDT", D("-0.5"), START_MS + DAY + 1))
    await books.take(Liquidated("l1", "ETHUSDT", "buy", D(3), D(20), D(31), START_MS + DAY + 2))


def told(lines: list[Line]) -> dict[str, tuple[str, ...]]:
    return {one.key: tuple(f"{value:f}" for value in (one.realized, one.fees, one.funding, one.liquidation, one.net)) for one in lines}


async def test_by_bot_by_day_by_symbol(books) -> None:
    await two_days(books)
    first, second = ("6", "-0.13", "0", "0", "5.87"), ("0", "-0.01", "0.5", "-31", "-30.51")
    assert told(await said(books, "bot")) == {"bot1": first, "bot2": second}
    assert told(await said(books, "day")) == {"2026-01-01": first, "2026-01-02": second}
    assert told(await said(books, "symbol", account_id="a1")) == {"BTCUSDT": first, "ETHUSDT": second}
    assert [one.bookings for one in await said(books, "bot")] == [2, 3]
    assert total(await said(books, "bot")).net == await books.balance("wallet") - 1000
    assert await said(books, "bot", user="u2") == [] and await said(books, "bot", account_id="a2") == []


async def test_only_what_is_asked_for(books) -> None:
    await two_days(books)
    assert [one.key for one in await said(books, "symbol", bot_id="bot2")] == ["ETHUSDT"]
    assert [one.key for one in await said(books, "bot", symbol="BTCUSDT")] == ["bot1"]
    assert [one.key for one in await said(books, "bot", since_ms=START_MS + DAY)] == ["bot2"]
    assert [one.key for one in await said(books, "bot", until_ms=START_MS + DAY)] == ["bot1"]


async def test_a_day_in_seoul_begins_at_three_in_the_afternoon(books) -> None:
    await two_days(books)
    window = {"since_ms": START_MS - DAY, "until_ms": START_MS + 3 * DAY}
    lines = await said(books, "day", zone="Asia/Seoul", **window)
    assert told(lines) == {"2026-01-01": ("0", "-0.06", "0", "0", "-0.06"), "2026-01-02": ("6", "-0.08", "0.5", "-31", "-24.58")}
    assert told(await said(books, "bot", zone="UTC", **window)) == told(await said(books, "bot"))
    assert [one.bookings for one in lines] == [1, 4]


@pytest.mark.parametrize("window", [{}, {"since_ms": 0, "until_ms": 32 * DAY}, {"since_ms": DAY, "until_ms": 0}])
async def test_a_time_zone_wants_a_window(books, window) -> None:
    with pytest.raises(BadInput, match="at most 31 days"):
        await said(books, "day", zone="Asia/Seoul", **window)


async def test_a_day_of_utc_is_whole(books) -> None:
    with pytest.raises(BadInput, match="midnight"):
        await said(books, "day", since_ms=1)


async def a_busy_year(books: Books) -> None:
    """100,000 entries of 25,000 bookings, written as the ledger would: the days are the sums."""
    bookings, entries, days = [], [], {}
    for number in range(1, YEAR_BOOKINGS + 1):
        at = START_MS + number * 365 * DAY // YEAR_BOOKINGS
        owner, symbol = f"bot{number % BOTS}", f"S{number // BOTS % SYMBOLS}USDT"
        gain, fee = D(number % 13 - 6), D("0.01234567")
        bookings.append({"id": number, "user_id": "u1", "account_id": "a1", "bot_id": owner, "exchange_id": f"t{number}", "kind": "fill", "order_id": "",
                         "symbol": symbol, "side": "buy", "quantity": D(1), "price": D(1), "time_ms": at})
        for book, amount in (("wallet", gain - fee), ("realized", -gain), ("fees", fee), ("netting", D(0))):
            entries.append({"booking_id": number, "user_id": "u1", "account_id": "a1", "owner": owner, "book": book, "amount": amount,
                            "balance": D(0), "owner_balance": D(0), "time_ms": at})
        key = (owner, symbol, at // DAY * DAY)
        day = days.setdefault(key, {"account_id": "a1", "owner": owner, "symbol": symbol, "day_ms": key[2], "user_id": "u1", "realized": D(0),
                                    "fees": D(0), "funding": D(0), "liquidation": D(0), "bookings": 0})
        day["realized"], day["fees"], day["bookings"] = day["realized"] + gain, day["fees"] - fee, day["bookings"] + 1
    async with books.database.writing() as session:
        await session.execute(insert(Booking), bookings)
        await session.execute(insert(Entry), entries)
        await session.execute(insert(LedgerDay), list(days.values()))


async def test_a_year_of_a_busy_account_is_told_without_reading_its_bookings(books) -> None:
    """One question of the sums of its days, however many bookings there were."""
    await a_busy_year(books)
    asked: list[str] = []
    event.listen(books.database.engine.sync_engine, "before_cursor_execute", lambda _link, _cursor, statement, *_: asked.append(statement))
    for by in ("day", "bot", "symbol"):
        lines = await said(books, by)
        assert sum(one.bookings for one in lines) == YEAR_BOOKINGS
        assert total(lines).fees == -YEAR_BOOKINGS * D("0.01234567")
    told = [statement for statement in asked if statement.startswith("SELECT")]
    assert len(told) == 3 and all("FROM ledger_days" in statement and "bookings." not in statement for statement in told), told
