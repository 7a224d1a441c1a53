"""A member of the exchange: one account with its records, and every operation the wire offers.

Operations raise Refusal. What they change is in `dirty` until the floor commits it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from haechi.core import layout as at
from haechi.core.matching import Order
from haechi.venue import orders, plans, terms, views
from haechi.venue.account import Account
from haechi.venue.booking import Booking
from haechi.venue.records import (
    CANCELED,
    PLAN_CANCELLED,
    PLAN_EXECUTED,
    PLAN_FAILED,
    Bill,
    ClosedPosition,
    FillRecord,
    OrderRecord,
    PlanRecord,
    Preset,
)
from haechi.venue.requests import BalanceView, OrderRequest, PlanRequest, PositionView

if TYPE_CHECKING:
    from haechi.venue.floor import Floor

ONE_WAY, HEDGE = "one_way_mode", "hedge_mode"
TRIMMED_AT_ONCE = 1000  # so many more than are kept may gather


class Member:
    """`held` are the open positions; `balance_now` the wallet as the bills tell it (1e-8)."""

    def __init__(self, name: str, floor: Floor, account: Account) -> None:
        self.name, self.floor, self.account = name, floor, account
        self.pos_mode = ONE_WAY
        self.orders: dict[str, OrderRecord] = {}
        self.plans: dict[str, PlanRecord] = {}
        self.fills: list[FillRecord] = []
        self.bills: list[Bill] = []
        self.closed: list[ClosedPosition] = []
        self.held: dict[tuple[int, int], ClosedPosition] = {}
        self.auto_margin: dict[tuple[int, int], bool] = {}
        self.by_client: dict[str, str] = {}
        self.order_numbers: dict[int, OrderRecord] = {}
        self.plan_numbers: dict[int, PlanRecord] = {}
        self.resting: dict[str, Order] = {}  # what the account holds of an open order or plan, by record id
        self.balance_now = int(account.machine.state[0, at.WALLET])
        self.opening = ""  # the bill of what it began with, which is no movement
        self.fail_plans = 0  # so many next triggers fail
        self.dirty: set[tuple[str, str]] = set()
        account.witness = Booking(self)

    @property
    def now_ms(self) -> int:
        """The market's time; while whole bars are walked, this account's."""
        return max(self.floor.now_ms, self.account.now_ms)

    # ---- modes

    @property
    def hedge(self) -> bool:
        return self.pos_mode == HEDGE

    def cross(self, m: int) -> bool:
        return bool(self.account.plans[m, at.CROSS])

    def leverage(self, m: int, leg: int = 0) -> int:
        return self.account.leverages.get((m, leg), int(self.account.plans[m, at.LEVERAGE]))

    def set_leverage(self, m: int, *, leverage: int | None = None, long: int | None = None, short: int | None = None) -> None:
        terms.set_leverage(self, m, leverage, long, short)

    def set_margin_mode(self, m: int, cross: bool) -> None:
        terms.set_margin_mode(self, m, cross=cross)

    def set_position_mode(self, mode: str) -> None:
        terms.set_position_mode(self, mode)

    def set_auto_margin(self, m: int, leg: int, on: bool) -> None:
        terms.set_auto_margin(self, m, leg, on=on)

    def add_margin(self, m: int, leg: int, amount: Decimal) -> None:
        terms.add_margin(self, m, leg, amount)

    def transfer(self, amount: Decimal) -> None:
        terms.transfer(self, amount)

    # ---- orders

    def place(self, request: OrderRequest) -> OrderRecord:
        return orders.place(self, request)

    def modify(self, order: OrderRecord, *, new_client_oid: str | None = None, lots: int | None = None, price: int | None = None,
               preset: Preset | None = None) -> OrderRecord:
        return orders.modify(self, order, new_client_oid, lots, price, preset)

    def cancel(self, order: OrderRecord, reason: str = "normal_cancel") -> None:
        orders.cancel(self, order, reason)

    def flash_close(self, m: int | None, leg: int | None) -> tuple[list[OrderRecord], list[tuple[str, str]]]:
        return orders.flash_close(self, m, leg)

    def backhand(self, m: int, leg: int, lots: int | None, client_oid: str) -> OrderRecord:
        return orders.backhand(self, m, leg, lots, client_oid)

    def find(self, *, order_id: str = "", client_oid: str = "") -> OrderRecord | None:
        """The order of this id, or of this client id (the newest)."""
        return self.orders.get(order_id or self.by_client.get(client_oid, ""))

    def open_orders(self, m: int | None = None) -> list[OrderRecord]:
        return [order for order in list(self.order_numbers.values()) if order.open and m in (None, order.m)]

    # ---- plan orders

    def place_plan(self, request: PlanRequest) -> PlanRecord:
        return plans.place(self, request)

    def modify_plan(self, plan: PlanRecord, *, lots: int | None = None, trigger: int | None = None, execute: int | None = None,
                    trigger_type: str | None = None, callback: int | None = None, preset: Preset | None = None) -> PlanRecord:
        return plans.modify(self, plan, lots, trigger, execute, trigger_type, callback, preset)

    def cancel_plan(self, plan: PlanRecord) -> None:
        plans.cancel(self, plan)

    def find_plan(self, *, order_id: str = "", client_oid: str = "") -> PlanRecord | None:
        found = self.plans.get(order_id or self.by_client.get(client_oid, ""))
        return found if found is not None else None

    def open_plans(self, m: int | None = None) -> list[PlanRecord]:
        return [plan for plan in list(self.plan_numbers.values()) if plan.open and m in (None, plan.m)]

    # ---- holdings

    def holding(self, m: int, leg: int) -> ClosedPosition | None:
        return self.held.get((m, leg))

    def positions(self) -> list[PositionView]:
        return [view for m, leg in list(self.held) if (view := views.position(self, m, leg)) is not None]

    def position(self, m: int, leg: int) -> PositionView | None:
        return views.position(self, m, leg)

    def balance(self) -> BalanceView:
        return views.balance(self)

    def max_open(self, m: int, leg: int, price: int) -> int:
        """Most lots the free money opens at `price`, fee included."""
        return views.max_open(self, m, leg, price)

    def liquidation_if(self, m: int, leg: int, lots: int, price: int) -> Decimal:
        """Liquidation price of the leg after opening `lots` more at `price`; 0 where there is none."""
        return views.liquidation_if(self, m, leg, lots, price)

    # ---- what the booking calls

    def told(self, what: str, record: OrderRecord | PlanRecord | FillRecord | ClosedPosition | tuple[int, int] | None) -> None:
        """Mark as changed, and tell the floor's listeners."""
        self.floor.tell(self, what, record)

    def new_order(self, m: int, leg: int, side: int, lots: int, price: int, *, kind: str, force: str = "gtc", client_oid: str = "",
                  closes: bool = False, source: str = "normal", entered: str = "API", preset: Preset | None = None,
                  stp: str = "none", trigger: int = 0) -> OrderRecord:
        """A new live order in the records; a client id is made where none was given."""
        now, order_id = self.now_ms, self.floor.next_id()
        record = OrderRecord(order_id, client_oid or self.floor.next_id(), m, leg, side, lots, price, kind, force, closes, self.hedge,
                             self.cross(m), self.leverage(m, leg), now, now, preset or Preset(), source, entered, stp=stp, trigger=trigger)
        self.orders[order_id] = record
        self.by_client[record.client_oid] = order_id
        self.dirty.add(("order", order_id))
        return record

    def record_of(self, order: Order) -> OrderRecord:
        """The record of an order of the account; one is made for what came by another way than the wire."""
        record = self.order_numbers.get(order.number)
        if record is None:
            record = self.new_order(order_m(self, order), order.leg, order.side, order.lots, order.price, client_oid=order.client_id,
                                    kind="limit" if order.price else "market", closes=order.reduce_only)
            self.order_numbers[order.number] = record
        return record

    def plan_triggered(self, order: Order) -> None:
        """A plan becomes an order; its number in the account is the same, its client id the plan's order id (as Bitget's)."""
        plan = self.plan_numbers.pop(order.number, None)
        if plan is None:
            self._rests_as(order)
            return
        record = self.new_order(plan.m, plan.leg, plan.side, order.lots, plan.execute, kind="limit" if plan.execute else "market",
                                client_oid=plan.order_id, closes=plan.closes, source=plans.source(plan), entered="SYS", preset=plan.preset)
        self.order_numbers[order.number] = record
        self.resting.pop(plan.order_id, None)
        self.resting[record.order_id] = order
        plan.status, plan.executed_order_id = PLAN_EXECUTED, record.order_id
        plan.triggered_ms = plan.updated_ms = self.floor.now_ms
        self.dirty.add(("plan", plan.order_id))
        self.told("plan", plan)

    def _rests_as(self, order: Order) -> None:
        """A stop-limit of the port that was met beyond its limit is a limit order from now on."""
        record = self.order_numbers.get(order.number)
        if record is not None and order.kind == "limit" and record.kind == "stop_limit":
            record.kind, record.updated_ms = "limit", self.now_ms
            self.dirty.add(("order", record.order_id))
            self.told("order", record)

    def ended(self, order: Order, reason: str) -> None:
        """An order of the account is over without (further) fill."""
        record = self.order_numbers.pop(order.number, None)
        if record is not None:
            self.resting.pop(record.order_id, None)
            if record.open:
                record.status, record.reason, record.updated_ms = CANCELED, reason, self.now_ms
                self.dirty.add(("order", record.order_id))
                self.told("order", record)
            plans.failed(self, record, reason)
        plan = self.plan_numbers.pop(order.number, None)
        if plan is not None:
            plan.status = PLAN_CANCELLED if reason == "normal_cancel" else PLAN_FAILED
            plan.reason, plan.updated_ms = reason, self.floor.now_ms
            self.resting.pop(plan.order_id, None)
            self.dirty.add(("plan", plan.order_id))
            self.told("plan", plan)

    def after_fill(self, m: int, record: OrderRecord, lots: int, *, closes: bool) -> None:
        if not record.open:
            self.resting.pop(record.order_id, None)
            for number in [n for n, one in self.order_numbers.items() if one is record]:
                del self.order_numbers[number]
        plans.after_fill(self, m, record, lots, closes=closes)
        self._trim(self.floor.history_kept)

    def _trim(self, most: int) -> None:
        """Keep the newest of what is over."""
        for kept in (self.fills, self.bills, self.closed):
            if len(kept) > most + TRIMMED_AT_ONCE:
                del kept[:-most]
        for records in (self.orders, self.plans):
            if len(records) > most + TRIMMED_AT_ONCE:
                for one in [one for one in records.values() if not one.open][:len(records) - most]:
                    del records[one.order_id]
                    if self.by_client.get(one.client_oid) == one.order_id:
                        del self.by_client[one.client_oid]


def order_m(member: Member, order: Order) -> int:
    """The market of an order that the account holds or has just taken out."""
    for m, held in enumerate(member.account.orders):
        if order in held or order in member.account.queued[m]:
            return m
    return member.floor.playing
