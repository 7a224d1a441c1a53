"""Orders that fill in pieces: what is left rests, levels follow each piece, and no fill turns a position round that it should close."""

from __future__ import annotations

from decimal import Decimal

import pytest

from haechi.core import layout as at
from haechi.core.instrument import Instrument
from haechi.core.live import LiveEngine, Wanted
from haechi.core.plan import Costs, Entry, Ladder, Plan, Size, Target

ONE = Instrument("TEST", tick=Decimal(1), lot=Decimal(1), min_value=Decimal(0))
ENTER_LONG, ENTER_SHORT, EXIT_LONG = 1, 2, 4
TEN = Size("fixed_quantity", Decimal(10))
MINUTE = 60_000


def engine_of(**plan: object) -> LiveEngine:
    return LiveEngine(ONE, Plan(**{"size": TEN, "stop_loss": Decimal("0.1"), **plan}), Costs())


def bar(engine: LiveEngine, bits: int = 0, close: int = 100) -> list[Wanted]:
    return engine.closed(engine.bars * MINUTE, close, bits, 0)


def fill(engine: LiveEngine, role: str, side: int, lots: int, price: int = 100, fee: int = 0) -> int:
    return engine.filled(role, side, lots, price, fee, engine.bars * MINUTE, price)


def long_of(engine: LiveEngine, lots: int = 10) -> LiveEngine:
    bar(engine, ENTER_LONG)
    fill(engine, "entry", 1, lots)
    assert engine.position == lots
    return engine


def test_a_resting_entry_rests_with_what_is_left() -> None:
    engine = engine_of(entry=Entry("limit", bars=5))
    assert [one.lots for one in bar(engine, ENTER_LONG)] == [10]
    fill(engine, "entry", 1, 4)
    assert (engine.resting()["entry"].lots, engine.resting()["stop"].lots) == (6, 4)
    fill(engine, "entry", 1, 6)
    assert "entry" not in engine.resting()
    assert (engine.position, engine.resting()["stop"].lots) == (10, 10)


def test_levels_follow_the_average_of_the_pieces() -> None:
    engine = engine_of(entry=Entry("limit", bars=5), targets=(Target(Decimal("0.1")),))
    bar(engine, ENTER_LONG)
    fill(engine, "entry", 1, 5, 100)
    assert (engine.resting()["stop"].trigger, engine.resting()["target1"].price, engine.resting()["target1"].lots) == (90, 110, 5)
    fill(engine, "entry", 1, 5, 80)
    assert (engine.resting()["stop"].trigger, engine.resting()["target1"].price, engine.resting()["target1"].lots) == (81, 99, 10)


def test_later_pieces_of_a_market_entry_are_still_its_entry() -> None:
    engine = engine_of()
    bar(engine, ENTER_LONG)
    for lots in (3, 3, 4):
        assert fill(engine, "entry", 1, lots) == 0
    assert (engine.position, engine.machine.state[1, at.FIRST_LOTS], engine.machine.state[1, at.ENTRY_KIND]) == (10, 10, 0)


def test_a_ladder_hangs_on_the_whole_entry_not_on_its_first_piece() -> None:
    whole = engine_of(ladder=Ladder(3, Decimal("0.05")))
    long_of(whole)
    pieces = engine_of(ladder=Ladder(3, Decimal("0.05")))
    bar(pieces, ENTER_LONG)
    for lots in (1, 2, 7):
        fill(pieces, "entry", 1, lots)
    assert pieces.resting() == whole.resting()
    assert pieces.resting()["step1"].lots == 10


def test_a_first_piece_too_small_for_a_step_does_not_end_the_ladder() -> None:
    one = Instrument("TEST", tick=Decimal(1), lot=Decimal(1), min_value=Decimal(500))
    engine = LiveEngine(one, Plan(size=TEN, ladder=Ladder(1, Decimal("0.05"))), Costs())
    bar(engine, ENTER_LONG)
    fill(engine, "entry", 1, 1)
    assert "step1" not in engine.resting()
    fill(engine, "entry", 1, 9)
    assert engine.resting()["step1"].lots == 10


