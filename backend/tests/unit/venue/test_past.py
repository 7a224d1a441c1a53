"""The venue keeps more of the past than its last bars: longer ones, made as those of files are, and not too many."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from trading_floor import trading

from haechi.core.instrument import Instrument
from haechi.markets.resample import resample
from haechi.markets.timeframes import HOUR, MINUTE, TIMEFRAMES
from haechi.venue.exchange import Venue
from haechi.venue.past import BARS_KEPT, OVER, Past, TickBar

START = 1_767_225_600_000
ONE = Instrument("BTCUSDT", tick=Decimal("0.1"))
WEEK = TIMEFRAMES["1w"]


def minutes(n: int, start: int = START, length: int = MINUTE) -> list[TickBar]:
    rng = np.random.default_rng(3)
    close = 600_000 + np.cumsum(rng.integers(-50, 51, n))
    opened = np.concatenate(([600_000], close[:-1]))
    high, low = np.maximum(opened, close) + rng.integers(0, 30, n), np.minimum(opened, close) - rng.integers(0, 30, n)
    rows = zip(*(column.tolist() for column in (opened, high, low, close, rng.random(n) * 9)), strict=True)
    return [TickBar(start + k * length, *row) for k, row in enumerate(rows)]


def past_of(bars: list[TickBar], own: int = MINUTE) -> Past:
    past = Past(own)
    for bar in bars:
        past.add(bar)
    return past


@pytest.mark.parametrize("name", list(TIMEFRAMES)[1:])
@pytest.mark.parametrize("n", [12_345, 25_920])  # in the middle of everything; at midnight
def test_longer_bars_are_those_of_a_file_and_the_rest_follows_without_a_hole(name: str, n: int) -> None:
    length, bars = TIMEFRAMES[name], minutes(n)
    found = past_of(bars).joined(length, 5_000)
    frame = pl.DataFrame([bar[:6] for bar in bars], schema=["ts", "open", "high", "low", "close", "volume"], orient="row")
    made = max(kept for kept, _ in found)
    wanted = resample(frame, MINUTE, made).frame.rows()[-5_000:]
    assert [bar[:6] for kept, bar in found if kept == made] == wanted
    assert made == length or (length, made) == (WEEK, length // 7)
    rest = [bar for kept, bar in found if kept != made]
    assert rest == [bar for bar in bars if bar.ts >= wanted[-1][0] + made]


def test_only_so_many_are_kept_and_the_newest() -> None:
    bars = minutes(3 * (BARS_KEPT + 3 * OVER))
    past = past_of(bars)
    level = past.levels[3 * MINUTE]
    assert BARS_KEPT <= len(level) < BARS_KEPT + OVER
    assert [bar.ts for bar in level.last(2)] == [bars[-6].ts, bars[-3].ts]
    assert past.reach(3 * MINUTE) == len(level) and past.reach(MINUTE) == BARS_KEPT and past.reach(WEEK) == len(past.levels[24 * HOUR]) // 7
    assert len(past.joined(3 * MINUTE, 100)) == 100 and past.joined(MINUTE, 2) == [(MINUTE, bars[-2]), (MINUTE, bars[-1])]


def test_a_market_that_begins_in_the_middle_of_a_bar_has_no_such_bar() -> None:
    bars = minutes(200, START + 30 * MINUTE)
    found = past_of(bars).joined(HOUR, 10)
    assert [bar.ts for kept, bar in found if kept == HOUR] == [START + HOUR, START + 2 * HOUR]


def test_a_market_of_longer_bars_makes_no_shorter_ones() -> None:
    past = past_of(minutes(80, length=4 * HOUR), 4 * HOUR)
    assert min(past.levels) == 12 * HOUR
    assert [kept for kept, _ in past.joined(4 * HOUR, 3)] == [4 * HOUR] * 3
    assert past.reach(WEEK) == 40 // 21


async def test_where_the_market_is_carried_from_elsewhere_that_one_is_asked_for_what_is_not_here() -> None:
    venue, asked = Venue([ONE], timeframe_ms=MINUTE), []

    async def before(*given: object) -> list[object]:
        asked.append(given)
        return ["theirs"]

    venue.before = before  # type: ignore[assignment]
    assert await venue.looked_back("BTCUSDT", 50, HOUR) == [], "it has not begun"
    for bar in minutes(300):
        venue.past["BTCUSDT"].add(bar)
    assert len(await venue.looked_back("BTCUSDT", 5, HOUR)) == 5
    assert len(await venue.looked_back("BTCUSDT", 1, MINUTE)) == 1
    assert await venue.looked_back("BTCUSDT", 50, HOUR) == ["theirs"]
    assert asked == [("BTCUSDT", 50, HOUR, START + 300 * MINUTE)]


async def test_a_market_that_begins_anew_with_each_start_does_not_meet_its_own_future(tmp_path: Path) -> None:
    """As `haechi venue --state` plays it: accounts stay, the file of bars is played from its beginning."""
    for _ in range(2):
        played = await trading(tmp_path / "venue.db")
        played.floor.remember([{"BTCUSDT": bar} for bar in minutes(300)])
        played.floor.open_member("m")
        played.floor.commit(place=True)
        assert played.floor.venue.past["BTCUSDT"].reach(HOUR) == 5
