"""A grid bot's plan, its lines and what a cell earns. Rules: docs/engine.md, "Grids".

N cells have N + 1 lines p_0 … p_N. Prices are in quote, percents are fractions.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from .bars import TICKS_MAX
from .grid_state import DIRECTIONS
from .instrument import Instrument
from .units import UnitError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACINGS = ("arithmetic", "geometric")
CELLS_LEAST, CELLS_MOST = 2, 200
TRAIL_MOST = 1_000  # cells a trailing range may move each way
DIGITS = 80  # of the geometric ratio; a line nearer to half a tick than DOUBT is settled in whole numbers
DOUBT = Decimal("1e-40")


class GridPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One grid. Give either `quantity` (base units a line) or `investment` (quote; margin and fees of the worst case).

    direction: long | short | neutral. spacing: arithmetic | geometric. trigger, stop_lower, stop_upper: prices, None: none.
    take_profit: quote earned since the start that ends the grid. trail_up, trail_down: by how many cells the range may follow the
    price upwards and downwards. Raises UnitError for figures a grid cannot mean.
    """

    lower: Decimal
    upper: Decimal
    cells: int
    direction: str = "neutral"
    spacing: str = "arithmetic"
    quantity: Decimal | None = None
    investment: Decimal | None = None
    leverage: int = 1
    trigger: Decimal | None = None
    stop_lower: Decimal | None = None
    stop_upper: Decimal | None = None
    take_profit: Decimal | None = None
    trail_up: int = 0
    trail_down: int = 0

    def __post_init__(self) -> None:
        _one_of(self.direction, DIRECTIONS, "direction")
        _one_of(self.spacing, SPACINGS, "spacing")
        if not (self.lower.is_finite() and self.upper.is_finite() and 0 < self.lower < self.upper):
            raise UnitError(f"lower must be greater than 0 and below upper, got {self.lower} and {self.upper}")
        _within(self.cells, CELLS_LEAST, CELLS_MOST, "cells")
        _within(self.leverage, 1, 125, "leverage")
        _within(self.trail_up, 0, TRAIL_MOST, "trail_up")
        _within(self.trail_down, 0, TRAIL_MOST, "trail_down")
        if (self.quantity is None) == (self.investment is None):
            raise UnitError("a grid needs either a quantity a line or an investment, and not both")
        for name in ("quantity", "investment", "trigger", "stop_lower", "stop_upper", "take_profit"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value > 0):
                raise UnitError(f"{name} must be greater than 0, got {value}")
        self._check_stops()

    def _check_stops(self) -> None:
        if self.stop_lower is not None and self.stop_lower >= self.upper:
            raise UnitError(f"stop_lower {self.stop_lower} must be below the range's upper price {self.upper}")
        if self.stop_upper is not None and self.stop_upper <= self.lower:
            raise UnitError(f"stop_upper {self.stop_upper} must be above the range's lower price {self.lower}")
        if self.stop_lower is not None and self.stop_upper is not None and self.stop_lower >= self.stop_upper:
            raise UnitError(f"stop_lower {self.stop_lower} must be below stop_upper {self.stop_upper}")
        for name in ("stop_lower", "stop_upper"):
            stop = getattr(self, name)
            if stop is not None and self.trigger is not None and (self.trigger <= stop) == (name == "stop_lower"):
                raise UnitError(f"the trigger {self.trigger} is at or beyond {name} {stop}: the grid would end as it starts")


def lines(plan: GridPlan, instrument: Instrument) -> NDArray[np.int64]:
    """p_0 … p_N in ticks, int64[cells + 1], to the nearest tick; UnitError where two fall on one tick."""
    first = plan.trail_down
    return all_lines(plan, instrument)[first:first + plan.cells + 1]


