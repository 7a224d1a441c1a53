"""The ledger: once by the exchange's id, to the last digit, a running balance for the account and for each owner."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from ledger_stage import START_MS, Books, opened
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from haechi.exchanges.port import Fill, Liquidated, Moved, Paid, Position
from haechi.trading import ledger
from haechi.trading.ledger_check import check
from haechi.trading.models import Booking, Entry, LedgerDay

D = Decimal


@pytest.fixture
async def books(tmp_path):
    async with opened(tmp_path) as made:
        yield made


async def rows(books: Books, kind: type) -> list:
    async with books.database.reading() as session:
        return list((await session.execute(select(kind).order_by(*kind.__table__.primary_key))).scalars())


async def checked(books: Books, account: str = "a1"):
    async with books.database.reading() as session:
        return await check(session, f"u{account[1:]}", account)


async def a_day(books: Books) -> None:
    """Money in, two owners on one position, funding, a liquidation."""
    await books.take(Moved("m1", "transfer", D(1000), START_MS))
    await books.take(books.fill("buy", "1", "100", fee="0.06"), "bot1")
    await books.take(books.fill("buy", "1", "110", fee="0.066"), "bot2")
    await books.take(Paid("p1", "BTCUSDT", D("0.00000003"), START_MS + 2))
    await books.take(books.fill("sell", "1", "106", realized="1", fee="0.0636"), "bot1")
    await books.take(Liquidated("l1", "BTCUSDT", "sell", D(1), D("90"), D(17), START_MS + 3))


async def test_every_book_runs_for_the_account_and_for_each_owner(books) -> None:
    await a_day(books)
    assert await books.balance("wallet") == D("983.81039997")
    assert await books.balance("wallet", "bot1") == D("1") - D("0.06") - D("0.0636") - D("0.00000002")
    assert (await books.balance("realized"), await books.balance("realized", "bot1"), await books.balance("liquidation")) == (-6, -6, 22)
    assert (await books.balance("netting"), await books.balance("netting", "bot1"), await books.balance("netting", "bot2")) == (0, 5, -5)
    assert (await books.balance("capital", ""), await books.balance("capital", "bot1")) == (-1000, 0)
    assert {row.wallet for row in await rows(books, Booking)} >= {D(1000), D("983.81039997")}
    assert await checked(books) == await checked(books) and (await checked(books)).difference is None
    assert (await checked(books)).bookings == 7  # funding fell on two


async def test_an_exchanges_id_is_booked_once_whoever_tells_it(books) -> None:
    one = books.fill("buy", "1", "100", fee="0.06")
    assert await books.take(one, "bot1") is True
    before = [(row.id, row.amount) for row in await rows(books, Entry)]
    assert await books.take(one, "bot1") is False
    assert await books.take(one, "bot2") is False  # its owner was mistaken meanwhile: still the same fill
    assert [(row.id, row.amount) for row in await rows(books, Entry)] == before
    assert await books.take(one, "bot1", account="a2") is True  # another account's exchange may use the same id


async def test_ten_tell_the_same_fill_at_once_and_it_is_booked_once(books) -> None:
    one = books.fill("buy", "1", "100", fee="0.06")
    assert sorted(await asyncio.gather(*(books.take(one, "bot1") for _ in range(10)))) == [False] * 9 + [True]
    assert await books.balance("fees") == D("0.06")


async def test_the_unique_key_stops_what_the_look_before_did_not_see(books, monkeypatch) -> None:
    one = books.fill("buy", "1", "100", fee="0.06")
    await books.take(one, "bot1")

    async def blind(*_) -> bool:
        return False

    monkeypatch.setattr(ledger, "is_booked", blind)
    with pytest.raises(IntegrityError):
        await books.take(one, "bot1")
    assert [len(await rows(books, kind)) for kind in (Booking, LedgerDay)] == [1, 1]
    assert await books.balance("fees") == D("0.06")


async def test_what_does_not_sum_to_zero_is_not_booked(books) -> None:
    booking = Booking(user_id="u1", account_id="a1", bot_id="", exchange_id="x", kind="deposit", order_id="", symbol="", side="",
                      quantity=D(0), price=D(0), time_ms=0)
    with pytest.raises(ledger.Unbalanced):
        async with books.database.writing() as session:
            await ledger.book(session, booking, {"wallet": D(1), "capital": D("-0.99999999")})
    assert await rows(books, Booking) == [] and await rows(books, Entry) == []


async def test_holdings_come_back_from_the_books(books) -> None:
    await books.take(books.fill("buy", "1", "100.1"), "bot1")
    await books.take(books.fill("buy", "2", "110.3"), "bot2")
    await books.take(books.fill("sell", "5", "3000", symbol="ETHUSDT"), "")
    await books.take(books.fill("sell", "0.3", "120", realized="3.93"), "bot1")
    async with books.database.reading() as session:
        held = await ledger.holdings_of(session, "a1")
        assert (await ledger.holdings_of(session, "a2")).symbols() == []
    was = books.held["a1"]
    assert held.symbols() == was.symbols() == ["BTCUSDT", "ETHUSDT"]
    event = Fill("y", "c", "BTCUSDT", "sell", D("1.1"), D("99.7"), D("0.1"), D("-8.0"), False, D("99.7"), 0)
    assert held.apply(event, "bot2") == was.copy().apply(event, "bot2")
    assert held.netting("BTCUSDT") != 0


async def test_what_is_known_is_the_newest_ids_and_the_newest_time(books, monkeypatch) -> None:
    async with books.database.reading() as session:
        assert await ledger.known_since(session, "a1") == (set(), 0)
    await a_day(books)
    monkeypatch.setattr(ledger, "KNOWN_KEPT", 2)
    async with books.database.reading() as session:
        ids, newest = await ledger.known_since(session, "a1")
    assert newest == START_MS + 3 and "l1" in ids and "m1" not in ids


async def test_a_position_of_before_is_adopted_without_cash(books) -> None:
    position = Position("BTCUSDT", D("0.5"), D("60000"), None)
    held = await _holdings(books)
    pieces = held.adopt("external", position.symbol, position.quantity, position.entry)
    async with books.database.writing() as session:
        assert await ledger.adopting("u1", "a1", position, pieces, START_MS)(session) is True
        assert await ledger.adopting("u1", "a1", position, pieces, START_MS)(session) is False
    again = await _holdings(books)
    assert (again.quantity("external", "BTCUSDT"), again.entry("external", "BTCUSDT"), await books.balance("wallet")) == (D("0.5"), 60000, 0)
    assert [row.kind for row in await rows(books, Booking)] == ["adopted"]


async def _holdings(books: Books):
    async with books.database.reading() as session:
        return await ledger.holdings_of(session, "a1")


WRONG = [(Entry, {"amount": D("9")}, "postings"), (Entry, {"balance": D("9")}, "balance"), (Entry, {"owner_balance": D("9")}, "owner_balance"),
         (Booking, {"wallet": D("9")}, "wallet"), (LedgerDay, {"fees": D("-9")}, "day")]


@pytest.mark.parametrize(("table", "change", "rule"), WRONG, ids=[rule for *_, rule in WRONG])
async def test_the_check_finds_what_was_changed(books, table, change, rule) -> None:
    await a_day(books)
    assert (await checked(books)).difference is None
    async with books.database.writing() as session:
        if table is LedgerDay:
            await session.execute(update(LedgerDay).where(LedgerDay.owner == "bot2").values(**change))
        else:
            last = (await session.execute(select(func.max(table.id)))).scalar_one()
            await session.execute(update(table).where(table.id == last).values(**change))
    found = (await checked(books)).difference
    assert found is not None and found.rule == rule
    assert (await checked(books, "a2")).difference is None
