"""Use cases of /order: whose order or part it is, then the desk of its account."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Select, select, tuple_

from haechi.bots.allocation import ENDED
from haechi.bots.models import FORM, STOPPED, Bot
from haechi.bots.service import Bots
from haechi.errors import BadInput, Conflict, NotFound
from haechi.exchanges.port import Rejected
from haechi.platform.clock import instant
from haechi.platform.db import Session
from haechi.platform.house import House
from haechi.platform.paging import Wanted
from haechi.trading import accounts, by_hand
from haechi.trading.brackets import entry_number
from haechi.trading.desk import Desk
from haechi.trading.desks import Desks
from haechi.trading.models import EXTERNAL, FINAL, OPEN, UNKNOWN, Account, Booking, Bracket, Order
from haechi.trading.order_schemas import LegsAnswer, OrderAnswer, SubmitBody
from haechi.trading.owner import EXTERNAL_OWNER, MANUAL_OWNER, Owner
from haechi.trading.working import Working

POSITION = re.compile(r"([0-9a-f]{32}):([A-Za-z0-9][A-Za-z0-9_-]{0,31})(?::([0-9a-f]{32}|external|manual|))?")
CANCELING = "The exchange was asked to cancel it and has not confirmed it yet."
NO_POSITION, NO_ORDER = "There is no such position.", "There is no such order."


@dataclass(frozen=True)
class Filters:
    account_id: str | None = None
    symbol: str | None = None
    status: str | None = None
    bot_id: str | None = None
    origin: str | None = None


# ---- giving orders

async def submit(house: House, user_id: str, body: SubmitBody) -> OrderAnswer:
    account = await wanted_account(house, user_id, body.account_id)
    desk = await house.part(Desks).desk_of(account.id)
    return await told(house, user_id, await by_hand.submit(desk, body))


async def wanted_account(house: House, user_id: str, account_id: str | None) -> Account:
    """The one that is named, else the person's paper account. Raises NotFound, and Conflict for a closed one."""
    if account_id is None:
        async with house.database.writing() as session:
            return await accounts.default_account(session, user_id, house.clock)
    async with house.database.reading() as session:
        account = await accounts.account_of(session, user_id, account_id)
    if account.closed_at is not None:
        raise Conflict("This account is closed.", code="account_closed")
    return account


async def close(house: House, user_id: str, position_id: str, quantity: Decimal | None) -> OrderAnswer:
    """Raises BadInput, NotFound, Conflict (bot_running, external, closing, reduces_at_most)."""
    found = POSITION.fullmatch(position_id)
    if found is None:
        raise BadInput("A position is named account:symbol for your own part, account:symbol:bot for a bot's.", code="position_id")
    account_id, symbol, part = found[1], found[2].upper(), found[3] or MANUAL_OWNER
    part = MANUAL_OWNER if part == "manual" else part
    async with house.database.reading() as session:
        if await session.scalar(select(Account.id).where(Account.user_id == user_id, Account.id == account_id)) is None:
            raise NotFound(NO_POSITION)
        if part not in (MANUAL_OWNER, EXTERNAL_OWNER):
            await refuse_running(session, house, user_id, account_id, part)
    desk = await house.part(Desks).desk_of(account_id)
    if not desk.holdings.quantity(part, symbol):
        raise NotFound(NO_POSITION)
    if part == EXTERNAL_OWNER:
        raise Conflict("This part was not opened here and is never touched from here: close it where it was opened.", code="external")
    order_id = await by_hand.close(desk, desk.owner(part), symbol, quantity)
    if part:
        await leave_nothing(desk, desk.owner(part), symbol)
    return await told(house, user_id, order_id)


async def refuse_running(session: Session, house: House, user_id: str, account_id: str | None, bot_id: str) -> None:
    """Raises NotFound where there is no such bot, Conflict while it runs."""
    bot = (await session.execute(select(Bot).where(Bot.user_id == user_id, Bot.id == bot_id))).scalar_one_or_none()
    if bot is None or account_id not in (None, bot.account_id):
        raise NotFound(NO_POSITION)
    runner = house.part(Bots).runners.get(bot_id)
    if bot.desired == STOPPED and bot.observed in ENDED and (runner is None or runner.ended.is_set()):
        return
    how = "POST /bot/stop" if bot.origin == FORM else f"POST /bot-instances/{bot_id}/stop with flatten"
    raise Conflict(f"This bot runs and looks after it itself: stop it, which closes it too ({how}).", code="bot_running",
                   details={"bot_id": bot_id, "observed": bot.observed})


async def leave_nothing(desk: Desk, owner: Owner, symbol: str) -> None:
    """A stopped bot is closed for good: its stops and targets have nothing to protect any more."""
    if desk.holdings.quantity(owner.bot_id, symbol) and not closing(desk, owner, symbol):
        return
    for one in [one for one in desk.orders.of(owner.bot_id, symbol) if one.order.kind != "market"]:
        await desk.cancel(owner, one.id)


def closing(desk: Desk, owner: Owner, symbol: str) -> bool:
    """A market order for all of it was taken by the exchange."""
    held = abs(desk.holdings.quantity(owner.bot_id, symbol))
    return any(one.order.kind == "market" and one.order.reduce_only and one.left >= held and one.status == "open"
               for one in desk.orders.of(owner.bot_id, symbol))


