"""The figures of a result against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from haechi.core import performance
from haechi.core.definitions import DEFINITIONS
from haechi.core.performance import Span

MINUTE, DAY = 60_000, 86_400_000
E8 = 10**8


@dataclass
class Sums:
    """A run that ended with these; Sharpe and Sortino are the engine's own (tests of the engine)."""

    final_equity: int = 11_000 * E8
    max_drawdown: float = 0.2
    trades: int = 4
    wins: int = 3
    gross_profit: int = 1_500 * E8
    gross_loss: int = 500 * E8
    fees: int = 12 * E8
    funding: int = -3 * E8
    liquidations: int = 0
    bars: int = 100
    bars_in_position: int = 25

    def sharpe(self, sample_days: float) -> float | None:
        return sample_days

    def sortino(self, sample_days: float) -> float | None:
        return None


YEAR = Span(0, performance.YEAR_MS, MINUTE)


def test_the_summary_of_a_good_year():
    found = performance.summary(Sums(), YEAR, capital=10_000 * E8)
    assert found["pnl"] == Decimal(1_000)
    assert found["roi"] == pytest.approx(0.1)
    assert found["cagr"] == pytest.approx(0.1)
    assert found["calmar"] == pytest.approx(0.5)
    assert (found["win_rate"], found["profit_factor"], found["exposure"]) == (0.75, 3.0, 0.25)
    assert (found["expectancy"], found["fees"], found["funding"]) == (Decimal(250), Decimal(12), Decimal(-3))


def test_what_is_not_defined_is_none_never_zero():
    found = performance.summary(Sums(trades=0, wins=0, gross_profit=0, gross_loss=0, max_drawdown=0.0), YEAR, capital=10_000 * E8)
    assert [found[key] for key in ("win_rate", "profit_factor", "expectancy", "calmar", "sortino")] == [None] * 5
    assert performance.growth(-1, 10_000 * E8, YEAR) is None
    assert performance.growth(E8, E8, Span(5, 5, MINUTE)) is None


def test_half_a_year_of_ten_percent_is_twenty_one_a_year():
    assert performance.growth(110, 100, Span(0, performance.YEAR_MS // 2, MINUTE)) == pytest.approx(0.21)


@pytest.mark.parametrize(("bar_ms", "days"), [(MINUTE, 1.0), (DAY, 1.0), (7 * DAY, 7.0)])
def test_returns_are_daily_or_of_longer_bars(bar_ms, days):
    assert Span(0, 30 * DAY, bar_ms).sample_days == days


def test_winners_losers_and_their_streaks():
    found = performance.trade_figures(np.array([5, 7, 0, 1, -4, -2, -9, 3], dtype=np.int64) * E8)
    assert (found["average_win"], found["average_loss"]) == (Decimal(4), Decimal(-5))
    assert (found["largest_win"], found["largest_loss"]) == (Decimal(7), Decimal(-9))
    assert (found["winning_streak"], found["losing_streak"]) == (2, 3)  # the trade of 0 ends the first streak


def test_without_trades_there_is_no_average():
    found = performance.trade_figures(np.array([], dtype=np.int64))
    assert [found[key] for key in ("average_win", "average_loss", "largest_win", "largest_loss")] == [None] * 4
    assert (found["winning_streak"], found["losing_streak"]) == (0, 0)


@pytest.mark.parametrize(("equity", "bars"), [
    ([100, 101, 102], 0), ([99, 98, 100], 2), ([100, 90, 95, 100, 99, 98, 97, 101], 3), ([120, 110, 119, 120, 119], 2), ([90, 90, 90], 3)])
def test_the_longest_time_under_water(equity, bars):
    worth = np.array(equity, dtype=np.int64)
    ts = np.arange(len(worth), dtype=np.int64) * MINUTE
    assert performance.under_water(ts, worth, 100, MINUTE) == {"max_drawdown_bars": bars, "max_drawdown_ms": bars * MINUTE}


def test_time_under_water_counts_the_gap_inside_it():
    ts = np.array([0, 1, 2, 10], dtype=np.int64) * MINUTE
    assert performance.under_water(ts, np.array([100, 90, 95, 99]), 100, MINUTE)["max_drawdown_ms"] == 10 * MINUTE


def test_months_against_the_month_before():
    ts = np.array([0, 20 * DAY, 31 * DAY, 40 * DAY, 60 * DAY], dtype=np.int64)  # 1 and 21 January, 1 and 10 February, 2 March 1970
    found = performance.monthly(ts, np.array([105, 110, 100, 99, 198]), 100)
    assert [(year, month) for year, month, _ in found] == [(1970, 1), (1970, 2), (1970, 3)]
    assert [value for _, _, value in found] == pytest.approx([0.1, -0.1, 1.0])


def test_every_figure_has_names_and_a_formula_in_both_languages():
    for one in DEFINITIONS.values():
        assert one.en and one.ko and one.formula and one.formula_ko
        assert one.unit in {"quote", "percent", "ratio", "count", "bars", "ms"}