def all_lines(plan: GridPlan, instrument: Instrument) -> NDArray[np.int64]:
    """The lines with those the range may trail to, by the same formula: p_{−trail_down} … p_{N + trail_up}."""
    lower, upper = instrument.ticks(plan.lower), instrument.ticks(plan.upper)
    indexes = range(-plan.trail_down, plan.cells + plan.trail_up + 1)
    compute = _arithmetic if plan.spacing == "arithmetic" else _geometric
    found = np.array(compute(lower, upper, plan.cells, indexes), dtype=np.int64)
    if found[0] < 1 or found[-1] > TICKS_MAX:
        raise UnitError(f"the grid would trail to a price of {instrument.price(int(found[0] if found[0] < 1 else found[-1]))}; "
                        f"let it trail by fewer cells")
    if (np.diff(found[plan.trail_down:plan.trail_down + plan.cells + 1]) < 1).any():
        raise UnitError(f"{plan.cells} cells between {plan.lower} and {plan.upper} are finer than the tick {instrument.tick} of "
                        f"{instrument.symbol}; use fewer cells or a wider range")
    if (np.diff(found) < 1).any():
        raise UnitError(f"the lines the grid would trail to are finer than the tick {instrument.tick} of {instrument.symbol}; "
                        f"let it trail by fewer cells")
    return found


def _arithmetic(lower: int, upper: int, cells: int, indexes: range) -> list[int]:
    """L + i(U − L)/N, half up."""
    return [lower + (2 * i * (upper - lower) + cells) // (2 * cells) for i in indexes]


def _geometric(lower: int, upper: int, cells: int, indexes: range) -> list[int]:
    """L(U/L)^(i/N), half up."""
    with localcontext() as context:
        context.prec = DIGITS
        ratio = (Decimal(upper) / lower) ** (Decimal(1) / cells)
        price, found = lower * ratio**indexes.start, []
        for i in indexes:
            found.append(_nearest_tick(lower, upper, cells, i, price))
            price *= ratio
        return found


def _nearest_tick(lower: int, upper: int, cells: int, i: int, price: Decimal) -> int:
    """The nearest tick to a price known to some 70 digits; next to a half the exact powers decide."""
    if price > 2 * TICKS_MAX:
        return 2 * TICKS_MAX
    below = int(price)
    away = price - below - Decimal("0.5")
    if abs(away) > DOUBT:
        return below + int(away > 0)
    # (below + 1/2)^N ≤ L^(N − i) U^i, with negative powers brought to the other side
    left: int = (2 * below + 1) ** cells * lower ** max(0, i - cells) * upper ** max(0, -i)
    right: int = 2**cells * lower ** max(0, cells - i) * upper ** max(0, i)
    return below + int(left <= right)


def most_cells(lower: Decimal, upper: Decimal, spacing: str, fee: Decimal) -> int | None:
    """Most cells of which every one still earns at a fee a side; None where there is no fee and so no bound.

    Geometric N < ln(U/L)/ln((1 + f)/(1 − f)); arithmetic, whose top cell earns least, N < (U − L)(1 + f)/(2fU).
    """
    _one_of(spacing, SPACINGS, "spacing")
    if not 0 < lower < upper or not 0 <= fee < 1:
        raise UnitError(f"most cells need 0 < lower < upper and a fee of at least 0 and below 1, got {lower}, {upper} and {fee}")
    if fee == 0:
        return None
    with localcontext() as context:
        context.prec = DIGITS
        if spacing == "geometric":
            cells = int((upper / lower).ln() / ((1 + fee) / (1 - fee)).ln() + Decimal("0.5"))  # right, or one too many
            earns = (1 - Fraction(fee)) ** cells * Fraction(upper) > (1 + Fraction(fee)) ** cells * Fraction(lower)
            return cells if earns else cells - 1
        return ceil(Fraction(upper - lower) * (1 + Fraction(fee)) / (2 * Fraction(fee) * Fraction(upper))) - 1


def whole_ticks(value: Decimal | None, instrument: Instrument, what: str) -> int:
    """A price of the plan in ticks, 0 for none; off the tick grid it is refused by name."""
    if value is None:
        return 0
    count = value / instrument.tick
    if count != count.to_integral_value() or count > TICKS_MAX:
        raise UnitError(f"{what} {value} is not a multiple of the tick {instrument.tick} of {instrument.symbol}")
    return int(count)


def _one_of(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise UnitError(f"{what} must be one of {', '.join(words)}, got {word!r}")


def _within(value: int, least: int, most: int, what: str) -> None:
    if not least <= value <= most:
        raise UnitError(f"{what} must be a whole number of {least} to {most}, got {value}")
