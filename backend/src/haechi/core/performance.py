"""What a run amounted to: every figure of the report, from the trades, the equity and the engine's own running sums.

Rules: docs/engine.md, "Equity and statistics". Money stays int64 1e-8 until the last step; ratios are float64. A figure that is
not defined (no trade, zero deviation, zero loss) is None, never 0. `DEFINITIONS` says what each key means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import isfinite
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .bars import Bars
from .definitions import DEFINITIONS, Definition
from .units import unscaled

__all__ = ["DEFINITIONS", "Definition", "Figure", "Span", "drawdowns", "growth", "held_return", "longest", "metrics", "monthly", "summary",
           "trade_figures", "under_water"]

DAY_MS = 86_400_000
YEAR_MS = 31_557_600_000  # 365.25 days
CENT = Decimal("1e-8")

Figure = Decimal | float | int | None


class Sums(Protocol):
    """The engine's running sums a run ends with (core.run.Statistics): ints in 1e-8 quote units."""

    @property
    def final_equity(self) -> int: ...
    @property
    def max_drawdown(self) -> float: ...
    @property
    def trades(self) -> int: ...
    @property
    def wins(self) -> int: ...
    @property
    def gross_profit(self) -> int: ...
    @property
    def gross_loss(self) -> int: ...
    @property
    def fees(self) -> int: ...
    @property
    def funding(self) -> int: ...
    @property
    def liquidations(self) -> int: ...
    @property
    def bars(self) -> int: ...
    @property
    def bars_in_position(self) -> int: ...
    def sharpe(self, sample_days: float) -> float | None: ...
    def sortino(self, sample_days: float) -> float | None: ...


@dataclass(frozen=True)
class Span:
    """The trading period: open of the first bar, end of the last, bar length; milliseconds UTC."""

    start_ms: int
    end_ms: int
    bar_ms: int

    @classmethod
    def of(cls, ts: NDArray[np.int64], bar_ms: int) -> Span:
        return cls(int(ts[0]), int(ts[-1]) + bar_ms, bar_ms)

    @property
    def sample_days(self) -> float:
        """Days between two samples of the daily returns: a day, or a bar where bars are longer."""
        return max(1.0, self.bar_ms / DAY_MS)


def summary(sums: Sums, span: Span, *, capital: int) -> dict[str, Figure]:
    """The figures that need no trade and no equity curve: exactly what a sweep can rank by, equal bit for bit to a single run's."""
    pnl = sums.final_equity - capital
    cagr = growth(sums.final_equity, capital, span)
    return {
        "pnl": unscaled(pnl),
        "roi": pnl / capital,
        "final_balance": unscaled(sums.final_equity),
        "cagr": cagr,
        "sharpe": sums.sharpe(span.sample_days),
        "sortino": sums.sortino(span.sample_days),
        "calmar": _over(cagr, sums.max_drawdown),
        "max_drawdown": sums.max_drawdown,
        "trades": sums.trades,
        "win_rate": _over(sums.wins, sums.trades),
        "profit_factor": _over(sums.gross_profit, sums.gross_loss),
        "expectancy": _mean(sums.gross_profit - sums.gross_loss, sums.trades),
        "exposure": _over(sums.bars_in_position, sums.bars),
        "fees": unscaled(sums.fees),
        "funding": unscaled(sums.funding),
        "liquidations": sums.liquidations,
    }


def metrics(sums: Sums, span: Span, *, capital: int, pnl: NDArray[np.int64], traded: int, ts: NDArray[np.int64],
            equity: NDArray[np.int64], bars: Sequence[Bars]) -> dict[str, Figure]:
    """Every figure. `pnl` of each trade in order of closing, `traded` notional bought and sold, `equity` at each close (1e-8 quote)."""
    held = [held_return(one) for one in bars]
    return {**summary(sums, span, capital=capital), **trade_figures(pnl), **under_water(ts, equity, capital, span.bar_ms),
            "turnover": traded / capital,
            "buy_and_hold": sum(held) / len(held) if held else None}


def growth(final: int, capital: int, span: Span) -> float | None:
    """CAGR = (final / capital)^(365.25 days / span) − 1; None where a loss beyond the capital or a short span leaves no figure."""
    if final < 0 or span.end_ms <= span.start_ms:
        return None
    try:
        rate = (final / capital) ** (YEAR_MS / (span.end_ms - span.start_ms)) - 1
    except OverflowError:
        return None
    return rate if isfinite(rate) else None


def held_return(bars: Bars) -> float:
    """Buy and hold: last close / first open − 1, without costs."""
    return int(bars.close_ticks[-1]) / int(bars.open_ticks[0]) - 1


def trade_figures(pnl: NDArray[np.int64]) -> dict[str, Figure]:
    """Averages, extremes and streaks of the trades' net pnl. A trade of exactly 0 is neither won nor lost and ends both streaks."""
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    return {
        "average_win": _mean(int(won.sum()), len(won)),
        "average_loss": _mean(int(lost.sum()), len(lost)),
        "largest_win": unscaled(int(won.max())) if len(won) else None,
        "largest_loss": unscaled(int(lost.min())) if len(lost) else None,
        "winning_streak": longest(pnl > 0)[1],
        "losing_streak": longest(pnl < 0)[1],
    }


def under_water(ts: NDArray[np.int64], equity: NDArray[np.int64], capital: int, bar_ms: int) -> dict[str, Figure]:
    """The longest stretch of closes below the highest equity so far (at first the capital), in bars and in calendar milliseconds."""
    from .underwater import longest_under_water  # compiled code: loaded only where a run has just loaded it anyway

    first, bars = longest_under_water(equity, capital)
    return {"max_drawdown_bars": bars, "max_drawdown_ms": int(ts[first + bars - 1] - ts[first]) + bar_ms if bars else 0}


def drawdowns(equity: NDArray[np.int64], capital: int) -> NDArray[np.float64]:
    """1 − equity / peak at each close, float64, as the engine computes it."""
    peak = np.maximum.accumulate(np.maximum(equity, capital))
    return 1.0 - equity / peak


def longest(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest run of True, the first one of equals; length 0 where there is none."""
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts):
        return 0, 0
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best] - starts[best])


def monthly(ts: NDArray[np.int64], equity: NDArray[np.int64], capital: int) -> list[tuple[int, int, float | None]]:
    """(year, month, return) of each UTC month: equity at its last close / that of the month before − 1, the first against the capital."""
    months = ts.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(months) != 0, True))
    rows: list[tuple[int, int, float | None]] = []
    before = capital
    for at in last:
        year, month = divmod(int(months[at]), 12)
        value = int(equity[at])
        rows.append((1970 + year, month + 1, value / before - 1 if before > 0 else None))
        before = value
    return rows


def _over(part: float | None, whole: float) -> float | None:
    return None if part is None or whole == 0 else part / whole


def _mean(total: int, count: int) -> Decimal | None:
    """Money a trade, rounded half away from zero to 1e-8."""
    return (unscaled(total) / count).quantize(CENT, rounding=ROUND_HALF_UP) if count else None
