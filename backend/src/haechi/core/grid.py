"""Back-test of a grid: one market, a GridPlan and costs in, fills and profit out. Rules: docs/engine.md, "Grids"."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from . import grid_state as at
from .bars import Bars
from .grid_plan import GridPlan, whole_ticks
from .grid_run import equity_curve, finish, play
from .grid_size import startable, tier_rows
from .instrument import Instrument
from .layout import READINGS
from .margin import TIER_RATE
from .plan import Costs
from .run import CAPITAL_MAX, Funding, bar_blocks, bar_columns, funding_rows
from .units import UnitError, scaled, unscaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 4096


class GridMarket(msgspec.Struct, frozen=True):
    """What a grid is traded on."""

    instrument: Instrument
    bars: Bars
    funding: Funding | None = None


class GridFill(msgspec.Struct, frozen=True):
    """One fill. time: ts of its bar in ms UTC (after the last bar: its end). kind: start | line | stop | take_profit | liquidation |
    end_of_data. line: its number, 0 for the lower price of the range as it was at the start, None where no line filled."""

    bar: int
    time: int
    kind: str
    line: int | None
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal


def run_grid(market: Traded, plan: GridPlan, costs: Costs, reading: str = "path", *, dense: bool = False) -> GridOutcome:
    """Play one grid over the bars of a market, with `costs.capital` as its wallet.

    reading: under adverse a line needs one tick through; grids always walk the path. dense: walk every bar (same results, slower).
    Raises UnitError for a grid that could not be started.
    """
    check(market, costs, reading)
    bars, due = bar_columns(market.bars), due_rows(market)
    grid = fresh_grid(plan, market.instrument, costs, reading, int(bars[0, 1]))
    fills = np.zeros((max(ROWS, 8 * (int(grid[at.LINE_COUNT]) + 2)), at.FILL_WIDTH), dtype=np.int64)
    equity = np.zeros(len(market.bars) if dense else 0, dtype=np.int64)
    while not play(grid, fills, bars, bar_blocks(market.bars), due, equity, dense):
        fills = np.concatenate([fills, np.zeros_like(fills)])
    finish(grid, fills, int(bars[-1, 4]), int(bars[-1, 0]) + market.bars.timeframe_ms, len(bars))
    return GridOutcome(market, plan, scaled(costs.capital), grid, fills[:grid[at.FILLS]], due, equity)


class Traded(Protocol):
    """Anything with an instrument, bars and funding: a GridMarket or a run.Market."""

    @property
    def instrument(self) -> Instrument: ...
    @property
    def bars(self) -> Bars: ...
    @property
    def funding(self) -> Funding | None: ...


def check(market: Traded, costs: Costs, reading: str) -> None:
    """Refuse figures a grid cannot be played with."""
    if not len(market.bars):
        raise UnitError(f"{market.bars.symbol}: a grid needs at least 1 bar, got 0")
    if market.bars.tick != market.instrument.tick:
        raise UnitError(f"{market.bars.symbol}: bars on tick {market.bars.tick}, instrument on tick {market.instrument.tick}")
    if not 0 < costs.capital <= CAPITAL_MAX:
        raise UnitError(f"capital must be greater than 0 and at most {CAPITAL_MAX}, got {costs.capital}")
    if not 0 <= costs.slippage < 1:
        raise UnitError(f"slippage must be at least 0 and less than 1, got {costs.slippage}")
    if reading not in READINGS:
        raise UnitError(f"reading must be one of {', '.join(READINGS)}, got {reading!r}")


def due_rows(market: Traded) -> NDArray[np.int64]:
    """int64[k, 2]: the bar each settlement falls on, and its rate."""
    return funding_rows(market)  # type: ignore[arg-type]  # reads bars and funding only


def fresh_grid(plan: GridPlan, instrument: Instrument, costs: Costs, reading: str, price: int) -> NDArray[np.int64]:
    """The vector of a grid (grid_state.py) that waits for its first bar; sized for its trigger price, or for `price` in ticks."""
    trigger = whole_ticks(plan.trigger, instrument, "trigger")
    opening, tiers = startable(plan, instrument, costs, trigger or price), tier_rows(instrument)
    lines = opening.lines
    grid = np.concatenate([np.zeros(at.LINES, dtype=np.int64), lines, tiers.ravel()])
    grid[at.WALLET], grid[at.BOTTOM], grid[at.LINE_COUNT] = scaled(costs.capital), plan.trail_down, len(lines)
    grid[at.START_BAR] = -1
    grid[at.UNIT], grid[at.MAKER], grid[at.TAKER] = instrument.unit, scaled(instrument.maker), scaled(instrument.taker)
    grid[at.SLIPPAGE], grid[at.THROUGH], grid[at.LINE_LOTS] = scaled(costs.slippage), reading == "adverse", opening.lots
    grid[at.CELLS], grid[at.DIRECTION], grid[at.FIRST] = plan.cells, at.DIRECTIONS.index(plan.direction), plan.trail_down
    grid[at.TRAIL_UP], grid[at.TRAIL_DOWN] = plan.trail_up, plan.trail_down
    for name, slot in (("trigger", at.TRIGGER), ("stop_lower", at.STOP_LOWER), ("stop_upper", at.STOP_UPPER)):
        grid[slot] = whole_ticks(getattr(plan, name), instrument, name)
    grid[at.RATE_MOST] = tiers[:, TIER_RATE].max() + grid[at.TAKER]
    grid[at.GOAL] = at.NEVER if plan.take_profit is None else scaled(costs.capital) + scaled(plan.take_profit, what="take_profit")
    return grid


@dataclass(frozen=True, eq=False)
class GridOutcome:
    """What a grid left. Money in 1e-8 as the engine has it; total = matched + unmatched − fees − funding, exactly."""

    market: Traded
    plan: GridPlan
    capital: int
    grid: NDArray[np.int64]
    table: NDArray[np.int64]
    due: NDArray[np.int64]
    walked: NDArray[np.int64]

    @property
    def start_bar(self) -> int | None:
        """The bar in which it started; None: the trigger price was never reached."""
        return None if self.grid[at.START_BAR] < 0 else int(self.grid[at.START_BAR])

    @property
    def end_reason(self) -> str:
        """stop | take_profit | liquidation | end_of_data."""
        return at.KINDS[self.grid[at.ENDED_BY]]

    @property
    def end_bar(self) -> int:
        return int(self.grid[at.END_BAR])

    @property
    def final_equity(self) -> int:
        return int(self.grid[at.WALLET])

    @property
    def matched(self) -> int:
        """Profit of the cells that were bought and sold, before fees."""
        return int(self.grid[at.MATCHED])

    @property
    def pairs(self) -> int:
        return int(self.grid[at.PAIRS])

    @property
    def fees(self) -> int:
        return int(self.grid[at.FEES])

    @property
    def funding(self) -> int:
        """Paid is positive."""
        return int(self.grid[at.PAID])

    @property
    def unmatched(self) -> int:
        """Price profit of what was held beyond the matched cells; after a liquidation it holds what was lost with the wallet."""
        return self.final_equity - self.capital - self.matched + self.fees + self.funding

    @cached_property
    def equity(self) -> NDArray[np.int64]:
        """int64[n] in 1e-8 at each close; computed when first asked for. The last is the wallet after the end."""
        found = self.walked
        if not len(found):
            found = np.zeros(len(self.market.bars), dtype=np.int64)
            equity_curve(self.table, len(self.table), self.due, bar_columns(self.market.bars), self.capital, int(self.grid[at.UNIT]), found)
        found[-1] = self.final_equity
        return found

    @cached_property
    def max_drawdown(self) -> float:
        """1 − equity / highest equity before it; the first peak is the capital."""
        peaks = np.maximum(np.maximum.accumulate(self.equity), self.capital)
        return float(np.max(1.0 - self.equity / peaks, initial=0.0))

    @cached_property
    def fills(self) -> list[GridFill]:
        """The rows of `table` as values, in the order they happened."""
        return [self._fill(row) for row in self.table.tolist()]

    def _fill(self, row: list[int]) -> GridFill:
        instrument, lots = self.market.instrument, row[at.F_LOTS]
        line = row[at.F_LINE] - int(self.grid[at.FIRST]) if row[at.F_KIND] == at.BY_LINE else None
        return GridFill(row[at.F_BAR], row[at.F_TS], at.KINDS[row[at.F_KIND]], line, "buy" if lots > 0 else "sell",
                        instrument.quantity(abs(lots)), instrument.price(row[at.F_PRICE]), unscaled(row[at.F_FEE]))
