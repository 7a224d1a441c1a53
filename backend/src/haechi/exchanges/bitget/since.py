"""What happened to the account from a time on, asked for: fills, liquidations, funding, and every other change of the wallet."""

from __future__ import annotations

from haechi.exchanges.bitget.events import Events, fill_event, liquidated_event
from haechi.exchanges.bitget.evidence import Evidence
from haechi.exchanges.bitget.parse import FillReport, Payment
from haechi.exchanges.bitget.tracking import Book
from haechi.exchanges.port import Fill, Known, Liquidated, Moved, Paid

FUNDING = "contract_settle_fee"
# businessType of bills that belong to a fill, which is told as one (liquidations and deleveraging are fills too) …
OF_FILLS = frozenset({"buy", "sell", "open_long", "open_short", "close_long", "close_short", "force_close_long", "force_close_short",
                      "force_buy", "force_sell", "burst_buy", "burst_sell", "burst_long_loss_query", "burst_short_loss_query",
                      "adl_close_long", "adl_close_short", "adl_buy_in_single_side_mode", "adl_sell_in_single_side_mode"})
# … and of those that only move money between the wallet and a position of it.
INSIDE = frozenset({"append_margin", "adjust_down_lever_append_margin", "reduce_margin", "auto_append_margin"})


class Since:
    """Each list is oldest first. Raises Unreachable or Refused."""

    def __init__(self, book: Book, evidence: Evidence, events: Events) -> None:
        self.book, self.evidence, self.events = book, evidence, events

    async def fills(self, time_ms: int, known: Known | None = None) -> list[Fill | Liquidated]:
        """With our client ids where they can be known; also of orders that our plans became. Without those that are `known`: a fill
        does not say whose it is, so each order of a fill costs a question."""
        found: list[Fill | Liquidated] = []
        names: dict[str, str] = {}
        for report in await self.evidence.fills(startTime=str(time_ms)):
            if known is not None and known(report.trade_id):
                continue
            if report.liquidation:
                found.append(liquidated_event(report))
                continue
            if report.order_id not in names:
                names[report.order_id] = await self._name(report)
            found.append(fill_event(report, names[report.order_id]))
        return found

    async def _name(self, report: FillReport) -> str:
        one = self.book.owner(report.client_id, report.order_id)
        if one is not None:
            return one.id
        detail = await self.evidence.detail(report.symbol, order_id=report.order_id)
        return (await self.events.named(detail) if detail is not None else report.client_id) or report.order_id

    async def payments(self, time_ms: int) -> list[Paid]:
        """Funding; positive is taken."""
        return [Paid(one.bill_id, one.symbol, -(one.amount + one.fee), one.time_ms)
                for one in await self.evidence.payments(startTime=str(time_ms))]

    async def movements(self, time_ms: int) -> list[Moved]:
        """Transfers, bonuses, corrections: whatever is not told as a fill or as funding. What moved nothing is left out."""
        bills = await self.evidence.bills(startTime=str(time_ms))
        return [Moved(one.bill_id, one.business, one.amount + one.fee, one.time_ms) for one in bills if moves(one)]


def moves(one: Payment) -> bool:
    kind = one.business.lower()
    return kind != FUNDING and kind not in OF_FILLS and kind not in INSIDE and one.amount + one.fee != 0
