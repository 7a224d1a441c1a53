"""The reference itself, against sums done by hand (see by_hand for the fees): fills, readings, levels, ladders."""

from __future__ import annotations

from decimal import Decimal

from by_hand import FLAT, HOUR, LEAVE_LONG, LONG, SHORT, START, a_feed, a_plan, played, rows, shown, some_bars
from reference import run

from haechi.core.plan import Costs, Entry, Ladder, Target, Trailing


def test_a_trade_pays_taker_on_both_sides() -> None:
    # 10 × (1100 − 1000) = 1000; fees 10 × 1000 × 0.002 = 20 and 10 × 1100 × 0.002 = 22
    result = played(FLAT, (1000, 1100, 1000, 1100), (1100, 1100, 1100, 1100), signals={0: LONG, 1: LEAVE_LONG})
    assert shown(result) == rows(("signal", 10, "1000", "1100", "958"))
    assert result.rows[0].fee == 42 and result.rows[0].bars_held == 1
    assert result.equity == [100_000 * 10**8, 100_980 * 10**8, 100_958 * 10**8]  # bar 1: + 1000 − 20


def test_slippage_moves_a_whole_tick_against_us() -> None:
    # buy 1000 + ceil(1.23) = 1002, sell 1100 − ceil(1.353) = 1098; 960 − 20.04 − 21.96
    result = played(FLAT, (1000, 1100, 1000, 1100), (1100,) * 4, signals={0: LONG, 1: LEAVE_LONG}, slippage="0.00123")
    assert shown(result) == rows(("signal", 10, "1002", "1098", "918"))


def test_a_stop_fills_at_its_price_in_the_bar_and_at_the_open_when_gapped() -> None:
    # −500 − 20 − 19; gapped to 930: −700 − 20 − 18.6
    inside = played(FLAT, (1000, 1000, 940, 960), FLAT, stop_loss="0.05")
    gapped = played(FLAT, FLAT, (930, 990, 900, 990), stop_loss="0.05")
    assert shown(inside) == rows(("stop_loss", 10, "1000", "950", "-539"))
    assert shown(gapped) == rows(("stop_loss", 10, "1000", "930", "-738.6"))


def test_a_short_stop_is_above_and_rounds_towards_the_entry() -> None:
    # floor(1000 × 1.0505) = 1050: −500 − 20 − 21
    result = played(FLAT, (1000, 1060, 1000, 1060), FLAT, signals={0: SHORT}, stop_loss="0.0505")
    assert shown(result) == rows(("stop_loss", 10, "1000", "1050", "-541"))


def test_two_targets_share_the_position() -> None:
    # 30 % of 10 lots at 1020: 60 − 6 − 3.06; the rest at 1040: 280 − 14 − 7.28
    targets = (Target(Decimal("0.02"), Decimal("0.3")), Target(Decimal("0.04"), Decimal("0.7")))
    result = played(FLAT, (1000, 1050, 1000, 1050), FLAT, targets=targets)
    assert shown(result) == rows(("take_profit", 3, "1000", "1020", "50.94"), ("take_profit", 7, "1000", "1040", "258.72"))


def test_a_gapped_target_fills_at_the_better_open() -> None:
    # 10 × 60 − 20 − 10.6
    result = played(FLAT, FLAT, (1060, 1060, 1060, 1060), targets=(Target(Decimal("0.02")),))
    assert shown(result) == rows(("take_profit", 10, "1000", "1060", "569.4"))


def test_the_three_readings_of_a_bar_that_reaches_stop_and_target() -> None:
    # falling bar: path goes to the high first; stop 980: −200 − 20 − 19.6, target 1020: 200 − 20 − 10.2
    both = (FLAT, (1000, 1030, 970, 990), FLAT)
    plan = {"stop_loss": "0.02", "targets": (Target(Decimal("0.02")),)}
    stopped, taken = rows(("stop_loss", 10, "1000", "980", "-239.6")), rows(("take_profit", 10, "1000", "1020", "169.8"))
    assert shown(played(*both, reading="path", **plan)) == taken
    assert shown(played(*both, reading="adverse", **plan)) == stopped
    rising = (FLAT, (1000, 1030, 970, 1000), FLAT)  # close ≥ open: low first
    assert shown(played(*rising, reading="path", **plan)) == stopped
    assert shown(played(*rising, reading="benign", **plan)) == taken


