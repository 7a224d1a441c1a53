"""The port (exchanges/port.py) of one member, in this process. What it answers is on disk before, where the floor has a store."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from haechi.core import layout as at
from haechi.core.instrument import Instrument
from haechi.core.matching import Order
from haechi.exchanges.port import (
    Accepted,
    Balance,
    Bar,
    Fill,
    Known,
    Liquidated,
    Listener,
    Moved,
    NewOrder,
    OpenOrder,
    Outcome,
    Paid,
    Position,
    Rejected,
    Seen,
    Still,
    Unknown,
)
from haechi.venue import orders, traces
from haechi.venue.account import Account
from haechi.venue.exchange import Ear, Venue
from haechi.venue.member import Member
from haechi.venue.records import PORT, OrderRecord

SIDES = {"buy": 1, "sell": -1}
KINDS_LIMITED = ("limit", "post_only", "stop_limit")
KINDS_TRIGGERED = ("stop", "stop_limit")
KINDS = ("market", *KINDS_LIMITED, "stop")


@dataclass(frozen=True)
class Paper:
    """Traceable. Its orders are met by the engine's own rules; the wire's rules at the door (orders.py) are not asked."""

    member: Member

    @property
    def account(self) -> Account:
        return self.member.account

    @property
    def venue(self) -> Venue:
        return self.member.floor.venue

    # ---- orders

    async def place(self, order: NewOrder, *, still: Still | None = None) -> Outcome:
        m = self.venue.market.get(order.symbol)
        if m is None:
            return Rejected("symbol", order.symbol)
        if order.client_id in self.member.by_client:
            return Rejected("duplicate")
        made, wrong = self._order(m, order)
        reason = wrong or self.blind() and "maintenance" or self.account.refuses(m, made)
        if reason:
            return Rejected(reason)
        record = self._recorded(m, made)
        self.account.take(m, made)
        return await self._answered(record.order_id)

    def _order(self, m: int, order: NewOrder) -> tuple[Order, str]:
        """The order in ticks and lots, and what is wrong with it."""
        one = self.venue.instruments[m]
        price, trigger = order.price or Decimal(0), order.trigger or Decimal(0)
        wrong = ""
        if order.kind not in KINDS:
            wrong = "kind"
        elif order.side not in SIDES or any(given % one.tick for given in (price, trigger)) or order.quantity % one.lot:
            wrong = "precision" if order.side in SIDES else "side"
        elif order.quantity <= 0:
            wrong = "below_minimum"
        elif (order.kind in KINDS_LIMITED) != (price > 0) or (order.kind in KINDS_TRIGGERED) != (trigger > 0):
            wrong = "price"
        return Order(self.account.number(), order.client_id, SIDES.get(order.side, 1), one.lots(order.quantity), order.kind,
                     int(price / one.tick), int(trigger / one.tick), order.reduce_only), wrong

    def _recorded(self, m: int, made: Order) -> OrderRecord:
        post_only = made.kind == "post_only"
        record = self.member.new_order(m, made.leg, made.side, made.lots, made.price, kind="limit" if post_only else made.kind,
                                       force="post_only" if post_only else "gtc", client_oid=made.client_id, closes=made.reduce_only,
                                       entered=PORT, trigger=made.trigger)
        self.member.order_numbers[made.number] = record
        self.member.resting[record.order_id] = made
        self.member.told("order", record)
        return record

    async def _answered(self, exchange_id: str) -> Outcome:
        try:
            await self.member.floor.settled()
        except sqlite3.Error as fault:
            return Unknown(f"the venue could not write it down: {fault}")
        return Accepted(exchange_id)

    async def cancel(self, client_id: str) -> Outcome:
        record, plan = self.member.find(client_oid=client_id), self.member.find_plan(client_oid=client_id)
        if record is not None and record.open:
            self._end(record, "normal_cancel")
        elif plan is not None and plan.open:
            self.member.cancel_plan(plan)
        else:
            return Rejected("no_order")
        return await self._answered(client_id)

    def _end(self, record: OrderRecord, reason: str) -> None:
        """The answer tells it; there is no event."""
        resting = self.member.resting.pop(record.order_id)
        orders.cancel_in_account(self.member, record, resting)
        self.member.order_numbers.pop(resting.number, None)
        orders.finish(self.member, record, reason)

    async def modify(self, client_id: str, *, new_client_id: str, quantity: Decimal | None = None, price: Decimal | None = None,
                     trigger: Decimal | None = None) -> Outcome:
        record = self.member.find(client_oid=client_id)
        if record is None or not record.open:
            return Rejected("no_order")
        if record.filled or record.kind == "market":
            return Rejected("not_modifiable")
        old, stop = self._new_order(record), record.kind in KINDS_TRIGGERED
        changed = NewOrder(client_id if stop else new_client_id, old.symbol, old.side, quantity or old.quantity, old.kind,
                           price or old.price, trigger or old.trigger, old.reduce_only)
        if not stop and changed.client_id in self.member.by_client:
            return Rejected("duplicate")
        made, wrong = self._order(record.m, changed)
        reason = wrong or self.blind() and "maintenance" or self.account.refuses(record.m, made)
        if reason:
            return Rejected(reason)
        return await self._answered(self._stop_changed(record, made) if stop else self._replaced(record, made))

    def _stop_changed(self, record: OrderRecord, made: Order) -> str:
        resting = self.member.resting[record.order_id]
        record.lots, record.price, record.trigger, record.updated_ms = made.lots, made.price, made.trigger, self.member.now_ms
        resting.lots, resting.price, resting.trigger = made.lots, made.price, made.trigger
        self.member.dirty.add(("order", record.order_id))
        self.member.told("order", record)
        return record.order_id

    def _replaced(self, record: OrderRecord, made: Order) -> str:
        self._end(record, "modified")
        new = self._recorded(record.m, made)
        self.account.take(record.m, made)
        return new.order_id

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome:
        reason = self.account.set_leverage(self.venue.index(symbol), leverage, cross=cross)
        if reason:
            return Rejected(reason)
        self.member.told("account", None)
        return await self._answered(symbol)

    # ---- what there is

    async def instrument(self, symbol: str) -> Instrument | None:
        m = self.venue.market.get(symbol)
        return None if m is None else self.venue.instruments[m]

    async def bars(self, symbol: str, most: int, timeframe_ms: int | None = None) -> list[Bar]:
        self.venue.index(symbol)
        return await self.venue.looked_back(symbol, most, timeframe_ms or self.venue.timeframe_ms)

    async def open_orders(self) -> list[OpenOrder]:
        return [self._shown(m, order) for m in range(len(self.venue.instruments))
                for order in [*self.account.orders[m], *self.account.queued[m]]]

    def _shown(self, m: int, order: Order) -> OpenOrder:
        """A plan of the wire is shown as the stop it rests as."""
        record, one = self.member.order_numbers.get(order.number), self.venue.instruments[m]
        if record is not None:
            return OpenOrder(self._new_order(record), record.order_id, one.quantity(record.filled))
        side = "buy" if order.side > 0 else "sell"
        price, trigger = (one.price(ticks) if ticks else None for ticks in (order.price, order.trigger))
        new = NewOrder(order.client_id, one.symbol, side, one.quantity(order.lots), order.kind, price, trigger, order.reduce_only)
        return OpenOrder(new, self.member.plan_numbers[order.number].order_id, Decimal(0))

    def _new_order(self, record: OrderRecord) -> NewOrder:
        one = self.venue.instruments[record.m]
        kind = "post_only" if record.force == "post_only" else record.kind
        trigger = one.price(record.trigger) if record.trigger and kind in KINDS_TRIGGERED else None
        return NewOrder(record.client_oid, one.symbol, "buy" if record.side > 0 else "sell", one.quantity(record.lots), kind,
                        one.price(record.price) if record.price else None, trigger, record.closes)

    async def positions(self) -> list[Position]:
        found = []
        for m, one in enumerate(self.venue.instruments):
            leg = self.account.machine.state[self.account.row(m)]
            lots, stop = int(leg[at.LOTS]), int(leg[at.LIQUIDATION])
            if lots:
                entry = one.tick * int(leg[at.COST]) / lots
                found.append(Position(one.symbol, one.quantity(lots), entry, one.price(stop) if stop > 0 else None))
        return found

    async def balance(self) -> Balance:
        return Balance(self.account.wallet, self.account.equity, self.account.available)

    # ---- what can be asked afterwards

    async def look(self, order: NewOrder, sent_ms: int) -> Seen | Rejected | Unknown:
        """In one process nothing is on its way: what is not in the records never came and never will."""
        return traces.seen(self.member, order.client_id) or Rejected("never_arrived")

    async def resolve(self, client_id: str, *, order: NewOrder | None = None, sent_ms: int | None = None) -> Outcome:
        seen = traces.seen(self.member, client_id)
        if seen is None:
            return Rejected("never_arrived")
        return Rejected(seen.reason) if seen.status == traces.REJECTED else Accepted(seen.exchange_id)

    async def fills_since(self, time_ms: int, *, known: Known | None = None) -> list[Fill | Liquidated]:
        return traces.fills(self.member, time_ms)

    async def payments_since(self, time_ms: int) -> list[Paid]:
        return traces.payments(self.member, time_ms)

    async def movements_since(self, time_ms: int) -> list[Moved]:
        return traces.movements(self.member, time_ms)

    def blind(self) -> str:
        return "market: nobody knows where it stands" if self.venue.halted else ""

    # ---- events

    def listen(self, listener: Listener, *, symbol: str, prices: bool) -> None:
        self.venue.index(symbol)
        ears = self.venue.ears[self.account.name].setdefault(symbol, [])
        place = next((number for number, ear in enumerate(ears) if ear.listener is listener), len(ears))
        ears[place:place + 1] = [Ear(listener, prices)]

    def unlisten(self, listener: Listener) -> None:
        for ears in self.venue.ears.get(self.account.name, {}).values():
            ears[:] = [ear for ear in ears if ear.listener is not listener]
