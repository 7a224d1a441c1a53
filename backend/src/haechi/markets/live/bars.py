"""Trades of a live market to the moments of a floor: every price as it comes, and bars that close together at the turn of the minute.

Nothing is invented. A trade belongs to the bar of its own time; a minute without one is a flat bar without volume. What was missed
is told by the exchange's own bars, on the shortest path through their extremes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from haechi.core.matching import path
from haechi.venue.exchange import TickBar
from haechi.venue.moments import Close, Moment, Move, Open

GRACE_MS = 1_000  # so long after its end the trades of a bar may still come
Rates = tuple[int, ...]


class Trade(msgspec.Struct, frozen=True):
    """price in ticks; volume in base units; side of the taker, +1 bought."""

    m: int
    ts: int
    price: int
    volume: float
    side: int


class LiveBars:
    """`begin`: when the bars under way began (ms of the exchange). `late`: trades that came after their bar was closed; they count where
    the market stands then."""

    def __init__(self, symbols: Sequence[str], timeframe_ms: int) -> None:
        self.symbols, self.timeframe_ms = list(symbols), timeframe_ms
        self.begin = 0
        self.last: list[int] = []  # prices
        self.late = 0
        self.funding: dict[int, tuple[int, int]] = {}  # market -> rate (1e-8), when it is due
        self._bars: list[TickBar | None] = [None] * len(self.symbols)
        self._held: list[Trade] = []  # of the next bar
        self._turned: set[int] = set()  # markets that have shown something after this bar
        self._now = 0

    @property
    def end(self) -> int:
        return self.begin + self.timeframe_ms

    # ---- as it happens

    def open(self, ts: int, prices: Sequence[int]) -> Iterator[Moment]:
        """The bars that begin at `ts`, where the markets stand."""
        self.begin, self.last, self._turned = ts, list(prices), set()
        self._bars = [None] * len(self.symbols)
        self._now = max(self._now, ts)
        for m, price in enumerate(prices):
            yield Open(m, ts, price, self._due(m, ts))

    def _due(self, m: int, ts: int) -> Rates:
        rate, due = self.funding.get(m, (0, 0))
        if not due or ts < due:
            return ()
        del self.funding[m]
        return (rate,)

    def trade(self, one: Trade) -> Iterator[Moment]:
        if one.ts >= self.end:
            self._held.append(one)
            self._turned.add(one.m)
            return
        self.late += one.ts < self.begin
        yield self._move(one)

    def shown(self, m: int, ts: int) -> None:
        """The exchange has told something of this market at this time."""
        if ts >= self.end:
            self._turned.add(m)

    def turn(self, now_ms: int) -> Iterator[Moment]:
        """Close the bars whose time is over: every market is past it, or GRACE_MS have gone by."""
        while len(self._turned) == len(self.symbols) or now_ms >= self.end + GRACE_MS:
            yield from self._close()
            yield from self.open(self.end, self.last)
            held, self._held = self._held, []
            for one in held:
                yield from self.trade(one)

    def _move(self, one: Trade) -> Move:
        self._now = max(self._now, one.ts, self.begin)
        self.last[one.m] = one.price
        self._bars[one.m] = grown(self._bars[one.m], self.begin, one.price, one.volume)
        return Move(one.m, self._now, one.price, one.volume, one.side)

    def _close(self) -> Iterator[Moment]:
        self._now = max(self._now, self.end - 1)
        yield Close(self.end - 1, {symbol: self._bars[m] or flat(self.begin, self.last[m]) for m, symbol in enumerate(self.symbols)})

    # ---- after a gap

    def catch_up(self, found: Sequence[Mapping[int, TickBar]]) -> Iterator[Moment]:
        """What was missed, by the exchange's bars of each market (open time -> bar; the newest may still be open)."""
        newest = max([ts for bars in found for ts in bars], default=self.begin)
        self._held = []
        while True:
            for m, bars in enumerate(found):
                yield from self._rest_of(m, bars.get(self.begin))
            if self.begin >= newest:
                return
            yield from self._close()
            yield from self.open(self.end, self.last)

    def _rest_of(self, m: int, bar: TickBar | None) -> Iterator[Move]:
        if bar is None:
            return
        own = self._bars[m]
        left = max(bar.volume - (own.volume if own is not None else 0.0), 0.0)
        for price in remaining(own, self.last[m], bar):
            yield self._move(Trade(m, self._now, price, left, 0))
            left = 0.0
        self._bars[m] = union(own, bar)


def flat(ts: int, price: int) -> TickBar:
    return TickBar(ts, price, price, price, price, 0.0)


def grown(bar: TickBar | None, ts: int, price: int, volume: float) -> TickBar:
    if bar is None:
        return TickBar(ts, price, price, price, price, volume)
    return TickBar(ts, bar.open, max(bar.high, price), min(bar.low, price), price, bar.volume + volume)


def union(own: TickBar | None, bar: TickBar) -> TickBar:
    """The exchange's bar, with what was seen meanwhile."""
    return bar if own is None else bar._replace(high=max(own.high, bar.high), low=min(own.low, bar.low))


def remaining(own: TickBar | None, last: int, bar: TickBar) -> list[int]:
    """Where the price still has to go, so that what was seen and this path make the bar; nothing when it was all seen."""
    if own is None:
        return list(path(bar.open, bar.high, bar.low, bar.close)[:-1])
    extremes = [price for price, missed in ((bar.high, bar.high > own.high), (bar.low, bar.low < own.low)) if missed]
    way = sorted(extremes, key=lambda price: abs(price - last))
    return way + ([bar.close] if (way or [last])[-1] != bar.close else [])
