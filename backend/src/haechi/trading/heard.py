"""What the books know of a bot, as the events its mind would have heard: for a mind that was saved before they were."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from haechi.core.holdings import FEES, REALIZED, WALLET
from haechi.exchanges.port import Fill, Liquidated, Paid
from haechi.platform.db import Session
from haechi.trading.models import Booking, Entry, Order

ZERO = Decimal(0)
HEARD_KINDS = ("fill", "funding", "liquidation")


async def heard_after(session: Session, user_id: str, bot_id: str, count: int) -> list[tuple[Fill | Paid | Liquidated, str]]:
    """The bot's bookings beyond the first `count`, in their order, each with its order's role."""
    query = (select(Booking).where(Booking.user_id == user_id, Booking.bot_id == bot_id, Booking.kind.in_(HEARD_KINDS))
             .order_by(Booking.id).offset(count))
    rows = (await session.execute(query)).scalars().all()
    found = []
    for row in rows:
        amounts = {entry.book: entry.amount for entry in
                   (await session.execute(select(Entry).where(Entry.user_id == user_id, Entry.booking_id == row.id))).scalars()}
        role = (await session.execute(select(Order.role).where(Order.user_id == user_id, Order.id == row.order_id))).scalar_one_or_none()
        found.append((event_of(row, amounts), role or ""))
    return found


def event_of(row: Booking, amounts: dict[str, Decimal]) -> Fill | Paid | Liquidated:
    wallet = amounts.get(WALLET, ZERO)
    if row.kind == "funding":
        return Paid(row.exchange_id, row.symbol, -wallet, row.time_ms)
    if row.kind == "liquidation":
        return Liquidated(row.exchange_id, row.symbol, row.side, row.quantity, row.price, -wallet, row.time_ms)
    return Fill(row.exchange_id, row.order_id, row.symbol, row.side, row.quantity, row.price, amounts.get(FEES, ZERO),
                -amounts.get(REALIZED, ZERO), False, row.price, row.time_ms)
