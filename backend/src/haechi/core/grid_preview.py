"""What a grid's plan comes to before it starts, and a range taken from what the market did. Formulas: docs/engine.md, "Grids".

Prices in ticks, money in 1e-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from .grid_plan import GridPlan, whole_ticks
from .grid_size import Side, startable
from .instrument import Instrument
from .money import fee, slipped
from .plan import Costs
from .units import UnitError, scaled, unscaled

PERCENT = 100
RANGE_BARS_LEAST = 20


class Ends(msgspec.Struct, frozen=True):
    """loss_lower, loss_upper: what is lost when the price goes straight to that stop, fees in it, nothing earned on the way; None: no
    such stop, or a side that the grid does not hold. long_most, short_most: base units held at the most. order_value_least, _most: of
    one line's order.
    """

    loss_lower: Decimal | None
    loss_upper: Decimal | None
    long_most: Decimal
    short_most: Decimal
    order_value_least: Decimal
    order_value_most: Decimal


def ends_of(plan: GridPlan, instrument: Instrument, costs: Costs, price: Decimal) -> Ends:
    """Raises UnitError where the grid could not be started at this price."""
    found = startable(plan, instrument, costs, instrument.ticks_nearest(price))
    stops = {1: whole_ticks(plan.stop_lower, instrument, "stop_lower"), -1: whole_ticks(plan.stop_upper, instrument, "stop_upper")}
    sides = {side.way: side for side in found.sides}
    losses = {way: _loss(side, found.lots, stops[way], instrument, costs) for way, side in sides.items() if stops[way]}
    most = {way: instrument.quantity(side.lots * found.lots) for way, side in sides.items()}
    lines = found.lines[plan.trail_down:plan.trail_down + plan.cells + 1].tolist()
    return Ends(losses.get(1), losses.get(-1), most.get(1, Decimal(0)), most.get(-1, Decimal(0)),
                *(unscaled(line * found.lots * instrument.unit) for line in (lines[0], lines[-1])))


def _loss(side: Side, lots: int, stop: int, instrument: Instrument, costs: Costs) -> Decimal:
    """Σ q(entry − stop) × way + fees, over what is held when the stop is met: lines beyond it never fill."""
    met = [line for line in side.resting if side.way * (line - stop) > 0]
    count, cost = side.at_once + len(met), side.at_once * side.price + sum(met)
    out, unit, taker = int(slipped(stop, -side.way, scaled(costs.slippage))), instrument.unit, scaled(instrument.taker)
    fees = sum(int(fee(worth * lots * unit, taker)) for worth in (side.at_once * side.price, count * out))
    fees += sum(int(fee(line * lots * unit, scaled(instrument.maker))) for line in met)
    return unscaled(side.way * (cost - count * out) * lots * unit + fees)


def break_even_percent(instrument: Instrument) -> Decimal:
    """How far apart two lines must be, in percent of the lower one, to earn their two maker fees: 2f / (1 − f)."""
    return (2 * instrument.maker / (1 - instrument.maker) * PERCENT).quantize(Decimal("0.000001"))


def percentile_range(lows: Sequence[int], highs: Sequence[int], percent: Decimal) -> tuple[int, int]:
    """(lower, upper): below it the lowest `percent` of the lows, above it the highest `percent` of the highs. Raises UnitError."""
    _enough(lows)
    cut = int(len(lows) * percent / PERCENT)
    return _wide(sorted(lows)[cut], sorted(highs, reverse=True)[cut])


def atr_range(rows: Sequence[tuple[int, int, int]], multiple: Decimal) -> tuple[int, int]:
    """The last close ± multiple × the mean true range. rows: (high, low, close). Raises UnitError."""
    _enough(rows)
    ranges = [max(high, before) - min(low, before) for (high, low, _), (_, _, before) in zip(rows[1:], rows[:-1], strict=True)]
    away = int(multiple * sum(ranges) / len(ranges))
    return _wide(rows[-1][2] - away, rows[-1][2] + away)


def _enough(rows: Sequence[object]) -> None:
    if len(rows) < RANGE_BARS_LEAST:
        raise UnitError(f"a range is taken from at least {RANGE_BARS_LEAST} bars, and the market has {len(rows)}; give lower and upper")


def _wide(lower: int, upper: int) -> tuple[int, int]:
    if not 0 < lower < upper:
        raise UnitError(f"the bars give no range (lower {lower}, upper {upper} ticks); use more bars, or give lower and upper")
    return lower, upper
