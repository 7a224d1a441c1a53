"""The same grid dense, skipped, with a small table, cut short, event by event and uncompiled: equal bit for bit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from haechi.core import grid as grid_module
from haechi.core import grid_state as at
from haechi.core.bars import Bars
from haechi.core.grid import GridMarket, GridOutcome, due_rows, fresh_grid, run_grid
from haechi.core.grid_live import GridLadder, GridState, begin, ladder_of, on_fill, on_price, position, recover, wanted_orders
from haechi.core.grid_plan import GridPlan
from haechi.core.grid_run import play
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.run import Funding, bar_blocks, bar_columns
from haechi.core.units import UnitError

D = Decimal
COSTS = Costs(capital=D(20_000))
SPACING = {"lower": D(55_000), "upper": D(66_000), "cells": 60, "quantity": D("0.01"), "leverage": 5}
PLANS = {
    "long": GridPlan(**SPACING, direction="long"), "short": GridPlan(**SPACING, direction="short", spacing="geometric"),
    "neutral": GridPlan(**SPACING), "with a goal": GridPlan(**SPACING, take_profit=D(300), direction="short"),
    "with stops": GridPlan(**SPACING, stop_lower=D(57_000), stop_upper=D(64_000), trigger=D("60500.5")),
    "trailing": GridPlan(**(SPACING | {"lower": D(59_000), "upper": D(60_500), "cells": 8}), trail_up=40, trail_down=40, direction="long"),
    "near liquidation": GridPlan(**(SPACING | {"quantity": D("0.2"), "leverage": 50}), direction="long"),
}


def a_market(seed: int = 5, n: int = 20_000) -> GridMarket:
    """A seeded random walk of minutes with funding every eight hours."""
    rng = np.random.default_rng(seed)
    close = np.round(60_000 * np.exp(np.cumsum(rng.standard_t(4, n) * 0.0007)), 1)
    open_ = np.concatenate(([60_000.0], close[:-1]))
    high = np.round(np.maximum(open_, close) * (1 + np.abs(rng.normal(0, 0.0005, n))), 1)
    low = np.round(np.minimum(open_, close) * (1 - np.abs(rng.normal(0, 0.0005, n))), 1)
    ts = 1_640_995_200_000 + 60_000 * np.arange(n)
    bars = Bars.of(symbol="BTCUSDT", timeframe_ms=60_000, tick=D("0.1"), ts=ts, open=open_, high=high, low=low, close=close,
                   volume=np.ones(n))
    due = ts[::480]
    return GridMarket(Instrument("BTCUSDT"), bars, Funding(due, rng.integers(-20_000, 40_000, len(due))))


def trace(outcome: GridOutcome) -> str:
    """Everything a run shows, as one hash."""
    digest = hashlib.sha256(outcome.table.tobytes() + outcome.equity.tobytes())
    digest.update(repr((outcome.end_reason, outcome.end_bar, outcome.matched, outcome.pairs, outcome.fees, outcome.funding)).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("reading", ["adverse", "path"])
@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_skipping_quiet_bars_changes_nothing(name: str, reading: str, seed: int) -> None:
    market = a_market(seed)
    fast, slow = (run_grid(market, PLANS[name], COSTS, reading, dense=dense) for dense in (False, True))
    assert trace(fast) == trace(slow)


def test_the_plans_of_this_file_do_what_they_are_named_for() -> None:
    ends = {name: run_grid(a_market(7), plan, COSTS) for name, plan in PLANS.items()}
    assert ends["with a goal"].end_reason == "take_profit" and ends["with stops"].end_reason == "stop"
    assert ends["near liquidation"].end_reason == "liquidation" and ends["trailing"].grid[at.SHIFTS] != 0
    assert all(len(ends[name].table) > 50 for name in ("long", "short", "neutral", "trailing"))


def test_a_run_broken_off_and_taken_up_again_is_the_same_run() -> None:
    market, plan = a_market(n=4_000), PLANS["neutral"]
    bars, due, none = bar_columns(market.bars), due_rows(market), np.zeros(0, dtype=np.int64)
    grid = fresh_grid(plan, market.instrument, COSTS, "path", int(bars[0, 1]))
    fills = np.zeros((10_000, at.FILL_WIDTH), dtype=np.int64)
    for count in (1, 2, 33, 500, 3_999, 4_000):
        assert play(grid, fills, bars[:count], bar_blocks(market.bars), due[due[:, 0] < count], none, False)
    whole = run_grid(market, plan, COSTS).table
    assert (fills[:grid[at.FILLS]] == whole[whole[:, at.F_KIND] != at.BY_END]).all()


def test_a_table_that_fills_up_grows_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_grid(a_market(), PLANS["neutral"], COSTS)
    monkeypatch.setattr(grid_module, "ROWS", 1)
    assert 8 * (PLANS["neutral"].cells + 3) < len(whole.table) + 4 * (PLANS["neutral"].cells + 3)
    assert trace(run_grid(a_market(), PLANS["neutral"], COSTS)) == trace(whole)


@pytest.mark.parametrize("name", PLANS)
def test_bars_that_come_later_change_nothing_before(name: str) -> None:
    market = a_market()
    whole = run_grid(market, PLANS[name], COSTS)
    for count in (1, 33, 1_000, 7_777):
        short = run_grid(GridMarket(market.instrument, market.bars.slice(0, count), market.funding), PLANS[name], COSTS)
        kept = short.table[short.table[:, at.F_KIND] != at.BY_END]
        assert (kept == whole.table[:len(kept)]).all()
        assert (short.equity[:-1] == whole.equity[:count - 1]).all()


def uncompiled_traces() -> str:
    """Run in a process without the compiler (see below): the traces of a short market."""
    return "\n".join(trace(run_grid(a_market(n=3_000), plan, COSTS, reading, dense=dense))
                     for plan in PLANS.values() for reading in ("path", "adverse") for dense in (False, True))


def test_uncompiled_functions_give_the_same() -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import test_grid_ways_agree as t; print(t.uncompiled_traces())"
    done = subprocess.run([sys.executable, "-c", script, os.path.dirname(__file__)], env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == uncompiled_traces()


def walked(ladder: GridLadder, state: GridState, bars: list[list[int]]) -> tuple[GridState, list[tuple[int, int]]]:
    """A live bot's way through bars of (open, high, low, close): the end state and (bar, line) of each fill."""
    point, filled = bars[0][0], []
    for index, (opened, high, low, close) in enumerate(bars):
        for vertex in (opened, *((low, high) if close >= opened else (high, low)), close):
            state, found = on_price(ladder, state, point, vertex)
            filled += [(index, line) for line in found]
            point = vertex
    return state, filled


