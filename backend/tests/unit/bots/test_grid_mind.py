"""The mind of a grid: pieces of fills, fills before their turn, stops that rest, ends, recovery, edits, text and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.bots.unfit import Unfit
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.plan import Costs
from haechi.core.units import UnitError, text
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price

D = Decimal
ONE = Instrument("TEST", tick=D(1), lot=D(1), min_value=D(0), maker=D(0), taker=D(0))
PLAN = {"lower": D(100), "upper": D(140), "cells": 4, "quantity": D(10), "leverage": 10}


def a_mind(**changed: Any) -> GridMind:
    """Lines 100, 110, 120, 130, 140 of ten lots; the first price heard is 121."""
    mind = GridMind(GridSpec(GridPlan(**(PLAN | changed)), ONE, Costs(capital=D(100_000)), 60_000))
    mind.heard(Price("TEST", D(121), 1))
    return mind


def fill(mind: GridMind, role: str, side: str, price: int, lots: int = 10, market: int | None = None) -> list[Wanted]:
    number = mind.memory.fills
    return mind.heard(Fill(f"t{number}", f"c{number}", "TEST", side, D(lots), D(price), D(0), D(0), True, D(market or price), 2), role)


def lines(mind: GridMind) -> dict[str, tuple[int, int, int]]:
    return {role: (one.side, one.price, one.lots) for role, one in mind.resting().items() if role.startswith("line")}


def close(mind: GridMind, price: int) -> list[Wanted]:
    return mind.heard(Bar("TEST", 60_000, 0, *(D(price) for _ in range(4)), 1.0))


def test_lines_rest_on_both_sides_nearest_first() -> None:
    assert list(lines(a_mind())) == ["line1", "line3", "line0", "line4"]


def test_a_line_filled_in_pieces_stays_wanted_with_what_is_left() -> None:
    mind = a_mind()
    fill(mind, "line1", "buy", 110, lots=3)
    assert (lines(mind)["line1"], mind.position, mind.memory.held.state.empty) == ((1, 110, 7), 3, 2)
    fill(mind, "line3", "sell", 130)
    assert lines(mind)["line1"] == (1, 110, 7) and lines(mind)["line2"] == (1, 120, 10) and mind.position == -7
    fill(mind, "line2", "buy", 120)
    fill(mind, "line1", "buy", 110, lots=7)
    assert (mind.memory.held.state.empty, mind.memory.held.parts, mind.position) == (1, {}, 10)
    assert lines(mind)["line2"] == (-1, 120, 10)


def test_a_line_that_fills_before_its_turn_waits_for_the_one_before() -> None:
    mind = a_mind()
    fill(mind, "line0", "buy", 100)
    assert (mind.memory.held.state.empty, mind.position, "line0" in lines(mind), "line1" in lines(mind)) == (2, 10, False, True)
    fill(mind, "line1", "buy", 110)
    assert (mind.memory.held.state.empty, mind.position) == (0, 20)


def test_the_stop_of_what_is_held_rests_over_the_whole_position_on_the_right_side() -> None:
    mind = a_mind(stop_lower=D(95), stop_upper=D(150))
    assert "stop" not in mind.resting() and mind.protected and mind.watched == (95, 150)
    fill(mind, "line1", "buy", 110, lots=4)
    assert mind.resting()["stop"] == Wanted("stop", -1, 4, "stop", trigger=95, reduce_only=True)
    assert next(iter(mind.resting())) == "stop" and mind.watched == (150,)
    fill(mind, "line1", "buy", 110, lots=6)
    fill(mind, "line2", "sell", 120)
    fill(mind, "line3", "sell", 130)
    assert mind.resting()["stop"] == Wanted("stop", 1, 10, "stop", trigger=150, reduce_only=True)


def test_a_stop_that_fills_ends_the_grid_and_its_lines_go() -> None:
    mind = a_mind(stop_lower=D(95))
    fill(mind, "line1", "buy", 110)
    fill(mind, "stop", "sell", 95, lots=4)
    assert mind.ended_by == "stop" and list(mind.resting()) == ["stop"] and mind.resting()["stop"].lots == 6 and not mind.finished
    fill(mind, "stop", "sell", 95, lots=6)
    assert mind.finished and mind.resting() == {} and text(mind.wallet) == "99850.00000000"


def test_with_nothing_held_the_price_itself_ends_it() -> None:
    mind = a_mind(stop_lower=D(105))
    assert "line0" not in lines(mind), "beyond a stop no line rests"
    mind.heard(Price("TEST", D(105), 3))
    assert mind.ended_by == "stop" and mind.finished and mind.resting() == {}


def test_a_stop_the_exchange_does_not_carry_out_becomes_an_exit_at_the_close() -> None:
    mind = a_mind(stop_lower=D(95))
    fill(mind, "line1", "buy", 110)
    assert mind.heard(Price("TEST", D(94), 3)) == [] and mind.ended_by == "stop"
    exit_ = Wanted("exit", -1, 10, "market", reduce_only=True)
    assert close(mind, 94) == [exit_]
    assert close(mind, 93) == [], "it is on its way"
    fill(mind, "exit", "sell", 93)
    assert mind.finished


@pytest.mark.parametrize(("close_at", "ends"), [(119, False), (120, True)])
def test_the_goal_is_judged_at_the_close(close_at: int, ends: bool) -> None:
    mind = a_mind(take_profit=D(100), direction="neutral")
    fill(mind, "line1", "buy", 110)
    mind.heard(Price("TEST", D(125), 3))
    wished = close(mind, close_at)
    assert (mind.ended_by, bool(wished)) == ("take_profit" if ends else "", ends)
    assert not ends or wished[0].reduce_only


def test_what_fills_after_the_end_is_closed_too() -> None:
    mind = a_mind(take_profit=D(50))
    fill(mind, "line1", "buy", 110)
    assert [wish.lots for wish in close(mind, 119)] == [10]
    assert fill(mind, "line0", "buy", 100) == [], "an exit is on its way"
    assert [wish.lots for wish in fill(mind, "exit", "sell", 119, lots=10)] == [10]


def test_it_waits_for_its_trigger_from_either_side() -> None:
    for first, then in ((150, 131), (110, 129)):
        mind = GridMind(GridSpec(GridPlan(**PLAN, trigger=D(130), direction="long"), ONE, Costs(capital=D(100_000)), 60_000))
        assert mind.heard(Price("TEST", D(first), 1)) == [] and mind.heard(Price("TEST", D(then), 2)) == []
        assert mind.resting() == {} and mind.watched == (130,)
        assert mind.heard(Price("TEST", D(130), 3)) == [Wanted("start", 1, 10, "market")]


def test_the_range_follows_the_price_but_not_past_a_line_in_pieces() -> None:
    mind = a_mind(direction="short", trail_up=3)
    fill(mind, "start", "sell", 121, lots=20)
    fill(mind, "line0", "buy", 100, lots=4)
    for line in (3, 4):
        fill(mind, f"line{line}", "sell", 100 + 10 * line)
    assert mind.position == -36
    mind.heard(Price("TEST", D(155), 5))
    assert mind.memory.held.state.bottom == 0, "line 0 would leave with four lots bought"
    free = a_mind(direction="short", trail_up=3)
    fill(free, "start", "sell", 121, lots=20)
    for line in (3, 4):
        fill(free, f"line{line}", "sell", 100 + 10 * line)
    free.heard(Price("TEST", D(155), 5))
    assert (free.memory.held.state.bottom, free.position, min(lines(free).values(), key=lambda one: one[1])[1]) == (1, -40, 110)


def test_a_position_of_a_line_is_recovered_and_one_of_none_is_refused_with_numbers() -> None:
    mind = a_mind()
    mind.recover(20)
    assert (mind.memory.held.state.empty, mind.position, mind.memory.corrections) == (0, 20, 1)
    mind.recover(20)
    assert mind.memory.corrections == 1
    with pytest.raises(UnitError, match="a position of 15 lots is none of this grid's: 10 lots a line, -20 to 20"):
        mind.recover(15)


@pytest.mark.parametrize(("role", "side", "lots"), [("line3", "buy", 10), ("line2", "buy", 10), ("line1", "buy", 11), ("line9", "buy", 10)])
def test_a_fill_no_order_can_have_made_is_refused(role: str, side: str, lots: int) -> None:
    with pytest.raises(UnitError, match="does not follow from the empty line 2"):
        fill(a_mind(), role, side, 110, lots=lots)


def test_a_line_refused_for_now_is_asked_for_again_at_the_next_close_and_margin_ends_the_bot() -> None:
    mind = a_mind()
    mind.refused("line1", "orders_minute")
    assert "line1" not in lines(mind)
    close(mind, 121)
    assert "line1" in lines(mind)
    with pytest.raises(UnitError, match="refused line1 of the grid: margin"):
        mind.refused("line1", "margin")


def test_an_edit_keeps_the_position_and_gives_the_lines_new_names() -> None:
    mind = a_mind(direction="long")
    fill(mind, "start", "buy", 121, lots=20)
    new = mind.edited(GridPlan(**(PLAN | {"direction": "long", "upper": D(160), "cells": 6})))
    assert (new.position, new.memory.held.state.empty, mind.memory.held.state.empty) == (20, 4, 2)
    assert all(int(role.removeprefix("line")) >= 10_000 for role in lines(new)) and len(lines(new)) == 6
    kept = mind.edited(GridPlan(**PLAN, direction="long", stop_lower=D(90)))
    assert lines(kept) == lines(mind) and kept.resting()["stop"].trigger == 90


@pytest.mark.parametrize(("changed", "said"), [
    ({"quantity": D(7)}, "a position of 20 lots does not fit the new grid: 7 lots a line on 4 cells"),
    ({"cells": 2, "quantity": D(5)}, "5 lots a line on 2 cells"), ({"leverage": 5}, "leverage 10 cannot become 5"),
    ({"stop_lower": D(121)}, "the price 121 is at or beyond the new stops"), ({"cells": 41}, "finer than the tick")])
def test_what_a_running_grid_cannot_become_is_refused_and_changes_nothing(changed: dict[str, Any], said: str) -> None:
    mind = a_mind(direction="long")
    fill(mind, "start", "buy", 121, lots=20)
    before = mind.snapshot()
    with pytest.raises(UnitError, match=said):
        mind.edited(GridPlan(**(PLAN | {"direction": "long"} | changed)))
    assert mind.snapshot() == before


def test_an_order_of_before_an_edit_that_fills_late_is_found_from_the_position() -> None:
    mind = a_mind().edited(GridPlan(**(PLAN | {"lower": D(90)})))
    fill(mind, "line1", "buy", 110)
    assert (mind.position, mind.memory.held.state.anchor - mind.memory.held.state.empty) == (10, 1)


@pytest.mark.parametrize(("side", "price"), [("buy", 110), ("sell", 130)])
def test_a_piece_of_an_order_of_before_an_edit_is_closed_at_the_bars_end_under_the_stop(side: str, price: int) -> None:
    stops = {"stop_lower": D(50), "stop_upper": D(200)}
    mind = a_mind(**stops).edited(GridPlan(**(PLAN | stops | {"quantity": D(11)})))
    before, way = lines(mind), (1 if side == "buy" else -1)
    fill(mind, "line1" if way > 0 else "line3", side, price, lots=4)
    assert (mind.position, lines(mind), mind.resting()["stop"].lots) == (4 * way, before, 4)
    assert close(mind, 121) == [Wanted("odd", -way, 4, "market", reduce_only=True)]
    fill(mind, "odd", "sell" if way > 0 else "buy", price, lots=4)
    assert (mind.position, lines(mind), close(mind, 121)) == (0, before, [])


def test_a_piece_whose_rest_comes_is_a_line() -> None:
    mind = a_mind().edited(GridPlan(**(PLAN | {"lower": D(90)})))
    fill(mind, "line1", "buy", 110, lots=4)
    fill(mind, "line1", "buy", 110, lots=6)
    assert (mind.position, mind.memory.held.state.anchor - mind.memory.held.state.empty, close(mind, 121)) == (10, 1, [])


def test_what_others_left_of_a_line_is_closed_and_what_cannot_be_is_asked_for_once() -> None:
    mind = a_mind(direction="long")
    fill(mind, "start", "buy", 121, lots=20)
    fill(mind, "", "sell", 121, lots=4)
    odd = Wanted("odd", -1, 6, "market", reduce_only=True)
    assert (mind.position, close(mind, 121)) == (16, [odd])
    mind.refused("odd", "maintenance")
    assert close(mind, 121) == [odd]
    mind.refused("odd", "below_minimum")
    assert close(mind, 121) == []
    fill(mind, "", "sell", 121, lots=3)
    assert [wish.lots for wish in close(mind, 121)] == [3]
    fill(mind, "odd", "sell", 121, lots=3)
    assert (mind.position, mind.memory.held.state.anchor - mind.memory.held.state.empty) == (10, 1)


def test_a_line_that_was_wanted_before_the_position_said_where_the_grid_stands_may_still_fill() -> None:
    mind = a_mind().edited(GridPlan(**(PLAN | {"lower": D(90)})))
    there = next(role for role, (side, _, _) in lines(mind).items() if side > 0)
    fill(mind, "line1", "buy", 110)
    fill(mind, there, "buy", 110)
    assert (mind.position, mind.memory.held.state.anchor - mind.memory.held.state.empty) == (20, 2)


def test_an_odd_lot_that_lines_have_passed_is_closed_the_way_that_reduces() -> None:
    mind = a_mind().edited(GridPlan(**(PLAN | {"lower": D(90)})))
    fill(mind, "line1", "buy", 110, lots=4)
    there = next(role for role, (side, _, _) in lines(mind).items() if side < 0)
    fill(mind, there, "sell", 130)
    assert mind.position == -6 and close(mind, 121) == [Wanted("odd", 1, 6, "market", reduce_only=True)]


def test_it_goes_to_text_and_back_and_a_plan_changed_since_is_an_edit() -> None:
    mind = a_mind(stop_lower=D(95))
    fill(mind, "line1", "buy", 110, lots=3)
    mind.heard(Paid("p", "TEST", D("1.5"), 3))
    again = GridMind.restored(mind.spec, mind.snapshot())
    assert again.snapshot() == mind.snapshot() and again.resting() == mind.resting() and again.ladder == mind.ladder
    plan = msgspec.structs.replace(mind.spec.grid, stop_lower=D(97))
    changed = GridMind.restored(msgspec.structs.replace(mind.spec, grid=plan), mind.snapshot())
    assert changed.resting()["stop"].trigger == 97 and changed.position == 3


def test_a_liquidation_ends_it() -> None:
    mind = a_mind()
    fill(mind, "line1", "buy", 110)
    mind.heard(Liquidated("l", "TEST", "sell", D(10), D(50), D(99_000), 3))
    assert (mind.ended_by, mind.finished, mind.resting(), text(mind.wallet)) == ("liquidation", True, {}, "1000.00000000")


@pytest.mark.parametrize(("direction", "side", "money"), [("long", "sell", "99164.00000000"), ("short", "buy", "99236.00000000")])
def test_a_liquidation_of_a_part_ends_it_and_what_is_left_leaves_under_its_stop(direction: str, side: str, money: str) -> None:
    mind = a_mind(direction=direction, stop_lower=D(95), stop_upper=D(150))
    opens, way = ("buy", 1) if direction == "long" else ("sell", -1)
    fill(mind, "start", opens, 121, lots=20)
    wished = mind.heard(Liquidated("l", "TEST", side, D(8), D(50), D(800), 3))
    assert wished == [Wanted("exit", -way, 12, "market", reduce_only=True)]
    assert (mind.ended_by, mind.finished, mind.position, mind.resting()["stop"].lots) == ("liquidation", False, 12 * way, 12)
    assert list(mind.resting()) == ["stop"]
    fill(mind, "exit", side, 118, lots=12)
    assert mind.finished and (text(mind.wallet), mind.memory.cost) == (money, 0)


def test_a_start_is_named_once_and_everything_else_each_time() -> None:
    mind = a_mind()
    start, line = Wanted("start", 1, 1, "market"), Wanted("line1", 1, 1, "limit", price=1)
    assert [mind.wish_key(one) for one in (start, start, line, line)] == ["start@1", "start@1", "line1#1", "line1#2"]


def test_a_plan_without_the_money_for_it_is_no_fault_of_ours_and_says_its_numbers() -> None:
    mind = GridMind(GridSpec(GridPlan(**PLAN), ONE, Costs(capital=D(100)), 60_000))
    with pytest.raises(Unfit, match="the grid needs .* but the capital is 100"):
        mind.heard(Price("TEST", D(121), 1))
    with pytest.raises(Unfit, match="refused line1 of the grid: margin"):
        a_mind().refused("line1", "margin")
