"""One account at the simulated exchange: its money, positions and orders, and what a price does to them.

Money and positions are booked by the engine's own functions (core.position), so venue and back-test cannot differ by a cent.
Prices in ticks, quantities in lots, money in 1e-8; values for people are made where an event leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
Slices = list[tuple[int, int]]  # (price in ticks, lots)
Take = Callable[[int, int, int], Slices]  # side, lots, worst price (0: any) -> what the book gives


class Witness(Protocol):
    """Is told by an account, at once and in order, what is booked: keeps the records of a member (booking.py)."""

    def filled(self, m: int, order: Order, lots: int, price: int, fee: int, profit: int, *, maker: bool, closes: bool) -> str:
        """The trade's id."""

    def arrived(self, m: int) -> None:
        """What waited for a price has met one."""

    def triggered(self, m: int, order: Order) -> None:
        """A stop's or stop-limit's trigger was met; it fills or rests next."""

    def refuses(self, m: int, order: Order) -> str:
        """'' or why a triggered order must fail."""

    def ended(self, m: int, order: Order, reason: str) -> None: ...

    def funded(self, m: int, leg: int, amount: int) -> str:
        """The payment's id."""

    def liquidated(self, m: int, leg: int, lots: int, price: int, profit: int, gross: int) -> str:
        """The trade's id. signed lots closed at `price`, worth `gross` there; what the wallet lost beyond (profit < gross) is the
        insurance's."""


@lru_cache(maxsize=16)
def terms_of(instruments: tuple[Instrument, ...], costs: Costs) -> NDArray[np.int64]:
    """The encoded plans of an account that trades by hand, one a market."""
    return pack([encode(Plan(), one, costs, "path") for one in instruments])


