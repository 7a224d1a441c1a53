"""Resampling keeps every fact of the short bars; the store merges, refuses and survives."""

from __future__ import annotations

import fcntl
import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haechi.core.timeframe import floor_to
from haechi.errors import BadInput, Conflict, NotFound
from haechi.markets.resample import resample
from haechi.markets.store import Store
from haechi.markets.timeframes import DAY, HOUR, MINUTE, TIMEFRAMES

MONDAY = 1_699_833_600_000  # 2023-11-13
PAIRS = [(MINUTE, 5 * MINUTE), (MINUTE, HOUR), (5 * MINUTE, HOUR), (HOUR, 4 * HOUR), (HOUR, DAY), (DAY, 7 * DAY), (15 * MINUTE, 2 * HOUR)]


@st.composite
def gapped(draw):
    source, target = draw(st.sampled_from(PAIRS))
    start = MONDAY + draw(st.integers(0, 200)) * source
    keep = draw(st.lists(st.booleans(), min_size=1, max_size=150))
    ts = [start + place * source for place, kept in enumerate(keep) if kept] or [start]
    cell = st.tuples(*[st.integers(1, 500)] * 4, st.integers(0, 50))
    rows = [(at, a, max(a, b, c, d), min(a, b, c, d), b, v) for at, (a, b, c, d, v) in
            zip(ts, draw(st.lists(cell, min_size=len(ts), max_size=len(ts))), strict=True)]
    types = {"ts": pl.Int64, **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64)}
    return pl.DataFrame(rows, schema=types, orient="row"), source, target


@settings(max_examples=150, deadline=None)
@given(gapped())
def test_a_longer_bar_is_made_of_exactly_the_bars_inside_it(case):
    frame, source, target = case
    groups: dict[int, list[tuple[float, ...]]] = {}
    for row in frame.rows():
        groups.setdefault(floor_to(row[0], target), []).append(row)
    expected = [(ts, rows[0][1], max(row[2] for row in rows), min(row[3] for row in rows), rows[-1][4], sum(row[5] for row in rows),
                 len(rows))
                for ts, rows in sorted(groups.items())]
    made = resample(frame, source, target, complete=False)
    assert made.frame.rows() == [row[:6] for row in expected]
    whole = [row[:6] for row in expected if row[6] == target // source]
    strict = resample(frame, source, target)
    assert strict.frame.rows() == whole and strict.incomplete == len(expected) - len(whole) == made.incomplete


@settings(max_examples=60, deadline=None)
@given(gapped())
def test_two_steps_give_what_one_step_gives(case):
    frame, source, target = case
    between = [length for length in TIMEFRAMES.values() if source < length < target and target % length == 0 and length % source == 0]
    for middle in between:
        two = resample(resample(frame, source, middle, complete=False).frame, middle, target, complete=False).frame
        assert two.equals(resample(frame, source, target, complete=False).frame)


def test_weeks_open_on_monday(make_bars):
    days = make_bars(14, length=DAY, start=MONDAY)
    assert resample(days, DAY, 7 * DAY).frame["ts"].to_list() == [MONDAY, MONDAY + 7 * DAY]


def test_bars_off_the_grid_are_not_resampled(make_bars):
    with pytest.raises(BadInput, match="UTC grid of 1h"):
        resample(make_bars(20, length=HOUR, start=MONDAY + MINUTE), HOUR, 4 * HOUR)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def add(store: Store, frame: pl.DataFrame, **more):
    return store.add(frame, venue="bitget", symbol="btcusdt", timeframe_name="1m", **more)


def test_parts_in_any_order_become_one_sorted_file(store, make_bars):
    frame = make_bars()
    for part in (frame[200:], frame[:50], frame[40:210]):
        add(store, part)
    assert store.read("bitget", "BTCUSDT", "1m").equals(frame)
    assert add(store, frame).rows_same == 240


def test_a_range_of_the_store(store, make_bars):
    add(store, make_bars())
    assert len(store.read("bitget", "BTCUSDT", "1m", start="2023-11-15T01:00", end="2023-11-15T02:00")) == 60


def test_a_missing_series_names_what_there_is(store, make_bars):
    add(store, make_bars())
    with pytest.raises(NotFound, match=r"no 1h of ETHUSDT at bitget; it has BTCUSDT 1m \(bitget\)"):
        store.read("bitget", "ETHUSDT", "1h")


def test_append_takes_only_newer_bars(store, make_bars):
    frame = make_bars()
    store.append(frame[:100], venue="bitget", symbol="BTCUSDT", timeframe_name="1m")
    store.append(frame[100:], venue="bitget", symbol="BTCUSDT", timeframe_name="1m")
    with pytest.raises(BadInput, match="already reaches"):
        store.append(frame[-1:], venue="bitget", symbol="BTCUSDT", timeframe_name="1m")


def test_a_second_writer_is_refused_and_nothing_is_lost(store, make_bars):
    add(store, make_bars()[:10])
    with (store.path("bitget", "BTCUSDT", "1m").parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another process is writing"):
            add(store, make_bars())
    assert len(store.read("bitget", "BTCUSDT", "1m")) == 10


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(store, make_bars, monkeypatch):
    add(store, make_bars()[:10])
    path = store.path("bitget", "BTCUSDT", "1m")

    def full(_handle: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        add(store, make_bars())
    assert len(store.read("bitget", "BTCUSDT", "1m")) == 10
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".lock", "1m.parquet"]


def test_a_damaged_file_of_the_store_is_named(store, make_bars):
    add(store, make_bars())
    path = store.path("bitget", "BTCUSDT", "1m")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput, match="damaged"):
        store.read("bitget", "BTCUSDT", "1m")


def test_bars_of_another_timeframe_are_not_mixed_in(store, make_bars):
    with pytest.raises(BadInput, match="not 1m bars"):
        add(store, make_bars(length=5 * MINUTE))
    with pytest.raises(BadInput, match="UTC grid"):
        add(store, make_bars(start=MONDAY + 7))
    assert np.size(store.list()) == 0
