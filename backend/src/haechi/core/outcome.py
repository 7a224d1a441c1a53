"""What a run leaves: trades, equity, statistics. Values for people are made from the integer table when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING, Any

import msgspec

from . import layout as at
from .units import unscaled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EIGHT = Decimal("0.00000001")
DAYS_A_YEAR = 365.0


class Trade(msgspec.Struct, frozen=True):
    """One closing fill. Times in ms UTC; pnl is net of fees and funding; funding paid is positive."""

    symbol: str
    side: str
    quantity: Decimal
    entry_time: int
    entry_price: Decimal
    exit_time: int
    exit_price: Decimal
    pnl: Decimal
    fee: Decimal
    funding: Decimal
    exit_reason: str
    enter_tag: str
    exit_tag: str
    bars_held: int


class Statistics(msgspec.Struct, frozen=True):
    """The engine's running sums: money in 1e-8, equal whether a run was dense, skipped, stepped or swept."""

    final_equity: int
    peak: int
    max_drawdown: float
    trades: int
    wins: int
    gross_profit: int
    gross_loss: int
    fees: int
    funding: int
    liquidations: int
    bars: int
    bars_in_position: int
    samples: int
    return_sum: float
    return_squares: float
    downside_squares: float

    def sharpe(self, sample_days: float = 1.0) -> float | None:
        """mean / standard deviation (n − 1) × √(365 / days a sample); None where it is not defined."""
        if self.samples < 2:
            return None
        mean = self.return_sum / self.samples
        variance = (self.return_squares - self.samples * mean * mean) / (self.samples - 1)
        return mean / sqrt(variance) * sqrt(DAYS_A_YEAR / sample_days) if variance > 1e-18 else None

    def sortino(self, sample_days: float = 1.0) -> float | None:
        """mean / √(mean of min(r, 0)²) × √(365 / days a sample); None without a losing day."""
        if self.samples < 2 or self.downside_squares <= 0.0:
            return None
        return self.return_sum / self.samples / sqrt(self.downside_squares / self.samples) * sqrt(DAYS_A_YEAR / sample_days)


def statistics_of(state: NDArray[np.int64], stats: NDArray[np.float64], bars: int) -> Statistics:
    """Read the sums off the account row. The equity is the last settled wallet."""
    account = state[0]
    money = (int(account[k]) for k in (at.WALLET, at.TOP))
    counts = (int(account[k]) for k in (at.TRADES, at.WINS, at.GROSS_PROFIT, at.GROSS_LOSS, at.FEES, at.FUNDING, at.LIQUIDATIONS))
    trades, wins, profit, loss, fees, funding, liquidations = counts
    final, peak = money
    return Statistics(final, peak, float(stats[at.MAX_DRAWDOWN]), trades, wins, profit, loss, fees, funding, liquidations, bars,
                      int(account[at.BARS_IN]), int(account[at.SAMPLES]), float(stats[at.RETURN_SUM]), float(stats[at.RETURN_SQUARES]),
                      float(stats[at.DOWNSIDE_SQUARES]))


@dataclass(frozen=True, eq=False)
class Outcome:
    """Trades (int64[m, 14], columns of layout.COLUMNS), the merged instants, the equity at their closes."""

    markets: tuple[Any, ...]
    reading: str
    capital: int
    table: NDArray[np.int64]
    ts: NDArray[np.int64]
    equity: NDArray[np.int64]
    statistics: Statistics
    refusals: dict[str, int]

    @cached_property
    def trades(self) -> list[Trade]:
        """The trade rows as values, in the order of their closing."""
        return [self._trade(row) for row in self.table.tolist()]

    def _trade(self, row: list[int]) -> Trade:
        market = self.markets[row[at.T_MARKET]]
        tick = market.instrument.tick
        reason, leg = at.REASONS[row[at.T_REASON]], 0 if row[at.T_SIDE] > 0 else 1
        signals = market.signals
        tagged = row[at.T_REASON] == at.BY_SIGNAL and signals.exit_tags[leg]
        opposite = row[at.T_REASON] == at.BY_REVERSE and signals.enter_tags[1 - leg]  # the rule that acted
        return Trade(
            symbol=market.bars.symbol, side="long" if leg == 0 else "short", quantity=market.instrument.lot * row[at.T_LOTS],
            entry_time=row[at.T_ENTRY_TS], exit_time=row[at.T_EXIT_TS], exit_price=tick * row[at.T_EXIT_PRICE],
            entry_price=(tick * row[at.T_ENTRY_COST] / row[at.T_ENTRY_LOTS]).quantize(EIGHT, rounding=ROUND_HALF_UP),
            pnl=unscaled(row[at.T_PNL]), fee=unscaled(row[at.T_FEE]), funding=unscaled(row[at.T_FUNDING]), exit_reason=reason,
            enter_tag=signals.enter_tags[leg], exit_tag=tagged or opposite or reason,
            bars_held=row[at.T_EXIT_BAR] - row[at.T_ENTRY_BAR])
