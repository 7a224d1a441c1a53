"""The reference's account, against sums done by hand: funding, margin, liquidation, sizes, pauses, several legs, statistics."""

from __future__ import annotations

from decimal import Decimal

from by_hand import FLAT, HOUR, LEAVE_LONG, LONG, SHORT, START, a_feed, a_plan, played, rows, shown, some_bars
from reference import run

from haechi.core.instrument import Tier
from haechi.core.plan import Costs, Protections, Size, Target

DAY = 24 * HOUR


def test_funding_is_charged_on_what_was_held_at_the_first_bar_at_or_after_the_stamp() -> None:
    # bar 1 opens the position: its own instant finds nothing. Bar 2: two instants on 10 × 1000: 10000 × 0.0001 and −10000 × 0.00025
    stamps = [(START - 60_000, 10**6), (START + HOUR, 10**6), (START + HOUR + 60_000, 10_000), (START + 2 * HOUR + 20_000, -25_000),
              (START + 2 * HOUR + 31_000, 10**6)]
    result = played(FLAT, FLAT, FLAT, feed={"funding": stamps})
    assert result.rows[0].funding == Decimal("-1.5")  # 1 paid, 2.5 received; the last stamp rounds into a minute after the last bar
    assert shown(result) == rows(("end_of_data", 10, "1000", "1000", "-38.5"))


def test_isolated_liquidation_loses_the_margin_and_the_entry_fee() -> None:
    # margin 1000: (10000 − 1000) / (10 × (1 − 0.01 − 0.002)) = 910.93 → 911
    result = played(FLAT, (1000, 1000, 912, 950), (950, 950, 911, 950), leverage=10)
    assert shown(result) == rows(("liquidation", 10, "1000", "911", "-1020"))
    assert result.equity[-1] == 98_980 * 10**8


def test_a_short_is_liquidated_above_rounded_down() -> None:
    # (10000 + 1000) / (10 × 1.012) = 1086.95 → 1086; gapped beyond: the liquidation price all the same
    result = played(FLAT, FLAT, (1200, 1200, 1200, 1200), signals={0: SHORT}, leverage=10)
    assert shown(result) == rows(("liquidation", 10, "1000", "1086", "-1020"))


def test_a_long_liquidation_price_falls_into_a_lower_tier() -> None:
    # upper row: 9000 / (10 × 0.948) = 949.4 → 950, worth 9500: not above the lower row's 9500; lower row: 911
    tiers = (Tier(Decimal(9500), Decimal("0.01"), 50), Tier(Decimal(50_000), Decimal("0.05"), 50))
    assert played(FLAT, (1000, 1000, 912, 950), leverage=10, tiers=tiers).rows[0].exit_reason == "end_of_data"
    assert played(FLAT, (1000, 1000, 911, 950), leverage=10, tiers=tiers).rows[0].exit_price == 911


def test_a_short_liquidation_price_between_two_tiers_is_the_first_tick_beyond_the_limit() -> None:
    # lower row: 1086 is worth 10860 > 10500; upper row: 11000 / (10 × 1.062) = 1035, worth 10350 ≤ 10500 → 1051
    tiers = (Tier(Decimal(10_500), Decimal("0.01"), 50), Tier(Decimal(50_000), Decimal("0.06"), 50))
    result = played(FLAT, (1000, 1060, 1000, 1060), leverage=10, tiers=tiers, signals={0: SHORT})
    assert result.rows[0].exit_price == 1051


def test_an_entry_is_refused_for_margin_leverage_or_size() -> None:
    assert played(FLAT, FLAT, capital=10_019).refusals == {"margin": 1}  # needs 10000 + 20
    assert played(FLAT, FLAT, capital=10_020).refusals == {}
    tiers = (Tier(Decimal(9_999), Decimal("0.01"), 50), Tier(Decimal(50_000), Decimal("0.02"), 5))
    assert played(FLAT, FLAT, leverage=6, tiers=tiers).refusals == {"leverage": 1}
    assert played(FLAT, FLAT, size=Size("fixed_quote", Decimal(999))).refusals == {"below_minimum": 1}
    assert played(FLAT, FLAT, size=Size("volatility_target", Decimal("0.01"))).refusals == {"no_volatility": 1}


