"""What a grid's run shows: fills as values, profit split, equity, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from haechi.core import grid_state as at
from haechi.core.bars import Bars
from haechi.core.grid import GridFill, GridMarket, GridOutcome, run_grid
from haechi.core.grid_plan import GridPlan
from haechi.core.grid_size import worst_case
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.run import Funding
from haechi.core.units import UnitError

D = Decimal
INSTRUMENT = Instrument("XUSDT", D(1), D(1), min_value=D(0), maker=D("0.001"), taker=D("0.002"))
START, HOUR = 1_600_041_600_000, 3_600_000


def some_bars(*prices: tuple[int, int, int, int], tick: str = "1") -> Bars:
    columns = np.array(prices, dtype=np.float64).T
    return Bars.of(symbol="XUSDT", timeframe_ms=HOUR, tick=D(tick), ts=START + HOUR * np.arange(len(prices)), open=columns[0],
                   high=columns[1], low=columns[2], close=columns[3], volume=np.ones(len(prices)))


def played(*prices: tuple[int, int, int, int], capital: str = "100000", funding: Funding | None = None, **plan: Any) -> GridOutcome:
    """Lines 900, 950, 1000, 1050, 1100 with 2 each, no slippage."""
    values = {"lower": D(900), "upper": D(1100), "cells": 4, "quantity": D(2), "leverage": 20} | plan
    return run_grid(GridMarket(INSTRUMENT, some_bars(*prices), funding), GridPlan(**values), Costs(D(0), D(capital)))


def test_fills_are_shown_in_prices_and_quantities() -> None:
    outcome = played((1000, 1005, 945, 1005), direction="long")
    assert outcome.fills == [
        GridFill(0, START, "start", None, "buy", D(4), D(1000), D(8)), GridFill(0, START, "line", 1, "buy", D(2), D(950), D("1.9")),
        GridFill(0, START, "line", 2, "sell", D(2), D(1000), D(2)),
        GridFill(1, START + HOUR, "end_of_data", None, "sell", D(4), D(1005), D("8.04"))]
    assert outcome.start_bar == 0 and outcome.end_bar == 1 and outcome.pairs == 1


def test_a_line_above_the_first_range_has_a_number_beyond_its_cells() -> None:
    outcome = played((1000, 1155, 1000, 1155), (1155, 1155, 1040, 1040), trail_up=1, trail_down=3)
    assert [fill.line for fill in outcome.fills] == [3, 4, 4, 3]  # line 5 is the empty one between them
    assert [int(fill.price) for fill in outcome.fills] == [1050, 1100, 1100, 1050]


def test_total_is_matched_and_unmatched_less_fees_and_funding() -> None:
    due = Funding(np.array([START + HOUR]), np.array([100_000]))
    outcome = played((1000, 1005, 945, 1005), (1005, 1060, 990, 1060), (1060, 1060, 905, 910), funding=due, direction="long")
    cash = sum((fill.price * fill.quantity * (1 if fill.side == "sell" else -1) for fill in outcome.fills), D(0))
    fees = sum((fill.fee for fill in outcome.fills), D(0))
    assert outcome.funding == 4 * 1005 * 100_000 and outcome.fees == fees * 10**8
    assert outcome.final_equity - outcome.capital == (cash - fees) * 10**8 - outcome.funding
    assert outcome.unmatched == cash * 10**8 - outcome.matched
    assert outcome.final_equity == outcome.capital + outcome.matched + outcome.unmatched - outcome.fees - outcome.funding
    # cells sold: 950 → 1000, 1000 → 1050; what 1050 … 950 bought on the last way down was not sold again
    assert outcome.matched == 2 * (50 + 50) * 10**8 and outcome.pairs == 2


@pytest.mark.parametrize("direction, whole", [("long", 4), ("short", 0), ("neutral", 2)])
def test_the_position_is_always_that_of_the_empty_line(direction: str, whole: int) -> None:
    outcome = played((1000, 1090, 940, 1040), (1040, 1120, 880, 980), (960, 1010, 890, 890), direction=direction)
    rows = outcome.table[outcome.table[:, at.F_KIND] == at.BY_LINE]
    assert len(rows) > 10 and (rows[:, at.F_HELD] == 2 * (whole - rows[:, at.F_LINE])).all()


@pytest.mark.parametrize("direction, crash", [("long", (1000, 1000, 1, 1)), ("short", (1000, 9_000, 1000, 9_000)),
                                              ("neutral", (1000, 1000, 1, 1)), ("neutral", (1000, 9_000, 1000, 9_000))])
def test_the_preview_names_the_price_at_which_a_straight_fall_or_rise_liquidates(direction: str, crash: tuple[int, int, int, int]) -> None:
    outcome = played(crash, capital="1200", direction=direction)
    plan = outcome.plan
    found = worst_case(plan, INSTRUMENT, Costs(D(0), D(1_200)), D(1000))
    assert outcome.end_reason == "liquidation"
    assert outcome.fills[-1].price == (found.liquidation_down if crash[3] < 1000 else found.liquidation_up)
    assert outcome.final_equity == 0 and outcome.equity[-1] == 0 and outcome.max_drawdown == 1.0


def test_drawdown_is_measured_from_the_highest_equity_and_first_from_the_capital() -> None:
    # long 4 from 1000: fee 8; closes 1040, 1020 and end at 1020: equity 100152, 100072, less 4 × 1020 × 0.002
    outcome = played((1000, 1040, 1000, 1040), (1040, 1040, 1020, 1020), direction="long")
    assert outcome.equity.tolist() == [10_015_200_000_000, 10_007_200_000_000 - 816_000_000]
    assert outcome.max_drawdown == pytest.approx((80 + 8.16) / 100_152)
    loses = played((1000, 1000, 960, 960), direction="long")
    assert loses.max_drawdown == pytest.approx((8 + 160 + 4 * 960 * 0.002) / 100_000)


def test_a_trigger_never_reached_leaves_the_capital_alone() -> None:
    outcome = played((1000, 1040, 1000, 1040), trigger=D(1041))
    assert outcome.start_bar is None and outcome.final_equity == outcome.capital and not outcome.fills
    assert outcome.end_reason == "end_of_data" and outcome.max_drawdown == 0.0


@pytest.mark.parametrize("costs, tick, reading, reason", [
    (Costs(capital=D(0)), "1", "path", "capital must be greater than 0"), (Costs(slippage=D(1)), "1", "path", "slippage must be"),
    (Costs(), "0.5", "path", "bars on tick 0.5, instrument on tick 1"), (Costs(), "1", "middle", "reading must be one of path"),
])
def test_figures_a_grid_cannot_be_played_with_are_refused(costs: Costs, tick: str, reading: str, reason: str) -> None:
    plan = GridPlan(lower=D(900), upper=D(1100), cells=4, quantity=D(1))
    with pytest.raises(UnitError, match=reason):
        run_grid(GridMarket(INSTRUMENT, some_bars((1000, 1000, 1000, 1000), tick=tick)), plan, costs, reading)


def test_a_grid_without_bars_is_refused() -> None:
    with pytest.raises(UnitError, match="at least 1 bar"):
        run_grid(GridMarket(INSTRUMENT, some_bars((1000, 1000, 1000, 1000)).slice(0, 0)),
                 GridPlan(lower=D(900), upper=D(1100), cells=4, quantity=D(1)), Costs())


def test_a_price_off_the_tick_grid_is_refused_by_its_name() -> None:
    for name in ("trigger", "stop_lower", "stop_upper"):
        with pytest.raises(UnitError, match=f"{name} 1000.5 is not a multiple of the tick 1"):
            played((1000, 1000, 1000, 1000), **{name: D("1000.5")})


def test_a_goal_reached_exactly_at_a_close_ends_the_grid() -> None:
    # one cell of 2 × 50, less the fees 1.9 and 2: 96.1
    bars = ((1000, 1000, 1000, 1000), (1000, 1005, 945, 1005), (1005, 1005, 945, 945))
    reached = played(*bars, take_profit=D("96.1"))
    assert (reached.end_reason, reached.end_bar) == ("take_profit", 1) and reached.final_equity == reached.capital + 9_610_000_000
    assert played(*bars, take_profit=D("96.10000001")).end_reason == "end_of_data"
