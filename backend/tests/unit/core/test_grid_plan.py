"""A grid's plan, its lines, its size and its preview."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from haechi.core.grid_plan import GridPlan, all_lines, lines, most_cells
from haechi.core.grid_size import worst_case
from haechi.core.instrument import Instrument, Tier
from haechi.core.plan import Costs
from haechi.core.units import UnitError

D = Decimal
BTC = Instrument("BTCUSDT")
RICH = Costs(slippage=D(0), capital=D(1_000_000))


def a_plan(**more: Any) -> GridPlan:
    return GridPlan(**({"lower": D(50_000), "upper": D(70_000), "cells": 10, "quantity": D("0.1")} | more))


def test_lines_are_even_in_steps_or_in_ratio() -> None:
    assert lines(a_plan(cells=4), BTC).tolist() == [500_000, 550_000, 600_000, 650_000, 700_000]
    assert lines(a_plan(lower=D(100), upper=D(1_600), cells=4, spacing="geometric"), BTC).tolist() == [1_000, 2_000, 4_000, 8_000, 16_000]


def test_a_geometric_line_on_half_a_tick_rounds_up_exactly() -> None:
    # 3 … 24 in 3 cells: ratio 2, a third root; one cell below is 1.5
    plan = a_plan(lower=D(3), upper=D(24), cells=3, spacing="geometric", trail_down=1, trail_up=1)
    assert all_lines(plan, Instrument("X", D(1), D(1))).tolist() == [2, 3, 6, 12, 24, 48]
    assert lines(plan, Instrument("X", D(1), D(1))).tolist() == [3, 6, 12, 24]


@pytest.mark.parametrize("change, reason", [
    ({"cells": 1}, "cells must be a whole number of 2 to 200"), ({"cells": 201}, "cells must be a whole number of 2 to 200"),
    ({"lower": D(70_000)}, "below upper"),
    ({"lower": D("NaN")}, "below upper"), ({"lower": D(0)}, "greater than 0"), ({"direction": "up"}, "direction must be one of long"),
    ({"spacing": "even"}, "spacing must be one of arithmetic"), ({"quantity": None}, "either a quantity a line or an investment"),
    ({"investment": D(5)}, "either a quantity a line or an investment"), ({"quantity": D(0)}, "quantity must be greater than 0"),
    ({"leverage": 126}, "leverage"), ({"trail_up": -1}, "trail_up"), ({"take_profit": D("NaN")}, "take_profit must be greater than 0"),
    ({"stop_lower": D(70_000)}, "must be below the range's upper"), ({"stop_upper": D(50_000)}, "must be above the range's lower"),
    ({"stop_lower": D(60_000), "stop_upper": D(55_000)}, "must be below stop_upper"),
    ({"stop_lower": D(49_000), "trigger": D(49_000)}, "would end as it starts"),
    ({"stop_upper": D(71_000), "trigger": D(72_000)}, "would end as it starts"),
])
def test_an_impossible_plan_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnitError, match=reason):
        a_plan(**change)


@pytest.mark.parametrize("change, reason", [
    ({"lower": D("50000.05")}, "not a multiple of tick"), ({"upper": D("50000.3"), "cells": 4}, "finer than the tick"),
    ({"upper": D("50000.3"), "cells": 4, "spacing": "geometric"}, "finer than the tick"), ({"trail_down": 30}, "trail to a price"),
    ({"lower": D(1_000), "upper": D(20_000), "cells": 2, "spacing": "geometric", "trail_up": 1_000}, "trail to a price"),
    ({"lower": D(20), "upper": D(40), "cells": 20, "spacing": "geometric", "trail_down": 99}, "lines the grid would trail to are finer"),
])
def test_lines_no_venue_could_hold_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnitError, match=reason):
        all_lines(a_plan(**change), BTC)


@pytest.mark.parametrize("lower, upper, spacing, fee, cells", [
    ("80", "120", "geometric", "0.0006", 337), ("80", "120", "arithmetic", "0.0006", 277),
    ("50000", "70000", "geometric", "0.0006", 280), ("50000", "70000", "arithmetic", "0.0006", 238),
    ("1", "9", "geometric", "0.5", 1), ("1", "27", "geometric", "0.5", 2),  # ln 9 / ln 3 is exactly 2, and one must be below it
])
def test_most_cells_that_still_earn(lower: str, upper: str, spacing: str, fee: str, cells: int) -> None:
    assert most_cells(D(lower), D(upper), spacing, D(fee)) == cells


def test_one_cell_more_than_the_most_loses() -> None:
    taxed = Instrument("BTCUSDT", maker=D("0.0024"))
    for spacing in ("geometric", "arithmetic"):
        most = most_cells(D(50_000), D(70_000), spacing, D("0.0024")) or 0
        for cells, earns in ((most, True), (most + 1, False)):
            preview = worst_case(a_plan(cells=cells, spacing=spacing, quantity=D(1)), taxed, Costs(D(0), D(100_000_000)), D(60_000))
            assert (min(preview.cell_profits) > 0) == earns


def test_without_a_fee_there_is_no_most() -> None:
    assert most_cells(D(1), D(2), "geometric", D(0)) is None


def test_the_preview_of_a_long_grid_by_hand() -> None:
    # start 60000: line 5; 0.5 bought at once for 30000, buys 50000 … 58000: 27000 more
    found = worst_case(a_plan(direction="long", leverage=10), BTC, Costs(D(0), D(10_000)), D(60_000))
    assert found.at_once == D("0.5") and found.start_fee == D("18")
    assert found.needed == D("5700") + D("18") + D("5.4")
    # (57000 − (10000 − 23.4)) / (1 × (1 − 0.004 − 0.0006)) = 47240.68 …
    assert found.liquidation_down == D("47240.8") and found.liquidation_up is None
    assert found.cell_profits[0] == D("200") - D("1") - D("1.04") and len(found.cell_profits) == 10


def test_a_neutral_grid_can_be_liquidated_on_both_sides_and_a_rich_one_on_none_below() -> None:
    found = worst_case(a_plan(leverage=10), BTC, Costs(D(0), D(10_000)), D(60_000))
    assert found.at_once == 0 and found.liquidation_down is not None and found.liquidation_up is not None
    assert found.liquidation_down < 50_000 and found.liquidation_up > 70_000
    assert worst_case(a_plan(), BTC, RICH, D(60_000)).liquidation_down is None


def test_an_investment_is_spent_but_never_overspent() -> None:
    for direction in ("long", "short", "neutral"):
        found = worst_case(a_plan(quantity=None, investment=D(5_000), leverage=5, direction=direction), BTC, RICH, D(61_234))
        assert D(4_000) < found.needed <= 5_000
        more = a_plan(quantity=found.quantity + BTC.lot, leverage=5, direction=direction)
        assert worst_case(more, BTC, RICH, D(61_234)).needed > 5_000


@pytest.mark.parametrize("change, costs, reason", [
    ({"quantity": D("0.0009")}, RICH, "below the least order"),
    ({"quantity": D("0.001"), "lower": D(1_000)}, RICH, "below the least order"),
    ({}, Costs(capital=D(1_000)), "needs .* of margin and fees at leverage 1"), ({"quantity": D(100_000)}, RICH, "more than the engine"),
    ({"leverage": 21}, RICH, "leverage 21 is more than the 20"),
])
def test_a_grid_the_venue_would_refuse_is_not_started(change: dict[str, Any], costs: Costs, reason: str) -> None:
    tiered = Instrument("BTCUSDT", tiers=(Tier(D(10_000), D("0.004"), 50), Tier(D(10**9), D("0.01"), 20)))
    with pytest.raises(UnitError, match=reason):
        worst_case(a_plan(**change), tiered, costs, D(60_000))
