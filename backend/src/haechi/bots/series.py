"""Closed bars of one market in one length, kept once for all strategies that look at it."""

from __future__ import annotations

import numpy as np

from haechi.core.bars import Bars, volume_of
from haechi.core.instrument import Instrument
from haechi.core.timeframe import floor_to
from haechi.exchanges.port import Bar

COLUMNS = 5
BARS_MAX, BARS_KEPT = 12_000, 10_000  # at the first number the oldest go, down to the second
ROWS_FIRST = 1024


class Series:
    """stale: a bar is missing. next_ms: where the next bar must begin, 0 while there is none."""

    def __init__(self, instrument: Instrument, timeframe_ms: int, most: int = BARS_MAX, keep: int = BARS_KEPT) -> None:
        self.instrument, self.timeframe_ms, self.most, self.keep = instrument, timeframe_ms, most, keep
        self.stale = False
        self.next_ms = self.count = 0
        self._rows = np.zeros((ROWS_FIRST, COLUMNS), dtype=np.int64)
        self._volume = np.zeros(ROWS_FIRST)
        self._parts: list[Bar] = []  # of the whole bar under way
        self._last: Bars | None = None

    # ---- bars in

    def take(self, bar: Bar) -> None:
        """One that came before is left out; one that comes too early makes the series stale."""
        if bar.ts < self.next_ms:
            return
        self.stale = bool(self.next_ms) and bar.ts > self.next_ms
        if not self.stale:
            self._put(bar)

    def refill(self, bars: list[Bar]) -> None:
        """These from their first whole bar on; what is here from before stays where it joins without a gap."""
        if not bars:
            return
        start = floor_to(bars[0].ts + self.timeframe_ms - 1, self.timeframe_ms)
        kept = int(np.searchsorted(self._rows[:self.count, 0], start))
        self.count = kept if kept and self.ts(kept - 1) + self.timeframe_ms == start else 0
        self._parts, self._last, self.next_ms, self.stale = [], None, 0, False
        for bar in bars:
            if bar.ts >= max(start, self.next_ms):
                self._put(bar)

    def _put(self, bar: Bar) -> None:
        if self._parts and self._start(self._parts[0]) != self._start(bar):
            self._whole()  # the exchange had no more of it
        self._parts.append(bar)
        self.next_ms = bar.ts + bar.timeframe_ms
        if self.next_ms >= self._start(bar) + self.timeframe_ms:
            self._whole()

    def _start(self, bar: Bar) -> int:
        return floor_to(bar.ts, self.timeframe_ms)

    def _whole(self) -> None:
        parts, self._parts = self._parts, []
        start = self._start(parts[0])
        if not self.count and parts[0].ts != start:
            return  # the first one began before we looked
        ticks = self.instrument.ticks
        self._room()
        self._rows[self.count] = (start, ticks(parts[0].open), ticks(max(one.high for one in parts)),
                                  ticks(min(one.low for one in parts)), ticks(parts[-1].close))
        self._volume[self.count] = volume_of([one.volume for one in parts])
        self.count += 1

    def _room(self) -> None:
        """More rows, or the oldest go. New arrays each time: those handed out before stay as they were."""
        if self.count < min(len(self._rows), self.most):
            return
        first = self.count - self.keep if self.count >= self.most else 0
        rows, volume = self._rows[first:self.count], self._volume[first:self.count]
        size = min(2 * len(rows), self.most)
        self._rows, self._volume = np.zeros((size, COLUMNS), dtype=np.int64), np.zeros(size)
        self._rows[:len(rows)], self._volume[:len(rows)] = rows, volume
        self.count = len(rows)

    # ---- bars out

    def ts(self, row: int) -> int:
        return int(self._rows[row, 0])

    def find(self, ts: int) -> int | None:
        """The row of the whole bar that opened at ts."""
        row = int(np.searchsorted(self._rows[:self.count, 0], ts))
        return row if row < self.count and self.ts(row) == ts else None

    def after(self, ts: int) -> int:
        """The first row that opened after ts."""
        return int(np.searchsorted(self._rows[:self.count, 0], ts, side="right"))

    def completed(self, bar: Bar) -> int | None:
        """When the whole bar opened that this one completes; None if it completes none."""
        start = self._start(bar)
        return start if bar.ts + bar.timeframe_ms >= start + self.timeframe_ms else None

    def bar(self, row: int) -> Bar:
        one = self.instrument
        ts, o, h, low, c = self._rows[row].tolist()
        return Bar(one.symbol, self.timeframe_ms, ts, one.price(o), one.price(h), one.price(low), one.price(c), self._volume[row].item())

    def bars(self, count: int) -> Bars:
        """The first `count` bars; the same object while they are the same, so that strategies share its columns."""
        if self._last is None or len(self._last) != count or self._last.ts[-1] != self.ts(count - 1):
            one, rows = self.instrument, self._rows[:count]
            ts, o, h, low, c = (np.ascontiguousarray(rows[:, k]) for k in range(COLUMNS))
            self._last = Bars(one.symbol, self.timeframe_ms, one.tick, ts, o, h, low, c, self._volume[:count].copy())
        return self._last