class Account:
    """`events` holds what happened and was not yet told."""

    def __init__(self, name: str, instruments: Sequence[Instrument], costs: Costs) -> None:
        self.name = name
        self.instruments = list(instruments)
        self.machine = Machine.fresh(len(instruments), costs, 0)
        self.plans = terms_of(tuple(instruments), costs).copy()
        self.orders: list[list[Order]] = [[] for _ in instruments]
        self.queued: list[list[Order]] = [[] for _ in instruments]
        self.point = [0] * len(instruments)  # where the market stands while a bar is walked, 0 between bars
        self.events: deque[Event] = deque()
        self.now_ms = 0
        self.told = False  # true while a listener acts on what it was told: time stands still
        self.witness: Witness | None = None
        self.takes: list[Take | None] = [None] * len(instruments)  # None: liquidity without limit where the market stands
        self.leverages: dict[tuple[int, int], int] = {}  # of single legs, where they differ from the market's
        self._number = 0

    # ---- what the account holds

    def row(self, m: int, leg: int = 0) -> int:
        return 1 + 2 * m + leg

    def lots(self, m: int, leg: int = 0) -> int:
        """Signed lots of the net position, or of one leg."""
        return self.machine.state.item(1 + 2 * m + leg, at.LOTS)

    def involved(self, m: int) -> bool:
        """Whether a bar of this market can do anything to this account."""
        return bool(self.orders[m] or self.queued[m] or self.lots(m) or self.lots(m, 1))

    @property
    def idle(self) -> bool:
        """Nothing is held, nothing is offered."""
        return not (any(self.orders) or any(self.queued) or self.machine.state[1:, at.LOTS].any())

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
        """Take an order, or say why not."""
        reason = self.refuses(m, order)
        if not reason:
            self.take(m, order)
        return reason

    def refuses(self, m: int, order: Order) -> str:
        """'' or why the order is not taken."""
        plan = self.plans[m]
        if sum(map(len, self.orders)) >= OPEN_ORDERS_MAX:
            return "too_many_orders"
        if order.reduce_only:
            held = self.lots(m, order.leg)
            if not held or (held > 0) == (order.side > 0):
                return "no_position"
        elif order.lots < plan[at.MIN_LOTS]:
            return "below_minimum"
        return ""

    def take(self, m: int, order: Order) -> None:
        """Between bars it waits for the next price. While one is walked a market order fills where the price stands, and every other
        rests first and is then met by the rules of resting orders, as the engine's own levels are."""
        if self.point[m] == 0:
            self.queued[m].append(order)
        elif order.kind == "market":
            self.arrive(m, order)
        else:
            self.orders[m].append(order)

    def number(self) -> int:
        self._number += 1
        return self._number

    @property
    def last_number(self) -> int:
        return self._number

    def start_numbers(self, after: int) -> None:
        self._number = after

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
            self._rest_as(m, order, execution.kind)
            self.orders[m].append(order)
        else:
            self._carry_out(m, order, execution)

    def _rest_as(self, m: int, order: Order, kind: str) -> None:
        if order.kind != kind:
            order.kind = kind
            if self.witness is not None:
                self.witness.triggered(m, order)

    def _carry_out(self, m: int, order: Order, execution: Execution) -> None:
        """Fill it; a triggered one may be told to fail."""
        if order.trigger and order.kind in ("stop", "stop_limit") and self.witness is not None:
            self.witness.triggered(m, order)
            why = self.witness.refuses(m, order)
            if why:
                self.gone(m, order, why)
                return
        self.execute(m, order, execution)

    def gone(self, m: int, order: Order, reason: str) -> None:
        if self.witness is not None:
            self.witness.ended(m, order, reason)
        self.tell_gone(m, order, reason)

    def tell_gone(self, m: int, order: Order, reason: str) -> None:
        self.events.append(Gone(order.client_id, self.instruments[m].symbol, reason, self.now_ms))

    # ---- a bar, step by step (docs/engine.md, "Time"); the venue lets listeners act between the steps

    def fund(self, m: int, price: int, rate: int) -> None:
        state = self.machine.state
        before = [int(state[self.row(m, leg), at.PAID_FUNDING]) for leg in (0, 1)]
        fund(state, self.plans, m, price, rate)
        for leg in (0, 1):
            amount = int(state[self.row(m, leg), at.PAID_FUNDING]) - before[leg]
            if not self.lots(m, leg):
                continue
            name = f"{self.name}-f{self.number()}" if self.witness is None else self.witness.funded(m, leg, amount)
            self.events.append(Paid(name, self.instruments[m].symbol, unscaled(amount), self.now_ms))

    def opens(self, m: int, price: int) -> None:
        """Liquidation at the open, then what waited for this price, in the order in which it came; what one of them ends no longer
        arrives."""
        self.point[m] = price
        self._liquidate_at(m, price, 0)
        waiting = self.queued[m]
        if waiting and self.witness is not None:
            self.witness.arrived(m)
        while waiting:
            self.arrive(m, waiting.pop(0))

    def meet_at_open(self, m: int) -> bool:
        """Fill the first resting order that the open satisfies; False if there is none."""
        met = matching.nearest(self._meeting(m), self.point[m], self.point[m])
        if met is None:
            return False
        self._met(m, met.order, matching.at_open(met.order, self.point[m], int(self.plans[m, at.SLIPPAGE])))
        return True

    def meet_on_way(self, m: int, b: int) -> bool:
        """Go from where the market stands towards b, to the first thing met; False if nothing is met before b."""
        a = self.point[m]
        met = matching.nearest(self._meeting(m), a, b)
        end = min(self._liquidation_distance(m, leg, a, b) for leg in (0, 1))
        away = min(end, met.distance if met else NEVER)
        if away == NEVER:
            self.point[m] = b
            return False
        self.point[m] = a + away if b >= a else a - away
        if end == away:
            self._liquidate_at(m, self.point[m], 0)
        elif met is not None:
            self._met(m, met.order, matching.on_way(met.order, self.point[m], int(self.plans[m, at.SLIPPAGE])))
        return True

    def _meeting(self, m: int) -> list[Order]:
        """What the price can meet: where a real book fills the limits, only the triggers."""
        if self.takes[m] is None:
            return self.orders[m]
        return [order for order in self.orders[m] if order.kind in ("stop", "stop_limit")]

    def closes(self, m: int, price: int) -> None:
        self.point[m] = 0
        mark_bar(self.machine.state, m, price)

    def close_all(self, markets: Sequence[int], prices: Sequence[int]) -> None:
        """As `closes`, of many markets at once."""
        state, first = self.machine.state, [1 + 2 * m for m in markets]
        state[first, at.MARK] = prices
        state[[r + 1 for r in first], at.MARK] = prices
        for m in markets:
            self.point[m] = 0

    def _met(self, m: int, order: Order, execution: Execution) -> None:
        if execution.price == 0:
            self._rest_as(m, order, execution.kind)
            return
        self.orders[m].remove(order)
        self._carry_out(m, order, execution)

    # ---- fills

    def execute(self, m: int, order: Order, execution: Execution) -> None:
        """Fill the order, as far as the book goes; what a limit order finds nothing for rests, of a market order it is gone."""
        take = self.takes[m]
        if take is None or execution.maker:
            self.book(m, order, order.lots, execution)
            return
        for price, lots in take(order.side, order.lots, order.price):
            if order.lots and not self.book(m, order, lots, Execution(price, False, execution.kind)):
                return
        if order.lots and order.price:
            order.kind = "limit"
            self.orders[m].append(order)
        elif order.lots:
            self.gone(m, order, "no_liquidity")

    def fill_part(self, m: int, order: Order, lots: int, *, maker: bool = True) -> bool:
        """Fill some lots of a resting order at its price; False if margin or position refused it and the order is gone."""
        price = order.price or self.point[m]
        if lots >= order.lots:
            self.orders[m].remove(order)
        done = self.book(m, order, min(lots, order.lots), Execution(price, maker, order.kind))
        if not done and order in self.orders[m]:
            self.orders[m].remove(order)
        return done

    def book(self, m: int, order: Order, lots: int, execution: Execution) -> bool:
        """Reduce what is held the other way, open with the rest; False if refused by margin or tier: the rest is gone."""
        held = self.lots(m, order.leg)
        opposite = held != 0 and (held > 0) != (order.side > 0)
        closing = min(abs(held), lots) if opposite else 0
        if closing:
            self._fill(m, order, closing, execution, closes=True)
        opening = 0 if order.reduce_only else lots - closing
        if order.reduce_only and (not closing or closing < lots):
            if not closing or self.witness is not None:
                self.gone(m, order, "no_position")
            order.lots = 0
            return False
        if not opening:
            return True
        if self.leverages:
            self.plans[m, at.LEVERAGE] = self.leverages.get((m, order.leg), self.plans[m, at.LEVERAGE])
        refused = int(refusal(self.machine.state, self.plans, self.row(m, order.leg), opening, execution.price))
        if refused >= 0:
            self.gone(m, order, at.REFUSALS[refused])
            order.lots = 0
            return False
        self._fill(m, order, opening, execution, closes=False)
        return True

    def _fill(self, m: int, order: Order, lots: int, execution: Execution, *, closes: bool) -> None:
        state, plans, r = self.machine.state, self.plans, self.row(m, order.leg)
        rate = int(plans[m, at.MAKER if execution.maker else at.TAKER])
        fees, wallet = int(state[0, at.FEES]), int(state[0, at.WALLET])
        order.lots -= lots
        if closes:
            leave(state, plans, self.machine.trades, r, lots, execution.price, rate, at.BY_SIGNAL, self.now_ms)
        else:
            enter(state, plans, r, order.side, lots, execution.price, rate, self.now_ms, self.point[m])
        paid = int(state[0, at.FEES]) - fees
        profit = int(state[0, at.WALLET]) - wallet + paid
        one = self.instruments[m]
        name = f"{self.name}-t{self.number()}" if self.witness is None else self.witness.filled(
            m, order, lots, execution.price, paid, profit, maker=execution.maker, closes=closes)
        self.events.append(Fill(
            name, order.client_id, one.symbol, "buy" if order.side > 0 else "sell", one.quantity(lots),
            one.price(execution.price), unscaled(paid), unscaled(profit), execution.maker, one.price(self.point[m]), self.now_ms))

    # ---- liquidation

    def _liquidation_distance(self, m: int, leg: int, a: int, b: int) -> int:
        held = self.machine.state[self.row(m, leg)]
        if not held[at.LOTS] or held[at.LIQUIDATION] <= 0:
            return NEVER
        stand_in = Order(0, "", -1 if held[at.LOTS] > 0 else 1, 1, "stop", trigger=int(held[at.LIQUIDATION]))
        return matching.distance(stand_in, a, b)

    def _liquidate_at(self, m: int, price: int, first: int) -> None:
        for leg in range(first, 2):
            if self._liquidation_distance(m, leg, price, price) == 0:
                self.liquidate(m, leg)

    def liquidate(self, m: int, leg: int) -> None:
        """The leg is closed at its liquidation price; under cross margin everything else goes with it, at its mark."""
        state, r = self.machine.state, self.row(m, leg)
        lots, price, wallet = int(state[r, at.LOTS]), int(state[r, at.LIQUIDATION]), int(state[0, at.WALLET])
        others = [(q, int(state[q, at.LOTS]), int(state[q, at.COST]), int(state[q, at.MARK]))
                  for q in range(1, len(state)) if q != r and state[q, at.LOTS] and self.plans[m, at.CROSS]]
        worth = (lots * price - int(state[r, at.COST])) * int(self.plans[m, at.UNIT])
        liquidate(state, self.plans, self.machine.trades, r, self.now_ms)
        profit = int(state[0, at.WALLET]) - wallet
        for q, held, cost, mark in others:
            gross = (held * mark - cost) * int(self.plans[(q - 1) // 2, at.UNIT])
            profit -= gross
            self._taken_over((q - 1) // 2, (q - 1) % 2, held, mark, gross, gross)
        self._taken_over(m, leg, lots, price, profit, worth)
        for order in [order for order in self.orders[m] if order.reduce_only and order.leg == leg]:
            self.orders[m].remove(order)
            self.gone(m, order, "no_position")

    def _taken_over(self, m: int, leg: int, lots: int, price: int, profit: int, gross: int) -> None:
        one = self.instruments[m]
        name = f"{self.name}-t{self.number()}" if self.witness is None else self.witness.liquidated(m, leg, lots, price, profit, gross)
        self.events.append(Liquidated(name, one.symbol, "sell" if lots > 0 else "buy", one.quantity(abs(lots)), one.price(price),
                                      unscaled(-profit), self.now_ms))
