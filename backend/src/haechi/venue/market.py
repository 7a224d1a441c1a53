"""One market as everybody sees it: last price, the bar under way, trades, depth, funding, candles.

Bar and trade replays know no depth: what is shown around the price is made from the price alone, the same for everybody, and
labelled synthetic in the documentation; orders fill without limit where the price stands. With a real book the depth is the book's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from haechi.core.instrument import Instrument
from haechi.core.timeframe import anchor
from haechi.venue.moments import Book
from haechi.venue.past import BARS_KEPT, Past, TickBar
from haechi.venue.records import PublicTrade

if TYPE_CHECKING:
    from haechi.venue.account import Slices

DAY_MS = 86_400_000
TRADES_KEPT = 2000
LEVELS_MADE = 500
LEVEL_WORTH = 20_000  # a made level is worth about this much quote
ZERO = Decimal(0)


class Contract(msgspec.Struct):
    """What is listed. status: normal | maintain | off | limit_open | restrictedAPI."""

    max_lots: int
    max_market_lots: int
    leverage_max: int
    price_places: int
    volume_places: int
    status: str = "normal"
    buy_limit_ratio: Decimal = Decimal("0.05")
    sell_limit_ratio: Decimal = Decimal("0.05")
    open_interest: Decimal = Decimal("10000")


def contract_of(one: Instrument) -> Contract:
    """The largest order is what the engine's integers carry, at most a million lots; places are the grid's decimals."""
    return Contract(1_000_000, 500_000, max(tier.leverage_max for tier in one.tiers), places(one.tick), places(one.lot))


def places(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))


class Quote(msgspec.Struct, frozen=True):
    """Prices and volumes of the last 24 hours of the market's clock; change24h and change_utc are fractions."""

    last: Decimal
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    mark: Decimal
    index: Decimal
    high24h: Decimal
    low24h: Decimal
    open24h: Decimal
    base_volume: Decimal
    quote_volume: Decimal
    change24h: Decimal
    funding_rate: Decimal
    next_funding_ms: int
    open_interest: Decimal
    open_utc: Decimal
    change_utc: Decimal
    time_ms: int


class Depth(msgspec.Struct, frozen=True):
    """(ticks, lots), best first."""

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    time_ms: int
    seq: int


class Day(msgspec.Struct, frozen=True):
    """Closed bars of the last 24 hours."""

    bars: int
    first: int
    high: int
    low: int
    volume: float
    worth: float
    utc_open: int


