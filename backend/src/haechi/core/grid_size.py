"""How big a grid's orders are, and its worst case before it starts. Formulas: docs/engine.md, "Grids".

Worst case: every order of one side fills without any that undoes it. A long grid then holds N lots of a line: those above the
start price bought at once, the others at their lines; a short grid mirrors it; of a neutral grid the larger side counts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from .grid_plan import GridPlan, all_lines, whole_ticks
from .grid_state import DIRECTIONS, anchor_of, nearest
from .instrument import Instrument
from .layout import LOTS_MAX, NOTIONAL_MAX
from .margin import TIER_LEVERAGE, liquidation, tier_of
from .money import RATE, fee, slipped
from .plan import Costs
from .units import UnitError, scaled, unscaled

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WorstCase(msgspec.Struct, frozen=True):
    """What a grid can come to. Prices and money in quote; a liquidation price of None: there is none on that side.

    quantity: base units a line. at_once: base units bought (+) or sold (−) at the start. needed: margin and fees of all entries of
    the larger side. cell_profits: what a round trip through each cell earns after both maker fees, lowest cell first.
    """

    quantity: Decimal
    at_once: Decimal
    start_fee: Decimal
    needed: Decimal
    liquidation_down: Decimal | None
    liquidation_up: Decimal | None
    cell_profits: tuple[Decimal, ...]


class Side(msgspec.Struct, frozen=True):
    """Entries of one side for one lot a line. way +1 long, −1 short; at_once lots at a slipped price, one lot at each resting line."""

    way: int
    at_once: int
    price: int
    resting: tuple[int, ...]

    @property
    def lots(self) -> int:
        return self.at_once + len(self.resting)

    @property
    def cost(self) -> int:
        """Ticks × lots."""
        return self.at_once * self.price + sum(self.resting)


class Opening(msgspec.Struct, frozen=True):
    """A grid as it would start at a price: all its lines, its first empty line and A (numbered in them), lots a line, both sides."""

    lines: NDArray[np.int64]
    empty: int
    anchor: int
    lots: int
    sides: tuple[Side, ...]
    needed: int


def opening(plan: GridPlan, instrument: Instrument, costs: Costs, price: int) -> Opening:
    """Size a grid for a start at a price in ticks: floor(I / Σ price × (1 / leverage + fee)) lots a line, or the quantity."""
    lines = all_lines(plan, instrument)
    bottom, top = plan.trail_down, plan.trail_down + plan.cells
    empty = int(nearest(lines, bottom, plan.cells, price))
    anchor = int(anchor_of(DIRECTIONS.index(plan.direction), bottom, plan.cells, empty))
    below, above = lines[bottom:empty].tolist(), lines[empty + 1:top + 1].tolist()
    sides = [_side(way, way * (anchor - empty), price, costs, resting) for way, resting in ((1, below), (-1, above))
             if plan.direction == "neutral" or (plan.direction == "long") == (way > 0)]
    sides = [side for side in sides if side.lots]
    need = max(_need(side, plan, instrument) for side in sides)  # × leverage × 1e8
    if plan.quantity is not None:
        lots = instrument.lots(plan.quantity)
    else:
        lots = scaled(plan.investment or Decimal(0), what="investment") * plan.leverage * RATE // need
    return Opening(lines, empty, anchor, lots, tuple(sides), -(-lots * need // (plan.leverage * RATE)))


def _side(way: int, at_once: int, price: int, costs: Costs, resting: list[int]) -> Side:
    return Side(way, max(0, at_once), int(slipped(price, way, scaled(costs.slippage))), tuple(resting))


def _need(side: Side, plan: GridPlan, instrument: Instrument) -> int:
    """Margin and fees of one lot a line, in 1e-8 × leverage × 1e8: Σ price × (1 / leverage + fee)."""
    fees = side.at_once * side.price * scaled(instrument.taker) + sum(side.resting) * scaled(instrument.maker)
    return (side.cost * RATE + fees * plan.leverage) * instrument.unit


def startable(plan: GridPlan, instrument: Instrument, costs: Costs, price: int) -> Opening:
    """The opening at a price in ticks; UnitError, saying why, where the venue would refuse its orders."""
    found = opening(plan, instrument, costs, price)
    lots, lines, unit = found.lots, found.lines, instrument.unit
    if lots < instrument.min_lots or lots * int(lines[0]) * unit < instrument.min_notional:
        raise UnitError(f"{instrument.quantity(lots)} {instrument.symbol} a line is below the least order of the venue; "
                        f"use fewer cells or more money")
    highest = max(int(lines[-1]), whole_ticks(plan.stop_upper, instrument, "stop_upper"), *(side.price for side in found.sides))
    if lots * plan.cells > LOTS_MAX or lots * plan.cells * highest * unit > NOTIONAL_MAX:
        raise UnitError(f"{instrument.quantity(lots)} {instrument.symbol} a line on {plan.cells} cells is more than the engine can hold")
    _check_leverage(found, plan, instrument)
    if found.needed > scaled(costs.capital):
        raise UnitError(f"the grid needs {unscaled(found.needed)} of margin and fees at leverage {plan.leverage}, but the capital is "
                        f"{costs.capital}; lower the quantity or raise the leverage")
    return found


def _check_leverage(found: Opening, plan: GridPlan, instrument: Instrument) -> None:
    tiers = tier_rows(instrument)
    for side in found.sides:
        notional = side.cost * found.lots * instrument.unit
        most = int(tiers[tier_of(tiers, notional), TIER_LEVERAGE])
        if plan.leverage > most:
            raise UnitError(f"leverage {plan.leverage} is more than the {most} that {instrument.symbol} allows for a position of "
                            f"{unscaled(notional)}")


def tier_rows(instrument: Instrument) -> NDArray[np.int64]:
    """int64[k, 3] for margin.py: highest notional, maintenance rate, highest leverage."""
    most = unscaled(NOTIONAL_MAX)
    return np.array([(scaled(min(tier.notional_max, most)), scaled(tier.maintenance), tier.leverage_max) for tier in instrument.tiers],
                    dtype=np.int64)


def worst_case(plan: GridPlan, instrument: Instrument, costs: Costs, price: Decimal) -> WorstCase:
    """The preview of a grid started at a price; UnitError where it could not be started."""
    found = startable(plan, instrument, costs, instrument.ticks_nearest(price))
    first = sum(side.at_once * side.price for side in found.sides) * found.lots * instrument.unit
    ends = {side.way: _liquidation(side, instrument, costs, found.lots) for side in found.sides}
    lines = found.lines[plan.trail_down:plan.trail_down + plan.cells + 1]
    return WorstCase(
        quantity=instrument.quantity(found.lots), at_once=instrument.quantity((found.anchor - found.empty) * found.lots),
        start_fee=unscaled(fee(first, scaled(instrument.taker))), needed=unscaled(found.needed), liquidation_down=ends.get(1),
        liquidation_up=ends.get(-1), cell_profits=_cell_profits(lines.tolist(), instrument, found.lots))


def _liquidation(side: Side, instrument: Instrument, costs: Costs, lots: int) -> Decimal | None:
    """(S·E − M)/(S(1 − m − t)) long, (S·E + M)/(S(1 + m + t)) short; M is the capital less the fees of the entries."""
    unit, maker, taker = instrument.unit, scaled(instrument.maker), scaled(instrument.taker)
    fees = int(fee(side.at_once * side.price * lots * unit, taker)) + sum(int(fee(line * lots * unit, maker)) for line in side.resting)
    found = int(liquidation(side.way * side.lots * lots, side.way * side.cost * lots, scaled(costs.capital) - fees, unit, taker,
                            tier_rows(instrument)))
    return instrument.price(found) if found else None


def _cell_profits(lines: list[int], instrument: Instrument, lots: int) -> tuple[Decimal, ...]:
    """q[(p_{i+1} − p_i) − f(p_i + p_{i+1})] of each cell, f the maker fee, as the engine rounds it."""
    unit, maker = instrument.unit, scaled(instrument.maker)
    fees = [int(fee(lots * line * unit, maker)) for line in lines]
    return tuple(unscaled((lines[i + 1] - lines[i]) * lots * unit - fees[i] - fees[i + 1]) for i in range(len(lines) - 1))
