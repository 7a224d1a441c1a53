"""A planted shift is found at every hour; where nothing can be told, nothing is said."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from haechi.markets.checks import report
from haechi.markets.files import read_bars
from haechi.markets.resample import resample
from haechi.markets.shift import Shift, compare
from haechi.markets.timeframes import HOUR, MINUTE

DAY = 24 * HOUR


def shift_of(new: pl.DataFrame, trusted: pl.DataFrame) -> Shift:
    found = report(new, source="new", trusted=trusted).shift
    assert found is not None
    return found


def moved(frame: pl.DataFrame, by: int) -> pl.DataFrame:
    return frame.with_columns(ts=pl.col("ts") + by)


HOURS = range(-12, 13)


@pytest.mark.parametrize("k", HOURS)
def test_a_planted_shift_is_found(k, make_bars):
    trusted = make_bars(1500, length=15 * MINUTE)
    found = shift_of(moved(trusted, k * HOUR), trusted)
    assert found.lag_ms == k * HOUR
    assert found.verdict == ("shifted" if k else "no_shift"), found.sentence
    assert (f"{k:+d} h" in found.sentence) == bool(k)


@pytest.mark.parametrize("k", HOURS)
def test_a_planted_shift_is_found_in_longer_and_in_shorter_bars(k, make_bars):
    trusted = make_bars(1500, length=15 * MINUTE)
    hours = resample(trusted, 15 * MINUTE, HOUR).frame
    assert shift_of(moved(hours, k * HOUR), trusted).lag_ms == k * HOUR
    assert shift_of(moved(trusted, k * HOUR), hours).lag_ms == k * HOUR


@pytest.mark.parametrize("k", [-12, -8, -1, 0, 1, 5, 9, 12])
def test_a_planted_shift_is_found_in_another_market_of_the_same_coin(k, make_bars):
    """Spot against perpetual: the same moves with noise of their own."""
    trusted = make_bars(1500, length=15 * MINUTE)
    noise = np.random.default_rng(9).normal(0, 0.0002, 1500)
    other = trusted.with_columns(close=trusted["close"] * (1 + noise), high=trusted["high"] * 1.01, low=trusted["low"] * 0.99)
    found = shift_of(moved(other, k * HOUR), trusted)
    assert found.lag_ms == k * HOUR and found.equal_closes is not None and found.equal_closes < 0.1


def test_a_stamp_at_the_close_is_found(make_bars):
    trusted = make_bars(2000)
    assert "+1 min" in shift_of(moved(trusted, MINUTE), trusted).sentence


def test_daylight_saving_shows_as_a_shift_that_changes(make_bars):
    trusted = make_bars(12_000, length=15 * MINUTE)
    change = int(trusted["ts"][6000])
    local = trusted.with_columns(ts=pl.when(pl.col("ts") < change).then(pl.col("ts") + HOUR).otherwise(pl.col("ts") + 2 * HOUR))
    found = shift_of(local, trusted)
    assert found.verdict == "varies" and "+1 h from" in found.sentence and "+2 h from" in found.sentence


UNTOLD = {
    "another market": lambda make: (make(2000, seed=2, length=15 * MINUTE), make(2000, seed=3, length=15 * MINUTE), "of one market?"),
    "hardly any bars": lambda make: (make(40), make(40), "at least 50 are needed"),
    "no time in common": lambda make: (make(500, start=0 + 1_600_000_020_000 // DAY * DAY), make(500), "at least 50"),
    "a price that stands still": lambda make: (make(500).with_columns(close=pl.lit(20_000.0)), make(500), "does not move"),
    "days": lambda make: (make(300, length=DAY), make(300, length=DAY), "too long"),
}


@pytest.mark.parametrize("case", UNTOLD.values(), ids=UNTOLD)
def test_nothing_is_said_where_nothing_can_be_told(case, make_bars):
    new, trusted, why = case(make_bars)
    found = shift_of(new, trusted)
    assert found.verdict == "cannot_tell" and why in found.sentence, found.sentence


def test_gaps_on_both_sides_do_no_harm(make_bars):
    trusted = make_bars(1500, length=15 * MINUTE)
    keep = np.random.default_rng(3).random((2, 1500)) < 0.9
    found = shift_of(moved(trusted.filter(pl.Series(keep[0])), 8 * HOUR), trusted.filter(pl.Series(keep[1])))
    assert found.lag_ms == 8 * HOUR


@pytest.mark.parametrize("k", [-12, -8, 0, 1, 8, 12])
def test_real_spot_bars_are_placed_against_the_perpetual(k, market_data):
    spot = read_bars(market_data / "BTCUSDT_spot_binance_1h_2017_2022.parquet").filter(pl.col("ts") >= 1_640_995_200_000)
    perpetual = read_bars(market_data / "BTCUSDT_perp_binance_1m_2022.parquet")
    found = compare((spot["ts"].to_numpy() + k * HOUR, spot["close"].to_numpy(), HOUR),
                    (perpetual["ts"].to_numpy(), perpetual["close"].to_numpy(), MINUTE))
    assert found.lag_ms == k * HOUR, found.sentence
