"""Two exchanges on this machine: `theirs`, a venue that stands for the real one, and `ours`, which follows it. Time is in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from bitget_bench import HandTime, at_once

from haechi.core.instrument import Instrument
from haechi.markets.live.bitget import BitgetPublic
from haechi.markets.live.live import Live
from haechi.platform.clock import SetClock
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.faults import Faults
from haechi.venue.floor import Floor
from haechi.venue.moments import Close, Move, Open
from haechi.venue.wire.server import make_app

MINUTE = 60_000
START = 1_700_000_040_000  # a whole minute
MARKETS = (Instrument("BTCUSDT", min_value=Decimal(5)), Instrument("ETHUSDT", tick=Decimal("0.01"), lot=Decimal("0.01")))
PRICES = (600_000, 300_000)
HISTORY = 5  # minutes before START


class Theirs:
    """The exchange that is followed. `wall_ms` moves with the hand."""

    def __init__(self) -> None:
        self.wall_ms = START
        self.floor = Floor(Venue(list(MARKETS), timeframe_ms=MINUTE), clock=lambda: self.wall_ms, slippage=Decimal(0))

    async def open(self, rates: tuple[int, ...] = ()) -> None:
        for m, market in enumerate(self.floor.markets):
            await self.floor.play(Open(m, self.wall_ms, market.point or PRICES[m], rates))

    async def trade(self, price: int, *, m: int = 0, volume: float = 1.0, ago_ms: int = 0) -> None:
        await self.floor.play(Move(m, self.wall_ms - ago_ms, price, volume))

    async def close(self) -> None:
        bars = {self.floor.instruments[m].symbol: TickBar(*market.bar[:6]) for m, market in enumerate(self.floor.markets) if market.bar}
        await self.floor.play(Close(self.wall_ms - 1, bars))

    async def history(self) -> None:
        self.wall_ms = START - HISTORY * MINUTE
        for number in range(HISTORY):
            await self.open()
            for m, price in enumerate(PRICES):
                for change in (number, -3, 2):
                    self.wall_ms += 1_000
                    await self.trade(price + change, m=m)
            self.wall_ms = START - (HISTORY - 1 - number) * MINUTE
            await self.close()
        await self.open()

    def bars(self, m: int = 0) -> list[TickBar]:
        return list(self.floor.venue.candles[self.floor.instruments[m].symbol])


class Both:
    def __init__(self, theirs: Theirs, live: Live, faults: Faults, time: HandTime) -> None:
        self.theirs, self.live, self.faults, self.time = theirs, live, faults, time
        self.ours = Floor(Venue(list(live.instruments), timeframe_ms=MINUTE), clock=lambda: theirs.wall_ms, slippage=Decimal(0))
        self._flow: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.live.begin(self.ours)
        self._flow = asyncio.create_task(self.live.play(self.ours))
        await self.until(lambda: not self.live.blind)

    async def stop(self) -> None:
        if self._flow is not None:
            self._flow.cancel()
            await asyncio.gather(self._flow, return_exceptions=True)

    async def until(self, holds: Callable[[], object], about: str = "", step_ms: int = 2) -> None:
        """Messages travel and a little time goes by until it holds; the pushes of the venue come at the machine's own pace, so time in
        the test's hand must not run far ahead of it."""
        try:
            async with asyncio.timeout(30):
                while not holds():
                    await self.time.go(step_ms)
        except TimeoutError:
            raise AssertionError(about or "it never came") from None

    async def trade(self, price: int, *, m: int = 0, volume: float = 1.0) -> None:
        """Theirs trades, and ours has heard of it."""
        await self.theirs.trade(price, m=m, volume=volume)
        await self.until(lambda: self.ours.markets[m].point == price, f"{price} was never heard")

    async def turn(self, rates: tuple[int, ...] = (), *, heard: bool = True) -> None:
        """The minute is over, at theirs on the dot."""
        await self.time.go(MINUTE - self.theirs.wall_ms % MINUTE)
        await self.theirs.close()
        await self.theirs.open(rates)
        if heard:
            await self.until(lambda: len(self.bars()) and self.bars()[-1].ts == self.theirs.bars()[-1].ts, "the bar never closed")

    def bars(self, m: int = 0) -> list[TickBar]:
        return list(self.ours.venue.candles[self.ours.instruments[m].symbol])


@asynccontextmanager
async def both(symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"), **given: Any) -> AsyncIterator[Both]:
    theirs = Theirs()
    await theirs.history()
    faults = Faults(theirs.floor, sleep=at_once)
    server = TestServer(make_app(theirs.floor, faults=faults, limits=False))
    await server.start_server()
    clock = SetClock(datetime.fromtimestamp(theirs.wall_ms / 1000, tz=UTC))
    time = HandTime(clock, theirs)  # type: ignore[arg-type]
    url = str(server.make_url("/")).rstrip("/")
    addresses = {"address": url, "stream": url.replace("http", "ws", 1) + "/v2/ws/public"} | given
    async with aiohttp.ClientSession() as session:
        source = BitgetPublic(session, clock, symbols=symbols, timeframe_ms=MINUTE, sleep=time.sleep, **addresses)
        try:
            await source.open()
            found = Both(theirs, Live(source, timeframe_ms=MINUTE), faults, time)
            yield found
            await found.stop()
        finally:
            await source.close()
            await server.close()
