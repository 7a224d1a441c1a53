"""The statistics of a run, from its equity points and its rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .feed import DAY


@dataclass(frozen=True)
class Figures:
    """Money in 1e-8; sums over daily returns."""

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

    def sharpe(self, sample_days: float) -> float | None:
        """Mean over standard deviation (n − 1), a year's worth; None where not defined."""
        if self.samples < 2:
            return None
        mean = self.return_sum / self.samples
        spread = (self.return_squares - self.samples * mean * mean) / (self.samples - 1)
        return mean / math.sqrt(spread) * math.sqrt(365 / sample_days) if spread > 1e-30 else None


def daily_returns(capital: int, ts: list[int], equity: list[int], timeframe_ms: int) -> list[float]:
    """Returns between the last closes of the UTC days (of the bars, if they are longer), the first against the capital."""
    returns = []
    before = capital
    for index, point in enumerate(equity):
        last_of_day = index + 1 == len(ts) or ts[index] // DAY != ts[index + 1] // DAY
        if last_of_day or timeframe_ms > DAY:
            returns.append(float(point) / float(before) - 1.0 if before > 0 else 0.0)
            before = point
    return returns


def figures(*, capital: int, ts: list[int], equity: list[int], timeframe_ms: int, rows: list[tuple[int, int, int]],
            liquidations: int, bars_in_position: int) -> Figures:
    peak, drawdown = capital, 0.0
    for point in equity:
        peak = max(peak, point)
        drawdown = max(drawdown, 1.0 - float(point) / float(peak))
    returns = daily_returns(capital, ts, equity, timeframe_ms)
    pnls = [pnl for pnl, _, _ in rows]
    return Figures(
        final_equity=equity[-1], peak=peak, max_drawdown=drawdown, trades=len(rows), wins=sum(pnl > 0 for pnl in pnls),
        gross_profit=sum(pnl for pnl in pnls if pnl > 0), gross_loss=-sum(pnl for pnl in pnls if pnl < 0),
        fees=sum(fee for _, fee, _ in rows), funding=sum(paid for _, _, paid in rows), liquidations=liquidations,
        bars=len(equity), bars_in_position=bars_in_position, samples=len(returns), return_sum=sum(returns),
        return_squares=sum(r * r for r in returns), downside_squares=sum(min(r, 0.0) ** 2 for r in returns))
