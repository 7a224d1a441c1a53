"""The real venue on a loopback port, in a thread of its own, with a market that the tests move by hand."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from aiohttp import web

from haechi.core.instrument import Instrument, Tier
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor
from haechi.venue.moments import Close, Move, Open
from haechi.venue.records import ApiKey
from haechi.venue.wire.server import make_app

MINUTE = 60_000
EIGHT_HOURS = 8 * 60 * MINUTE
HISTORY = 40  # minute bars there before the day begins
VOLUME = 1.5
RATE = 10_000  # funding of 0.01 %, in 1e-8
TIERS = (Tier(notional_max=Decimal(150_000), maintenance=Decimal("0.004"), leverage_max=125),
         Tier(notional_max=Decimal(900_000), maintenance=Decimal("0.005"), leverage_max=100),
         Tier(notional_max=Decimal(100_000_000), maintenance=Decimal("0.01"), leverage_max=50))
MARKETS = {  # tick, lot, first price
    "BTCUSDT": ("0.1", "0.001", "60000"), "ETHUSDT": ("0.01", "0.01", "3000"), "LTCUSDT": ("0.01", "0.1", "90"),
    "ADAUSDT": ("0.0001", "1", "0.5"), "XRPUSDT": ("0.0001", "1", "0.6")}


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Stage:
    """`url` and `ws` are what a client is given; `play` moves the market, from any thread or over /_venue/play."""

    def __init__(self) -> None:
        listed = [Instrument(name, tick=Decimal(tick), lot=Decimal(lot), tiers=TIERS) for name, (tick, lot, _) in MARKETS.items()]
        self.floor = Floor(Venue(listed, timeframe_ms=MINUTE), clock=wall_ms, slippage=Decimal(0))
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.runner: web.AppRunner | None = None
        self.url = self.ws = ""
        self.seen: list[tuple[str, str, int]] = []  # method, path, status of every request

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def wait(self, work: Awaitable[Any]) -> Any:
        async def whole() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(whole(), self.loop).result(timeout=30)

    def start(self) -> None:
        self.thread.start()
        self.wait(self._open())

    def stop(self) -> None:
        if self.runner is not None:
            self.wait(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)
        self.loop.close()

    async def _open(self) -> None:
        await self._history()
        app = make_app(self.floor, limits=False, controls={("POST", "/_venue/play"): self._control})
        app.on_response_prepare.append(self._note)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        port = self.runner.addresses[0][1]
        self.url, self.ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"

    async def _note(self, request: web.Request, response: web.StreamResponse) -> None:
        self.seen.append((request.method, request.path, response.status))

    # ---- the market

    async def _history(self) -> None:
        """Bars up to the present minute, one funding among them; the present bar is open."""
        first = wall_ms() // MINUTE * MINUTE - HISTORY * MINUTE
        for number in range(HISTORY):
            ts = first + number * MINUTE
            for m in range(len(self.floor.instruments)):
                await self._open_bar(m, ts, (RATE,) if number == HISTORY // 2 else ())
                await self._wiggle(m, ts)
            await self._close_bars(ts + MINUTE - 1)
        for m in range(len(self.floor.instruments)):
            await self._open_bar(m, first + HISTORY * MINUTE, ())

    def first_price(self, m: int) -> int:
        one = self.floor.instruments[m]
        return int(Decimal(MARKETS[one.symbol][2]) / one.tick)

    async def _open_bar(self, m: int, ts: int, rates: tuple[int, ...]) -> None:
        price = self.floor.markets[m].point or self.first_price(m)
        await self.floor.play(Open(m, ts, price, rates))

    async def _wiggle(self, m: int, ts: int) -> None:
        base = self.first_price(m)
        for second, price in ((15, base + 2), (30, base - 2), (45, base)):
            await self.floor.play(Move(m, ts + second * 1000, price, VOLUME))

    async def _close_bars(self, ts: int) -> None:
        bars = {}
        for m, market in enumerate(self.floor.markets):
            bar = market.bar
            assert bar is not None
            bars[self.floor.instruments[m].symbol] = TickBar(*bar[:6])
        await self.floor.play(Close(ts, bars))

    async def play(self, symbol: str, *prices: Decimal, volume: float = VOLUME) -> None:
        """The price goes to each of these in turn."""
        m = self.floor.market[symbol]
        one = self.floor.instruments[m]
        for price in prices:
            await self.floor.play(Move(m, self._now(), int(price / one.tick), volume))

    async def fund(self, rate: int = RATE) -> None:
        """The bars of all markets close, and funding is settled as the next ones open."""
        now = self._now()
        await self._close_bars(now)
        for m in range(len(self.floor.instruments)):
            await self._open_bar(m, now + 1, (rate,))

    def _now(self) -> int:
        return max(wall_ms(), self.floor.now_ms + 1)

    async def _control(self, _: web.Request, body: bytes) -> Any:
        """{"symbol", "prices": [...]} moves, {"fund": rate} settles funding."""
        asked = json.loads(body)
        if "fund" in asked:
            await self.fund(asked["fund"])
        else:
            await self.play(asked["symbol"], *(Decimal(str(one)) for one in asked["prices"]))
        return {"now": self.floor.now_ms}

    # ---- members

    def admit(self, name: str) -> ApiKey:
        """A member with 10,000 USDT and a key that may trade and transfer."""
        key = ApiKey(f"bg_{name}", f"secret-of-{name}", f"pass-{name}", name, permissions=("read", "trade", "transfer"))

        async def inside() -> None:
            self.floor.open_member(name, key=key)

        self.wait(inside())
        return key


@contextmanager
def staged() -> Iterator[Stage]:
    stage = Stage()
    stage.start()
    try:
        yield stage
    finally:
        stage.stop()