async def cancel(house: House, user_id: str, order_id: str, *, consent: bool) -> OrderAnswer:
    """Raises NotFound, Conflict (order_ended, bot_running, consent_needed, and the exchange's word)."""
    async with house.database.reading() as session:
        row = await order_of(session, user_id, order_id)
        if row.status in FINAL:
            raise ended(row.status)
        if row.bot_id and row.origin != EXTERNAL:
            await refuse_running(session, house, user_id, None, row.bot_id)
    if row.origin == EXTERNAL and not consent:
        raise Conflict("This order was not given here. It is cancelled only if you say so: ?consent=true.", code="consent_needed")
    desk = await house.part(Desks).desk_of(row.account_id)
    one = working_order(desk, row)
    if one is None:
        there = desk.orders.ended.get(order_id)
        raise ended(there.status if there is not None else "over")
    if entry_number(one.role):
        await desk.manual.drop(one.role)
    if one.id in desk.orders.working and not one.canceling:
        await take_away(desk, one)
    await desk.manual.poke()
    return await told(house, user_id, order_id)


def working_order(desk: Desk, row: Order) -> Working | None:
    """External ones may have no id of ours; then their row is named by the exchange's."""
    found = desk.orders.working.get(row.id)
    if found is None and row.origin == EXTERNAL:
        found = next((one for one in desk.orders.working.values() if one.foreign and one.exchange_id == row.exchange_id), None)
        if found is not None and not found.id:
            raise Conflict("This order has no client id, so it cannot be cancelled from here: cancel it at the exchange.", code="external")
    return found


async def take_away(desk: Desk, one: Working) -> None:
    """With no answer it stays as it is and is looked for."""
    outcome = await desk.door.cancel(one)
    if isinstance(outcome, Rejected):
        raise Conflict(f"The exchange did not cancel it: {outcome.reason}. It is asked what became of the order.", code=outcome.reason,
                       details={"word": outcome.reason, "exchange_code": outcome.code})


def ended(status: str) -> Conflict:
    return Conflict(f"This order is {status} already; there is nothing to cancel.", code="order_ended", details={"status": status})


# ---- looking at them

async def order_of(session: Session, user_id: str, order_id: str) -> Order:
    """Raises NotFound."""
    row = (await session.execute(select(Order).where(Order.user_id == user_id, Order.id == order_id))).scalar_one_or_none()
    if row is None:
        raise NotFound(NO_ORDER)
    return row


async def told(house: House, user_id: str, order_id: str) -> OrderAnswer:
    """As it is this moment: what waits to be written is written first, unless the database is away."""
    desks = house.part(Desks)
    await desks.scribe.caught_up()
    async with house.database.reading() as session:
        return (await answers(session, desks, user_id, [await order_of(session, user_id, order_id)]))[0]


def listing(user_id: str, filters: Filters, paging: Wanted) -> Select[Order]:
    """Newest first; the cursor is time and id of the last one seen. Raises BadInput."""
    query = select(Order).where(Order.user_id == user_id)
    for name in ("account_id", "symbol", "status", "bot_id", "origin"):
        value = getattr(filters, name)
        if value is not None:
            query = query.where(getattr(Order, name) == value)
    if paging.after is not None:
        at, _, last = paging.after.partition(" ")
        if not at.isdecimal() or len(at) > 15 or not last:
            raise BadInput("The cursor is not one that this list gave; ask again without it.")
        query = query.where(tuple_(Order.created_ms, Order.id) < tuple_(int(at), last))
    return query.order_by(Order.created_ms.desc(), Order.id.desc()).limit(paging.limit + 1)


async def answers(session: Session, desks: Desks, user_id: str, rows: Sequence[Order]) -> list[OrderAnswer]:
    ids = [row.id for row in rows]
    prices = await averages(session, user_id, ids)
    brackets = {one.id: one for one in
                (await session.execute(select(Bracket).where(Bracket.user_id == user_id, Bracket.id.in_(ids)))).scalars()}
    return [answer(row, live(desks, row), prices.get(row.id), brackets.get(row.id)) for row in rows]


def live(desks: Desks, row: Order) -> Working | None:
    """What its desk knows beyond the table."""
    desk = desks.open.get(row.account_id)
    return None if desk is None or row.status in FINAL else desk.orders.find(row.id)


async def averages(session: Session, user_id: str, ids: Sequence[str]) -> dict[str, Decimal]:
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    query = select(Booking.order_id, Booking.quantity, Booking.price).where(Booking.user_id == user_id, Booking.order_id.in_(ids))
    for order_id, quantity, price in (await session.execute(query)).all():
        sums[order_id][0] += quantity
        sums[order_id][1] += quantity * price
    return {order_id: worth / quantity for order_id, (quantity, worth) in sums.items() if quantity}


def answer(row: Order, there: Working | None, average: Decimal | None, bracket: Bracket | None) -> OrderAnswer:
    status, filled = (row.status, row.filled) if there is None else (there.status, there.filled)
    number = entry_number(row.role)
    note = by_hand.LOOKED_FOR if status == UNKNOWN else CANCELING if there is not None and there.canceling and status == OPEN else ""
    return OrderAnswer(
        id=row.id, account_id=row.account_id, bot_id=row.bot_id, origin=row.origin, role=row.role.partition(":")[0],
        parent=f"m{row.account_id}-{number}" if number else None, symbol=row.symbol, side=row.side, kind=row.kind,
        quantity=f"{row.quantity:f}", price=plain(row.price), trigger=plain(row.trigger), reduce_only=row.reduce_only,
        leverage=row.leverage, status=status, reason=row.reason, filled=f"{filled:f}",  # type: ignore[arg-type]
        average_price=None if average is None else f"{average:.8f}",
        bracket=None if bracket is None else LegsAnswer(stop_loss=plain(bracket.stop), take_profit=plain(bracket.target)),
        note=note, created_at=instant(row.created_ms), updated_at=instant(row.updated_ms))


def plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
