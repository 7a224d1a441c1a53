"""Queries about the ledger; the owner is in every one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import msgspec
from sqlalchemy import select

from haechi.errors import NotFound
from haechi.platform.db import Database, Session
from haechi.trading.models import Account, Booking, Entry
from haechi.trading.statements import only

AT_ONCE = 1_000  # bookings read for the CSV in one short transaction


class Filter(msgspec.Struct, frozen=True):
    """None: not asked for. from since_ms on, before until_ms."""

    user_id: str
    account_id: str | None = None
    bot_id: str | None = None
    symbol: str | None = None
    kind: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


async def own_account(session: Session, user_id: str, account_id: str) -> Account:
    """Raises NotFound, also for another's."""
    query = select(Account).where(Account.user_id == user_id, Account.id == account_id)
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("No such account.")
    return found


async def newest_account(session: Session, user_id: str) -> str | None:
    query = select(Account.id).where(Account.user_id == user_id).order_by(Account.closed_at.is_(None).desc(), Account.id.desc()).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


def conditions(asked: Filter) -> list[object]:
    found: list[object] = [Booking.user_id == asked.user_id, *only(
        (Booking.account_id, asked.account_id), (Booking.bot_id, asked.bot_id), (Booking.symbol, asked.symbol), (Booking.kind, asked.kind))]
    if asked.since_ms is not None:
        found.append(Booking.time_ms >= asked.since_ms)
    if asked.until_ms is not None:
        found.append(Booking.time_ms < asked.until_ms)
    return found


async def bookings_of(session: Session, asked: Filter, *, below: int | None, limit: int) -> Sequence[Booking]:
    """The last booked first."""
    query = select(Booking).where(*conditions(asked))  # type: ignore[arg-type]
    if below is not None:
        query = query.where(Booking.id < below)
    return (await session.execute(query.order_by(Booking.id.desc()).limit(limit))).scalars().all()


async def entries_of(session: Session, user_id: str, bookings: Sequence[Booking]) -> dict[int, list[Entry]]:
    """Booking id -> its postings, in the order in which they were made."""
    query = select(Entry).where(Entry.user_id == user_id, Entry.booking_id.in_([one.id for one in bookings])).order_by(Entry.id)
    found: dict[int, list[Entry]] = defaultdict(list)
    for entry in (await session.execute(query)).scalars():
        found[entry.booking_id].append(entry)
    return found


async def all_bookings(database: Database, asked: Filter) -> AsyncIterator[list[tuple[Booking, list[Entry]]]]:
    """Oldest first, a part at a time: a slow reader holds no transaction open."""
    last = 0
    while True:
        async with database.reading() as session:
            query = select(Booking).where(*conditions(asked), Booking.id > last)  # type: ignore[arg-type]
            rows = (await session.execute(query.order_by(Booking.id).limit(AT_ONCE))).scalars().all()
            entries = await entries_of(session, asked.user_id, rows)
        if not rows:
            return
        last = rows[-1].id
        yield [(row, entries[row.id]) for row in rows]
