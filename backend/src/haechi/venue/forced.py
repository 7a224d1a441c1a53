"""What the exchange does to its members without asking: liquidation, auto-deleveraging, the end of a market."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haechi.core import layout as at
from haechi.core.matching import Execution, Order
from haechi.venue import orders
from haechi.venue.refusal import Refusal

if TYPE_CHECKING:
    from haechi.venue.floor import Floor
    from haechi.venue.member import Member


def liquidate(floor: Floor, member: Member, m: int, leg: int) -> None:
    """Take the position over where the market stands, as if its liquidation price were met."""
    state, r = member.account.machine.state, member.account.row(m, leg)
    if not state[r, at.LOTS]:
        raise Refusal("43043")
    state[r, at.LIQUIDATION] = floor.point(m)
    floor.playing = m
    member.account.liquidate(m, leg)
    floor.commit()


def deleverage(floor: Floor, member: Member, m: int, leg: int, lots: int, price: int) -> None:
    """Auto-deleveraging: some lots are closed at `price`, without asking and without fee for a taker's book."""
    held = member.account.lots(m, leg)
    if not held:
        raise Refusal("43043")
    side, lots = -1 if held > 0 else 1, min(lots, abs(held))
    record = member.new_order(m, leg, side, lots, 0, kind="market", closes=True, source="market_risk", entered="SYS")
    record.trade_side = adl_word(hedge=member.hedge, leg=leg, side=side)
    order = Order(member.account.number(), record.client_oid, side, lots, "market", 0, 0, True, leg)
    member.order_numbers[order.number] = record
    floor.playing = m
    member.account.book(m, order, lots, Execution(price, True, "market"))
    member.told("adl", member.fills[-1])
    floor.commit()


def delist(floor: Floor, m: int) -> None:
    """Trading ends: orders are canceled, positions closed where the market stands."""
    for member in floor.members.values():
        for order in member.open_orders(m):
            member.cancel(order, "delisted")
        for plan in member.open_plans(m):
            member.cancel_plan(plan)
        for leg in (0, 1):
            if member.account.lots(m, leg):
                orders.flash_close(member, m, leg)
    floor.contracts[m].status = "off"
    floor.tell_market(m)
    floor.commit()


def adl_word(*, hedge: bool, leg: int, side: int) -> str:
    if hedge:
        return f"dte_sys_adl_close_{'long' if leg == 0 else 'short'}"
    return f"dte_sys_adl_{'buy' if side > 0 else 'sell'}_in_single_side_mode"
