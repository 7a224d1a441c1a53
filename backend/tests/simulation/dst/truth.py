"""What really is at the venue, for one member, now and at any earlier moment: told by the floor as it happens, kept over restarts.

Reading faults show the past; nothing here ever shows what was not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal

import msgspec

from haechi.core import layout as at
from haechi.core.units import unscaled
from haechi.exchanges.port import Balance, Fill, Gone, Liquidated, Moved, NewOrder, OpenOrder, Paid, Position, Seen
from haechi.venue import views
from haechi.venue.member import Member
from haechi.venue.records import FILLED, LIVE, PARTLY, PLAN_EXECUTED, PLAN_LIVE, Bill, FillRecord, OrderRecord, PlanRecord

FUNDING_BILL = "contract_settle_fee"
OUR_WORDS = {"normal_cancel": "canceled"}
HAND = "hand-"  # client ids of what the person does at the exchange


class At(msgspec.Struct, frozen=True):
    """An order or plan as it stood from then on."""

    ms: int
    status: str
    filled: int
    reason: str


class Held(msgspec.Struct, frozen=True):
    ms: int
    lots: int
    entry: Decimal
    liquidation: int


Told = Fill | Liquidated | Paid | Gone


class Truth:
    """`tell` hears every event as it happens; now in ms of the wall."""

    def __init__(self, member: Member, now: Callable[[], int]) -> None:
        self.member, self.now = member, now
        self.tell: Callable[[Told], None] = lambda event: None
        self.trail: dict[str, list[At]] = {}
        self.held: dict[int, list[Held]] = {}
        self.bills_told = len(member.bills)

    # ---- the floor's word (Sink.member)

    def heard(self, what: str, record: object) -> None:
        if what == "fill" and isinstance(record, FillRecord):
            self.tell(self.fill(record))
        elif isinstance(record, OrderRecord | PlanRecord):
            self._changed(record)
        elif what == "position" and isinstance(record, tuple):
            self._position(record[0])
        elif what == "account":
            self._bills()

    def _changed(self, record: OrderRecord | PlanRecord) -> None:
        filled = record.filled if isinstance(record, OrderRecord) else 0
        reason = OUR_WORDS.get(record.reason, record.reason)
        trail = self.trail.setdefault(record.order_id, [])
        before = trail[-1].status if trail else ""
        trail.append(At(self.now(), record.status, filled, reason))
        ended = record.status not in (LIVE, PARTLY, PLAN_LIVE, PLAN_EXECUTED, FILLED)
        if ended and before != record.status and reason != "modified":
            self.tell(Gone(self.name_of(record), self._symbol(record.m), reason or "rejected", self.now()))

    def _position(self, m: int) -> None:
        account = self.member.account
        row = account.machine.state[account.row(m)]
        lots = int(row[at.LOTS])
        entry = account.instruments[m].tick * int(row[at.COST]) / lots if lots else Decimal(0)
        self.held.setdefault(m, []).append(Held(self.now(), lots, entry, int(row[at.LIQUIDATION])))

    def _bills(self) -> None:
        new, self.bills_told = self.member.bills[self.bills_told:], len(self.member.bills)
        for bill in new:
            if bill.business == FUNDING_BILL:
                self.tell(self.paid(bill))

    # ---- in the port's words

    def _symbol(self, m: int) -> str:
        return self.member.account.instruments[m].symbol

    def name_of(self, record: OrderRecord | PlanRecord) -> str:
        """The client id it went out under: a plan's, for the order it became."""
        plan = self.member.plans.get(record.client_oid)
        return plan.client_oid if plan is not None else record.client_oid

    def fill(self, one: FillRecord) -> Fill | Liquidated:
        instrument, order = self.member.account.instruments[one.m], self.member.orders[one.order_id]
        side, quantity, price = "buy" if one.side > 0 else "sell", instrument.quantity(one.lots), instrument.price(one.price)
        if order.source == "liquidation":
            return Liquidated(one.trade_id, instrument.symbol, side, quantity, price, unscaled(one.fee - one.profit), one.time_ms)
        return Fill(one.trade_id, self.name_of(order), instrument.symbol, side, quantity, price, unscaled(one.fee), unscaled(one.profit),
                    one.maker, instrument.price(one.market), one.time_ms)

    def paid(self, bill: Bill) -> Paid:
        return Paid(bill.bill_id, self._symbol(bill.m), unscaled(bill.fee - bill.amount), bill.time_ms)

    # ---- as it stood at a moment

    def seen(self, client_id: str, then_ms: int) -> Seen | None:
        """None: there was no such order. The order a plan became counts as the plan."""
        found = self.member.by_client.get(client_id, "")
        record = self.member.plans.get(found) or self.member.orders.get(found)
        stood = self._stood(found, then_ms) if record is not None else None
        if record is None or stood is None:
            return None
        if isinstance(record, PlanRecord) and stood.status == PLAN_EXECUTED:
            child = self._stood(record.executed_order_id, then_ms)
            return self._shown(record, child) if child is not None else self._shown(record, At(then_ms, LIVE, 0, ""))
        return self._shown(record, stood)

    def _stood(self, order_id: str, then_ms: int) -> At | None:
        trail = self.trail.get(order_id, [])
        k = bisect_right([one.ms for one in trail], then_ms)
        return trail[k - 1] if k else None

    def _shown(self, record: OrderRecord | PlanRecord, stood: At) -> Seen:
        status = "open" if stood.status in (LIVE, PARTLY, PLAN_LIVE) else "filled" if stood.status == FILLED else "canceled"
        if status == "canceled" and stood.reason not in ("canceled", "position_closed", "reduce_only_replaced", "no_position", "modified"):
            status = "rejected" if not stood.filled else "canceled"
        return Seen(record.order_id, status, self.member.account.instruments[record.m].quantity(stood.filled), stood.reason)

    def open_orders(self, then_ms: int) -> list[OpenOrder]:
        found = []
        for record in [*self.member.orders.values(), *self.member.plans.values()]:
            stood = self._stood(record.order_id, then_ms)
            if stood is not None and stood.status in (LIVE, PARTLY, PLAN_LIVE):
                found.append(OpenOrder(self._order(record), record.order_id, self._quantity(record, stood.filled)))
        return found

    def _quantity(self, record: OrderRecord | PlanRecord, lots: int) -> Decimal:
        return self.member.account.instruments[record.m].quantity(lots)

    def _order(self, record: OrderRecord | PlanRecord) -> NewOrder:
        one = self.member.account.instruments[record.m]
        side = "buy" if record.side > 0 else "sell"
        if isinstance(record, PlanRecord):
            return NewOrder(record.client_oid, one.symbol, side, one.quantity(record.lots), "stop_limit" if record.execute else "stop",
                            one.price(record.execute) if record.execute else None, one.price(record.trigger), record.closes)
        kind = "market" if record.kind == "market" else "post_only" if record.force == "post_only" else "limit"
        return NewOrder(self.name_of(record), one.symbol, side, one.quantity(record.lots), kind,
                        one.price(record.price) if record.price else None, None, record.closes)

    def positions(self, then_ms: int) -> list[Position]:
        found = []
        for m, trail in sorted(self.held.items()):
            k = bisect_right([one.ms for one in trail], then_ms)
            if k and trail[k - 1].lots:
                stood, one = trail[k - 1], self.member.account.instruments[m]
                found.append(Position(one.symbol, one.quantity(stood.lots), stood.entry,
                                      one.price(stood.liquidation) if stood.liquidation > 0 else None))
        return found

    def balance(self, then_ms: int) -> Balance:
        now = views.balance(self.member)
        bills = [bill for bill in self.member.bills if bill.time_ms <= then_ms]
        wallet = unscaled(bills[-1].balance) if bills else Decimal(0)
        return Balance(wallet, wallet + now.unrealised, now.available)

    def fills(self, since_ms: int, then_ms: int) -> list[Fill | Liquidated]:
        return [self.fill(one) for one in self.member.fills if since_ms <= one.time_ms <= then_ms]

    def payments(self, since_ms: int, then_ms: int) -> list[Paid]:
        return [self.paid(bill) for bill in self.member.bills if bill.business == FUNDING_BILL and since_ms <= bill.time_ms <= then_ms]

    def movements(self, since_ms: int, then_ms: int) -> list[Moved]:
        return [Moved(bill.bill_id, bill.business, unscaled(bill.amount - bill.fee), bill.time_ms) for bill in self.member.bills
                if bill.business.startswith("trans_") and since_ms <= bill.time_ms <= then_ms]
