"""What the exchange knows of one of our orders, as it says now: where it rests, how far it is filled, how it ended."""

from __future__ import annotations

from decimal import Decimal

from haechi.exchanges.bitget.events import ending
from haechi.exchanges.bitget.orders import LATEST_MS, Orders
from haechi.exchanges.bitget.parse import OrderReport, PlanReport
from haechi.exchanges.bitget.requests import plan_type
from haechi.exchanges.bitget.tracking import Tracked
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import NewOrder, Rejected, Seen, Unknown

NONE_FILLED = Decimal(0)


class Looking:
    """Reads only. What it meets is told to the events too, so that fills which nobody heard of are heard now."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders

    async def look(self, order: NewOrder, sent_ms: int) -> Seen | Rejected | Unknown:
        """sent_ms: our clock; 0 or less: it is not known when, so the wait begins with the first look."""
        one = self._tracked(order, sent_ms)
        try:
            found = await (self._plan(one) if one.plan else self._order(one))
        except (Unreachable, Refused) as error:
            return Unknown(error.message)
        return found if found is not None else self._nowhere(one)

    def _tracked(self, order: NewOrder, sent_ms: int) -> Tracked:
        clock = self.orders.clock
        sent = sent_ms + (clock.offset_ms or 0) if sent_ms > 0 else clock.now_ms()
        one = self.orders.book.find(order.client_id)
        if one is None:
            return self.orders.book.add(Tracked(order, plan_type(order), sent, unknown=True))
        one.sent_ms = max(one.sent_ms, sent)
        return one

    def _nowhere(self, one: Tracked) -> Rejected | Unknown:
        """On no list, the exchange says. That proves something only when nothing can arrive any more."""
        if not one.unknown and not one.lost:
            return Unknown("it was accepted, and is now on no list")
        left = one.sent_ms + LATEST_MS - self.orders.clock.now_ms()
        if left > 0:
            return Unknown(f"not there; what was sent may still arrive for {left} ms")
        one.unknown, one.ended, one.lost = False, True, True
        return Rejected("never_arrived")

    async def _order(self, one: Tracked) -> Seen | None:
        book, evidence = self.orders.book, self.orders.evidence
        report = await evidence.order(one.order.symbol, one.id, strange=lambda order_id: order_id not in book.by_exchange)
        if report is None:
            return None
        one.lost = False
        await self.orders.events.ordered(report)
        return seen_order(report, report.order_id)

    async def _plan(self, one: Tracked) -> Seen | Unknown | None:
        """A plan that was met has become an order: what is filled is told by that one."""
        plan = await self.orders.evidence.plan(one.order.symbol, one.id, one.plan)
        if plan is not None:
            one.lost = False
            await self.orders.events.planned(plan)
        child = (plan.child_id if plan is not None else "") or one.child_id
        if child:
            return await self._child(one, child, plan.order_id if plan is not None else one.exchange_id)
        return None if plan is None else seen_plan(plan)

    async def _child(self, one: Tracked, child: str, plan_id: str) -> Seen | Unknown:
        report = await self.orders.evidence.detail(one.order.symbol, order_id=child)
        if report is None:
            return Unknown(f"it became order {child}, which is not shown")
        await self.orders.events.ordered(report)
        return seen_order(report, plan_id)


def seen_order(report: OrderReport, exchange_id: str) -> Seen:
    if report.status != "canceled":
        return Seen(exchange_id, "open" if report.status == "live" else "filled", report.filled)
    reason = ending(report)
    by_wish = reason == "canceled" or report.filled > NONE_FILLED
    return Seen(exchange_id, "canceled" if by_wish else "rejected", report.filled, reason)


def seen_plan(plan: PlanReport) -> Seen | Unknown:
    match plan.status:
        case "live":
            return Seen(plan.order_id, "open", NONE_FILLED)
        case "canceled":
            return Seen(plan.order_id, "canceled", NONE_FILLED, "canceled")
        case "failed":
            return Seen(plan.order_id, "rejected", NONE_FILLED, "rejected")
        case _:
            return Unknown("it was triggered, and the order it became is not named yet")
