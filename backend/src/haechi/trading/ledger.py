"""The ledger: double entry, exact. Every booking's amounts sum to zero; an exchange's id is booked once.

Books: wallet (what the account has), capital (what was put in), realized, liquidation, fees, funding (where it went), netting (what
the exchange's average and the owners' own differ by while a symbol is held). Signs as in bookkeeping: what the wallet gains,
another book gives. Each owner has its share of every book; `balance` runs for the account, `owner_balance` for the owner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal

from sqlalchemy import func, select

from haechi.core.holdings import Holdings, Piece
from haechi.exchanges.port import Fill, Liquidated, Moved, Paid, Position
from haechi.platform.db import Session
from haechi.trading import posting
from haechi.trading.models import Booking
from haechi.trading.posting import is_booked, written

ZERO = Decimal(0)
WALLET, CAPITAL, REALIZED, LIQUIDATION = posting.WALLET, posting.CAPITAL, posting.REALIZED, posting.LIQUIDATION
FEES, FUNDING, NETTING, BOOKS = posting.FEES, posting.FUNDING, posting.NETTING, posting.BOOKS
Unbalanced, balance_of, balances, DAY_MS = posting.Unbalanced, posting.balance_of, posting.balances, posting.DAY_MS
KNOWN_KEPT = 5_000
OPENING = "opening"  # the booking of what an account had on its first day; its order_id is how far that reaches
FILL, FUNDED, LIQUIDATED, DEPOSIT, MOVEMENT, ADOPTED = "fill", "funding", "liquidation", "deposit", "movement", "adopted"
KINDS = (FILL, FUNDED, LIQUIDATED, DEPOSIT, MOVEMENT, ADOPTED)
Booked = Fill | Paid | Liquidated | Moved


# ---- what others book


async def record(session: Session, *, user_id: str, account_id: str, event: Booked, pieces: list[Piece], order_id: str) -> bool:
    """An event of the exchange, a booking for each owner's piece. False: this exchange id is booked already, nothing written."""
    kind, exchange_id = named(event)
    return await _once(session, user_id, account_id, kind, exchange_id, order_id, event.time_ms, pieces)


def adopting(user_id: str, account_id: str, position: Position, pieces: list[Piece], now_ms: int) -> Callable[[Session], Awaitable[bool]]:
    """The work of booking a position that was found at the exchange: no cash moves. Once for each symbol and moment."""
    async def work(session: Session) -> bool:
        return await _once(session, user_id, account_id, ADOPTED, f"adopted:{position.symbol}:{now_ms}", "", now_ms, pieces)

    return work


async def book(session: Session, booking: Booking, amounts: Mapping[str, Decimal]) -> bool:
    """Write one booking with its entries; False, and nothing written, when the exchange's id is booked already."""
    if await is_booked(session, booking.account_id, booking.exchange_id):
        return False
    await written(session, [(booking, amounts)])
    return True


def named(event: Booked) -> tuple[str, str]:
    """Its kind and the exchange's id."""
    match event:
        case Fill():
            return FILL, event.trade_id
        case Paid():
            return FUNDED, event.payment_id
        case Liquidated():
            return LIQUIDATED, event.trade_id
        case Moved():
            return MOVEMENT, event.movement_id


async def _once(session: Session, user_id: str, account_id: str, kind: str, exchange_id: str, order_id: str,  # noqa: PLR0913
                time_ms: int, pieces: Iterable[Piece]) -> bool:
    if await is_booked(session, account_id, exchange_id):
        return False
    await written(session, [(Booking(
        user_id=user_id, account_id=account_id, bot_id=piece.owner, exchange_id=exchange_id, kind=kind, order_id=order_id,
        symbol=piece.symbol, side=side_of(piece.quantity), quantity=abs(piece.quantity), price=piece.price, time_ms=time_ms,
        held=piece.held, cost=piece.cost, netting=piece.netting), piece.amounts) for piece in pieces])
    return True


def side_of(quantity: Decimal) -> str:
    if not quantity:
        return ""
    return "buy" if quantity > 0 else "sell"


# ---- what the books say


async def holdings_of(session: Session, account_id: str) -> Holdings:
    """Who holds what, as the newest booking of each owner and symbol left it."""
    newest = (select(func.max(Booking.id)).where(Booking.account_id == account_id, Booking.symbol != "")
              .group_by(Booking.symbol, Booking.bot_id))
    rows = (await session.execute(select(Booking).where(Booking.id.in_(newest)).order_by(Booking.id))).scalars()
    holdings = Holdings()
    for row in rows:  # the newest last: its netting is the symbol's
        holdings.restore(row.bot_id, row.symbol, row.held, row.cost, row.netting)
    return holdings


async def known_since(session: Session, account_id: str) -> tuple[set[str], int]:
    """The newest exchange ids that are booked, and the time of the newest event (0: none)."""
    query = select(Booking.exchange_id, Booking.time_ms).where(Booking.account_id == account_id)
    rows = (await session.execute(query.order_by(Booking.time_ms.desc(), Booking.id.desc()).limit(KNOWN_KEPT))).all()
    return {row.exchange_id for row in rows}, max((row.time_ms for row in rows), default=0)


async def taken_over(session: Session, account_id: str) -> int:
    """The exchange's time up to which the opening balance holds everything that happened; -1 where nothing had."""
    query = select(Booking.order_id).where(Booking.account_id == account_id, Booking.exchange_id == OPENING)
    found = (await session.execute(query)).scalar_one_or_none()
    return int(found) if found else -1
