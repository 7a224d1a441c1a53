"""The ledger: double entry, exact. Every booking's amounts sum to zero; an exchange's id is booked once.

Books: wallet (what the account has), capital (what was put in), realized, liquidation, fees, funding (where it went), netting (what
the exchange's average and the owners' own differ by while a symbol is held). Signs as in bookkeeping: what the wallet gains,
another book gives. Each owner has its share of every book; `balance` runs for the account, `owner_balance` for the owner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.exc import IntegrityError

from haechi.core import holdings as of_core
from haechi.core.holdings import Holdings, Piece
from haechi.exchanges.port import Fill, Liquidated, Moved, Paid, Position
from haechi.platform.db import Session
from haechi.trading.models import Booking, Entry, LedgerDay

ZERO = Decimal(0)
DAY_MS = 86_400_000
KNOWN_KEPT = 5_000
FILL, FUNDED, LIQUIDATED, DEPOSIT, MOVEMENT, ADOPTED = "fill", "funding", "liquidation", "deposit", "movement", "adopted"
WALLET, CAPITAL, REALIZED, LIQUIDATION = of_core.WALLET, of_core.CAPITAL, of_core.REALIZED, of_core.LIQUIDATION
FEES, FUNDING, NETTING = of_core.FEES, of_core.FUNDING, of_core.NETTING
BOOKS = (WALLET, CAPITAL, REALIZED, LIQUIDATION, FEES, FUNDING, NETTING)
KINDS = (FILL, FUNDED, LIQUIDATED, DEPOSIT, MOVEMENT, ADOPTED)
Booked = Fill | Paid | Liquidated | Moved


class Unbalanced(ValueError):
    """Amounts that do not sum to zero: a fault of ours, nothing is booked."""


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
    return await _written(session, [(booking, amounts)])


async def is_booked(session: Session, account_id: str, exchange_id: str) -> bool:
    known = select(Booking.id).where(Booking.account_id == account_id, Booking.exchange_id == exchange_id).limit(1)
    return (await session.execute(known)).first() is not None


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
    return await _written(session, [(Booking(
        user_id=user_id, account_id=account_id, bot_id=piece.owner, exchange_id=exchange_id, kind=kind, order_id=order_id,
        symbol=piece.symbol, side=side_of(piece.quantity), quantity=abs(piece.quantity), price=piece.price, time_ms=time_ms,
        held=piece.held, cost=piece.cost, netting=piece.netting), piece.amounts) for piece in pieces])


def side_of(quantity: Decimal) -> str:
    if not quantity:
        return ""
    return "buy" if quantity > 0 else "sell"


async def _written(session: Session, parts: list[tuple[Booking, Mapping[str, Decimal]]]) -> bool:
    """All or nothing. Who wrote the same id in between is found by the unique key: False then, too."""
    for booking, amounts in parts:
        if sum(amounts.values(), ZERO) != 0:
            raise Unbalanced(f"{booking.exchange_id}: {dict(amounts)} does not sum to zero")
    try:
        async with session.begin_nested():
            for booking, amounts in parts:
                await _post(session, booking, amounts)
    except IntegrityError:
        if await is_booked(session, parts[0][0].account_id, parts[0][0].exchange_id):
            return False
        raise
    return True


async def _post(session: Session, booking: Booking, amounts: Mapping[str, Decimal]) -> None:
    found = await balances(session, booking.account_id, booking.bot_id, [WALLET, *(name for name in amounts if name != WALLET)])
    booking.wallet = found[WALLET][0] + amounts.get(WALLET, ZERO)
    session.add(booking)
    await session.flush()
    session.add_all([Entry(
        booking_id=booking.id, user_id=booking.user_id, account_id=booking.account_id, owner=booking.bot_id, book=name, amount=amount,
        balance=found[name][0] + amount, owner_balance=found[name][1] + amount, time_ms=booking.time_ms)
        for name, amount in amounts.items() if amount])
    if booking.symbol:
        await _day(session, booking, amounts)
    await session.flush()


async def _day(session: Session, booking: Booking, amounts: Mapping[str, Decimal]) -> None:
    key = (booking.account_id, booking.bot_id, booking.symbol, booking.time_ms // DAY_MS * DAY_MS)
    day = await session.get(LedgerDay, key)
    if day is None:
        account_id, owner, symbol, day_ms = key
        day = LedgerDay(account_id=account_id, owner=owner, symbol=symbol, day_ms=day_ms, user_id=booking.user_id, realized=ZERO, fees=ZERO,
                        funding=ZERO, liquidation=ZERO, bookings=0)
        session.add(day)
    day.realized -= amounts.get(REALIZED, ZERO)
    day.fees -= amounts.get(FEES, ZERO)
    day.funding -= amounts.get(FUNDING, ZERO)
    day.liquidation -= amounts.get(LIQUIDATION, ZERO)
    day.bookings += 1


# ---- what the books say


def _newest(account_id: str, book_name: str, owner: str | None) -> Select[int, str, Decimal]:
    value, of = (Entry.balance, "") if owner is None else (Entry.owner_balance, "owner")
    query = select(Entry.id, literal(f"{of}:{book_name}").label("of"), value.label("balance"))
    query = query.where(Entry.account_id == account_id, Entry.book == book_name)
    return (query if owner is None else query.where(Entry.owner == owner)).order_by(Entry.id.desc()).limit(1)


async def balances(session: Session, account_id: str, owner: str, names: Iterable[str]) -> dict[str, tuple[Decimal, Decimal]]:
    """Book -> its running total in the account and the owner's share, in one question."""
    wanted = list(names)
    parts = [_newest(account_id, name, who).subquery() for name in wanted for who in (None, owner)]
    rows = (await session.execute(union_all(*[select(part.c.of, part.c.balance) for part in parts]))).all()
    found = {name: balance for name, balance in rows}
    return {name: (found.get(f":{name}", ZERO), found.get(f"owner:{name}", ZERO)) for name in wanted}


async def balance_of(session: Session, account_id: str, name: str, owner: str | None = None) -> Decimal:
    """The running total of a book, or an owner's share of it; no sum over rows is ever needed."""
    row = (await session.execute(_newest(account_id, name, owner))).first()
    return ZERO if row is None else row.balance


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
