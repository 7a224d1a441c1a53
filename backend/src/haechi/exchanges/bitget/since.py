"""What happened to the account from a time on, asked for: fills, liquidations, funding, and every other change of the wallet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from haechi.exchanges.bitget.clock import ServerClock
from haechi.exchanges.bitget.events import HOMELESS_MS, Events, fill_event, liquidated_event, nobodys
from haechi.exchanges.bitget.evidence import Evidence
from haechi.exchanges.bitget.parse import FillReport, Payment
from haechi.exchanges.bitget.rest import of_key
from haechi.exchanges.errors import Refused
from haechi.exchanges.port import Fill, Known, Liquidated, Moved, Paid

DAY_MS = 86_400_000
SPAN_MS = 29 * DAY_MS  # bills may be asked for over 30 days
KEPT_MS = 89 * DAY_MS  # of 90
FUNDING = "contract_settle_fee"
# businessType of bills that belong to a fill, which is told as one (liquidations and deleveraging are fills too) …
OF_FILLS = frozenset({"buy", "sell", "open_long", "open_short", "close_long", "close_short", "force_close_long", "force_close_short",
                      "force_buy", "force_sell", "burst_buy", "burst_sell", "burst_long_loss_query", "burst_short_loss_query",
                      "adl_close_long", "adl_close_short", "adl_buy_in_single_side_mode", "adl_sell_in_single_side_mode"})
# … and of those that only move money between the wallet and a position of it.
INSIDE = frozenset({"append_margin", "adjust_down_lever_append_margin", "reduce_margin", "auto_append_margin"})

Value = TypeVar("Value")
log = structlog.get_logger(__name__)


class Since:
    """Each list is oldest first; what happened on the edge of two questions may be in it twice. Raises Unreachable or Refused."""

    def __init__(self, evidence: Evidence, events: Events, clock: ServerClock) -> None:
        self.evidence, self.events, self.clock = evidence, events, clock

    async def fills(self, time_ms: int, known: Known | None = None) -> list[Fill | Liquidated]:
        """With our client ids; also of orders that our plans became. Without those that are `known`: a fill does not say whose it is,
        so each order of a fill costs a question. One whose order is not shown yet is left for the next time."""
        found: list[Fill | Liquidated] = []
        names: dict[str, str] = {}
        for report in await self._all(self.evidence.fills, time_ms):
            if known is not None and known(report.trade_id):
                continue
            if report.liquidation:
                found.append(liquidated_event(report))
                continue
            if report.order_id not in names:
                names[report.order_id] = await self._name(report)
            if names[report.order_id]:
                found.append(fill_event(report, names[report.order_id]))
        return found

    async def _name(self, report: FillReport) -> str:
        """'' while it is not sure whose it is."""
        name = ""
        try:
            _, name = await self.events.whose(report)
        except Refused as error:
            if of_key(error):
                raise
            log.warning("bitget_fill_order_not_found", order_id=report.order_id, why=error.message)
        old = self.clock.now_ms() - report.time_ms >= HOMELESS_MS
        return name or (nobodys(report) if old else "")

    async def payments(self, time_ms: int) -> list[Paid]:
        """Funding; positive is taken."""
        bills = await self._all(self.evidence.payments, time_ms)
        return [Paid(one.bill_id, one.symbol, -(one.amount + one.fee), one.time_ms) for one in bills]

    async def movements(self, time_ms: int) -> list[Moved]:
        """Transfers, bonuses, corrections: whatever is not told as a fill or as funding. What moved nothing is left out."""
        bills = await self._all(self.evidence.bills, time_ms)
        return [Moved(one.bill_id, one.business, one.amount + one.fee, one.time_ms) for one in bills if moves(one)]

    async def _all(self, ask: Callable[..., Awaitable[list[Value]]], time_ms: int) -> list[Value]:
        return [one for asked in questions(time_ms, self.clock.now_ms()) for one in await ask(**asked)]


def questions(since_ms: int, now_ms: int) -> list[dict[str, str]]:
    """Parameters of questions that together reach from then to now: none longer than a list may be asked for, none further back than the
    exchange keeps. The newest has no end."""
    start, found = max(since_ms, now_ms - KEPT_MS), []
    while now_ms - start > SPAN_MS:
        found.append({"startTime": str(start), "endTime": str(start + SPAN_MS)})
        start += SPAN_MS
    return [*found, {"startTime": str(start)}]


def moves(one: Payment) -> bool:
    kind = one.business.lower()
    return kind != FUNDING and kind not in OF_FILLS and kind not in INSIDE and one.amount + one.fee != 0
