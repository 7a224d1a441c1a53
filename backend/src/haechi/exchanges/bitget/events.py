"""From reports to events: each fill once by its trade id, whether a stream or REST brought it; an order's end only after its fills.

Everything here runs under one lock, so events leave in one order. Reports of what was made by hand are told too, without our client id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

import structlog

from haechi.exchanges.bitget.evidence import OUR_PLANS, Evidence
from haechi.exchanges.bitget.parse import FillReport, OrderReport, Payment, PlanReport
from haechi.exchanges.bitget.tracking import Book, Tracked
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Event, Fill, Gone, Liquidated, Paid

SEEN_KEPT = 100_000  # trade and bill ids; a duplicate a day later is still known at one fill a second
HOMELESS_MS = 60_000  # a fill whose order is not shown yet waits so long, twice what reads lag; then it is told as nobody's we know
# cancelReason -> the house's word; others are told as they are
ENDS = {"normal_cancel": "canceled", "stp_cancel": "self_trade"}
PLAN_SOURCES = ("plan_", "profit_", "loss_", "pos_", "tracking_", "move_")  # orderSource of orders that a plan became …
OUR_SOURCES = ("plan_", "loss_")  # … and of those whose plan may be one of ours (OUR_PLANS)

log = structlog.get_logger(__name__)


class Events:
    """`tell` delivers to the listeners. `monotonic` in ms."""

    def __init__(self, book: Book, evidence: Evidence, tell: Callable[[Event], Awaitable[None]], monotonic: Callable[[], int]) -> None:
        self.book, self.evidence, self.tell, self.monotonic = book, evidence, tell, monotonic
        self.seen: dict[str, None] = {}
        self.homeless: dict[str, tuple[FillReport, int]] = {}
        self.lock = asyncio.Lock()

    # ---- what stream and REST bring

    async def filled(self, reports: Sequence[FillReport]) -> int:
        """How many of them were news."""
        async with self.lock:
            return sum([await self._fill(report) for report in reports])

    async def ordered(self, report: OrderReport) -> None:
        async with self.lock:
            await self._order(report)

    async def planned(self, report: PlanReport) -> None:
        async with self.lock:
            await self._plan(report)

    async def paid(self, payment: Payment) -> None:
        """Funding: positive is taken."""
        async with self.lock:
            if self._new(payment.bill_id):
                await self.tell(Paid(payment.bill_id, payment.symbol, -(payment.amount + payment.fee), payment.time_ms))

    async def lost(self, one: Tracked, reason: str, time_ms: int) -> None:
        """By evidence, this order does not exist."""
        async with self.lock:
            await self._gone(one, reason, time_ms)

    async def homeless_again(self) -> None:
        async with self.lock:
            for report, _ in list(self.homeless.values()):
                await self._fill(report)

    def known(self, identity: str) -> bool:
        return identity in self.seen

    def skip(self, identity: str) -> None:
        """What was there before anybody listened is not told."""
        self._new(identity)

    def _new(self, identity: str) -> bool:
        if identity in self.seen:
            return False
        self.seen[identity] = None
        if len(self.seen) > SEEN_KEPT:
            del self.seen[next(iter(self.seen))]
        return True

    # ---- fills

    async def _fill(self, report: FillReport) -> bool:
        if report.trade_id in self.seen:
            return False
        if report.liquidation:
            self._new(report.trade_id)
            await self.tell(liquidated_event(report))
            return True
        one, name = await self._owner(report)
        if not name and not self._waited(report):
            return False
        self._new(report.trade_id)
        self.homeless.pop(report.trade_id, None)
        await self.tell(fill_event(report, name or nobodys(report)))
        if one is not None:
            one.unknown, one.told = False, one.told + report.quantity
            one.ended = one.ended or one.told >= one.order.quantity > 0
        return True

    def _waited(self, report: FillReport) -> bool:
        """Whether this fill has looked for its order long enough."""
        _, since = self.homeless.setdefault(report.trade_id, (report, self.monotonic()))
        if self.monotonic() - since < HOMELESS_MS:
            return False
        log.error("bitget_fill_without_order", trade_id=report.trade_id, order_id=report.order_id)
        return True

    async def _owner(self, report: FillReport) -> tuple[Tracked | None, str]:
        try:
            return await self.whose(report)
        except (Unreachable, Refused) as error:
            log.warning("bitget_fill_order_not_found", order_id=report.order_id, why=error.message)
            return None, ""

    async def whose(self, report: FillReport) -> tuple[Tracked | None, str]:
        """Whose order was filled: the order, where this run knows it, and the client id to tell; '' while the exchange does not show it.

        A fill names its order by the exchange's id, and that of a plan is one that nobody placed. An order of an earlier run is known
        by its name only. Raises Unreachable or Refused.
        """
        found = self.book.owner(report.client_id, report.order_id)
        name = found.id if found is not None else await self._asked(report)
        found = found or self.book.find(name)
        if found is not None:
            self.book.link(found, report.order_id)
        return found, name

    async def _asked(self, report: FillReport) -> str:
        detail = await self.evidence.detail(report.symbol, order_id=report.order_id)
        name = None if detail is None else await self.named(detail)
        return "" if name is None else name or nobodys(report)

    async def named(self, report: OrderReport) -> str | None:
        """Our name of an order; one that a plan became has the plan's, also when this run never saw the plan. None: that plan, which may
        be ours, is not shown."""
        found = self.book.owner(report.client_id, report.order_id)
        if found is not None or not report.source.startswith(PLAN_SOURCES):
            return found.id if found else report.client_id
        for kind in OUR_PLANS:
            plan = await self.evidence.parent(report.symbol, report.order_id, kind)
            if plan is not None:
                return self._name_of(plan)
        return None if report.source.startswith(OUR_SOURCES) else report.client_id

    def _name_of(self, plan: PlanReport) -> str:
        one = self.book.owner(plan.client_id, plan.order_id)
        if one is None:
            return plan.client_id
        self.book.link(one, plan.order_id)  # its own id before that of the order it became
        return one.id

    # ---- orders and plans

    async def _order(self, report: OrderReport) -> None:
        one = self.book.owner(report.client_id, report.order_id)
        if one is None:
            return
        self.book.link(one, report.order_id)
        one.unknown, one.missing = False, False
        if report.status == "live":
            return
        if report.filled > one.told:
            for fill in await self.evidence.fills(symbol=report.symbol, orderId=report.order_id):
                await self._fill(fill)
        if report.filled > one.told:
            return  # its fills are not shown yet: not over for us
        if report.status == "filled":
            one.ended = True
        else:
            await self._gone(one, ending(report), report.updated_ms)

    async def _plan(self, report: PlanReport) -> None:
        one = self.book.find(report.client_id, report.order_id)
        if one is None:
            return
        self.book.link(one, report.order_id)
        one.unknown, one.missing = False, False
        if report.child_id:
            self.book.link(one, report.child_id)
        if report.status == "canceled":
            await self._gone(one, "canceled", report.updated_ms)
        elif report.status == "failed":
            await self._gone(one, "rejected", report.updated_ms)

    async def _gone(self, one: Tracked, reason: str, time_ms: int) -> None:
        if one.ended:
            return
        one.ended, one.unknown = True, False
        if not one.dropped:
            await self.tell(Gone(one.id, one.order.symbol, reason, time_ms))


def fill_event(report: FillReport, client_id: str) -> Fill:
    """`market` is the price of the trade itself: it is where the market stood."""
    return Fill(report.trade_id, client_id, report.symbol, report.side, report.quantity, report.price, report.fee, report.profit,
                report.maker, report.price, report.time_ms)


def nobodys(report: FillReport) -> str:
    """What a fill is told by whose order is none of ours."""
    return report.client_id or report.order_id


def liquidated_event(report: FillReport) -> Liquidated:
    lost = report.fee - report.profit
    return Liquidated(report.trade_id, report.symbol, report.side, report.quantity, report.price, lost, report.time_ms)


def ending(report: OrderReport) -> str:
    """Why a canceled order is over. A post-only order that would have taken, and a market order without a book, end without a word."""
    if not report.reason and report.filled == Decimal(0):
        return {"post_only": "post_only", "market": "no_liquidity"}.get(report.kind, "canceled")
    return ENDS.get(report.reason, report.reason or "canceled")
