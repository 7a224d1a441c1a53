"""Bitget's public data: contracts, bars and the streams of trades, depth and tickers. No key, no account."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from haechi.core.instrument import Instrument
from haechi.core.units import SCALE
from haechi.errors import BadInput
from haechi.exchanges.bitget import streams
from haechi.exchanges.bitget.answers import Unreadable
from haechi.exchanges.bitget.budget import Address, Budget
from haechi.exchanges.bitget.clock import ServerClock
from haechi.exchanges.bitget.market import Market
from haechi.exchanges.bitget.rest import ADDRESS, Rest
from haechi.exchanges.bitget.streams import Stream
from haechi.exchanges.bitget.text import Item, exact, items, maybe, number, time_ms, word
from haechi.markets.live.bars import Trade
from haechi.venue.exchange import TickBar
from haechi.venue.moments import Book

if TYPE_CHECKING:
    import aiohttp

    from haechi.exchanges.port import Bar
    from haechi.platform.clock import Clock

CHANNELS = ("trade", "books15", "ticker")
IDLE_MS = 30_000  # without any data the stream is cut and made anew
IDS_KEPT = 2_000  # trades remembered, so that one told twice counts once
PRICES = ("open", "high", "low", "close")
SIDES = {"buy": 1, "sell": -1}


class Ticked:
    """A ticker: the market was seen at `ts`; the funding `rate` (1e-8) is due at `due` (ms)."""

    def __init__(self, m: int, ts: int, rate: int, due: int) -> None:
        self.m, self.ts, self.rate, self.due = m, ts, rate, due


Told = Trade | Book | Ticked


class BitgetPublic:
    """`tell` gets what the stream brings, in order. Reads raise Unreachable or Refused."""

    label = "live:bitget"

    def __init__(self, session: aiohttp.ClientSession, clock: Clock, *, symbols: Sequence[str], timeframe_ms: int, address: str = "",
                 stream: str = "", sleep: Callable[[int], Awaitable[None]] = lambda ms: asyncio.sleep(ms / 1000)) -> None:
        self.clock = ServerClock(clock)
        self.rest = Rest(session, Budget(Address(lambda: int(clock.monotonic() * 1000)), sleep), self.clock, address=address or ADDRESS)
        self.market, self.sleep = Market(self.rest, timeframe_ms=timeframe_ms), sleep
        self.symbols, self.instruments = list(symbols), list[Instrument]()
        self.places = {name: m for m, name in enumerate(symbols)}
        self.tell: Callable[[Told], None] = lambda _: None
        self._seen: list[deque[str]] = [deque(maxlen=IDS_KEPT) for _ in symbols]
        self.stream = Stream(session, stream or streams.PUBLIC, name="live", clock=self.clock, sleep=sleep, heard=self._heard,
                             opened=lambda: None, measure=self.rest.measure, alarm=lambda *_: None, idle_ms=IDLE_MS)
        self.stream.topics = {(channel, name) for channel in CHANNELS for name in symbols}

    async def open(self) -> None:
        """Their clock and the contracts. BadInput for a symbol they do not trade."""
        await self.rest.measure()
        for name in self.symbols:
            one = await self.market.instrument(name)
            if one is None:
                raise BadInput(f"Bitget has no USDT-M contract {name!r} that is open for trading")
            self.instruments.append(one)

    async def close(self) -> None:
        await self.stream.close()

    @property
    def silent_ms(self) -> int | None:
        """Since the last data; None: not connected and subscribed."""
        return int(self.clock.clock.monotonic() * 1000) - self.stream.data_ms if self.stream.ready else None

    async def bars(self, m: int, most: int) -> dict[int, TickBar]:
        """The newest bars, the one under way among them."""
        one = self.instruments[m]
        return {bar.ts: TickBar(bar.ts, *(one.ticks_nearest(price) for price in (bar.open, bar.high, bar.low, bar.close)), bar.volume)
                for bar in await self.market.with_open(one.symbol, most)}

    async def history(self, symbol: str, most: int, timeframe_ms: int, before_ms: int) -> list[Bar]:
        """As the port's `bars`, of what had ended by then, on our instrument's grid."""
        one = self.instruments[self.places[symbol]]
        return [msgspec.structs.replace(bar, **{name: one.price(one.ticks_nearest(getattr(bar, name))) for name in PRICES})
                for bar in await self.market.bars(symbol, most, timeframe_ms, before_ms=before_ms)]

    # ---- what the stream brings

    async def _heard(self, arg: Mapping[str, Any], data: Any) -> None:
        m = self.places.get(str(arg.get("instId", "")).upper())
        channel = arg.get("channel")
        if m is None or channel not in CHANNELS:
            return
        read = {"trade": self._trades, "books15": self._depth, "ticker": self._ticker}[channel]
        for one in read(m, items(data)):
            self.tell(one)

    def _trades(self, m: int, rows: list[Item]) -> list[Told]:
        """Newest first on the wire; each id once."""
        found: list[Told] = []
        for row in reversed(rows):
            name = maybe(row, "tradeId") or word(row, "ts")
            if name in self._seen[m]:
                continue
            one = self.instruments[m]
            made = Trade(m, time_ms(row, "ts"), one.ticks_nearest(positive(row, "price")), float(positive(row, "size")),
                         SIDES.get(word(row, "side").lower(), 0))
            self._seen[m].append(name)
            found.append(made)
        return sorted(found, key=lambda told: told.ts)

    def _depth(self, m: int, rows: list[Item]) -> list[Told]:
        return [Book(m, time_ms(row, "ts"), self._levels(m, row, "bids"), self._levels(m, row, "asks"), snapshot=True) for row in rows]

    def _levels(self, m: int, row: Item, side: str) -> tuple[tuple[int, int], ...]:
        one, levels = self.instruments[m], row.get(side)
        if not isinstance(levels, list) or not all(isinstance(level, list) and len(level) >= 2 for level in levels):
            raise Unreadable(f"{side} are no levels")
        return tuple((one.ticks_nearest(exact(level[0])), int(exact(level[1]) / one.lot)) for level in levels)

    def _ticker(self, m: int, rows: list[Item]) -> list[Told]:
        return [Ticked(m, time_ms(row, "ts"), int(number(row, "fundingRate") * SCALE), time_ms(row, "nextFundingTime")) for row in rows]


def positive(row: Item, name: str) -> Decimal:
    value = number(row, name)
    if value <= 0:
        raise Unreadable(f"{name} is {value}")
    return value
