"""Writing in the books: a booking, its postings with the running balances they continue, and the sums of its day.

Statements are built once and run with values: building them each time would cost more than the database does.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import Select, bindparam, insert, literal, select, union_all, update

from haechi.core import holdings as of_core
from haechi.platform.db import Session
from haechi.trading.models import Booking, Entry, LedgerDay

ZERO = Decimal(0)
DAY_MS = 86_400_000
WALLET, CAPITAL, REALIZED, LIQUIDATION = of_core.WALLET, of_core.CAPITAL, of_core.REALIZED, of_core.LIQUIDATION
FEES, FUNDING, NETTING = of_core.FEES, of_core.FUNDING, of_core.NETTING
BOOKS = (WALLET, CAPITAL, REALIZED, LIQUIDATION, FEES, FUNDING, NETTING)


class Unbalanced(ValueError):
    """Amounts that do not sum to zero: a fault of ours, nothing is booked."""


def _newest(name: str, *, of_owner: bool) -> Select[int, str, Decimal]:
    one = Entry.__table__.c
    value = one.owner_balance if of_owner else one.balance
    query = select(one.id, literal(f"{name}:{int(of_owner)}").label("of"), value.label("balance")).where(
        one.account_id == bindparam("account"), one.book == name)
    return (query.where(one.owner == bindparam("of")) if of_owner else query).order_by(one.id.desc()).limit(1)


NEWEST = {(name, of_owner): _newest(name, of_owner=of_owner) for name in BOOKS for of_owner in (False, True)}
BALANCES = union_all(*[select(part.c.of, part.c.balance) for part in [query.subquery() for query in NEWEST.values()]])


async def balances(session: Session, account_id: str, owner: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Book -> its running total in the account and the owner's share, in one question."""
    rows = (await session.execute(BALANCES, {"account": account_id, "of": owner})).all()
    found = {of: balance for of, balance in rows}
    return {name: (found.get(f"{name}:0", ZERO), found.get(f"{name}:1", ZERO)) for name in BOOKS}


async def balance_of(session: Session, account_id: str, name: str, owner: str | None = None) -> Decimal:
    """The running total of a book, or an owner's share of it; no sum over rows is ever needed."""
    given = {"account": account_id} if owner is None else {"account": account_id, "of": owner}
    row = (await session.execute(NEWEST[name, owner is not None], given)).first()
    return ZERO if row is None else row.balance


async def is_booked(session: Session, account_id: str, exchange_id: str) -> bool:
    return (await session.execute(KNOWN, {"account": account_id, "name": exchange_id})).first() is not None


# ---- writing


async def written(session: Session, parts: list[tuple[Booking, Mapping[str, Decimal]]]) -> None:
    """In the caller's writing transaction, which nobody else writes beside: whether the id is booked was asked there (`is_booked`), and
    the unique key stops what that could not see. No savepoint: on a full disk SQLite ends the transaction under it."""
    for booking, amounts in parts:
        if sum(amounts.values(), ZERO) != 0:
            raise Unbalanced(f"{booking.exchange_id}: {dict(amounts)} does not sum to zero")
    for booking, amounts in parts:
        await _post(session, booking, amounts)


async def _post(session: Session, booking: Booking, amounts: Mapping[str, Decimal]) -> None:
    """Statements instead of objects: a busy account books many a second."""
    found = await balances(session, booking.account_id, booking.bot_id)
    booking.wallet = found[WALLET][0] + amounts.get(WALLET, ZERO)
    values = {name: getattr(booking, name) if getattr(booking, name) is not None else ZERO for name in COLUMNS}
    booking_id = (await session.execute(INSERT_BOOKING, values)).scalar_one()
    common = {"booking_id": booking_id, "user_id": booking.user_id, "account_id": booking.account_id, "owner": booking.bot_id,
              "time_ms": booking.time_ms}
    entries = [{**common, "book": name, "amount": amount, "balance": found[name][0] + amount, "owner_balance": found[name][1] + amount}
               for name, amount in amounts.items() if amount]
    if entries:
        await session.execute(INSERT_ENTRY, entries)
    if booking.symbol:
        await _day(session, booking, amounts)


async def _day(session: Session, booking: Booking, amounts: Mapping[str, Decimal]) -> None:
    """Signs turn here: what a book of costs takes, the owner lost."""
    day = {"account": booking.account_id, "of": booking.bot_id, "market": booking.symbol, "day": booking.time_ms // DAY_MS * DAY_MS}
    row = (await session.execute(DAY, day)).first()
    before = (ZERO, ZERO, ZERO, ZERO, 0) if row is None else tuple(row)
    sums = {name: before[k] - amounts.get(book_name, ZERO) for k, (name, book_name) in enumerate(DAY_BOOKS)}
    if row is not None:
        await session.execute(UPDATE_DAY, {**day, **sums, "bookings": before[4] + 1})
        return
    await session.execute(INSERT_DAY, {"account_id": day["account"], "owner": day["of"], "symbol": day["market"], "day_ms": day["day"],
                                       "user_id": booking.user_id, **sums, "bookings": 1})


KNOWN = select(Booking.id).where(Booking.account_id == bindparam("account"), Booking.exchange_id == bindparam("name")).limit(1)
DAY_BOOKS = (("realized", REALIZED), ("fees", FEES), ("funding", FUNDING), ("liquidation", LIQUIDATION))
COLUMNS = [column.name for column in Booking.__table__.columns if column.name != "id"]
INSERT_BOOKING = insert(Booking.__table__).returning(Booking.__table__.c.id)  # type: ignore[arg-type]
INSERT_ENTRY = insert(Entry.__table__)  # type: ignore[arg-type]
INSERT_DAY = insert(LedgerDay.__table__)  # type: ignore[arg-type]
_d = LedgerDay.__table__.c
_THE_DAY = (_d.account_id == bindparam("account"), _d.owner == bindparam("of"), _d.symbol == bindparam("market"),
            _d.day_ms == bindparam("day"))
DAY = select(_d.realized, _d.fees, _d.funding, _d.liquidation, _d.bookings).where(*_THE_DAY)
UPDATE_DAY = update(LedgerDay.__table__).where(*_THE_DAY)  # type: ignore[arg-type]
