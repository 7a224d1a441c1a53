"""Bars longer than the market's: the same as those of a file that a back-test is given, to the last digit of the volume."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from haechi.bots.hearing import HISTORY_BARS, Hearing
from haechi.bots.mind import Mind, Spec
from haechi.bots.series import Series
from haechi.bots.signals import SignalHub
from haechi.bots.starting import _opened
from haechi.bots.words import sentence
from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.strategies import find
from haechi.exchanges.port import Bar, Fill
from haechi.markets.resample import resample
from haechi.markets.synthetic import synthetic_bars
from haechi.markets.timeframes import DAY, HOUR, MINUTE, TIMEFRAMES
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.past import Past

ONE = Instrument("BTCUSDT", tick=Decimal("0.1"))
START = 1_767_225_600_000  # a Thursday
MONDAY = START + 4 * DAY


def made(n: int, length: int = MINUTE, start: int = START) -> tuple[pl.DataFrame, list[Bar]]:
    """As a file has them, and as an exchange tells them."""
    columns = synthetic_bars(5, n, timeframe_ms=length, start_ms=start, price=Decimal(60_000), tick=ONE.tick).columns()
    bars = Bars.of(symbol="BTCUSDT", timeframe_ms=length, tick=ONE.tick, **columns)
    rows = zip(*(column.tolist() for column in (bars.ts, bars.open_ticks, bars.high_ticks, bars.low_ticks, bars.close_ticks, bars.volume)),
               strict=True)
    return pl.DataFrame(columns), [Bar("BTCUSDT", length, row[0], *(ONE.price(ticks) for ticks in row[1:5]), row[5]) for row in rows]


def rows_of(series: Series) -> list[tuple[Any, ...]]:
    bars = series.bars(series.count)
    return list(zip(*(column.tolist() for column in (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume)), strict=True))


@pytest.mark.parametrize("name", list(TIMEFRAMES)[1:])
def test_they_are_those_a_back_test_makes_of_a_file(name: str) -> None:
    length = TIMEFRAMES[name]
    own = HOUR if length > HOUR else MINUTE
    frame, bars = made(1_500, own)
    series = Series(ONE, length)
    for bar in bars:
        series.take(bar)
    assert rows_of(series) == resample(frame, own, length).frame.rows()
    assert series.count > 1


def test_a_week_of_a_bot_begins_on_monday() -> None:
    _, bars = made(24 * 19, HOUR)
    series = Series(ONE, 7 * DAY)
    series.refill(bars[:100])
    for bar in bars[100:]:
        series.take(bar)
    assert series.bars(series.count).ts.tolist() == [MONDAY, MONDAY + 7 * DAY]
    assert series.completed(bars[4 * 24 + 7 * 24 - 1]) == MONDAY


def test_a_fill_belongs_to_the_week_that_began_on_monday(monkeypatch: pytest.MonkeyPatch) -> None:
    mind, told = Mind(Spec("rsi", {}, {}, ONE, Costs(), 7 * DAY)), []
    monkeypatch.setattr(mind.engine, "filled", lambda *given: told.append(given[5]))
    for at in (MONDAY, MONDAY + 3 * DAY, MONDAY + 7 * DAY - 1):
        mind.heard(Fill("1", "c", "BTCUSDT", "buy", Decimal(1), Decimal(60_000), Decimal(0), Decimal(0), False, Decimal(60_000), at), "entry")
    assert told == [MONDAY] * 3


@pytest.mark.parametrize("name", ["15m", "1h", "4h", "1d"])
@pytest.mark.parametrize("at", [9_000, 9_359, 9_360, 9_361])  # around the end of a bar of each length
def test_a_series_that_begins_with_longer_bars_goes_on_like_one_that_never_stopped(name: str, at: int) -> None:
    length, (_, bars) = TIMEFRAMES[name], made(10_000)
    never, again, past = Series(ONE, length), Series(ONE, length), Past(MINUTE)
    for bar in bars[:at]:
        never.take(bar)
        past.add(TickBar(bar.ts, *(ONE.ticks(price) for price in (bar.open, bar.high, bar.low, bar.close)), bar.volume))
    venue = Venue([ONE], timeframe_ms=MINUTE)
    again.refill([venue.told("BTCUSDT", bar, kept) for kept, bar in past.joined(length, 5_000)])
    assert rows_of(again) == rows_of(never) and again.next_ms == never.next_ms
    for bar in bars[at:]:
        never.take(bar)
        again.take(bar)
        assert not again.stale
    assert rows_of(again) == rows_of(never)


async def test_the_past_is_read_once_for_all_that_begin_at_the_same_time() -> None:
    hub, (_, bars), asked = SignalHub(), made(200), []
    spec = Spec("rsi", {}, {}, ONE, Costs(), 15 * MINUTE)

    class Read:
        """Of starting._opened: a desk whose exchange takes its time."""

        mode, exchange = "live", None

        async def bars(self, symbol: str, most: int, timeframe_ms: int) -> list[Bar]:
            asked.append((symbol, most, timeframe_ms))
            for _ in range(5):
                await asyncio.sleep(0)
            return bars

    desk = Read()
    desk.exchange = desk  # type: ignore[assignment]
    said: list[tuple[str, dict[str, str]]] = []

    async def say(code: str, **facts: str) -> None:
        said.append((code, facts))

    runners = [SimpleNamespace(symbol="BTCUSDT", say=say) for _ in range(40)]
    for one in runners:
        one.hearing = Hearing(one)  # type: ignore[arg-type]
    found = await asyncio.gather(*(_opened(one, Mind(spec), desk, SimpleNamespace(hub=hub)) for one in runners))  # type: ignore[arg-type]
    assert asked == [("BTCUSDT", HISTORY_BARS, 15 * MINUTE)]
    assert sum(map(bool, found)) == 1 and len({one.hearing.key for one in runners}) == 1
    facts = {"there": str(200 // 15), "needed": str(find("rsi").warm_up({})), "timeframe": "15m"}
    assert said == [("short_history", facts)] * 40
    assert "15 bars of 15m, and 13 are known" in sentence("en", "short_history", facts)
    assert "15m 봉 15개" in sentence("ko", "short_history", facts)


async def test_rules_that_have_what_they_look_back_on_say_nothing_of_it() -> None:
    hub, (_, bars) = SignalHub(), made(400)
    key = hub.open(Spec("rsi", {}, {}, ONE, Costs(), 15 * MINUTE), bars)
    assert hub.short(key) is None
    assert hub.short(hub.open(Spec("rsi", {"period": 40}, {}, ONE, Costs(), 15 * MINUTE), [])) == (26, 41)
