"""Bars longer than the adapter's own: asked for by Bitget's word, page by page, and finished with shorter ones, whatever ends meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from bitget_bench import bench
from trading_floor import BTC

from haechi.bots.series import Series
from haechi.core.bars import Bars
from haechi.core.timeframe import floor_to
from haechi.exchanges.bitget.endpoints import CANDLES, HISTORY_CANDLES, Endpoint
from haechi.exchanges.bitget.market import GRANULARITIES, HOUR, MINUTE, NEW_ROWS, PAST_ROWS, Market
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Bar
from haechi.venue.exchange import TickBar

DAY, WEEK = 24 * HOUR, 7 * 24 * HOUR
NOW = int(datetime(2026, 3, 4, 13, 37, 20, tzinfo=UTC).timestamp() * 1000)  # a Wednesday
LENGTHS = {name: length for length, name in GRANULARITIES.items()}


class Theirs:
    """Answers as Bitget does for a market that began `began` ms before this day, or hour. At each read `step` ms go by."""

    def __init__(self, began: int, step: int = 0) -> None:
        self.first, self.now, self.step = floor_to(NOW, min(began, DAY)) - began, NOW, step
        self.asked: list[tuple[Endpoint, dict[str, str]]] = []
        self.refuses = ""
        self.shift = 0

    async def read(self, endpoint: Endpoint, params: dict[str, str], **_: Any) -> Any:
        self.now += self.step
        if "granularity" not in params:
            return [{"symbol": "BTCUSDT", "price": "100", "ts": str(self.now)}]
        self.asked.append((endpoint, params))
        length, limit = LENGTHS[params["granularity"]], int(params["limit"])
        assert limit <= (NEW_ROWS if endpoint is CANDLES else PAST_ROWS)
        end = int(params.get("endTime", self.now))
        last = floor_to(end - 1 if endpoint is HISTORY_CANDLES else end, length)
        found = [ts for ts in range(last - (limit - 1) * length, last + 1, length) if ts >= self.first]
        if not found and self.refuses:
            raise Refused("no", details={"word": self.refuses})
        return [[str(ts + self.shift), "100", "101", "99", "100", "1.5", "150"] for ts in found if ts + length > self.first]

    @property
    def words(self) -> list[str]:
        """In the order in which they were first asked for."""
        return list(dict.fromkeys(given["granularity"] for _, given in self.asked))


def market(theirs: Theirs) -> Market:
    return Market(theirs, timeframe_ms=MINUTE)  # type: ignore[arg-type]


def assert_joined(bars: list[Bar], length: int, now: int) -> None:
    """Without a hole, up to the last minute that is over, and none in two bars of that length."""
    assert all(before.ts + before.timeframe_ms == bar.ts for before, bar in pairwise(bars))
    assert now - MINUTE < bars[-1].ts + bars[-1].timeframe_ms <= now
    assert all(floor_to(bar.ts, length) == floor_to(bar.ts + bar.timeframe_ms - 1, length) for bar in bars)


# length -> Bitget's words, the longest first
WORDS = {3 * MINUTE: ["3m", "1m"], 15 * MINUTE: ["15m", "1m"], HOUR: ["1H", "1m"], 2 * HOUR: ["1H", "1m"], 4 * HOUR: ["4H", "1m"],
         6 * HOUR: ["6Hutc", "1m"], 12 * HOUR: ["12Hutc", "1m"], DAY: ["1Dutc", "12Hutc", "1m"], 3 * DAY: ["1Dutc", "12Hutc", "1m"],
         WEEK: ["1Dutc", "12Hutc", "1m"]}


@pytest.mark.parametrize("length", WORDS)
async def test_the_longest_that_begin_at_utc_are_asked_for_then_those_of_the_bar_under_way(length: int) -> None:
    theirs = Theirs(2_000 * DAY)
    bars = await market(theirs).bars("BTCUSDT", 1_500, length)
    assert theirs.words == WORDS[length]
    assert_joined(bars, length, NOW)
    first = LENGTHS[WORDS[length][0]]
    assert sum(bar.timeframe_ms == first for bar in bars) == min(1_500 * length // first, 2_000 * DAY // first)
    pages = [given for endpoint, given in theirs.asked if endpoint is HISTORY_CANDLES]
    assert {given["granularity"] for given in pages} == {WORDS[length][0]}, "one request for what is shorter"


async def test_all_that_is_kept_is_taken_where_it_is_less() -> None:
    bars = await market(theirs := Theirs(10 * DAY)).bars("BTCUSDT", 5_000, HOUR)
    assert sum(bar.timeframe_ms == HOUR for bar in bars) == 10 * 24 + 13
    assert_joined(bars, HOUR, NOW)
    assert len(theirs.asked) < 6


@pytest.mark.parametrize("word", ["parameter", "symbol"])
async def test_a_no_to_what_is_older_is_the_end_of_it_another_no_is_not(word: str) -> None:
    theirs = Theirs(1_500 * HOUR)
    theirs.refuses = word
    if word != "parameter":
        with pytest.raises(Refused):
            await market(theirs).bars("BTCUSDT", 5_000, HOUR)
        return
    assert_joined(await market(theirs).bars("BTCUSDT", 5_000, HOUR), HOUR, NOW)


@pytest.mark.parametrize("length", [15 * MINUTE, 4 * HOUR, DAY, WEEK])
@pytest.mark.parametrize("before", [1, 30_000, 90_000])
async def test_a_bar_that_ends_while_they_are_read_leaves_no_hole_and_no_overlap(length: int, before: int) -> None:
    theirs = Theirs(2_000 * DAY, step=7_000)
    theirs.now = floor_to(NOW, length) + length - before
    bars = await market(theirs).bars("BTCUSDT", 700, length)
    assert_joined(bars, length, theirs.now)


async def test_a_market_that_is_younger_than_one_bar_is_told_by_shorter_ones() -> None:
    bars = await market(Theirs(HOUR)).bars("BTCUSDT", 5_000, WEEK)
    assert (len(bars), {bar.timeframe_ms for bar in bars}) == (60 + 37, {MINUTE})


async def test_nothing_is_told_that_ended_after_the_time_asked_for() -> None:
    """Where somebody who carries the market stands a little behind it, a bar that has just ended is told by its parts."""
    asked = floor_to(NOW, 4 * HOUR) - 2 * MINUTE
    bars = await market(Theirs(2_000 * DAY)).bars("BTCUSDT", 100, 4 * HOUR, before_ms=asked)
    assert_joined(bars, 4 * HOUR, asked)


async def test_bars_that_begin_elsewhere_are_not_taken() -> None:
    theirs = Theirs(100 * DAY)
    theirs.shift = -8 * HOUR
    with pytest.raises(Unreachable, match="12Hutc bar begins at"):
        await market(theirs).bars("BTCUSDT", 50, 12 * HOUR)


async def test_lengths_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(Refused, match="cannot be made"):
        await Market(Theirs(DAY), timeframe_ms=HOUR).bars("BTCUSDT", 5, 90 * MINUTE)  # type: ignore[arg-type]


def joined(bars: list[Bar], length: int) -> Bars:
    series = Series(BTC, length)
    series.refill(bars)
    return series.bars(series.count)


@pytest.mark.parametrize("length", [5 * MINUTE, HOUR, 4 * HOUR, DAY])
async def test_over_the_wire_of_the_venue_they_are_the_venues_own(length: int) -> None:
    """And what follows is told once, from the minute after the last."""
    async with bench() as b:
        first = b.played.ts - 6_000 * MINUTE
        price: Callable[[int], int] = lambda k: 600_000 + k * 37 % 1_000  # noqa: E731
        b.floor.remember([{"BTCUSDT": TickBar(first + k * MINUTE, price(k), price(k) + 5, price(k) - 5, price(k) + 1, 0.1 + k % 7)}
                          for k in range(6_000)])
        bars = await b.bitget.bars("BTCUSDT", 5_000, length)
        assert_joined(bars, length, b.played.ts)
        rows, theirs = joined(bars, length), joined(await b.floor.venue.looked_back("BTCUSDT", 5_000, length), length)
        assert rows.ts.tolist() == theirs.ts.tolist() and len(rows) == 6_000 * MINUTE // length - 1
        assert (rows.open == theirs.open).all() and (rows.high == theirs.high).all() and (rows.low == theirs.low).all()
        assert (rows.close == theirs.close).all() and rows.volume.tolist() == pytest.approx(theirs.volume.tolist())
        assert b.bitget.feed.last["BTCUSDT"] == b.played.ts - MINUTE
