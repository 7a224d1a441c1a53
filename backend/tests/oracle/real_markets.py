"""Real files as feeds: prices to ticks, funding to 1e-8, hourly bars of minutes, and two plain signal rules."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random

import polars as pl
from reference import Bar, Feed

from haechi.core.instrument import Instrument, Tier

TIERS = (Tier(Decimal(20_000), Decimal("0.004"), 125), Tier(Decimal(60_000), Decimal("0.01"), 50),
         Tier(Decimal(400_000), Decimal("0.025"), 20), Tier(Decimal(5_000_000), Decimal("0.1"), 5))
LENGTHS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000}


def feed_of(path: Path, *, first: int, count: int, rule: str) -> Feed:
    """Bars first … first + count − 1 of a file, with the funding of its symbol and time if there is any."""
    symbol, market, _, length = path.stem.split("_")[:4]
    frame = pl.read_parquet(path).slice(first, count)
    rows = frame.select("ts", "open", "high", "low", "close").rows()
    tick = _tick(rows)
    bars = [Bar(ts, *(_ticks(price, tick) for price in prices)) for ts, *prices in rows]
    lot = Decimal("0.001") if rows[0][1] > 50 else Decimal(1)
    funding = _funding(path.parent, symbol, bars) if market == "perp" else []
    closes = [bar.close for bar in bars]
    bits = crossing(closes, 10, 30) if rule == "crossing" else restless(len(bars))
    return Feed(Instrument(symbol, tick, lot, tiers=TIERS), LENGTHS[length], bars, bits, funding, atr=_atr(bars, float(tick)))


def hourly(feed: Feed, *, rule: str) -> Feed:
    """Hours made of a minute feed, with the minutes as finer bars inside."""
    hours: dict[int, list[Bar]] = {}
    for bar in feed.bars:
        hours.setdefault(bar.ts // LENGTHS["1h"] * LENGTHS["1h"], []).append(bar)
    bars = [Bar(ts, inside[0].open, max(b.high for b in inside), min(b.low for b in inside), inside[-1].close)
            for ts, inside in sorted(hours.items())]
    bits = crossing([bar.close for bar in bars], 3, 9) if rule == "crossing" else restless(len(bars))
    return Feed(feed.instrument, LENGTHS["1h"], bars, bits, feed.funding, detail=feed.bars, fine_ms=LENGTHS["1m"])


def crossing(closes: list[int], fast: int, slow: int) -> list[int]:
    """Long where the fast mean crosses above the slow one, short where it crosses below."""
    bits = [0] * len(closes)
    for index in range(slow, len(closes)):
        now = sum(closes[index + 1 - fast:index + 1]) * slow - sum(closes[index + 1 - slow:index + 1]) * fast
        before = sum(closes[index - fast:index]) * slow - sum(closes[index - slow:index]) * fast
        bits[index] = 1 if before <= 0 < now else 2 if before >= 0 > now else 0
    return bits


def restless(count: int) -> list[int]:
    random = Random(count)
    return [random.choice((0, 0, 0, 0, 1, 2, 4, 8, 9, 6)) for _ in range(count)]


def _tick(rows: list[tuple[float, ...]]) -> Decimal:
    """The coarsest power of ten on which all prices lie."""
    places = max(-int(Decimal(repr(price)).normalize().as_tuple().exponent) for row in rows for price in row[1:])
    return Decimal(1).scaleb(-max(places, 0))


def _ticks(price: float, tick: Decimal) -> int:
    return int((Decimal(repr(price)) / tick).to_integral_value(rounding=ROUND_HALF_UP))


def _funding(folder: Path, symbol: str, bars: list[Bar]) -> list[tuple[int, int]]:
    found = []
    for path in sorted(folder.glob(f"{symbol}_funding_*.parquet")):
        for stamp, share in pl.read_parquet(path).select("ts", "rate").rows():
            if bars[0].ts <= stamp <= bars[-1].ts:
                found.append((stamp, round(Decimal(repr(share)).scaleb(8))))
    return sorted(set(found))


def _atr(bars: list[Bar], tick: float) -> list[float | None]:
    """The mean range of 14 bars, a stand-in good enough to size by."""
    ranges = [bar.high - bar.low for bar in bars]
    return [None if index < 13 else sum(ranges[index - 13:index + 1]) // 14 * tick for index in range(len(bars))]
