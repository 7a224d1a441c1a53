"""Placing, changing and cancelling a member's orders: what Bitget refuses at the door, then the account.

Codes: Bitget's list; where several fit, the choice is the wire documentation's ("Choices for the simulator").
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from haechi.core import layout as at
from haechi.core.margin import initial_margin
from haechi.core.matching import Order, distance
from haechi.core.money import fee
from haechi.venue import views
from haechi.venue.records import CANCELED, OrderRecord, Preset
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest

if TYPE_CHECKING:
    from haechi.venue.member import Member

SYMBOL_ORDERS_MAX = 200
CLIENT_OID_MAX = 50


def place(member: Member, request: OrderRequest) -> OrderRecord:
    """The order's record: live, filled or canceled already when this returns."""
    known = known_client(member, request.client_oid)
    if known is not None:
        return known
    check_symbol(member, request.m, opens=not request.closes)
    check_size(member, request)
    check_price(member, request)
    if request.closes:
        request.lots = closing_lots(member, request)
    else:
        check_margin(member, request.m, request.leg, request.side, request.lots, request.price or member.floor.point(request.m))
    record = member.new_order(request.m, request.leg, request.side, request.lots, request.price, kind=request.kind, force=request.force,
                              client_oid=request.client_oid, closes=request.closes, source=request.source, entered=request.entered,
                              preset=request.preset, stp=request.stp)
    member.told("order", record)
    send(member, record)
    return record


def send(member: Member, record: OrderRecord) -> None:
    """Hand the order to the account, where it is filled, rests or ends."""
    kind = "market" if record.kind == "market" else "post_only" if record.force == "post_only" else "limit"
    order = Order(member.account.number(), record.client_oid, record.side, record.left, kind, record.price, 0, record.closes, record.leg)
    member.order_numbers[order.number] = record
    member.resting[record.order_id] = order
    account, m = member.account, record.m
    if account.point[m] == 0:
        account.queued[m].append(order)
    elif account.told and order.kind != "market":
        account.orders[m].append(order)
    elif record.force == "fok" and record.kind == "limit" and not fills_whole(member, order, m):
        account.gone(m, order, "fok")
    elif account.takes[m] is not None and record.force == "post_only":
        crosses = member.floor.book_lots(m, order.side, order.price) > 0  # a real book: its best price counts, not the last
        account.gone(m, order, "post_only") if crosses else account.orders[m].append(order)
    else:
        account.arrive(m, order)
        if record.force == "ioc" and record.open and record.kind == "limit":
            cancel(member, record, "ioc")


def fills_whole(member: Member, order: Order, m: int) -> bool:
    point, take = member.account.point[m], member.account.takes[m]
    if take is None:
        return order.side * point <= order.side * order.price
    return member.floor.book_lots(m, order.side, order.price) >= order.lots


def known_client(member: Member, client_oid: str) -> OrderRecord | None:
    """None: the client id is new. Else by the floor's policy: refused, the same order again, or taken as new."""
    if not client_oid:
        return None
    if len(client_oid) > CLIENT_OID_MAX:
        raise Refusal("40304")
    if client_oid not in member.by_client or member.floor.duplicate_policy == "new":
        return None
    if member.floor.duplicate_policy == "same":
        return member.find(client_oid=client_oid)
    raise Refusal("45034")


def check_symbol(member: Member, m: int, *, opens: bool) -> None:
    status = member.floor.contracts[m].status
    if status == "maintain":
        raise Refusal("41114")
    if status == "off":
        raise Refusal("40309")
    if status == "restrictedAPI":
        raise Refusal("22004", member.account.instruments[m].symbol)
    if status == "limit_open" and opens:
        raise Refusal("45119")
    if len([order for order in member.open_orders(m)]) >= SYMBOL_ORDERS_MAX:
        raise Refusal("43005")


def check_size(member: Member, request: OrderRequest) -> None:
    plan, contract = member.account.plans[request.m], member.floor.contracts[request.m]
    if request.lots <= 0:
        raise Refusal("40808", "size")
    if request.lots > (contract.max_market_lots if request.kind == "market" else contract.max_lots):
        raise Refusal("45112")
    if request.closes:
        return
    if request.lots < plan[at.MIN_LOTS]:
        raise Refusal("45111")
    price = request.price or member.floor.point(request.m)
    if request.lots * price * int(plan[at.UNIT]) < plan[at.MIN_NOTIONAL]:
        raise Refusal("45110", views.money(int(plan[at.MIN_NOTIONAL])).normalize())


def check_price(member: Member, request: OrderRequest) -> None:
    """A buy far above or a sell far below the market is refused."""
    if request.kind == "market":
        return
    if request.price <= 0:
        raise Refusal("40706")
    point, contract = Decimal(member.floor.point(request.m)), member.floor.contracts[request.m]
    if request.side > 0 and request.price > point * (1 + contract.buy_limit_ratio):
        raise Refusal("40815")
    if request.side < 0 and request.price < point * (1 - contract.sell_limit_ratio):
        raise Refusal("40816")


