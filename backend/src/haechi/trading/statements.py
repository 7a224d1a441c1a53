"""What was won and paid: by bot, by day, by symbol. Exact: sums of the running days, never of floats, never by SUM.

Days are UTC's and kept as the entries are written, so a year is some thousand rows. In another time zone a day begins within one of
them: then the bookings themselves are added up, over at most ZONE_DAYS_MAX days.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from decimal import Decimal

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from haechi.errors import BadInput
from haechi.platform.clock import instant
from haechi.platform.db import Session
from haechi.trading.ledger import DAY_MS, FEES, FUNDING, LIQUIDATION, REALIZED, ZERO
from haechi.trading.models import Booking, Entry, LedgerDay

BOT, DAY, SYMBOL = "bot", "day", "symbol"
ZONE_DAYS_MAX = 31
COLUMN = {REALIZED: "realized", FEES: "fees", FUNDING: "funding", LIQUIDATION: "liquidation"}


class Asked(msgspec.Struct, frozen=True):
    """Whose, and of when: from since_ms on, before until_ms. account_id None: all accounts; bot_id None: all owners."""

    user_id: str
    account_id: str | None = None
    bot_id: str | None = None
    symbol: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Line(msgspec.Struct):
    """key: a bot's id, a day (YYYY-MM-DD) or a symbol. What was paid is negative; net is the sum."""

    key: str
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    liquidation: Decimal = ZERO
    bookings: int = 0

    @property
    def net(self) -> Decimal:
        return self.realized + self.fees + self.funding + self.liquidation


async def statement(session: Session, asked: Asked, by: str, zone: tzinfo | None = None) -> list[Line]:
    """One line a key, in the order of the keys. `zone`: days of this time zone instead of UTC's."""
    if zone is not None:
        return await _of_bookings(session, asked, by, zone)
    day = LedgerDay
    wishes = [day.user_id == asked.user_id,
              *only((day.account_id, asked.account_id), (day.owner, asked.bot_id), (day.symbol, asked.symbol))]
    if asked.since_ms is not None:
        wishes.append(day.day_ms >= whole_day(asked.since_ms, "from"))
    if asked.until_ms is not None:
        wishes.append(day.day_ms < whole_day(asked.until_ms, "to"))
    wanted = select(day.owner, day.symbol, day.day_ms, day.realized, day.fees, day.funding, day.liquidation, day.bookings).where(*wishes)
    lines: dict[str, Line] = {}
    for owner, symbol, day_ms, realized, fees, funding, liquidation, bookings in (await session.execute(wanted)).all():
        line = line_of(lines, owner if by == BOT else symbol if by == SYMBOL else str(day_ms))
        line.realized += realized
        line.fees += fees
        line.funding += funding
        line.liquidation += liquidation
        line.bookings += bookings
    if by == DAY:
        for line in lines.values():
            line.key = instant(int(line.key)).date().isoformat()
    return in_order(lines)


async def _of_bookings(session: Session, asked: Asked, by: str, zone: tzinfo) -> list[Line]:
    since, until = asked.since_ms, asked.until_ms
    if since is None or until is None or not 0 <= until - since <= ZONE_DAYS_MAX * DAY_MS:
        raise BadInput(f"Days of a time zone are added up booking by booking: give from and to, at most {ZONE_DAYS_MAX} days apart.")
    wanted = (select(Booking.id, Booking.bot_id, Booking.symbol, Booking.time_ms, Entry.book, Entry.amount)
              .outerjoin(Entry, Entry.booking_id == Booking.id)
              .where(Booking.user_id == asked.user_id, Booking.symbol != "", Booking.time_ms >= since, Booking.time_ms < until,
                     *only((Booking.account_id, asked.account_id), (Booking.bot_id, asked.bot_id), (Booking.symbol, asked.symbol))))
    lines: dict[str, Line] = {}
    seen: set[int] = set()
    for row in (await session.execute(wanted)).all():
        day = instant(row.time_ms).astimezone(zone).date().isoformat()
        line = line_of(lines, {BOT: row.bot_id, SYMBOL: row.symbol, DAY: day}[by])
        line.bookings += row.id not in seen
        seen.add(row.id)
        if row.book in COLUMN:
            setattr(line, COLUMN[row.book], getattr(line, COLUMN[row.book]) - row.amount)
    return in_order(lines)


def only(*wishes: tuple[InstrumentedAttribute[str], str | None]) -> list[ColumnElement[bool]]:
    """The conditions of those wishes that were given."""
    return [column == value for column, value in wishes if value is not None]


def whole_day(ms: int, name: str) -> int:
    if ms % DAY_MS:
        raise BadInput(f"Days are whole ones of UTC: give {name} at midnight UTC, or name a time zone in tz.")
    return ms


def line_of(lines: dict[str, Line], key: str) -> Line:
    if key not in lines:
        lines[key] = Line(key)
    return lines[key]


def in_order(lines: dict[str, Line]) -> list[Line]:
    return sorted(lines.values(), key=lambda line: line.key)


def total(lines: Iterable[Line]) -> Line:
    """The sum of all lines, under the key `total`."""
    found = Line("total")
    for line in lines:
        found.bookings += line.bookings
        for name in COLUMN.values():
            setattr(found, name, getattr(found, name) + getattr(line, name))
    return found