def test_sizes_floor() -> None:
    # capital 100,000 at 1000: 0.25 × 3 → 75 lots; 1 % risk, stop 3 %: 1000 / 30 = 33.3; quote 12,999 → 12; atr 7.6 → 8: 1000 / 8 = 125
    atr = {"atr": [7.6, 7.6]}
    table = (
        (Size("equity_fraction", Decimal("0.25")), 75, {"leverage": 3}), (Size("fixed_quote", Decimal(12_999)), 12, {}),
        (Size("risk_fraction", Decimal("0.01")), 33, {"stop_loss": "0.03"}), (Size("fixed_quantity", Decimal("4.9")), 4, {}),
        (Size("volatility_target", Decimal("0.01")), 125, {"feed": atr, "leverage": 10}))
    for size, lots, more in table:
        assert played(FLAT, FLAT, size=size, **more).rows[0].quantity == lots, size


def test_cross_liquidation_takes_the_whole_wallet() -> None:
    # wallet 2000 − 20 = 1980: (10000 − 1980) / (10 × 0.988) = 811.7 → 812. Left: 1980 − 1880 = 100, lost too
    result = played(FLAT, (1000, 1000, 800, 900), leverage=10, capital=2000, margin="cross")
    assert shown(result) == rows(("liquidation", 10, "1000", "812", "-2000"))
    assert result.equity[-1] == 0 and result.figures.max_drawdown == 1.0


def test_a_cross_liquidation_closes_the_other_leg_at_its_mark() -> None:
    # both legs enter at 1000 and bar 1 closes at 1000: wallet 2000 − 40. The long at bar 2: M = 1960 − 120 (short's m + t on 10000) = 1840
    # (10000 − 1840) / 9.88 = 825.9 → 826: −1740; short at its mark 1000: 0; 1960 − 1740 = 220 lost as well
    result = played(FLAT, FLAT, (1000, 1000, 820, 900), signals={0: LONG | SHORT}, leverage=20, capital=2000, margin="cross", hedge=True)
    assert shown(result) == rows(("liquidation", 10, "1000", "1000", "-20"), ("liquidation", 10, "1000", "826", "-1980"))


def test_hedge_holds_both_sides_and_one_way_neither_when_both_are_signalled() -> None:
    both = {0: LONG | SHORT}
    assert [row.side for row in played(FLAT, FLAT, signals=both, hedge=True).rows] == ["long", "short"]
    assert played(FLAT, FLAT, signals=both).rows == []


def test_an_opposite_signal_closes_reverses_or_is_ignored() -> None:
    bars = (FLAT, FLAT, FLAT, FLAT)
    reasons = {how: [(row.side, row.exit_reason) for row in played(*bars, signals={0: LONG, 1: SHORT}, on_opposite=how).rows]
               for how in ("close", "reverse", "ignore")}
    assert reasons == {"close": [("long", "signal_reverse")], "ignore": [("long", "end_of_data")],
                       "reverse": [("long", "signal_reverse"), ("short", "end_of_data")]}


def test_a_time_stop_counts_the_entry_bar() -> None:
    result = played(FLAT, FLAT, FLAT, FLAT, FLAT, time_stop=2)  # entered in bar 1, wish at the close of bar 2, out at the open of bar 3
    assert [(row.exit_reason, row.bars_held) for row in result.rows] == [("time_stop", 2)]


def test_a_cool_down_ignores_signals_after_a_loss() -> None:
    # stopped in bar 1; signals of bars 1 and 2 are ignored, that of bar 3 enters in bar 4
    stopped = (1000, 1000, 940, 1000)
    result = played(FLAT, stopped, FLAT, FLAT, FLAT, signals={0: 1, 1: 1, 2: 1, 3: 1}, stop_loss="0.05", cool_down=2)
    assert [row.entry_time for row in result.rows] == [START + HOUR, START + 4 * HOUR]


