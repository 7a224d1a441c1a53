"""Books of before the owners are carried over: whose each entry was, the wallet after each booking, the sums of the days."""

from __future__ import annotations

from decimal import Decimal

from ledger_stage import START_MS
from sqlalchemy import select, text

from haechi.platform.db import Database
from haechi.platform.migrate import downgrade, upgrade
from haechi.trading.ledger_check import check
from haechi.trading.models import Booking, LedgerDay

D = Decimal
BEFORE = [
    "INSERT INTO users (id, email, password_hash, role, created_at, totp_step) VALUES ('u1', 'a@example.com', 'x', 'user', '2026-01-01', 0)",
    "INSERT INTO accounts (id, user_id, mode, capital, created_at) VALUES ('a1', 'u1', 'paper', '100', '2026-01-01')"]
BOOKED = [("deposit", "deposit", "", [("wallet", "100", "100"), ("capital", "-100", "-100")]),
          ("fill", "t1", "BTCUSDT", [("wallet", "-0.25", "99.75"), ("fees", "0.25", "0.25")]),
          ("liquidation", "t2", "BTCUSDT", [("wallet", "-9", "90.75"), ("realized", "9", "9")])]


async def test_old_books_pass_the_new_check(tmp_path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/haechi.db")
    await upgrade(database)
    await downgrade(database, "r0009")
    async with database.writing() as session:
        for statement in BEFORE:
            await session.execute(text(statement))
        for number, (kind, name, symbol, postings) in enumerate(BOOKED, start=1):
            await session.execute(text(
                "INSERT INTO bookings (id, user_id, account_id, bot_id, exchange_id, kind, order_id, symbol, side, quantity, price, time_ms) "
                f"VALUES ({number}, 'u1', 'a1', 'bot1', '{name}', '{kind}', '', '{symbol}', '', '0', '0', {START_MS + number})"))
            for book, amount, balance in postings:
                await session.execute(text("INSERT INTO ledger_entries (booking_id, user_id, account_id, book, amount, balance) "
                                           f"VALUES ({number}, 'u1', 'a1', '{book}', '{amount}', '{balance}')"))
    await upgrade(database)
    async with database.reading() as session:
        found = await check(session, "u1", "a1")
        assert (found.bookings, found.difference) == (3, None)
        assert list((await session.execute(select(Booking.wallet).order_by(Booking.id))).scalars()) == [100, D("99.75"), D("90.75")]
        day = (await session.execute(select(LedgerDay))).scalar_one()
        assert (day.owner, day.fees, day.realized, day.liquidation, day.bookings) == ("bot1", D("-0.25"), 0, -9, 2)
    await database.close()