def test_under_adverse_a_limit_needs_one_tick_through() -> None:
    touched, through = (1000, 1020, 1000, 1020), (1000, 1021, 1000, 1020)
    for bar, reading, filled in ((touched, "adverse", 0), (through, "adverse", 1), (touched, "path", 1), (touched, "benign", 1)):
        result = played(FLAT, bar, (1020,) * 4, reading=reading, targets=(Target(Decimal("0.02")),))
        assert [row.exit_reason for row in result.rows] == (["take_profit"] if filled else ["end_of_data"]), (bar, reading)
        assert result.rows[0].exit_price == 1020


def test_a_limit_entry_rests_for_its_bars() -> None:
    # floor(1000 × 0.9905) = 990, maker: 10 × 10 − 9.9 at the entry, 20 at the end of data
    late = (FLAT, (1000, 1005, 995, 1000), (1000, 1000, 985, 1000))
    entry = Entry("limit", Decimal("0.0095"), bars=2)
    assert shown(played(*late, entry=entry)) == rows(("end_of_data", 10, "990", "1000", "70.1"))
    assert shown(played(*late, entry=Entry("limit", Decimal("0.0095"), bars=1))) == []


def test_an_exit_signal_cancels_a_resting_entry() -> None:
    late = (FLAT, (1000, 1005, 995, 1000), (1000, 1000, 985, 1000))
    assert shown(played(*late, signals={0: LONG, 1: LEAVE_LONG}, entry=Entry("limit", Decimal("0.01"), bars=5))) == []


def test_a_limit_that_crosses_is_taker_and_a_post_only_is_refused() -> None:
    # arrives at 980 with limit 990: filled at 980, 19.6 taker; end of data at 980: 19.6
    below = (FLAT, (980, 980, 980, 980))
    result = played(*below, entry=Entry("limit", Decimal("0.01")))
    assert shown(result) == rows(("end_of_data", 10, "980", "980", "-39.2"))
    refused = played(*below, entry=Entry("post_only", Decimal("0.01")))
    assert shown(refused) == [] and refused.refusals == {"post_only": 1}


def test_a_stop_entry_fills_at_the_trigger_with_slippage() -> None:
    # trigger ceil(1000 × 1.01) = 1010, + ceil(1.01) = 1012; sold at 1020 − 2 = 1018: 60 − 20.24 − 20.36
    result = played(FLAT, (1000, 1020, 1000, 1020), slippage="0.001", entry=Entry("stop", Decimal("0.01")))
    assert shown(result) == rows(("end_of_data", 10, "1012", "1018", "19.4"))


def test_a_stop_limit_gapped_beyond_its_limit_rests_at_the_limit() -> None:
    # trigger 1010, limit ceil(1010 × 1.01) = 1021; opens at 1030, falls back to 1021: maker 10.21; 1025: 40 − 20.5
    entry = Entry("stop_limit", Decimal("0.01"), Decimal("0.01"))
    result = played(FLAT, (1030, 1030, 1015, 1025), entry=entry)
    assert shown(result) == rows(("end_of_data", 10, "1021", "1025", "9.29"))
    at_trigger = played(FLAT, (1000, 1025, 1000, 1025), slippage="0.001", entry=entry)  # no slippage at the trigger
    assert at_trigger.rows[0].entry_price == 1010 and at_trigger.rows[0].exit_price == 1023


def test_break_even_moves_the_stop_to_the_entry_and_two_fees() -> None:
    # reached at 1030 (3 %): stop ceil(1000 × 1.004) = 1004; then low 990: 40 − 20 − 20.08
    result = played(FLAT, (1000, 1030, 1010, 1010), (1010, 1010, 990, 990), stop_loss="0.05", break_even="0.03")
    assert shown(result) == rows(("stop_loss", 10, "1000", "1004", "-0.08"))


def test_a_trailing_stop_follows_the_best_price_of_the_walk() -> None:
    # rising bar: 1000 → 1000 → 1100 → 1090: extreme 1100, stop ceil(1100 × 0.98) = 1078; next bar low 1000: 780 − 20 − 21.56
    trailing = Trailing(Decimal("0.02"), Decimal("0.05"))
    result = played(FLAT, (1000, 1100, 1000, 1090), (1090, 1090, 1000, 1000), trailing=trailing)
    assert shown(result) == rows(("trailing_stop", 10, "1000", "1078", "738.44"))
    asleep = played(FLAT, (1000, 1049, 1000, 1040), (1040, 1040, 1000, 1000), trailing=trailing)
    assert [row.exit_reason for row in asleep.rows] == ["end_of_data"]