def test_a_daily_loss_pauses_to_the_next_day_and_flattens() -> None:
    # day start 100,000; 1 % is 1000: bar 1 closes at 900: −1000 − 20 → out at the open of bar 2. Bars of 12 hours.
    bars = some_bars(FLAT, (1000, 1000, 900, 900), (900, 900, 900, 900), (900,) * 4, (900,) * 4, step=12 * HOUR)
    rules = Protections(daily_loss=Decimal("0.01"), daily_loss_flatten=True)
    result = run([a_feed(bars, {0: LONG, 1: LONG, 2: LONG})], a_plan(protections=rules), Costs(Decimal(0), Decimal(100_000)), "path")
    assert [(row.exit_reason, row.exit_time - START) for row in result.rows] == [("protection", DAY), ("end_of_data", DAY * 5 // 2)]
    assert result.rows[1].entry_time == START + 36 * HOUR  # the signal of bar 2, the first of the new day


def test_a_drawdown_pauses_its_bars_and_starts_a_new_peak() -> None:
    # −539 in bar 1 is over 0.5 % of 100,000: bars 1 and 2 are paused; bar 3 starts anew and its signal enters in bar 4
    rules = Protections(drawdown=Decimal("0.005"), drawdown_bars=2)
    stopped = (1000, 1000, 940, 1000)
    result = played(FLAT, stopped, FLAT, FLAT, FLAT, FLAT, signals={0: 1, 1: 1, 2: 1, 3: 1}, stop_loss="0.05", protections=rules)
    assert [row.entry_time for row in result.rows] == [START + HOUR, START + 4 * HOUR]


def test_a_losing_streak_pauses_after_its_count() -> None:
    rules = Protections(losing_streak=2, losing_streak_bars=2)
    stopped = (1000, 1000, 940, 1000)
    signals = dict.fromkeys(range(6), LONG)
    result = played(FLAT, stopped, stopped, FLAT, FLAT, FLAT, signals=signals, stop_loss="0.05", protections=rules)
    assert [row.entry_time - START for row in result.rows] == [HOUR, 2 * HOUR, 5 * HOUR]  # paused: bars 2 and 3; bar 4 enters in bar 5


def test_two_symbols_share_the_wallet() -> None:
    # the second one's 10,020 is no longer available after the first one's margin and fee
    feeds = [a_feed(some_bars(FLAT, FLAT), {0: LONG}, symbol=name) for name in ("XUSDT", "YUSDT")]
    result = run(feeds, a_plan(), Costs(Decimal(0), Decimal(20_039)), "path")
    assert [row.symbol for row in result.rows] == ["XUSDT"] and result.refusals == {"margin": 1}
    assert len(run(feeds, a_plan(), Costs(Decimal(0), Decimal(20_040)), "path").rows) == 2


def test_statistics_come_from_rows_and_days() -> None:
    # + 958 on the first day (bars 0, 1 of 12 hours), nothing on the second
    bars = some_bars(FLAT, (1000, 1100, 1000, 1100), (1100,) * 4, (1100,) * 4, step=12 * HOUR)
    result = run([a_feed(bars, {0: LONG})], a_plan(targets=(Target(Decimal("0.1")),)), Costs(Decimal(0), Decimal(100_000)), "path")
    figures = result.figures  # 1000 − 20 − 11 = 969
    assert (figures.trades, figures.wins, figures.gross_profit, figures.gross_loss, figures.fees) == (1, 1, 969 * 10**8, 0, 31 * 10**8)
    assert (figures.samples, figures.bars, figures.peak, figures.max_drawdown) == (2, 4, 100_969 * 10**8, 0.0)
    assert abs(figures.return_sum - 0.00969) < 1e-12 and figures.bars_in_position == 0


def test_drawdown_is_measured_from_the_highest_close() -> None:
    # bar 1 closes at +1000 − 20 = 100,980; the exit at 900: 100,000 − 1000 − 20 − 18 = 98,962
    result = played(FLAT, (1000, 1100, 1000, 1100), (900,) * 4, signals={0: LONG, 1: LEAVE_LONG})
    assert result.figures.peak == 100_980 * 10**8
    assert abs(result.figures.max_drawdown - (1 - 98_962 / 100_980)) < 1e-15
