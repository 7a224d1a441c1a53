"""A grid bot once more, from the section Grids of docs/engine.md alone. Prices in ticks, money in 1e-8."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from haechi.core.instrument import Instrument

from .feed import Bar, Terms
from .liquidation import liquidation_price
from .rounding import SCALE, ceil_div, charge, money, rate, released

LIQUIDATION, STOP, LINE = 0, 1, 2


@dataclass(frozen=True)
class Grid:
    """lower, upper, trigger and stops in ticks; `lots` a line; `take_profit` in quote, 0: none."""

    lower: int
    upper: int
    cells: int
    lots: int
    spacing: str = "arithmetic"
    mode: str = "neutral"
    trigger: int | None = None
    stop_lower: int | None = None
    stop_upper: int | None = None
    take_profit: Decimal = Decimal(0)

    def lines(self) -> list[int]:
        """p_0 … p_N to the nearest tick; raises ValueError where two fall on one."""
        found = [self._line(index) for index in range(self.cells + 1)]
        if len(set(found)) != len(found):
            raise ValueError(f"{self.cells} cells between {self.lower} and {self.upper} fall on the same ticks")
        return found

    def _line(self, index: int) -> int:
        if self.spacing == "arithmetic":
            return (2 * (self.lower * self.cells + index * (self.upper - self.lower)) + self.cells) // (2 * self.cells)
        # The nearest tick t to L(U/L)^(i/N): the greatest with (t − 1/2)^N ≤ L^(N−i) U^i, in whole numbers.
        power = 2**self.cells * self.lower ** (self.cells - index) * self.upper**index
        low, high = self.lower, self.upper
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if (2 * middle - 1) ** self.cells <= power else (low, middle - 1)
        return low


@dataclass(frozen=True)
class GridFill:
    """`lots` > 0 bought, < 0 sold; `kind`: start, line, stop, take_profit, liquidation, end_of_data."""

    ts: int
    kind: str
    lots: int
    price: int
    fee: int


@dataclass
class GridRun:
    """A grid on a wallet of its own."""

    grid: Grid
    instrument: Instrument
    slippage: Decimal
    capital: Decimal
    reading: str = "path"
    fills: list[GridFill] = field(default_factory=list)
    equity: list[int] = field(default_factory=list)
    matched: int = 0
    fees: int = 0
    funding: int = 0
    ended: str = ""
    lots: int = 0  # signed
    cost: int = 0  # without sign
    empty: int | None = None  # index of the empty line; None before the start

    def play(self, bars: list[Bar], funding: dict[int, list[int]]) -> GridRun:
        """Walk all bars. `funding`: bar index -> rates in 1e-8 due there."""
        self.terms, self.prices, self.wallet = Terms(self.instrument), self.grid.lines(), money(self.capital)
        for index, bar in enumerate(bars):
            self.now = bar.ts
            if not self.ended:
                for share in funding.get(index, []):
                    self._pay(bar.open, share)
                self._bar(bar, bars[index - 1].close if index else None)
            self.equity.append(self.wallet + self._unrealised(bar.close))
            self._take_profit(bar.close)
        if self.lots:
            self._market(bars[-1].close, -self.lots, "end_of_data")
            self.equity[-1] = self.wallet
        return self

    @property
    def unmatched(self) -> int:
        """Total = matched + unmatched − fees − funding, after the run."""
        return self.equity[-1] - money(self.capital) - self.matched + self.fees + self.funding

    def _bar(self, bar: Bar, before: int | None) -> None:
        if before is None:
            self.point = bar.open
            if self.grid.trigger is None:
                self._start(bar.open)
        else:
            self.point = before
        self._leg(bar.open, gap=True)
        for end in (*((bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)), bar.close):
            self._leg(end, gap=False)

    def _leg(self, end: int, *, gap: bool) -> None:
        if self.empty is None and not self._triggered(end):
            self.point = end
            return
        while not self.ended:
            met = [(0 if self._beyond(level, way, self.point) else abs(level - self.point), order, level, line)
                   for order, level, way, line in self._resting() if self._beyond(level, way, self.point) or self._beyond(level, way, end)]
            if not met:
                break
            distance, order, level, line = min(met)
            if distance:
                self.point = level
            self._meet(order, level, line, stop_price=end if gap else self.point)
        self.point = end

    @staticmethod
    def _beyond(level: int, way: int, price: int) -> bool:
        return price >= level if way > 0 else price <= level

    def _resting(self) -> list[tuple[int, int, int, int]]:
        """(order, level, way, line) of all that may be met."""
        assert self.empty is not None
        through = 1 if self.reading == "adverse" else 0
        found = []
        if self.empty > 0:
            found.append((LINE, self.prices[self.empty - 1] - through, -1, self.empty - 1))
        if self.empty < self.grid.cells:
            found.append((LINE, self.prices[self.empty + 1] + through, 1, self.empty + 1))
        if self.grid.stop_lower is not None:
            found.append((STOP, self.grid.stop_lower, -1, -1))
        if self.grid.stop_upper is not None:
            found.append((STOP, self.grid.stop_upper, 1, -1))
        liquidation = self._liquidation()
        if self.lots < 0 or liquidation > 0:
            found.append((LIQUIDATION, liquidation, 1 if self.lots < 0 else -1, -1))
        return found

    def _liquidation(self) -> int:
        if not self.lots:
            return 0
        return liquidation_price(1 if self.lots > 0 else -1, self.terms, abs(self.lots), self.cost, self.wallet)

    def _meet(self, order: int, level: int, line: int, *, stop_price: int) -> None:
        assert self.empty is not None
        if order == LINE:
            side = 1 if line < self.empty else -1
            if self.lots * side < 0:  # it undoes a cell
                self.matched += self.grid.lots * abs(self.prices[line] - self.prices[self.empty]) * self.terms.unit
            self.empty = line
            self._fill("line", side * self.grid.lots, self.prices[line], self.terms.maker)
        elif order == STOP:
            self.ended = "stop"
            self._market(stop_price, -self.lots, "stop")
        else:
            self._liquidate(level)

    def _liquidate(self, price: int) -> None:
        self.ended = "liquidation"
        self._fill("liquidation", -self.lots, price, Fraction(0))
        self.wallet -= max(self.wallet, 0)  # what is left is lost too

    def _triggered(self, end: int) -> bool:
        trigger = self.grid.trigger
        if trigger is None or not min(self.point, end) <= trigger <= max(self.point, end):
            return False
        self.point = trigger
        self._start(trigger)
        return True

    def _start(self, price: int) -> None:
        """e_start is the nearest line, the lower one on a tie; the first position is taken at once."""
        self.empty = min(range(len(self.prices)), key=lambda index: (abs(self.prices[index] - price), index))
        held = {"long": self.grid.cells, "short": 0, "neutral": self.empty}[self.grid.mode] - self.empty
        self._market(price, held * self.grid.lots, "start")

    def _take_profit(self, close: int) -> None:
        goal = money(self.grid.take_profit)
        if goal and not self.ended and self.empty is not None and self.equity[-1] >= money(self.capital) + goal:
            self.ended = "take_profit"
            self._market(close, -self.lots, "take_profit")
            self.equity[-1] = self.wallet

    def _market(self, price: int, lots: int, kind: str) -> None:
        if lots:
            slip = price * rate(self.slippage)
            step = ceil_div(slip.numerator, slip.denominator)
            self._fill(kind, lots, price + step if lots > 0 else price - step, self.terms.taker)

    def _fill(self, kind: str, lots: int, price: int, fee_rate: Fraction) -> None:
        """Add to the position or release a part of its cost; a grid never turns its position round in one fill."""
        if not lots:
            return
        fee = charge(abs(lots) * price * self.terms.unit, fee_rate)
        if self.lots * lots >= 0:
            self.cost += abs(lots) * price
        else:
            cost = released(self.cost, abs(lots), abs(self.lots))
            self.wallet += (1 if self.lots > 0 else -1) * (abs(lots) * price - cost) * self.terms.unit
            self.cost -= cost
        self.lots += lots
        self.wallet -= fee
        self.fees += fee
        self.fills.append(GridFill(self.now, kind, lots, price, fee))

    def _unrealised(self, price: int) -> int:
        return (self.lots * price - (self.cost if self.lots > 0 else -self.cost)) * self.terms.unit

    def _pay(self, price: int, share: int) -> None:
        paid = charge(abs(self.lots) * price * self.terms.unit, Fraction(abs(share), SCALE))
        paid = paid if (share > 0) == (self.lots > 0) else -paid
        self.wallet -= paid
        self.funding += paid
