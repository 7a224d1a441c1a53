"""The report finds what is planted, and in real files what their list of oddities says."""

from __future__ import annotations

import msgspec
import polars as pl
import pytest

from haechi.errors import BadInput
from haechi.markets.checks import lines, report
from haechi.markets.files import read_frame

MINUTE = 60_000


def changed(frame: pl.DataFrame, row: int, **values: float) -> pl.DataFrame:
    cells = {name: [value if place == row else old for place, old in enumerate(frame[name].to_list())] for name, value in values.items()}
    return frame.with_columns(**{name: pl.Series(column) for name, column in cells.items()})


FAULTS = {
    "high below low": ({"high": 1.0}, {"high_low": 1}),
    "NaN": ({"close": float("nan")}, {"not_finite": 1}),
    "infinite volume": ({"volume": float("inf")}, {"not_finite": 1}),
    "a price of 0": ({"low": 0.0}, {"non_positive": 1}),
    "negative volume": ({"volume": -1.0}, {"volume_negative": 1}),
    "a bar between the minutes": ({"ts": 1_700_006_400_000 + 5 * MINUTE + 500}, {"timeframe": None}),
}


@pytest.mark.parametrize(("values", "found"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_counted(values, found, make_bars):
    made = report(changed(make_bars(), 5, **values), source="x")
    assert {name: getattr(made, name) for name in found} == found
    assert not made.sound


def test_a_clean_series_is_sound(make_bars):
    made = report(make_bars(), source="x", tick="0.1")
    assert made.sound and made.timeframe == "1m"
    assert (made.gaps, made.duplicates, made.out_of_order, made.off_time_grid, made.off_tick, made.tick_suggested) == (0, 0, 0, 0, 0, "0.1")


def test_gaps_are_listed_longest_first_and_are_no_fault(make_bars):
    frame = make_bars().filter(~pl.int_range(240).is_in([10, 50, 51, 52, 100]))
    made = report(frame, source="x")
    assert (made.gaps, made.bars_missing, made.sound) == (3, 5, True)
    assert [gap.missing for gap in made.gaps_largest] == [3, 1, 1]
    assert made.gaps_largest[0].after == int(make_bars()["ts"][49])


def test_bars_that_stand_beside_the_grid_are_counted(make_bars):
    made = report(make_bars(start=1_700_006_400_000 + 7), source="x")
    assert made.off_time_grid == 240 and not made.sound


def test_prices_off_a_tick_are_counted_and_the_finest_step_is_suggested(make_bars):
    made = report(changed(make_bars(), 9, close=20_000.05, high=30_000.0), source="x", tick="0.1")
    assert (made.off_tick, made.tick_suggested, made.sound) == (1, "0.05", False)
    with pytest.raises(BadInput, match="greater than 0"):
        report(make_bars(), source="x", tick="-1")


def test_quiet_bars_and_flat_stretches_are_told_and_are_no_fault(make_bars):
    still = pl.when(pl.int_range(240).is_between(20, 27)).then(20_000.0)
    frame = make_bars().with_columns(**{name: still.otherwise(pl.col(name)) for name in ("open", "high", "low", "close")},
                                     volume=pl.when(pl.int_range(240).is_between(20, 27)).then(0.0).otherwise(pl.col("volume")))
    made = report(frame, source="x")
    assert (made.volume_zero, made.flat_stretches, made.flat_longest, made.sound) == (8, 1, 8, True)


def test_a_report_is_json_and_lines(make_bars):
    made = report(make_bars(), source="x", synthetic=True)
    assert msgspec.json.decode(msgspec.json.encode(made))["rows"] == 240
    assert any("SYNTHETIC" in finding for _, finding in lines(made))
    assert ("time shift", "not looked for: nothing to compare with") in lines(made)


REAL = {
    "the outage of 2021-04-25": ("ADAUSDT_spot_binance_1m_20210420_20210520",
                                 {"rows": 42_915, "gaps": 1, "bars_missing": 284, "volume_zero": 0}),
    "the pauses of 2022": ("BTCUSDT_perp_binance_1m_2022", {"rows": 525_600, "gaps": 0, "volume_zero": 64}),
    "27 gaps in five years": ("BTCUSDT_spot_binance_1h_2017_2022", {"rows": 45_345, "gaps": 27, "bars_missing": 127, "volume_zero": 3}),
    "a sparse market": ("BTCUSD_spot_bitfinex_1m_2016", {"rows": 293_230, "gaps": 63_912, "bars_missing": 233_809, "volume_zero": 0}),
    "a clean one": ("SOLUSDT_perp_binance_1m_202505", {"rows": 43_200, "gaps": 0, "volume_zero": 0}),
}


@pytest.mark.parametrize(("name", "found"), REAL.values(), ids=REAL)
def test_the_oddities_of_real_files_are_found(name, found, market_data):
    made = report(read_frame(market_data / f"{name}.parquet"), source=name)
    assert {key: getattr(made, key) for key in found} == found
    assert made.sound