def test_a_step_in_pieces_is_one_step() -> None:
    engine = long_of(engine_of(ladder=Ladder(2, Decimal("0.05"))))
    fill(engine, "step1", 1, 4, 95)
    assert (engine.resting()["step1"].lots, engine.resting()["step1"].price) == (6, 95)
    fill(engine, "step1", 1, 6, 95)
    assert "step1" not in engine.resting()
    assert engine.resting()["step2"].price == 90


def test_a_target_in_pieces_rests_with_what_is_left_and_then_no_more() -> None:
    engine = long_of(engine_of(targets=(Target(Decimal("0.1"), Decimal("0.5")), Target(Decimal("0.2"), Decimal("0.5")))))
    fill(engine, "target1", -1, 2, 110)
    assert (engine.resting()["target1"].lots, engine.resting()["target2"].lots, engine.resting()["stop"].lots) == (3, 5, 8)
    fill(engine, "target1", -1, 3, 110)
    assert "target1" not in engine.resting()
    assert engine.resting()["stop"].lots == 5


def test_an_exit_goes_on_until_nothing_is_held_over_bars_and_refusals() -> None:
    engine = long_of(engine_of())
    assert [(one.role, one.lots) for one in bar(engine, EXIT_LONG)] == [("exit", 10)]
    fill(engine, "exit", -1, 6)
    assert [(one.role, one.lots) for one in bar(engine)] == [("exit", 4)]
    engine.refused("exit", "unknown")
    assert [(one.role, one.lots) for one in bar(engine)] == [("exit", 4)]
    fill(engine, "exit", -1, 4)
    assert bar(engine) == []
    assert [at.REASONS[row[at.T_REASON]] for row in engine.outcome(None, 0).table] == ["signal", "signal"]


def test_a_stop_in_pieces_keeps_what_is_left_protected() -> None:
    engine = long_of(engine_of())
    fill(engine, "stop", -1, 7, 90)
    assert (engine.resting()["stop"].lots, engine.resting()["stop"].trigger) == (3, 90)
    fill(engine, "stop", -1, 3, 90)
    assert engine.resting() == {}
    assert {at.REASONS[row[at.T_REASON]] for row in engine.outcome(None, 0).table} == {"stop_loss"}


def test_the_rest_of_an_entry_goes_with_its_position() -> None:
    engine = engine_of(entry=Entry("limit", bars=50))
    bar(engine, ENTER_LONG)
    fill(engine, "entry", 1, 4)
    fill(engine, "stop", -1, 4, 90)
    assert engine.resting() == {}


def test_the_rest_of_an_entry_yields_to_the_other_side() -> None:
    engine = engine_of(entry=Entry("limit", bars=50), on_opposite="reverse")
    bar(engine, ENTER_LONG)
    fill(engine, "entry", 1, 4)
    wishes = bar(engine, ENTER_SHORT)
    assert [(one.role, one.side, one.lots) for one in wishes] == [("exit", -1, 4), ("entry", -1, 10)]
    fill(engine, "exit", -1, 4)
    assert (engine.resting()["entry"].side, engine.resting()["entry"].lots) == (-1, 10)


def test_a_reversing_entry_that_is_faster_than_the_exit_closes_first() -> None:
    engine = long_of(engine_of(on_opposite="reverse"))
    bar(engine, ENTER_SHORT)
    fill(engine, "exit", -1, 6)
    assert fill(engine, "entry", -1, 10) == 0
    assert engine.position == -6
    assert engine.machine.state[1, at.COST] == -600
    assert [at.REASONS[row[at.T_REASON]] for row in engine.outcome(None, 0).table] == ["signal_reverse", "signal_reverse"]


