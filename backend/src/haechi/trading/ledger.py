"""The ledger: double entry, exact. Every booking's amounts sum to zero; an exchange's id is booked once.

Books: wallet (what the account has), capital (what was put in), realized, fees, funding (where it went). Signs as in
bookkeeping: what the wallet gains, another book gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import select

from haechi.exchanges.port import Fill, Liquidated, Paid
from haechi.platform.db import Session
from haechi.trading.models import Booking, Entry

ZERO = Decimal(0)
WALLET, CAPITAL, REALIZED, FEES, FUNDING = "wallet", "capital", "realized", "fees", "funding"


class Unbalanced(ValueError):
    """Amounts that do not sum to zero: a fault of ours, nothing is booked."""


def postings(event: Fill | Paid | Liquidated) -> dict[str, Decimal]:
    """What an event moves between books."""
    match event:
        case Fill():
            return {WALLET: event.realized - event.fee, REALIZED: -event.realized, FEES: event.fee}
        case Paid():
            return {WALLET: -event.amount, FUNDING: event.amount}
        case Liquidated():
            return {WALLET: -event.loss, REALIZED: event.loss}


async def book(session: Session, booking: Booking, amounts: Mapping[str, Decimal]) -> bool:
    """Write a booking with its entries; False, and nothing written, when the exchange's id is booked already."""
    if sum(amounts.values(), ZERO) != 0:
        raise Unbalanced(f"{booking.exchange_id}: {dict(amounts)} does not sum to zero")
    known = select(Booking.id).where(Booking.account_id == booking.account_id, Booking.exchange_id == booking.exchange_id)
    if (await session.execute(known)).first() is not None:
        return False
    session.add(booking)
    await session.flush()
    for name, amount in amounts.items():
        if amount != 0:
            balance = await balance_of(session, booking.account_id, name) + amount
            session.add(Entry(booking_id=booking.id, user_id=booking.user_id, account_id=booking.account_id, book=name, amount=amount,
                              balance=balance))
            await session.flush()
    return True


async def balance_of(session: Session, account_id: str, name: str) -> Decimal:
    """The running total of a book; no sum over rows is ever needed."""
    query = select(Entry.balance).where(Entry.account_id == account_id, Entry.book == name).order_by(Entry.id.desc()).limit(1)
    return (await session.execute(query)).scalar_one_or_none() or ZERO