class Market:
    """`point` in ticks, 0 before the first price. `bar` is the one under way, None between two."""

    def __init__(self, m: int, one: Instrument, past: Past, timeframe_ms: int) -> None:
        self.m, self.one, self.past, self.bars, self.timeframe_ms = m, one, past, past.bars, timeframe_ms
        self.point = 0
        self.bar: TickBar | None = None
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self.fundings: deque[tuple[int, int]] = deque(maxlen=1000)
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.limited = False
        self.seq = 1
        self._day: Day | None = None

    # ---- what moments do

    def opens(self, ts: int, price: int) -> None:
        self.point, self.bar = price, TickBar(ts, price, price, price, price, 0.0)

    def moves(self, ts: int, price: int, volume: float) -> None:
        bar = self.bar or TickBar(ts // self.timeframe_ms * self.timeframe_ms, price, price, price, price, 0.0)
        self.bar = TickBar(bar.ts, bar.open, max(bar.high, price), min(bar.low, price), price, bar.volume + volume)
        self.point = price
        self.seq += 1

    def closes(self) -> None:
        self.bar, self._day = None, None

    def book(self, moment: Book) -> None:
        if moment.snapshot:
            self.bids, self.asks = {}, {}
        for side, rows in ((self.bids, moment.bids), (self.asks, moment.asks)):
            for price, lots in rows:
                if lots:
                    side[price] = lots
                else:
                    side.pop(price, None)
        self.limited = True
        self.seq += 1

    # ---- liquidity of a real book

    def take(self, side: int, lots: int, worst: int) -> Slices:
        """What a taker gets, best first; it is gone until the book is updated. worst 0: any price."""
        book = self.asks if side > 0 else self.bids
        taken: Slices = []
        for price in sorted(book, reverse=side < 0):
            if lots <= 0 or (worst and side * price > side * worst):
                break
            got = min(lots, book[price])
            taken.append((price, got))
            lots -= got
            book[price] -= got
            if not book[price]:
                del book[price]
        return taken

    def offered(self, side: int, worst: int) -> int:
        """Lots a taker would get up to the worst price."""
        book = self.asks if side > 0 else self.bids
        return sum(lots for price, lots in book.items() if side * price <= side * worst)

    # ---- what is shown

    def depth(self, levels: int, resting: Iterator[tuple[int, int, int]], now_ms: int) -> Depth:
        """resting: (side, ticks, lots) of the members' orders."""
        if self.limited:
            return Depth(sorted(self.bids.items(), reverse=True)[:levels], sorted(self.asks.items())[:levels], now_ms, self.seq)
        bids, asks = self._made(-1, levels), self._made(1, levels)
        for side, price, lots in resting:
            if side > 0 and price < self.point:
                bids[price] = bids.get(price, 0) + lots
            elif side < 0 and price > self.point:
                asks[price] = asks.get(price, 0) + lots
        return Depth(sorted(bids.items(), reverse=True)[:levels], sorted(asks.items())[:levels], now_ms, self.seq)

    def _made(self, direction: int, levels: int) -> dict[int, int]:
        unit = max(1, self.one.unit * max(self.point, 1))
        size = max(1, LEVEL_WORTH * 10**8 // unit)
        prices = (self.point + direction * k for k in range(1, min(levels, LEVELS_MADE) + 1))
        return {price: 1 + size * (50 + price * 2654435761 % 101) // 100 for price in prices if price > 0}

    def day(self, now_ms: int) -> Day:
        if self._day is None:
            first = now_ms - DAY_MS
            bars = [bar for bar in self.bars if bar.ts >= first]
            midnight = now_ms // DAY_MS * DAY_MS
            utc = next((bar.open for bar in bars if bar.ts >= midnight), self.point)
            self._day = Day(len(bars), bars[0].open if bars else self.point, max((bar.high for bar in bars), default=self.point),
                            min((bar.low for bar in bars), default=self.point), sum(bar.volume for bar in bars),
                            sum(bar.volume * bar.close for bar in bars), utc)
        return self._day

    def quote(self, now_ms: int, next_funding_ms: int, contract: Contract) -> Quote:
        one, day, bar, price = self.one, self.day(now_ms), self.bar, self.one.price(self.point)
        best = self.depth(1, iter(()), now_ms)
        bid, ask = (best.bids or [(0, 0)])[0], (best.asks or [(0, 0)])[0]
        high, low = max(day.high, bar.high if bar else 0, self.point), min(day.low, bar.low if bar else self.point, self.point)
        volume = Decimal(repr(day.volume + (bar.volume if bar else 0.0))).quantize(one.lot)
        worth = (Decimal(repr(day.worth + (bar.volume * bar.close if bar else 0.0))) * one.tick).quantize(Decimal("0.0001"))
        first, utc = day.first or self.point, day.utc_open or self.point
        rate = Decimal(self.fundings[-1][1] if self.fundings else 10_000).scaleb(-8)
        return Quote(price, one.price(bid[0]), one.price(ask[0]), one.quantity(bid[1]), one.quantity(ask[1]), price, price,
                     one.price(high), one.price(low), one.price(first), volume, worth, _change(self.point, first), rate,
                     next_funding_ms, contract.open_interest, one.price(utc), _change(self.point, utc), now_ms)

    def candles(self, timeframe_ms: int, offset_ms: int, start: int | None, end: int | None, most: int, *, finished: bool) -> list[TickBar]:
        """Ascending; shorter bars put together. Nothing where finer bars are asked for than there are."""
        if timeframe_ms % self.timeframe_ms:
            return []
        made: deque[TickBar] = deque(maxlen=most)
        newest = start is None and end is None
        played = [*self._made_of(timeframe_ms, offset_ms, most + 1 if newest else BARS_KEPT), *([self.bar] if self.bar else [])]
        if newest:
            played = played[-(most + 1) * (timeframe_ms // self.timeframe_ms):]  # the first of them may be cut: it is not asked for
        for bar in together(played, timeframe_ms, offset_ms):
            if (start is None or bar.ts >= start) and (end is None or bar.ts < end):
                made.append(bar)
                if start is not None and end is None and len(made) == most:
                    break
        bars = list(made)
        last = self.bar.ts if self.bar else (self.bars[-1].ts + self.timeframe_ms if self.bars else 0)
        return [bar for bar in bars if not finished or bar.ts + timeframe_ms <= last]


    def _made_of(self, timeframe_ms: int, offset_ms: int, most: int) -> Iterable[TickBar]:
        """Longer bars where they are kept and begin where those that are asked for do."""
        if timeframe_ms == self.timeframe_ms or offset_ms != anchor(timeframe_ms) % timeframe_ms:
            return self.bars
        return (bar for _, bar in self.past.joined(timeframe_ms, most))


def together(bars: Sequence[TickBar], timeframe_ms: int, offset_ms: int) -> Iterator[TickBar]:
    """Longer bars from shorter ones; the grid of opens is shifted by offset_ms."""
    made: TickBar | None = None
    for bar in bars:
        ts = (bar.ts - offset_ms) // timeframe_ms * timeframe_ms + offset_ms
        if made is None or made.ts != ts:
            if made is not None:
                yield made
            made = TickBar(ts, bar.open, bar.high, bar.low, bar.close, bar.volume)
        else:
            made = TickBar(ts, made.open, max(made.high, bar.high), min(made.low, bar.low), bar.close, made.volume + bar.volume)
    if made is not None:
        yield made


def _change(now: int, then: int) -> Decimal:
    return (Decimal(now - then) / then).quantize(Decimal("0.00001")) if then else ZERO
