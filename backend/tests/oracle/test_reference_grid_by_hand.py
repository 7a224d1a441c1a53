"""The grid reference, against sums done by hand: maker 0.1 %, taker 0.2 %, tick 1, lot 1."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from by_hand import an_instrument, some_bars
from reference.grid import Grid, GridRun, affordable_lots

E8 = 10**8


def a_grid(**more: Any) -> Grid:
    return Grid(**({"lower": 900, "upper": 1100, "cells": 4, "lots": 2} | more))  # lines 900 950 1000 1050 1100


def played(grid: Grid, *prices: tuple[int, int, int, int], reading: str = "path", slippage: str = "0", capital: int = 100_000,
           funding: dict[int, list[int]] | None = None) -> GridRun:
    return GridRun(grid, an_instrument(), Decimal(slippage), Decimal(capital), reading).play(some_bars(*prices), funding or {})


def told(run: GridRun) -> list[tuple[str, int, int]]:
    return [(fill.kind, fill.lots, fill.price) for fill in run.fills]


def test_lines_are_even_in_steps_or_in_ratio() -> None:
    assert a_grid().lines() == [900, 950, 1000, 1050, 1100]
    assert a_grid(lower=1000, upper=1200, cells=3).lines() == [1000, 1067, 1133, 1200]
    assert a_grid(lower=100, upper=1600, cells=4, spacing="geometric").lines() == [100, 200, 400, 800, 1600]
    assert a_grid(lower=1000, upper=2000, cells=2, spacing="geometric").lines() == [1000, 1414, 2000]  # 1414.21
    with pytest.raises(ValueError, match="same ticks"):
        a_grid(lower=1000, upper=1003, cells=4).lines()


def test_a_neutral_grid_buys_below_and_sells_above() -> None:
    # falls to 945: buy 950; rises to 1005: sell 1000: 2 × 50 = 100; fees 1.9 + 2
    run = played(a_grid(), (1000, 1000, 1000, 1000), (1000, 1005, 945, 1005))
    assert told(run) == [("line", 2, 950), ("line", -2, 1000)]
    assert run.matched == 100 * E8 and run.fees == 390_000_000 and run.unmatched == 0
    assert run.equity[-1] == 100_000 * E8 + 100 * E8 - 390_000_000


def test_a_long_grid_starts_with_what_the_lines_above_will_sell() -> None:
    # at 1010 the empty line is 1000 (index 2): 2 × (4 − 2) = 4 lots at 1010 + ceil(1.01) = 1012, then 2 sold at 1050
    run = played(a_grid(mode="long"), (1010, 1060, 1010, 1060), slippage="0.001")
    assert told(run) == [("start", 4, 1012), ("line", -2, 1050), ("end_of_data", -2, 1058)]
    assert run.matched == 100 * E8  # 2 × 50
    # 2 × 38 + 2 × 46 = 168 of which 100 are matched; fees 8.096 + 2.1 + 4.232
    assert run.unmatched == 68 * E8 and run.fees == 1_442_800_000


def test_a_short_grid_starts_short_and_earns_below() -> None:
    run = played(a_grid(mode="short"), (1000, 1000, 945, 950))
    assert told(run) == [("start", -4, 1000), ("line", 2, 950), ("end_of_data", 2, 950)]
    assert run.matched == 100 * E8


def test_position_follows_the_empty_line() -> None:
    for mode, whole in (("long", 4), ("short", 0), ("neutral", 2)):
        run = played(a_grid(mode=mode, take_profit=Decimal(0)), (1000, 1090, 940, 1040), (1040, 1120, 880, 980))
        held = 0
        for fill in run.fills[:-1] if run.fills[-1].kind == "end_of_data" else run.fills:
            held += fill.lots
        assert run.empty is not None and held == 2 * (whole - run.empty), mode


def test_a_gap_fills_each_line_crossed_at_the_open() -> None:
    run = played(a_grid(), (1000, 1000, 1000, 1000), (890, 890, 890, 890))
    assert told(run) == [("line", 2, 890), ("line", 2, 890), ("end_of_data", -4, 890)]


def test_under_adverse_a_line_needs_one_tick_through() -> None:
    assert told(played(a_grid(), (1000, 1000, 950, 1000), reading="adverse")) == []
    assert told(played(a_grid(), (1000, 1000, 949, 990), reading="adverse"))[0] == ("line", 2, 950)


def test_a_trigger_starts_the_grid_at_its_price() -> None:
    # rising bar: 980 → 970 → 1060; the trigger 1010 is met on the way up; 1000 is the nearest line, 1050 sells
    run = played(a_grid(trigger=1010), (940, 940, 940, 940), (980, 1060, 970, 1060))
    assert told(run)[0] == ("line", -2, 1050) and len(run.fills) == 2
    assert told(played(a_grid(trigger=1200), (980, 1060, 970, 1060))) == []


def test_a_trigger_jumped_over_starts_the_grid_at_the_open() -> None:
    # from 940 to an open of 1060: no price in between was traded; 1050 is the nearest line, 2 × (4 − 3) lots at the open
    run = played(a_grid(mode="long", trigger=1010), (940, 940, 940, 940), (1060, 1060, 1060, 1060))
    assert told(run) == [("start", 2, 1060), ("end_of_data", -2, 1060)]


def test_a_trailing_range_moves_up_by_whole_lines_and_trades_nothing_itself() -> None:
    # from 1000 up: sells 1050 and 1100, the range moves to 950 … 1150 and to 1000 … 1200; down to 1040: buys 1150, 1100, 1050
    bars = ((1000, 1000, 1000, 1000), (1000, 1205, 1000, 1205), (1205, 1205, 1040, 1040))
    run = played(a_grid(trail_up=2), *bars)
    assert told(run) == [("line", -2, 1050), ("line", -2, 1100), ("line", 2, 1150), ("line", 2, 1100), ("line", 2, 1050),
                         ("end_of_data", -2, 1040)]
    assert run.matched == (2 * 50 + 2 * 50) * E8  # the buy at 1050 finds no sold cell
    once = played(a_grid(trail_up=1), *bars)
    assert told(once)[2:] == [("line", 2, 1100), ("line", 2, 1050)]


def test_a_range_that_only_trails_up_never_moves_back() -> None:
    bars = ((1000, 1000, 1000, 1000), (1000, 1150, 1000, 1150), (1150, 1150, 890, 890))
    assert told(played(a_grid(trail_up=1), *bars))[2:] == [("line", 2, 1100), ("line", 2, 1050), ("line", 2, 1000), ("line", 2, 950),
                                                           ("end_of_data", -4, 890)]
    both = played(a_grid(trail_up=1, trail_down=1, mode="long"), *bars)
    # 900 is one cell below the moved range: touched on the way down, it moves back and trades nothing
    assert both.bottom == 1 and both.lots == 0 and both.fills[-1].lots == -8


def test_an_investment_pays_for_margin_and_fees_of_the_worst_case() -> None:
    # long from 1010 at leverage 2: 2 lots of each at 1010 and the buys 900, 950: 3870 / 2 + 2020 × 0.002 + 1850 × 0.001 = 1940.89 a lot
    for money, lots in (("1940.89", 1), ("1940.88", 0), ("3881.78", 2)):
        assert affordable_lots(a_grid(mode="long"), an_instrument(), Decimal(0), Decimal(money), 2, 1010) == lots
    # neutral: the sells 1050 and 1100 are the larger side: 2150 / 2 + 2.15
    assert affordable_lots(a_grid(), an_instrument(), Decimal(0), Decimal("1077.15"), 2, 1010) == 1
    assert affordable_lots(a_grid(), an_instrument(), Decimal(0), Decimal("1077.14"), 2, 1010) == 0


def test_a_stop_counts_after_the_lines_before_it() -> None:
    run = played(a_grid(stop_lower=920), (1000, 1000, 880, 990), slippage="0.001")
    assert told(run) == [("line", 2, 950), ("stop", -2, 919)] and run.ended == "stop"
    gapped = played(a_grid(stop_lower=920), (1000, 1000, 1000, 1000), (880, 990, 880, 990))
    assert told(gapped) == [("line", 2, 880), ("stop", -2, 880)]


def test_take_profit_ends_the_grid_at_a_close() -> None:
    # after the pair: 100 − 3.9 = 96.1
    bars = ((1000, 1000, 1000, 1000), (1000, 1005, 945, 1005), (1005, 1005, 945, 945))
    assert played(a_grid(take_profit=Decimal("96.1")), *bars).ended == "take_profit"
    assert played(a_grid(take_profit=Decimal("96.2")), *bars).ended == ""


def test_a_grid_is_liquidated_with_its_whole_capital() -> None:
    # buys 2 at 950, 2 at 900: cost 3700, wallet 1000 − 1.9 − 1.8 = 996.3: (3700 − 996.3) / (4 × 0.988) = 684.1 → 685
    run = played(a_grid(), (1000, 1000, 680, 700), capital=1000)
    assert told(run)[-1] == ("liquidation", -4, 685) and run.equity[-1] == 0


def test_funding_is_paid_on_the_position_at_the_open() -> None:
    # long 2 at the open of 940: 1880 × 0.001
    run = played(a_grid(), (1000, 1000, 945, 945), (940, 945, 940, 945), funding={1: [100_000]})
    assert run.funding == 188_000_000