@pytest.mark.parametrize("role", ["exit", "stop", "target1", "manual", ""])
def test_a_fill_larger_than_the_position_does_not_turn_it_round(role: str) -> None:
    engine = long_of(engine_of(targets=(Target(Decimal("0.1")),)))
    assert fill(engine, role, -1, 13, 110, fee=130) == 3
    assert (engine.position, engine.excess) == (0, -3)
    assert engine.resting() == {}
    assert fill(engine, "repair", 1, 3, 100, fee=30) == 0
    assert (engine.position, engine.excess) == (0, 0)
    assert engine.wallet == Costs().capital * 10**8 + (10 * 10 + 3 * 10) * ONE.unit - 160
    assert engine.machine.state[0, at.FEES] == 160


def test_a_reducing_fill_without_a_position_is_all_excess() -> None:
    engine = engine_of()
    assert fill(engine, "stop", -1, 5) == 5
    assert (engine.position, engine.excess) == (0, -5)
    assert fill(engine, "exit", 1, 2) == 2
    assert (engine.position, engine.excess) == (0, -3)


def test_an_entry_that_is_told_after_its_own_exit_opens_nothing() -> None:
    engine = engine_of()
    bar(engine, ENTER_LONG)
    assert fill(engine, "stop", -1, 10, 90, fee=90) == 10
    assert fill(engine, "entry", 1, 10, 100, fee=100) == 0
    assert (engine.position, engine.excess, engine.resting()) == (0, 0, {})
    assert engine.wallet == Costs().capital * 10**8 - 10 * 10 * ONE.unit - 190


@pytest.mark.parametrize("role", ["", "manual", "repair"])
def test_what_a_hand_adds_is_held_and_protected(role: str) -> None:
    engine = long_of(engine_of())
    assert fill(engine, role, 1, 5) == 0
    assert (engine.position, engine.resting()["stop"].lots) == (15, 15)
    assert fill(engine, role, -1, 5) == 0
    assert (engine.position, engine.resting()["stop"].lots) == (10, 10)
    assert at.REASONS[engine.outcome(None, 0).table[0][at.T_REASON]] == "manual"


def test_a_liquidation_of_a_part_takes_the_loss_the_exchange_says() -> None:
    engine = long_of(engine_of(leverage=5))
    before = engine.wallet
    engine.liquidated(0, 4, 81, 90 * ONE.unit)
    assert (engine.position, engine.resting()["stop"].lots, before - engine.wallet) == (6, 6, 90 * ONE.unit)
    assert engine.machine.state[0, at.LIQUIDATIONS] == 1
    engine.liquidated(0, 6, 81, 1)
    assert engine.position == 0
    assert engine.machine.state[0, at.LIQUIDATIONS] == 2
    engine.liquidated(0)
    assert engine.machine.state[0, at.LIQUIDATIONS] == 2


def test_trades_are_counted_all_and_the_last_thousand_remembered() -> None:
    engine = engine_of()
    for k in range(1_100):
        fill(engine, "manual", 1, 1, 100)
        fill(engine, "manual", -1, 1, 101 if k else 300)
    assert (engine.machine.state[0, at.TRADES], engine.machine.state[0, at.WINS]) == (1_100, 1_100)
    table = engine.outcome(None, 0).table
    assert table.shape == (1_000, at.TRADE)
    assert {row[at.T_EXIT_PRICE] for row in table} == {101}


@pytest.mark.parametrize(("bits", "said"), [(ENTER_LONG, "in_position"), (ENTER_LONG | ENTER_SHORT, "both_sides"), (0, "")])
def test_what_stood_against_an_entry_is_named(bits: int, said: str) -> None:
    engine = long_of(engine_of())
    bar(engine, bits)
    assert engine.against == said


def test_a_cool_down_and_a_minimum_are_named_too() -> None:
    engine = long_of(engine_of(cool_down=5))
    bar(engine)
    fill(engine, "stop", -1, 10, 90)
    bar(engine, ENTER_LONG)
    assert engine.against == "cool_down"
    small = engine_of(size=Size("fixed_quote", Decimal(1)), stop_loss=None)
    bar(small, ENTER_LONG)
    assert small.against == "below_minimum"