def test_a_ladder_averages_down_and_moves_the_target() -> None:
    # steps at 2 % (980, 10 × 1.5 = 15 lots) and 2 % + 4 % = 6 % (940, 30 lots). Bar 1 falls to 970: 15 lots at 980.
    # average 24700 / 25 = 988, target floor(988 × 1.01) = 997: 25 × 9 = 225, entry fees 20 + 14.7, exit 24.925
    ladder = Ladder(2, Decimal("0.02"), Decimal(2), Decimal("1.5"), Decimal(2))
    result = played(FLAT, (1000, 1000, 970, 970), (970, 1000, 970, 1000), ladder=ladder, targets=(Target(Decimal("0.01")),))
    assert shown(result) == rows(("take_profit", 25, "988", "997", "165.375"))


def test_a_gapped_ladder_fills_all_steps_at_the_open() -> None:
    # open 930: 15 and 30 lots at 930; average (10000 + 13950 + 27900) / 55 = 942.7272…; fees 20 + 13.95 + 27.9 + 102.3
    ladder = Ladder(2, Decimal("0.02"), Decimal(2), Decimal("1.5"), Decimal(2))
    result = played(FLAT, FLAT, (930, 930, 930, 930), ladder=ladder)
    assert shown(result) == rows(("end_of_data", 55, "942.72727273", "930", "-864.15"))


def test_partial_closings_release_floors_and_the_last_takes_the_rest() -> None:
    # 10 lots at 1000 and 7 (floor of 10 × 0.77) at 990: cost 16930. A third is floor(17 × 0.33) = 5 lots:
    # floor(16930 × 5 / 17) = 4979, the other 12 release 11951.  average 995.88…, target floor(995.88 × 1.02) = 1015
    ladder = Ladder(1, Decimal("0.01"), size=Decimal("0.77"))
    targets = (Target(Decimal("0.02"), Decimal("0.33")),)
    result = played(FLAT, (1000, 1000, 985, 990), (990, 1015, 990, 1015), ladder=ladder, targets=targets)
    # fees carried: 20 + 6.93 = 26.93, released floor(26.93 × 5 / 17) = 7.92058823
    # 5 × 1015 − 4979 = 96 − 7.92058823 − 5.075;   12 × 1015 − 11951 = 229 − 19.00941177 − 24.36
    assert [row.pnl for row in result.rows] == [Decimal("83.00441177"), Decimal("185.63058823")]
    assert [row.entry_price for row in result.rows] == [Decimal("995.88235294"), Decimal("995.91666667")]


def test_finer_bars_decide_what_came_first() -> None:
    # the hour falls (path: high first), but its first half hour fell to the stop before the second rose
    bars = some_bars(FLAT, (1000, 1030, 970, 990), FLAT)
    fine = some_bars((1000, 1000, 970, 975), (975, 1030, 975, 990), step=HOUR // 2, start=START + HOUR)
    plan = a_plan(stop_loss="0.02", targets=(Target(Decimal("0.02")),))
    result = run([a_feed(bars, {0: LONG}, detail=fine)], plan, Costs(Decimal(0), Decimal(100_000)), "path")
    assert shown(result) == rows(("stop_loss", 10, "1000", "980", "-239.6"))
    late = some_bars((1000, 1010, 990, 1000), (1000, 1030, 970, 990), step=HOUR // 2, start=START + HOUR)
    result = run([a_feed(bars, {0: LONG}, detail=late)], plan, Costs(Decimal(0), Decimal(100_000)), "path")
    assert result.rows[0].exit_reason == "take_profit" and result.rows[0].exit_time == START + HOUR + HOUR // 2


def test_what_is_open_after_the_last_bar_is_closed_like_a_market_order() -> None:
    result = played(FLAT, (1000, 1010, 1000, 1010), slippage="0.001")  # 1001 in, 1010 − 2 out: 70 − 20.02 − 20.16
    assert shown(result) == rows(("end_of_data", 10, "1001", "1008", "29.82"))
    assert result.rows[0].exit_time == START + 2 * HOUR and result.rows[0].bars_held == 1
    assert result.equity[-1] == 100_029_82000000
