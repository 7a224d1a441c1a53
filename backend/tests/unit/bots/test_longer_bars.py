"""Bars longer than the market's: the same as those of a file that a back-test is given, to the last digit of the volume."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from haechi.bots.mind import Mind, Spec
from haechi.bots.series import Series
from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.exchanges.port import Bar, Fill
from haechi.markets.resample import resample
from haechi.markets.synthetic import synthetic_bars
from haechi.markets.timeframes import DAY, HOUR, MINUTE, TIMEFRAMES

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
