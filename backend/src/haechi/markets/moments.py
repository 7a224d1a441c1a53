"""From bars, trades and books to the moments of a floor. Bars keep their path: open, the nearer extreme, the other, close."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from haechi.core.matching import path
from haechi.venue.exchange import TickBar
from haechi.venue.moments import Book, Close, Moment, Move, Open

LINES = 4  # of a bar's path; the last is where the close stands


def bar_moments(instants: Iterable[Mapping[str, TickBar]], market: Mapping[str, int], timeframe_ms: int,
                substeps: int = 1) -> Iterator[Moment]:
    """Each bar as one Open, `substeps` moves on each line of its path, and one Close of all symbols. Times as the venue's own walk."""
    for bars in instants:
        ts = next(iter(bars.values())).ts
        for symbol, bar in bars.items():
            yield Open(market[symbol], ts, bar.open, bar.rates)
        walks = {symbol: path(bar.open, bar.high, bar.low, bar.close) for symbol, bar in bars.items()}
        for part in range(LINES - 1):
            for step in range(1, substeps + 1):
                when = ts + (part * substeps + step) * (timeframe_ms - 1) // (LINES * substeps)
                for symbol, bar in bars.items():
                    a, b = walks[symbol][part], walks[symbol][part + 1]
                    yield Move(market[symbol], when, a + (b - a) * step // substeps, bar.volume / ((LINES - 1) * substeps))
        for symbol, bar in bars.items():
            yield Move(market[symbol], ts + timeframe_ms - 1, bar.close)
        yield Close(ts + timeframe_ms - 1, dict(bars))


class Minutes:
    """Bars from single prices: the moments of a market that has no bars of its own. A minute without a price has no bar."""

    def __init__(self, m: int, symbol: str, timeframe_ms: int) -> None:
        self.m, self.symbol, self.timeframe_ms = m, symbol, timeframe_ms
        self._bar: TickBar | None = None

    @property
    def begin(self) -> int:
        """When the bar under way began; 0 before the first."""
        return self._bar.ts if self._bar is not None else 0

    def price(self, ts: int, price: int, volume: float, side: int) -> Iterator[Moment]:
        """One price at a time, in order."""
        begin = ts // self.timeframe_ms * self.timeframe_ms
        bar = self._bar
        if bar is None or bar.ts != begin:
            yield from self.end()
            self._bar = TickBar(begin, price, price, price, price, volume)
            yield Open(self.m, ts, price)
            if volume:
                yield Move(self.m, ts, price, volume, side)
            return
        self._bar = TickBar(bar.ts, bar.open, max(bar.high, price), min(bar.low, price), price, bar.volume + volume)
        yield Move(self.m, ts, price, volume, side)

    def end(self) -> Iterator[Moment]:
        """The bar under way is over."""
        if self._bar is not None:
            yield Close(self._bar.ts + self.timeframe_ms - 1, {self.symbol: self._bar})
            self._bar = None


Level = tuple[int, int]


def book_moments(messages: Iterable[tuple[int, bool, tuple[Level, ...], tuple[Level, ...]]], m: int, symbol: str,
                 timeframe_ms: int) -> Iterator[Moment]:
    """A recorded book: (ts, snapshot, bids, asks) a message. Between two messages the price is the middle of the best levels, rounded
    down to a tick; that is where stops and marks look."""
    minutes, bids, asks, last = Minutes(m, symbol, timeframe_ms), dict[int, int](), dict[int, int](), 0
    for ts, snapshot, new_bids, new_asks in messages:
        if snapshot:
            bids, asks = {}, {}
        for side, rows in ((bids, new_bids), (asks, new_asks)):
            for price, lots in rows:
                if lots:
                    side[price] = lots
                else:
                    side.pop(price, None)
        yield Book(m, ts, new_bids, new_asks, snapshot)
        if not bids or not asks or max(bids) >= min(asks):
            continue
        middle = (max(bids) + min(asks)) // 2
        if middle != last or ts - minutes.begin >= timeframe_ms:
            yield from minutes.price(ts, middle, 0.0, 0)
            last = middle
    yield from minutes.end()
