"""One open position: what it holds, and the levels its plan has set."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from haechi.core.plan import Plan

from .feed import Terms
from .rounding import rate


@dataclass
class Target:
    index: int
    price: int
    lots: int


@dataclass
class Position:
    """`side` +1 long, −1 short; `cost` is the sum of ticks × lots, without sign; money in 1e-8."""

    side: int
    entry_time: int
    entry_bar: int
    enter_tag: str
    lots: int = 0
    cost: int = 0
    margin: int = 0
    fees: int = 0
    funding: int = 0
    earned: int = 0  # pnl of its trades so far
    first_price: int = 0
    first_lots: int = 0
    step: int = 1
    next_step: tuple[int, int] | None = None  # price, lots of the DCA step that rests
    stop: int | None = None
    trailed: bool = False
    targets: list[Target] = field(default_factory=list)
    even_at: int | None = None
    even_stop: int = 0
    trail_at: int | None = None
    extreme: int | None = None
    liquidation: int = 0  # isolated only; cross prices depend on the whole account

    def unrealised(self, price: int, unit: int) -> int:
        return self.side * (self.lots * price - self.cost) * unit

    def set_levels(self, plan: Plan, terms: Terms) -> None:
        """All levels from the average entry, as at an entry or a DCA fill; nothing trailed, nothing moved yet."""
        average = Fraction(self.cost, self.lots)
        self.stop = _stop_side(self.side, average, -rate(plan.stop_loss)) if plan.stop_loss is not None else None
        self.trailed = False
        self.extreme = None
        self.targets = _targets(plan, self.side, average, self.lots)
        self.even_at = _stop_side(self.side, average, rate(plan.break_even)) if plan.break_even is not None else None
        self.even_stop = _stop_side(self.side, average, 2 * terms.taker)
        self.trail_at = _stop_side(self.side, average, rate(plan.trailing.activation)) if plan.trailing is not None else None

    def price_reached(self, plan: Plan, price: int) -> None:
        """Break-even and trailing at a point of the walk."""
        if self.even_at is not None and self._beyond(price, self.even_at):
            self.even_at = None
            self._tighten(self.even_stop, trailed=False)
        if plan.trailing is None or self.trail_at is None:
            return
        if self.extreme is None:
            if plan.trailing.activation != 0 and not self._beyond(price, self.trail_at):
                return
            self.extreme = price
        elif self._beyond(price, self.extreme):
            self.extreme = price
        self._tighten(_stop_side(self.side, Fraction(self.extreme), -rate(plan.trailing.distance)), trailed=True)

    def _beyond(self, price: int, level: int) -> bool:
        """Has the price gone in our favour as far as the level?"""
        return price >= level if self.side > 0 else price <= level

    def _tighten(self, stop: int, *, trailed: bool) -> None:
        if self.stop is None or (stop - self.stop) * self.side > 0:
            self.stop, self.trailed = stop, trailed


def _stop_side(side: int, base: Fraction, move: Fraction) -> int:
    """base × (1 ± move), move > 0 in our favour; long up, short down to the tick."""
    return math.ceil(base * (1 + move)) if side > 0 else math.floor(base * (1 - move))


def _targets(plan: Plan, side: int, average: Fraction, lots: int) -> list[Target]:
    targets: list[Target] = []
    whole = sum(rate(target.share) for target in plan.targets) == 1
    taken = 0
    for index, target in enumerate(plan.targets):
        part = math.floor(lots * rate(target.share))
        if whole and index == len(plan.targets) - 1:
            part = lots - taken
        taken += part
        if part > 0:
            targets.append(Target(index, _target_price(side, average, rate(target.percent)), part))
    return targets


def _target_price(side: int, average: Fraction, percent: Fraction) -> int:
    if side > 0:
        return max(math.floor(average * (1 + percent)), math.floor(average) + 1)
    return min(math.ceil(average * (1 - percent)), math.ceil(average) - 1)
