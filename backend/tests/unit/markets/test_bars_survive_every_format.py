"""What is written in any format comes back as the same bars; times are understood as people write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from haechi.markets.files import read_bars, read_funding
from haechi.markets.load import load_bars, load_funding, symbol_of
from haechi.markets.times import instant, iso


def as_parquet(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path)


def as_json_lists(frame: pl.DataFrame, path: Path) -> None:
    path.write_text(json.dumps([list(row) for row in frame.rows()]))


def as_json_texts(frame: pl.DataFrame, path: Path) -> None:
    """As Bitget's API answers: everything is text, with more columns, under `data`."""
    path.write_text(json.dumps({"code": "00000", "data": [[str(value) for value in row] + ["7.5"] for row in frame.rows()]}))


def as_json_objects(frame: pl.DataFrame, path: Path) -> None:
    path.write_text(json.dumps(frame.to_dicts()))


def as_iso_csv(frame: pl.DataFrame, path: Path) -> None:
    frame.with_columns(pl.Series("ts", [f"{iso(ts)}:00+00:00" for ts in frame["ts"]])).rename({"ts": "date"}).write_csv(path)


def as_headless_csv(frame: pl.DataFrame, path: Path) -> None:
    frame.with_columns(extra=pl.lit(1)).write_csv(path, include_header=False)


def as_semicolons(frame: pl.DataFrame, path: Path) -> None:
    frame.rename({"ts": "Open Time", "volume": "Volume", "open": "Open"}).write_csv(path, separator=";")


def as_feather_dates(frame: pl.DataFrame, path: Path) -> None:
    """As freqtrade writes."""
    frame.with_columns(pl.from_epoch("ts", "ms").dt.replace_time_zone("UTC")).rename({"ts": "date"}).write_ipc(path)


def as_seconds(frame: pl.DataFrame, path: Path) -> None:
    frame.with_columns(pl.col("ts") // 1000).write_csv(path)


def as_nanoseconds(frame: pl.DataFrame, path: Path) -> None:
    frame.with_columns(pl.col("ts") * 1_000_000).write_parquet(path)


FORMATS = {
    "parquet": (as_parquet, "parquet"), "CSV": (pl.DataFrame.write_csv, "csv"), "feather": (pl.DataFrame.write_ipc, "feather"),
    "arrow": (pl.DataFrame.write_ipc, "arrow"), "JSON lists": (as_json_lists, "json"), "JSON objects": (as_json_objects, "json"),
    "JSON of an exchange": (as_json_texts, "json"), "CSV with dates": (as_iso_csv, "csv"), "CSV without a header": (as_headless_csv, "csv"),
    "CSV with semicolons": (as_semicolons, "csv"), "feather with dates": (as_feather_dates, "feather"),
    "CSV in seconds": (as_seconds, "csv"),
    "parquet in nanoseconds": (as_nanoseconds, "parquet"),
}


@pytest.mark.parametrize(("write", "ending"), FORMATS.values(), ids=FORMATS)
def test_bars_come_back_as_they_were(write, ending, make_bars, tmp_path):
    path = tmp_path / f"BTCUSDT_1m.{ending}"
    write(make_bars(), path)
    assert read_bars(path).equals(make_bars())


@pytest.mark.parametrize("ending", ["parquet", "csv", "feather"])
def test_funding_comes_back_on_its_minute(ending, tmp_path):
    path = tmp_path / f"BTCUSDT_funding.{ending}"
    frame = pl.DataFrame({"funding_time": [1_640_995_200_007, 1_641_024_000_000], "funding_rate": [0.0001, -0.00375]})
    {"parquet": frame.write_parquet, "csv": frame.write_csv, "feather": frame.write_ipc}[ending](path)
    assert read_funding(path).rows() == [(1_640_995_200_000, 0.0001), (1_641_024_000_000, -0.00375)]
    funding = load_funding(path)
    assert funding.rate.tolist() == [10_000, -375_000]


def test_prices_become_ticks_and_those_off_the_grid_are_counted(make_bars, tmp_path):
    frame = make_bars(10).with_columns(high=pl.Series([30_000.0] * 4 + [30_000.04, 30_000.06] + [30_000.0] * 4))
    frame.write_parquet(tmp_path / "BTCUSDT_1m.parquet")
    bars = load_bars(tmp_path / "BTCUSDT_1m.parquet", tick="0.1")
    assert (bars.symbol, bars.timeframe_ms, bars.off_grid) == ("BTCUSDT", 60_000, 2)
    assert bars.high_ticks.tolist()[3:7] == [300_000, 300_000, 300_001, 300_000]
    assert np.array_equal(bars.close, frame["close"].to_numpy())


def test_a_range_takes_its_first_bar_and_leaves_its_last(make_bars, tmp_path):
    make_bars(10).write_parquet(tmp_path / "x.parquet")
    bars = load_bars(tmp_path / "x.parquet", tick="0.1", start="2023-11-15T00:02", end="2023-11-15T00:05Z")
    assert [iso(int(ts))[-5:] for ts in bars.ts] == ["00:02", "00:03", "00:04"]


def test_a_time_means_the_same_however_it_is_written():
    moment = int(datetime(2022, 1, 31, 8, tzinfo=UTC).timestamp() * 1000)
    for text in ("2022-01-31T08:00Z", "2022-01-31 08:00", "2022-01-31T17:00+09:00", str(moment), str(moment // 1000),
                 "2022-01-31 08:00:00 UTC"):
        assert instant(text) == moment, text


def test_the_symbol_of_a_file_is_in_its_name_or_its_folder(tmp_path):
    assert symbol_of(Path("btcusdt_perp_binance_1m_2022.parquet")) == "BTCUSDT"
    assert symbol_of(tmp_path / "bitget" / "ETHUSDT" / "1m.parquet") == "ETHUSDT"
