"""A grid bot once more, from the section Grids of docs/engine.md alone. Prices in ticks, money in 1e-8."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from haechi.core.instrument import Instrument

from .feed import Bar, Terms
from .liquidation import liquidation_price
from .rounding import SCALE, ceil_div, charge, money, rate, released

LIQUIDATION, STOP, LINE, SHIFT = 0, 1, 2, 3


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
    trail_up: int = 0
    trail_down: int = 0

    def lines(self) -> list[int]:
        """p_0 … p_N to the nearest tick; raises ValueError where two fall on one."""
        return self.ladder()[self.trail_down:self.trail_down + self.cells + 1]

    def ladder(self) -> list[int]:
        """The lines with those the range may trail to: p_{−trail_down} … p_{N + trail_up}."""
        found = [self._line(index) for index in range(-self.trail_down, self.cells + self.trail_up + 1)]
        if len(set(found)) != len(found):
            raise ValueError(f"{self.cells} cells between {self.lower} and {self.upper} fall on the same ticks")
        return found

    def _line(self, index: int) -> int:
        if self.spacing == "arithmetic":
            return (2 * (self.lower * self.cells + index * (self.upper - self.lower)) + self.cells) // (2 * self.cells)
        # The nearest tick t to L(U/L)^(i/N): the greatest with (t − 1/2)^N ≤ L^(N−i) U^i, in whole numbers.
        power = 2**self.cells * Fraction(self.lower) ** (self.cells - index) * Fraction(self.upper) ** index
        low, high = 0, self.upper
        while (2 * high - 1) ** self.cells <= power:
            high *= 2
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if (2 * middle - 1) ** self.cells <= power else (low, middle - 1)
        return low


def affordable_lots(grid: Grid, instrument: Instrument, slippage: Decimal, investment: Decimal, leverage: int, price: int) -> int:
    """q = floor(I / Σ price × (1 / leverage + fee)) over the worst case's entries of a start at `price`; of the larger side."""
    lines = grid.lines()
    empty = min(range(len(lines)), key=lambda index: (abs(lines[index] - price), index))
    slip = price * rate(slippage)
    step = ceil_div(slip.numerator, slip.denominator)
    maker, taker, margin = rate(instrument.maker), rate(instrument.taker), Fraction(1, leverage)
    buys = sum((line * (margin + maker) for line in lines[:empty]), Fraction(0))
    sells = sum((line * (margin + maker) for line in lines[empty + 1:]), Fraction(0))
    need = {"long": buys + (grid.cells - empty) * (price + step) * (margin + taker),
            "short": sells + empty * (price - step) * (margin + taker), "neutral": max(buys, sells)}[grid.mode]
    return int(money(investment) / (need * Terms(instrument).unit))


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
    empty: int | None = None  # index of the empty line in the ladder; None before the start
    bottom: int = 0  # index of the range's lowest line in the ladder

    def play(self, bars: list[Bar], funding: dict[int, list[int]]) -> GridRun:
        """Walk all bars. `funding`: bar index -> rates in 1e-8 due there."""
        self.terms, self.prices, self.wallet = Terms(self.instrument), self.grid.ladder(), money(self.capital)
        self.bottom = self.grid.trail_down
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
        if self.empty is None and not self._triggered(end, gap):
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
            self._meet(order, level, line, stop_price=end if gap else self.point, line_price=end if gap else None)
        self.point = end

    @staticmethod
    def _beyond(level: int, way: int, price: int) -> bool:
        return price >= level if way > 0 else price <= level

    def _resting(self) -> list[tuple[int, int, int, int]]:
        """(order, level, way, line) of all that may be met."""
        assert self.empty is not None
        through = 1 if self.reading == "adverse" else 0
        found = []
        if self.empty > self.bottom:
            found.append((LINE, self.prices[self.empty - 1] - through, -1, self.empty - 1))
        elif self.grid.trail_down and self.empty > 0:
            found.append((SHIFT, self.prices[self.empty - 1], -1, self.empty - 1))
        if self.empty < self.bottom + self.grid.cells:
            found.append((LINE, self.prices[self.empty + 1] + through, 1, self.empty + 1))
        elif self.grid.trail_up and self.empty + 1 < len(self.prices):
            found.append((SHIFT, self.prices[self.empty + 1], 1, self.empty + 1))
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

    def _meet(self, order: int, level: int, line: int, *, stop_price: int, line_price: int | None) -> None:
        assert self.empty is not None
        if order == LINE:
            side = 1 if line < self.empty else -1
            if self.lots * side < 0:  # it undoes a cell
                self.matched += self.grid.lots * abs(self.prices[line] - self.prices[self.empty]) * self.terms.unit
            self.empty = line
            self._fill("line", side * self.grid.lots, self.prices[line] if line_price is None else line_price, self.terms.maker)
        elif order == SHIFT:  # the whole range follows; nothing is traded
            self.bottom += line - self.empty
            self.empty = line
        elif order == STOP:
            self.ended = "stop"
            self._market(stop_price, -self.lots, "stop")
        else:
            self._liquidate(level)

    def _liquidate(self, price: int) -> None:
        self.ended = "liquidation"
        self._fill("liquidation", -self.lots, price, Fraction(0))
        self.wallet -= max(self.wallet, 0)  # what is left is lost too

    def _triggered(self, end: int, gap: bool) -> bool:
        trigger = self.grid.trigger
        if trigger is None or not min(self.point, end) <= trigger <= max(self.point, end):
            return False
        self.point = end if gap else trigger  # in a gap no price was traded before the open
        self._start(self.point)
        return True

    def _start(self, price: int) -> None:
        """e_start is the nearest line, the lower one on a tie; the first position is taken at once."""
        top = self.bottom + self.grid.cells
        self.empty = min(range(self.bottom, top + 1), key=lambda index: (abs(self.prices[index] - price), index))
        held = {"long": top, "short": self.bottom, "neutral": self.empty}[self.grid.mode] - self.empty
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
