"""What a market has been: its last bars, and longer ones made of them, for those who look back further than the bars reach.

Longer bars are kept packed, 48 bytes each; they are whole, and made of the bars in their order as files are (markets/resample.py).
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from haechi.core.bars import volume_of
from haechi.core.timeframe import floor_to

BARS_KEPT = 5000  # of each length
OVER = 500  # so many more before the oldest go, together
PRICES = 5
MINUTE, HOUR = 60_000, 3_600_000
# A week has more minutes than are kept: one under way is made of days.
LENGTHS = (3 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 72 * HOUR)


class TickBar(NamedTuple):
    """A bar in ticks; `rates` are the funding rates (1e-8) settled before it."""

    ts: int
    open: int
    high: int
    low: int
    close: int
    volume: float
    rates: tuple[int, ...] = ()


class Level:
    """Bars of one length. end_ms: where the last of them ends; what begins before it is known. unwritten: so many of the newest."""

    def __init__(self, length_ms: int, own_ms: int) -> None:
        self.length_ms, self.own_ms, self.end_ms, self.unwritten = length_ms, own_ms, 0, 0
        self._prices, self._volumes = array("q"), array("d")
        self._parts: list[TickBar] = []  # of the bar under way, which is over at _over_ms
        self._over_ms = 0

    def __len__(self) -> int:
        return len(self._volumes)

    def add(self, bar: TickBar) -> None:
        if bar.ts < self.end_ms:
            return
        if bar.ts >= self._over_ms:
            if self._parts:
                self._whole()  # there was no more of it
            self._over_ms = floor_to(bar.ts, self.length_ms) + self.length_ms
        self._parts.append(bar)
        if bar.ts + self.own_ms >= self._over_ms:
            self._whole()

    def _whole(self) -> None:
        parts, self._parts = self._parts, []
        self.end_ms = self._over_ms
        start = self.end_ms - self.length_ms
        if not len(self) and parts[0].ts != start:
            return  # the first one began before there was a market
        self.put(TickBar(start, parts[0].open, max(one.high for one in parts), min(one.low for one in parts), parts[-1].close,
                         volume_of([one.volume for one in parts])))
        self.unwritten += 1

    def put(self, bar: TickBar) -> None:
        self.end_ms = bar.ts + self.length_ms
        self._prices.extend((bar.ts, bar.open, bar.high, bar.low, bar.close))
        self._volumes.append(bar.volume)
        if len(self) >= BARS_KEPT + OVER:
            del self._prices[:OVER * PRICES], self._volumes[:OVER]

    def last(self, most: int) -> list[TickBar]:
        """Oldest first."""
        first = max(0, len(self) - most)
        columns = (self._prices[first * PRICES + k::PRICES] for k in range(PRICES))
        return list(map(TickBar, *columns, self._volumes[first:]))


class Past:
    """Of one market. bars: the last of its own length. forgotten: what is written down is of another market."""

    def __init__(self, own_ms: int) -> None:
        self.own_ms, self.forgotten = own_ms, False
        self.bars: deque[TickBar] = deque(maxlen=BARS_KEPT)
        self.levels = {length: Level(length, own_ms) for length in LENGTHS if length > own_ms and length % own_ms == 0}

    def add(self, bar: TickBar) -> None:
        self.bars.append(bar)
        for level in self.levels.values():
            level.add(bar)

    def forget(self) -> None:
        """Another market begins."""
        self.bars.clear()
        self.forgotten = True
        self.levels = {length: Level(length, self.own_ms) for length in self.levels}

    def reach(self, length_ms: int) -> int:
        """How many whole bars of this length there are."""
        level = self._level(length_ms)
        return (len(self.bars) * self.own_ms if level is None else len(level) * level.length_ms) // length_ms

    def joined(self, length_ms: int, most: int) -> list[tuple[int, TickBar]]:
        """(length, bar): what makes the last `most` closed bars of this length and the one under way. The longest that are kept first; from
        where they end, the market's own."""
        level = self._level(length_ms)
        if level is None:
            return [(self.own_ms, bar) for bar in _last(self.bars, most * length_ms // self.own_ms)]
        found = [(level.length_ms, bar) for bar in level.last(most * length_ms // level.length_ms)]
        end = level.end_ms if found else 0
        return found + [(self.own_ms, bar) for bar in _from(self.bars, end)]

    def _level(self, length_ms: int) -> Level | None:
        """Of the longest bars that make bars of this length; None: the market's own do."""
        return self.levels.get(max((length for length in self.levels if length_ms % length == 0), default=0))


def _last(bars: Sequence[TickBar], most: int) -> list[TickBar]:
    return list(bars)[-most:] if most > 0 else []


def _from(bars: deque[TickBar], ts: int) -> Iterator[TickBar]:
    """The newest that begin at ts or later, oldest first."""
    found = []
    for bar in reversed(bars):
        if bar.ts < ts:
            break
        found.append(bar)
    return reversed(found)
