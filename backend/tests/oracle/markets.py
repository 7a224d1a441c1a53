"""Random small markets for the comparison: bars with gaps and spikes, signals, funding instants, finer bars, instruments."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from reference import Bar, Feed

from haechi.core.instrument import Instrument, Tier

START = 1_600_000_000_000
GRIDS = (("0.1", "0.001"), ("1", "0.01"), ("0.0001", "10"), ("0.01", "0.1"))  # tick, lot
FEES = (("0.0002", "0.0006"), ("0", "0.0004"), ("0.00016", "0.001"))  # maker, taker


@dataclass(frozen=True)
class Weather:
    """What the market is like: `swing` is a usual bar's range as a fraction of the price."""

    seed: int
    bars: int
    swing: float
    timeframe_ms: int
    signal_rate: float
    fine: int  # finer bars a bar; 0: none
    funding: bool
    holes: bool


def an_instrument(random: Random, symbol: str, capital: Decimal) -> Instrument:
    tick, lot = random.choice(GRIDS)
    maker, taker = random.choice(FEES)
    return Instrument(symbol, Decimal(tick), Decimal(lot), min_quantity=Decimal(lot) * random.choice((0, 1, 3)),
                      min_value=Decimal(random.choice((0, 1, 5))), maker=Decimal(maker), taker=Decimal(taker),
                      tiers=some_tiers(random, capital))


def some_tiers(random: Random, capital: Decimal) -> tuple[Tier, ...]:
    """One to four rows with limits around what the capital can carry, so that positions change their row."""
    limit = max(Decimal(10), capital * Decimal(random.choice(("0.2", "1", "5", "30"))))
    rate, leverage = Decimal(random.choice(("0.004", "0.005", "0.01"))), random.choice((50, 75, 125))
    rows = []
    for _ in range(random.randint(1, 4)):
        rows.append(Tier(limit.quantize(Decimal("0.01")), rate, leverage))
        limit *= Decimal(random.choice(("1.1", "1.5", "2", "5")))
        rate *= Decimal(random.choice(("1.2", "1.5", "2.5")))
        leverage = max(1, leverage * random.choice((2, 3, 4)) // 4)
    return tuple(rows)


def a_feed(weather: Weather, number: int, capital: Decimal) -> Feed:
    """One symbol's market; the same weather and number give the same market."""
    random = Random(weather.seed * 7 + number)
    instrument = an_instrument(random, "ABC"[number] + "USDT", capital)
    first = START // weather.timeframe_ms * weather.timeframe_ms + weather.timeframe_ms * random.choice((0, 0, 1, 3) if number else (0,))
    bars, detail = _walk(random, weather, first)
    if weather.holes:
        bars, detail = _with_holes(random, weather, bars, detail)
    return Feed(instrument, weather.timeframe_ms, bars, [_bits(random, weather) for _ in bars],
                _funding(random, weather, bars) if weather.funding else [], detail if weather.fine else None,
                _atr(random, weather, bars, float(instrument.tick)), ("up", "down"), random.choice((("", ""), ("out_long", "out_short"))),
                weather.timeframe_ms // weather.fine if weather.fine else 0)


def _walk(random: Random, weather: Weather, first: int) -> tuple[list[Bar], list[Bar]]:
    price = random.randint(1_000, 50_000)
    parts = max(weather.fine, 1)
    bars, detail = [], []
    for index in range(weather.bars):
        fine = []
        for part in range(parts):
            ts = first + index * weather.timeframe_ms + part * (weather.timeframe_ms // parts)
            fine.append(_bar(random, ts, price, weather.swing / parts**0.5))
            price = fine[-1].close
        detail += fine
        bars.append(Bar(fine[0].ts, fine[0].open, max(b.high for b in fine), min(b.low for b in fine), fine[-1].close))
    return bars, detail


def _bar(random: Random, ts: int, before: int, swing: float) -> Bar:
    gap = random.gauss(0, 2 * swing) if random.random() < 0.15 else 0.0
    spike = 4.0 if random.random() < 0.05 else 1.0
    low_open = max(300, round(before * (1 + gap)))
    close = _moved(random, low_open, random.gauss(0, swing * 0.6) * spike)
    high = max(low_open, close, _moved(random, max(low_open, close), abs(random.gauss(0, swing * 0.5)) * random.choice((0, 1, spike))))
    low = min(low_open, close, _moved(random, min(low_open, close), -abs(random.gauss(0, swing * 0.5)) * random.choice((0, 1, spike))))
    return Bar(ts, low_open, high, low, close)


def _moved(random: Random, price: int, share: float) -> int:
    return min(400_000, max(300, round(price * (1 + max(share, -0.6)))))


def _with_holes(random: Random, weather: Weather, bars: list[Bar], detail: list[Bar]) -> tuple[list[Bar], list[Bar]]:
    """Some bars are missing, and some bars have no finer bars inside."""
    kept = [bar for bar in bars if random.random() > 0.08]
    kept = kept[:max(2, len(kept) - random.choice((0, 0, 0, 1, 5)))] if len(kept) > 1 else bars[:2]
    whole = {bar.ts for bar in kept if random.random() > 0.15}
    return kept, [fine for fine in detail if fine.ts // weather.timeframe_ms * weather.timeframe_ms in whole]


def _bits(random: Random, weather: Weather) -> int:
    return sum(bit for bit in (1, 2, 4, 8) if random.random() < weather.signal_rate * (1 if bit < 4 else 0.4))


def _funding(random: Random, weather: Weather, bars: list[Bar]) -> list[tuple[int, int]]:
    """Instants on bars, off bars, several in one bar, before the first and after the last; stamps a little off."""
    stamps = []
    for bar in bars:
        while random.random() < 0.3:
            off = random.choice((0, 0, 0, weather.timeframe_ms // 2, -weather.timeframe_ms, random.randint(0, weather.timeframe_ms)))
            stamps.append(bar.ts + off // 60_000 * 60_000 + random.choice((0, 0, 7, -1_000, 29_000)))
    return [(stamp, random.choice((10_000, -10_000, 37_501, 500_000, -1_234_567, 0))) for stamp in sorted(stamps)]


def _atr(random: Random, weather: Weather, bars: list[Bar], tick: float) -> list[float | None]:
    undefined = random.choice((0, 3, 14))
    return [None if index < undefined else max(0, round(bar.close * weather.swing * random.random()) + random.choice((0, 0.2, -0.3))) * tick
            for index, bar in enumerate(bars)]
