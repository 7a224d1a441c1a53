"""The books against themselves: every booking sums to zero, every running balance continues the one before, the days are the sums."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import msgspec
from sqlalchemy import select

from haechi.platform.db import Session
from haechi.trading.ledger import DAY_MS, FEES, FUNDING, LIQUIDATION, REALIZED, WALLET, ZERO
from haechi.trading.models import Booking, Entry, LedgerDay

ROWS = 2_000  # at once; others get their turn in between
Key = tuple[str, str, int]


class Difference(msgspec.Struct, frozen=True):
    """rule: postings | balance | owner_balance | wallet | day. booking: 0 where it is a day."""

    rule: str
    booking: int
    book: str
    expected: Decimal
    found: Decimal


class Check(msgspec.Struct):
    """bookings: how many were read; difference: the first, None if the books agree."""

    bookings: int = 0
    difference: Difference | None = None


async def check(session: Session, user_id: str, account_id: str) -> Check:
    """Reads everything of one account, in the order in which it was booked."""
    found, running = Check(), Running()
    last = 0
    while True:
        query = select(Booking).where(Booking.user_id == user_id, Booking.account_id == account_id, Booking.id > last)
        rows = (await session.execute(query.order_by(Booking.id).limit(ROWS))).scalars().all()
        if not rows:
            break
        entries = defaultdict(list)
        of_rows = select(Entry).where(Entry.account_id == account_id, Entry.booking_id.between(rows[0].id, rows[-1].id))
        for entry in (await session.execute(of_rows.order_by(Entry.id))).scalars():
            entries[entry.booking_id].append(entry)
        for row in rows:
            found.bookings += 1
            found.difference = running.goes_on(row, entries[row.id])
            if found.difference is not None:
                return found
        last = rows[-1].id
        session.expunge_all()
    found.difference = await days_differ(session, user_id, account_id, running.days)
    return found


class Running:
    """What every balance must be next."""

    def __init__(self) -> None:
        self.books: dict[str, Decimal] = defaultdict(Decimal)
        self.owners: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.days: dict[Key, Decimal] = defaultdict(Decimal)

    def goes_on(self, row: Booking, entries: list[Entry]) -> Difference | None:
        rest = sum((entry.amount for entry in entries), ZERO)
        if rest:
            return Difference("postings", row.id, "", ZERO, rest)
        for entry in entries:
            self.books[entry.book] += entry.amount
            self.owners[entry.owner, entry.book] += entry.amount
            if entry.balance != self.books[entry.book]:
                return Difference("balance", row.id, entry.book, self.books[entry.book], entry.balance)
            if entry.owner_balance != self.owners[entry.owner, entry.book]:
                return Difference("owner_balance", row.id, entry.book, self.owners[entry.owner, entry.book], entry.owner_balance)
            if row.symbol and entry.book in (REALIZED, FEES, FUNDING, LIQUIDATION):
                self.days[row.bot_id, row.symbol, row.time_ms // DAY_MS * DAY_MS] -= entry.amount
        if row.wallet != self.books[WALLET]:
            return Difference("wallet", row.id, WALLET, self.books[WALLET], row.wallet)
        return None


async def days_differ(session: Session, user_id: str, account_id: str, expected: dict[Key, Decimal]) -> Difference | None:
    """The net of each day against the postings."""
    rows = (await session.execute(select(LedgerDay).where(LedgerDay.user_id == user_id, LedgerDay.account_id == account_id))).scalars()
    found = {(row.owner, row.symbol, row.day_ms): row.realized + row.fees + row.funding + row.liquidation for row in rows}
    for key in sorted({*found, *expected}):
        if found.get(key, ZERO) != expected.get(key, ZERO):
            return Difference("day", 0, "/".join(map(str, key)), expected.get(key, ZERO), found.get(key, ZERO))
    return None
