"""What a member's records say of the past, in the port's words (exchanges/port.py). The ids are those the events were told with.

Memory keeps the newest records; what is older is read from the store, where there is one. When the market was exchanged for another
one its times begin anew: then everything since counts as new, whatever its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from haechi.core import layout as at
from haechi.core.units import unscaled
from haechi.exchanges.port import Fill, Liquidated, Moved, Paid, Seen
from haechi.venue.booking import FAILED, FUNDING
from haechi.venue.records import FILLED, PLAN_CANCELLED, PLAN_LIVE, Bill, FillRecord, OrderRecord, PlanRecord

if TYPE_CHECKING:
    from haechi.venue.member import Member

OPENED, CANCELED, REJECTED = "open", "canceled", "rejected"
ENDINGS = {*at.REFUSALS, "no_position", "no_liquidity", "fok", FAILED}  # all others are somebody's wish
TRANSFERS = ("trans_from_exchange", "trans_to_exchange")
Kept = TypeVar("Kept", FillRecord, Bill)


def seen(member: Member, client_id: str) -> Seen | None:
    """None: no order of this id ever came."""
    plan = member.find_plan(client_oid=client_id)
    if plan is not None and not plan.executed_order_id:
        return _seen_plan(member, plan)
    record = member.find(order_id=plan.executed_order_id) if plan is not None else member.find(client_oid=client_id)
    if record is None and member.floor.store is not None:
        record = member.floor.store.order(member.name, client_id)
    return None if record is None else _seen_order(member, record)


def _seen_order(member: Member, record: OrderRecord) -> Seen:
    filled = member.account.instruments[record.m].quantity(record.filled)
    if record.open or record.status == FILLED:
        return Seen(record.order_id, OPENED if record.open else "filled", filled)
    reason = ending(record)
    return Seen(record.order_id, REJECTED if reason != CANCELED and not record.filled else CANCELED, filled, reason)


def _seen_plan(member: Member, plan: PlanRecord) -> Seen:
    none = member.account.instruments[plan.m].quantity(0)
    if plan.status == PLAN_LIVE:
        return Seen(plan.order_id, OPENED, none)
    status = CANCELED if plan.status == PLAN_CANCELLED else REJECTED
    return Seen(plan.order_id, status, none, status)


def ending(record: OrderRecord) -> str:
    return record.reason if record.reason in ENDINGS else CANCELED


def fills(member: Member, time_ms: int) -> list[Fill | Liquidated]:
    return [_told(member, one) for one in _since(member, "fill", member.fills, lambda one: one.trade_id, time_ms)]


def _told(member: Member, one: FillRecord) -> Fill | Liquidated:
    traded, side = member.account.instruments[one.m], "buy" if one.side > 0 else "sell"
    quantity, price = traded.quantity(one.lots), traded.price(one.price)
    if one.trade_side.startswith("burst"):
        return Liquidated(one.trade_id, traded.symbol, side, quantity, price, unscaled(-one.profit), one.time_ms)
    return Fill(one.trade_id, _name(member, one), traded.symbol, side, quantity, price, unscaled(one.fee), unscaled(one.profit), one.maker,
                traded.price(one.market), one.time_ms)


def _name(member: Member, one: FillRecord) -> str:
    """A plan's order carries the plan's id (as Bitget's): its owner knows it by the plan's client id."""
    plan = member.plans.get(one.client_oid)
    return one.client_oid if plan is None else plan.client_oid


def payments(member: Member, time_ms: int) -> list[Paid]:
    return [Paid(one.bill_id, member.account.instruments[one.m].symbol, unscaled(-one.amount), one.time_ms)
            for one in _bills(member, time_ms) if one.business == FUNDING]


def movements(member: Member, time_ms: int) -> list[Moved]:
    """Without what the account was opened with."""
    return [Moved(one.bill_id, one.business, unscaled(one.amount), one.time_ms)
            for one in _bills(member, time_ms) if one.business in TRANSFERS and one.bill_id != member.opening]


def _bills(member: Member, time_ms: int) -> list[Bill]:
    return _since(member, "bill", member.bills, lambda one: one.bill_id, time_ms)


def _since(member: Member, kind: str, kept: list[Kept], name: Callable[[Any], str], time_ms: int) -> list[Kept]:
    floor = member.floor
    if len(kept) >= floor.history_kept and kept[0].time_ms >= time_ms and floor.store is not None:
        floor.commit()
        kept = floor.store.all_of(member.name, kind)
    return [one for one in kept if one.time_ms >= time_ms or int(name(one)) > floor.epoch > 0]