def closing_lots(member: Member, request: OrderRequest) -> int:
    """How many lots a reduce-only order may have. Older resting closes make room in one-way mode; in hedge mode they hold theirs."""
    held = member.account.lots(request.m, request.leg)
    if not held or (held > 0) == (request.side > 0):
        raise Refusal("22002")
    lots = min(request.lots, abs(held))
    others = [order for order in member.open_orders(request.m) if order.closes and order.leg == request.leg]
    if member.hedge and request.kind == "limit":
        free = abs(held) - sum(order.left for order in others)
        if free <= 0:
            raise Refusal("40755")
        return min(lots, free)
    while others and sum(order.left for order in others) + lots > abs(held):
        cancel(member, others.pop(0), "reduce_only_replaced")
    return lots


def check_margin(member: Member, m: int, leg: int, side: int, lots: int, price: int) -> None:
    """The free money must carry what the order opens; what it closes of the other side in one-way mode needs none."""
    plan = member.account.plans[m]
    held = member.account.lots(m, leg)
    opening = lots - (min(abs(held), lots) if held and (held > 0) != (side > 0) else 0)
    if opening <= 0:
        return
    notional = opening * price * int(plan[at.UNIT])
    need = int(initial_margin(notional, member.leverage(m, leg))) + int(fee(notional, plan[at.TAKER]))
    if need > views.free(member, m):
        raise Refusal("40762")
    if member.leverage(m, leg) > views.tier_leverage(member, m, views.cost(member, m, leg) + notional):
        raise Refusal("40921")


def modify(member: Member, order: OrderRecord, new_client_oid: str | None, lots: int | None, price: int | None,
           preset: Preset | None) -> OrderRecord:
    """Other take-profit and stop keep the order; another size or price makes a new one."""
    if not order.open or order.kind != "limit" or order.filled:
        raise Refusal("40922")
    if preset is not None:
        order.preset, order.updated_ms = preset, member.floor.now_ms
        member.dirty.add(("order", order.order_id))
    if lots is None and price is None:
        member.told("order", order)
        return order
    if lots is None or price is None:
        raise Refusal("40925")
    if not new_client_oid:
        raise Refusal("22003")
    if (lots, price) == (order.lots, order.price):
        raise Refusal("40923")
    return _replaced(member, order, new_client_oid, lots, price)


def _replaced(member: Member, order: OrderRecord, new_client_oid: str, lots: int, price: int) -> OrderRecord:
    request = OrderRequest(order.m, order.side, lots, "limit", price, order.force, new_client_oid, order.closes, order.leg, None,
                           order.preset, order.stp, "modify_order_limit", order.entered)
    if new_client_oid in member.by_client:
        raise Refusal("45034")
    check_size(member, request)
    check_price(member, request)
    resting = member.resting.pop(order.order_id)
    cancel_in_account(member, order, resting)
    try:
        made = place(member, request)
    except Refusal:
        member.resting[order.order_id] = resting
        member.account.orders[order.m].append(resting)
        raise
    member.order_numbers.pop(resting.number, None)
    finish(member, order, "modified")
    return made


def cancel(member: Member, order: OrderRecord, reason: str = "normal_cancel") -> None:
    if not order.open:
        raise Refusal("22001")
    resting = member.resting.pop(order.order_id, None)
    if resting is not None:
        cancel_in_account(member, order, resting)
        member.order_numbers.pop(resting.number, None)
        member.account.tell_gone(order.m, resting, "canceled")
    finish(member, order, reason)


def cancel_in_account(member: Member, order: OrderRecord, resting: Order) -> None:
    for waiting in (member.account.orders[order.m], member.account.queued[order.m]):
        if any(one is resting for one in waiting):
            waiting[:] = [one for one in waiting if one is not resting]


def finish(member: Member, order: OrderRecord, reason: str) -> None:
    order.status, order.reason, order.updated_ms = CANCELED, reason, member.floor.now_ms
    member.dirty.add(("order", order.order_id))
    member.told("order", order)


def flash_close(member: Member, m: int | None, leg: int | None) -> tuple[list[OrderRecord], list[tuple[str, str]]]:
    """Close at the market what is held; 22002 where nothing is."""
    held = [key for key in member.held if m in (None, key[0]) and (leg is None or not member.hedge or leg == key[1])]
    if not held:
        raise Refusal("22002")
    done: list[OrderRecord] = []
    failed: list[tuple[str, str]] = []
    for place_m, place_leg in held:
        lots = member.account.lots(place_m, place_leg)
        try:
            done.append(place(member, OrderRequest(place_m, -1 if lots > 0 else 1, abs(lots), "market", closes=True, leg=place_leg,
                                                   source="market")))
        except Refusal as no:
            failed.append((member.account.instruments[place_m].symbol, no.code))
    return done, failed


def backhand(member: Member, m: int, leg: int, lots: int | None, client_oid: str) -> OrderRecord:
    """Close what is held and open as much (or `lots`) the other way."""
    held = member.account.lots(m, leg)
    if not held:
        raise Refusal("22002")
    side, size = -1 if held > 0 else 1, lots or abs(held)
    if not member.hedge:
        return place(member, OrderRequest(m, side, abs(held) + size, "market", client_oid=client_oid, source="reverse"))
    place(member, OrderRequest(m, side, abs(held), "market", closes=True, leg=leg, source="reverse"))
    return place(member, OrderRequest(m, side, size, "market", client_oid=client_oid, leg=1 - leg, source="reverse"))


def met_now(member: Member, order: Order, m: int) -> bool:
    """Whether a trigger is satisfied where the price stands."""
    point = member.account.point[m]
    return point != 0 and distance(order, point, point) == 0

