"""One account at the simulated exchange: its money, positions and orders, and what a price does to them.

Money and positions are booked by the engine's own functions (core.position), so venue and back-test cannot differ by a cent.
Prices in ticks, quantities in lots, money in 1e-8; values for people are made where an event leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal

from haechi.core import layout as at
from haechi.core import matching
from haechi.core.encode import encode, pack
from haechi.core.engine import fund, mark_bar
from haechi.core.instrument import Instrument
from haechi.core.matching import Execution, Order
from haechi.core.plan import Costs, Plan
from haechi.core.position import available, enter, equity, leave, liquidate, refusal
from haechi.core.run import Machine
from haechi.core.units import unscaled
from haechi.core.walk import NEVER
from haechi.exchanges.port import Event, Fill, Gone, Liquidated, Paid

OPEN_ORDERS_MAX = 500


class Account:
    """`events` holds what happened and was not yet told."""

    def __init__(self, name: str, instruments: Sequence[Instrument], costs: Costs) -> None:
        self.name = name
        self.instruments = list(instruments)
        self.machine = Machine.fresh(len(instruments), costs, 0)
        self.plans = pack([encode(Plan(), one, costs, "path") for one in instruments])
        self.orders: list[list[Order]] = [[] for _ in instruments]
        self.queued: list[list[Order]] = [[] for _ in instruments]
        self.point = [0] * len(instruments)  # where the market stands while a bar is walked, 0 between bars
        self.events: deque[Event] = deque()
        self.now_ms = 0
        self._number = 0

    # ---- what the account holds

    def row(self, m: int) -> int:
        return 1 + 2 * m

    def lots(self, m: int) -> int:
        """Signed lots of the net position."""
        return int(self.machine.state[self.row(m), at.LOTS])

    def involved(self, m: int) -> bool:
        """Whether a bar of this market can do anything to this account."""
        return bool(self.orders[m] or self.queued[m] or self.lots(m))

    @property
    def wallet(self) -> Decimal:
        return unscaled(int(self.machine.state[0, at.WALLET]))

    @property
    def equity(self) -> Decimal:
        return unscaled(int(equity(self.machine.state, self.plans)))

    @property
    def available(self) -> Decimal:
        free = int(available(self.machine.state, self.plans, 0, int(self.machine.state[1, at.MARK])))
        return unscaled(max(free, 0))

    def set_leverage(self, m: int, leverage: int, *, cross: bool) -> str:
        """'' or why not: as on the real exchange, neither changes under an open position or order."""
        same = self.plans[m, at.LEVERAGE] == leverage and self.plans[m, at.CROSS] == int(cross)
        if same:
            return ""
        if self.involved(m):
            return "position_open"
        self.plans[m, at.LEVERAGE], self.plans[m, at.CROSS] = leverage, int(cross)
        return ""

    # ---- orders

    def place(self, m: int, order: Order) -> str:
        """Take an order, or say why not. Between bars it waits for the next price. While one is walked a market order fills where the
        price stands, and every other rests first and is then met by the rules of resting orders, as the engine's own levels are."""
        plan = self.plans[m]
        if sum(map(len, self.orders)) >= OPEN_ORDERS_MAX:
            return "too_many_orders"
        if order.reduce_only:
            if not self.lots(m) or (self.lots(m) > 0) == (order.side > 0):
                return "no_position"
        elif order.lots < plan[at.MIN_LOTS]:
            return "below_minimum"
        if self.point[m] == 0:
            self.queued[m].append(order)
        elif order.kind == "market":
            self.arrive(m, order)
        else:
            self.orders[m].append(order)
        return ""

    def number(self) -> int:
        self._number += 1
        return self._number

    def cancel(self, m: int, client_id: str) -> bool:
        for waiting in (self.orders[m], self.queued[m]):
            for order in waiting:
                if order.client_id == client_id:
                    waiting.remove(order)
                    return True
        return False

    def arrive(self, m: int, order: Order) -> None:
        """The order reaches the market where it stands."""
        execution = matching.arriving(order, self.point[m], int(self.plans[m, at.SLIPPAGE]))
        if execution is None:
            self.gone(m, order, "post_only")
        elif execution.price == 0:
            order.kind = execution.kind
            self.orders[m].append(order)
        else:
            self.execute(m, order, execution)

    def gone(self, m: int, order: Order, reason: str) -> None:
        self.events.append(Gone(order.client_id, self.instruments[m].symbol, reason, self.now_ms))

    # ---- a bar, step by step (docs/engine.md, "Time"); the venue lets listeners act between the steps

    def fund(self, m: int, price: int, rate: int) -> None:
        before = int(self.machine.state[0, at.FUNDING])
        fund(self.machine.state, self.plans, m, price, rate)
        amount = int(self.machine.state[0, at.FUNDING]) - before
        if self.lots(m):
            symbol = self.instruments[m].symbol
            self.events.append(Paid(f"{self.name}-f{self.number()}", symbol, unscaled(amount), self.now_ms))

    def opens(self, m: int, price: int) -> None:
        """Liquidation at the open, then what waited for this price, in the order in which it came."""
        self.point[m] = price
        if self._liquidation_distance(m, price, price) == 0:
            self._liquidate(m)
        waiting, self.queued[m] = self.queued[m], []
        for order in waiting:
            self.arrive(m, order)

    def meet_at_open(self, m: int) -> bool:
        """Fill the first resting order that the open satisfies; False if there is none."""
        met = matching.nearest(self.orders[m], self.point[m], self.point[m])
        if met is None:
            return False
        self._met(m, met.order, matching.at_open(met.order, self.point[m], int(self.plans[m, at.SLIPPAGE])))
        return True

    def meet_on_way(self, m: int, b: int) -> bool:
        """Go from where the market stands towards b, to the first thing met; False if nothing is met before b."""
        a = self.point[m]
        met = matching.nearest(self.orders[m], a, b)
        end = self._liquidation_distance(m, a, b)
        away = min(end, met.distance if met else NEVER)
        if away == NEVER:
            self.point[m] = b
            return False
        self.point[m] = a + away if b >= a else a - away
        if end == away:
            self._liquidate(m)
        elif met is not None:
            self._met(m, met.order, matching.on_way(met.order, self.point[m], int(self.plans[m, at.SLIPPAGE])))
        return True

    def closes(self, m: int, price: int) -> None:
        self.point[m] = 0
        mark_bar(self.machine.state, m, price)

    def _met(self, m: int, order: Order, execution: Execution) -> None:
        if execution.price == 0:
            order.kind = execution.kind
            return
        self.orders[m].remove(order)
        self.execute(m, order, execution)

    # ---- fills

    def execute(self, m: int, order: Order, execution: Execution) -> None:
        """Reduce what is held the other way, open with the rest; refused by margin or tier, the rest is gone."""
        held = self.lots(m)
        opposite = held != 0 and (held > 0) != (order.side > 0)
        closing = min(abs(held), order.lots) if opposite else 0
        if closing:
            self._fill(m, order, closing, execution, closes=True)
        opening = 0 if order.reduce_only else order.lots - closing
        if order.reduce_only and not closing:
            self.gone(m, order, "no_position")
        elif opening:
            refused = int(refusal(self.machine.state, self.plans, self.row(m), opening, execution.price))
            if refused >= 0:
                self.gone(m, order, at.REFUSALS[refused])
            else:
                self._fill(m, order, opening, execution, closes=False)

    def _fill(self, m: int, order: Order, lots: int, execution: Execution, *, closes: bool) -> None:
        state, plans, r = self.machine.state, self.plans, self.row(m)
        rate = int(plans[m, at.MAKER if execution.maker else at.TAKER])
        fees, wallet = int(state[0, at.FEES]), int(state[0, at.WALLET])
        if closes:
            leave(state, plans, self.machine.trades, r, lots, execution.price, rate, at.BY_SIGNAL, self.now_ms)
        else:
            enter(state, plans, r, order.side, lots, execution.price, rate, self.now_ms, self.point[m])
        paid = int(state[0, at.FEES]) - fees
        one = self.instruments[m]
        self.events.append(Fill(
            f"{self.name}-t{self.number()}", order.client_id, one.symbol, "buy" if order.side > 0 else "sell", one.quantity(lots),
            one.price(execution.price), unscaled(paid), unscaled(int(state[0, at.WALLET]) - wallet + paid), execution.maker,
            one.price(self.point[m]), self.now_ms))

    def _liquidation_distance(self, m: int, a: int, b: int) -> int:
        leg = self.machine.state[self.row(m)]
        if not leg[at.LOTS] or leg[at.LIQUIDATION] <= 0:
            return NEVER
        stand_in = Order(0, "", -1 if leg[at.LOTS] > 0 else 1, 1, "stop", trigger=int(leg[at.LIQUIDATION]))
        return matching.distance(stand_in, a, b)

    def _liquidate(self, m: int) -> None:
        state, r, one = self.machine.state, self.row(m), self.instruments[m]
        lots, price, wallet = int(state[r, at.LOTS]), int(state[r, at.LIQUIDATION]), int(state[0, at.WALLET])
        liquidate(state, self.plans, self.machine.trades, r, self.now_ms)
        self.events.append(Liquidated(f"{self.name}-t{self.number()}", one.symbol, "sell" if lots > 0 else "buy", one.quantity(abs(lots)),
                                      one.price(price), unscaled(wallet - int(state[0, at.WALLET])), self.now_ms))
        for order in [order for order in self.orders[m] if order.reduce_only]:
            self.orders[m].remove(order)
            self.gone(m, order, "no_position")