@pytest.mark.parametrize("name", ["long", "short", "neutral", "trailing"])
@pytest.mark.parametrize("reading", ["adverse", "path"])
def test_the_live_form_fills_the_same_lines(name: str, reading: str) -> None:
    market, plan = a_market(n=6_000), PLANS[name]
    rows = np.column_stack([market.bars.open_ticks, market.bars.high_ticks, market.bars.low_ticks, market.bars.close_ticks]).tolist()
    ladder = ladder_of(plan, market.instrument, COSTS, rows[0][0], reading)
    state, filled = walked(ladder, begin(ladder, rows[0][0]), rows)
    outcome = run_grid(market, plan, COSTS, reading)
    by_line = outcome.table[outcome.table[:, at.F_KIND] == at.BY_LINE]
    assert filled == [(int(bar), int(line)) for bar, line in by_line[:, [at.F_BAR, at.F_LINE]]] and len(filled) > 50
    assert position(ladder, state) == by_line[-1, at.F_HELD]


def a_ladder(**more: Any) -> GridLadder:
    return GridLadder(**({"lines": (100, 110, 120, 130, 140), "cells": 4, "lots": 3, "direction": "neutral"} | more))


def test_orders_rest_on_both_sides_of_the_empty_line() -> None:
    ladder = a_ladder()
    state = begin(ladder, 118)
    assert [(order.side, order.price, order.lots) for order in wanted_orders(ladder, state)] == [
        ("buy", 110, 3), ("buy", 100, 3), ("sell", 130, 3), ("sell", 140, 3)]
    after = on_fill(ladder, state, 1)
    assert [(order.side, order.price) for order in wanted_orders(ladder, after)] == [
        ("buy", 100), ("sell", 120), ("sell", 130), ("sell", 140)]
    assert position(ladder, after) == 3


def test_a_position_tells_where_the_grid_stands() -> None:
    for direction in ("long", "short", "neutral"):
        ladder = a_ladder(direction=direction)
        state = begin(ladder, 121)
        for line in (1, 0, 1, 2, 3):
            state = on_fill(ladder, state, line)
            assert recover(ladder, begin(ladder, 121), position(ladder, state)) == state


@pytest.mark.parametrize("held", [1, 4, 9, -9])
def test_a_position_no_state_holds_is_refused(held: int) -> None:
    with pytest.raises(UnitError, match="none of this grid's"):
        recover(a_ladder(), begin(a_ladder(), 120), held)


@pytest.mark.parametrize("line", [0, 2, 4, 5])
def test_a_fill_out_of_turn_is_refused(line: int) -> None:
    with pytest.raises(UnitError, match="does not follow"):
        on_fill(a_ladder(), begin(a_ladder(), 120), line)
