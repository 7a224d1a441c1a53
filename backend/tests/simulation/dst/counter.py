"""What the exchange does with a request that arrived: the member's own operations, and the faults that happen inside the exchange."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from haechi.core.instrument import Instrument
from haechi.core.matching import Execution
from haechi.exchanges.bitget.codes import meaning
from haechi.exchanges.bitget.requests import PRICED, TRIGGERED, wrong
from haechi.exchanges.port import Accepted, NewOrder, Outcome, Rejected
from haechi.venue import forced
from haechi.venue.account import Slices
from haechi.venue.member import Member
from haechi.venue.records import OrderRecord, PlanRecord
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest, PlanRequest

from .faults import Faults
from .truth import HAND

if TYPE_CHECKING:
    from .world import World

SIDES = {"buy": 1, "sell": -1}
PIECES_MAX = 50


def word_of(no: Refusal) -> str:
    return meaning(no.code).word


class Counter:
    """Of one member."""

    def __init__(self, world: World, member: Member, faults: Faults, rng: Random) -> None:
        self.world, self.member, self.faults, self.rng = world, member, faults, rng

    def market(self, symbol: str) -> int:
        return self.world.venue.market[symbol]

    # ---- refused, though it need not be

    def refuses(self, order: NewOrder) -> Rejected | None:
        if order.symbol not in self.world.rules:
            return Rejected("symbol", order.symbol)
        rules = self.world.rules[order.symbol]
        no = wrong(order, self.world.instruments[self.market(order.symbol)] if order.reduce_only else rules)
        if no:
            return Rejected(no)
        if order.kind in TRIGGERED and order.reduce_only and self.faults.hit("stop_rejected"):
            return Rejected(self.rng.choice(("trigger", "too_many_orders")), "40889")
        if order.kind not in TRIGGERED and order.reduce_only and self.faults.hit("reduce_only_rejected"):
            return Rejected("busy", "40908")
        return None

    # ---- carried out

    def opens(self, order: NewOrder) -> bool:
        """Whether the position would be larger after it, by what is held now."""
        held = self.member.account.lots(self.market(order.symbol))
        lots = self._one(order.symbol).lots(order.quantity) * SIDES[order.side]
        return not order.reduce_only and abs(held + lots) > abs(held)

    def _one(self, symbol: str) -> Instrument:
        return self.world.instruments[self.market(symbol)]

    def place(self, order: NewOrder) -> str:
        """The exchange's id. Raises Refusal."""
        m = self.market(order.symbol)
        self._pieces(m)
        if order.reduce_only and order.kind == "market" and self.faults.hit("stop_while_exit"):
            self._trigger(m)
        if order.reduce_only and self.faults.hit("reduce_only_replaced"):
            for older in [one for one in self.member.open_orders(m) if one.closes]:
                self.member.cancel(older, "reduce_only_replaced")
        floor, before = self.world.floor, self.world.floor.duplicate_policy
        floor.duplicate_policy = next((word for word in ("new", "same") if self.faults.on(f"duplicates_{word}")), before)
        try:
            return self._plan(m, order) if order.kind in TRIGGERED else self._order(m, order)
        finally:
            floor.duplicate_policy = before

    def _order(self, m: int, order: NewOrder) -> str:
        one = self._one(order.symbol)
        request = OrderRequest(m, SIDES[order.side], one.lots(order.quantity), "limit" if order.kind in PRICED else "market",
                               one.ticks(order.price) if order.price else 0, "post_only" if order.kind == "post_only" else "gtc",
                               order.client_id, order.reduce_only)
        return self.member.place(request).order_id

    def _plan(self, m: int, order: NewOrder) -> str:
        one = self._one(order.symbol)
        request = PlanRequest(m, SIDES[order.side], "loss_plan" if order.reduce_only else "normal_plan", one.lots(order.quantity),
                              one.ticks(order.trigger or Decimal(0)), execute=one.ticks(order.price) if order.price else 0,
                              client_oid=order.client_id, closes=order.reduce_only)
        return self.member.place_plan(request).order_id

    # ---- taken away and changed

    def found(self, client_id: str) -> OrderRecord | PlanRecord | None:
        """What can be cancelled under this id: the order, the plan, or the order the plan became."""
        plan = self.member.find_plan(client_oid=client_id)
        if plan is not None and not plan.open and plan.executed_order_id:
            return self.member.orders.get(plan.executed_order_id)
        return plan or self.member.find(client_oid=client_id)

    def cancel(self, client_id: str) -> Outcome:
        record = self.found(client_id)
        if isinstance(record, OrderRecord) and record.open and record.price and self.faults.hit("cancel_fill_race"):
            self._race(record)
        if record is None or not record.open:
            return Rejected("no_order", "22001")
        try:
            self.member.cancel_plan(record) if isinstance(record, PlanRecord) else self.member.cancel(record)
        except Refusal as no:
            return Rejected(word_of(no), no.code)
        return Accepted(record.order_id)

    def _race(self, record: OrderRecord) -> None:
        """Some or all of it fills while the cancelling is under way."""
        resting = self.member.resting.get(record.order_id)
        if resting is not None and resting in self.member.account.orders[record.m]:
            self.world.floor.playing = record.m
            self.member.account.fill_part(record.m, resting, self.rng.randint(1, resting.lots))

    def modify(self, client_id: str, new_id: str, quantity: Decimal | None, price: Decimal | None, trigger: Decimal | None) -> Outcome:
        record = self.found(client_id)
        if record is None or not record.open:
            return Rejected("no_order", "22001")
        one = self.member.account.instruments[record.m]
        lots = None if quantity is None else one.lots(quantity)
        ticks = None if price is None else one.ticks(price)
        try:
            if isinstance(record, PlanRecord):
                made = self.member.modify_plan(record, lots=lots, trigger=None if trigger is None else one.ticks(trigger), execute=ticks)
                return Accepted(made.order_id)
            return Accepted(self.member.modify(record, new_client_oid=new_id, lots=record.lots if lots is None else lots,
                                               price=record.price if ticks is None else ticks).order_id)
        except Refusal as no:
            return Rejected(word_of(no), no.code)

    def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome:
        m = self.market(symbol)
        try:
            self.member.set_margin_mode(m, cross)
            if self.member.leverage(m) != leverage:
                self.member.set_leverage(m, leverage=leverage)
        except Refusal as no:
            return Rejected(word_of(no), no.code)
        return Accepted(symbol)

    # ---- inside the exchange

    def _pieces(self, m: int) -> None:
        """While partial fills go on, this member meets a book of many small levels; nothing is without limit."""
        account = self.member.account
        if self.faults.on("partial_fills") is None:
            account.takes[m] = None
        elif account.takes[m] is None:
            account.takes[m] = lambda side, lots, worst: self._slices(m, side, lots, worst)

    def _slices(self, m: int, side: int, lots: int, worst: int) -> Slices:
        """1–50 pieces; the whole of it in most cases, else the book was thinner."""
        point = self.member.account.point[m] or self.world.points[m]
        if worst and side * point > side * worst:
            return []
        self.faults.hits["partial_fills"] += 1
        wanted = lots if self.rng.random() < 0.7 else self.rng.randint(1, lots)
        count = min(self.rng.randint(1, PIECES_MAX), wanted)
        cuts = sorted(self.rng.sample(range(1, wanted), count - 1)) if count > 1 else []
        return [(point, b - a) for a, b in zip([0, *cuts], [*cuts, wanted], strict=True)]

    def moved(self, m: int) -> None:
        """The market moved: limit orders of a member with a thin book are filled piece by piece."""
        account = self.member.account
        if account.takes[m] is None:
            return
        thin = self.faults.on("partial_fills") is not None
        self.world.floor.playing = m
        for order in [one for one in account.orders[m] if one.kind in ("limit", "post_only")]:
            if order.side * account.point[m] <= order.side * order.price:
                account.fill_part(m, order, self.rng.randint(1, order.lots) if thin else order.lots)
        if not thin:
            account.takes[m] = None

    def _trigger(self, m: int) -> None:
        """A stop of this position is met in this very moment."""
        account, floor = self.member.account, self.world.floor
        for order in [one for one in account.orders[m] if one.kind == "stop" and one.reduce_only][:1]:
            account.orders[m].remove(order)
            floor.playing = m
            account._carry_out(m, order, Execution(account.point[m], False, "stop"))

    # ---- by hand, and by force

    def by_hand(self, m: int, side: int, lots: int, price: int = 0, *, closes: bool = False) -> None:
        """An order of the person on the exchange's own page; a refusal is theirs."""
        self.world.touch()
        name = f"{HAND}{self.member.name}-{self.rng.getrandbits(40):010x}"
        try:
            self.member.place(OrderRequest(m, side, lots, "limit" if price else "market", price, "gtc", name, closes))
            self.faults.hits["manual_orders"] += 1
        except Refusal:
            return

    def forced(self, m: int, share: float) -> None:
        """The exchange closes the position, all of it or a share (deleveraging)."""
        self.world.touch()
        held = self.member.account.lots(m)
        if not held:
            return
        if share >= 1:
            forced.liquidate(self.world.floor, self.member, m, 0)
            self.faults.hits["liquidation"] += 1
        else:
            forced.deleverage(self.world.floor, self.member, m, 0, max(1, int(abs(held) * share)), self.world.points[m])
            self.faults.hits["liquidation_partial"] += 1


