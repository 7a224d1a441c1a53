"""A market that is stepped: it goes on when all that the exchange told has arrived at the bots and they have acted upon it.

Nobody waits for a time. What is under way is counted: frames written to and read from sockets, events in the desks and runners.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from time import monotonic
from typing import Any

import pytest

from haechi.bots.runner import Runner
from haechi.core import matching
from haechi.core.matching import path
from haechi.core.walk import NEVER
from haechi.exchanges.bitget.adapter import Bitget
from haechi.exchanges.bitget.ears import Ear
from haechi.exchanges.bitget.reconcile import Reconciliation
from haechi.exchanges.bitget.streams import Stream
from haechi.exchanges.port import Event
from haechi.platform.clock import instant
from haechi.trading.desk import Desk
from haechi.trading.desk_check import Check
from haechi.trading.desk_watch import Watch
from haechi.venue.exchange import TickBar
from haechi.venue.floor import Floor
from haechi.venue.moments import Close, Move, Open
from haechi.venue.wire.ws import frames
from haechi.venue.wire.ws.sockets import Socket
from haechi.venue.wire.ws.streams import Streams

PATIENCE_S = 10  # of a fault; a step takes milliseconds
WORK = ((Desk, "hear"), (Runner, "_act"), (Check, "once"), (Watch, "once"), (Reconciliation, "once"))


class MarketClock:
    """The market's time. What only measures patience (timers, staleness) is measured in real time: a month is played in minutes."""

    def __init__(self, now_ms: int) -> None:
        self.now_at = now_ms

    def now_ms(self) -> int:
        return self.now_at

    def now(self) -> datetime:
        return instant(self.now_at)

    def monotonic(self) -> float:
        return monotonic()


class Traffic:
    """What is on its way. sent, heard: frames of the exchange's sockets; busy: events that somebody is acting on, rounds of the timers."""

    def __init__(self) -> None:
        self.busy: Counter[str] = Counter()
        self.sent = self.heard = 0
        self.changed = asyncio.Event()
        self.bitgets: Callable[[], Iterable[Bitget]] = lambda: ()
        self.runners: Callable[[], Iterable[Runner]] = lambda: ()

    def count(self, patch: pytest.MonkeyPatch) -> None:
        for owner, name in WORK:
            patch.setattr(owner, name, self._while_busy(getattr(owner, name)))
        write, read, put = Socket.write, Stream._text, Ear.put

        def written(socket: Socket, frame: bytes) -> None:
            self.sent += 1
            write(socket, frame)

        async def heard(stream: Stream, text: str) -> None:
            await read(stream, text)
            self.heard += 1
            self.changed.set()

        async def told(ear: Ear, event: Event) -> None:
            await put(ear, event)
            for task in ear.told:
                task.add_done_callback(lambda _done: self.changed.set())

        patch.setattr(Ear, "put", told)
        patch.setattr(Socket, "write", written)
        patch.setattr(Stream, "_text", heard)

    def _while_busy(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(work)
        async def counted(*given: Any, **named: Any) -> Any:
            self.busy[work.__qualname__] += 1
            try:
                return await work(*given, **named)
            finally:
                self.busy[work.__qualname__] -= 1
                self.changed.set()

        return counted

    def under_way(self) -> list[str]:
        found = [f"{name} {count}" for name, count in self.busy.items() if count]
        if self.sent != self.heard:
            found.append(f"{self.sent - self.heard} frames")
        found += [f"events for {ear.symbol}" for one in self.bitgets() for ear in one.ears.all if ear.waiting or ear.told]
        return found + [f"inbox of {runner.owner.bot_id}" for runner in self.runners() if not runner.inbox.empty()]

    async def settled(self) -> None:
        """Returns when everything has arrived and was acted upon."""
        if not self.under_way():
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self.under_way():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"it does not settle: {', '.join(self.under_way())}") from None


class Player:
    """Carries bars to the floor as the engine walks them; between two steps everybody has acted."""

    def __init__(self, floor: Floor, streams: Streams, traffic: Traffic, clock: MarketClock) -> None:
        self.floor, self.streams, self.traffic, self.clock = floor, streams, traffic, clock
        self.stops = 0  # times the market stood still on its way because something was met there

    async def play(self, bars: Mapping[str, TickBar]) -> None:
        await self.opens(bars)
        await self.walks(bars)

    # ---- the minute begins

    async def opens(self, bars: Mapping[str, TickBar]) -> None:
        """A new candle begins, so the last one is over and is thought about; then funding; then the first price."""
        await self._strikes(bars)
        for symbol, bar in bars.items():
            if bar.rates:
                await self._funds(self.floor.market[symbol], bar)
        for symbol, bar in bars.items():
            m = self.floor.market[symbol]
            await self.floor.play(Open(m, bar.ts, bar.open))
            await self._told(m)

    async def _strikes(self, bars: Mapping[str, TickBar]) -> None:
        """As everywhere, a candle opens with the clock, at the last price: what is ordered before the first trade meets that trade."""
        self.clock.now_at = self.floor.now_ms = next(iter(bars.values())).ts
        for symbol in bars:
            market = self.floor.markets[self.floor.market[symbol]]
            market.opens(self.clock.now_at, market.point)
            self.streams._flush_market(market.m, symbol)
        await self.traffic.settled()

    async def _funds(self, m: int, bar: TickBar) -> None:
        """Settled before the first trade, and looked for at once: the timer that asks for it is a minute of real time."""
        for rate in bar.rates:
            for account in self.floor.venue.accounts.values():
                account.now_ms = bar.ts
                account.fund(m, bar.open, rate)
            self.floor.markets[m].fundings.append((bar.ts, rate))
        for bitget in self.traffic.bitgets():
            await bitget.reconciliation.payments()
        await self.traffic.settled()

    # ---- and goes on

    async def walks(self, bars: Mapping[str, TickBar]) -> None:
        ts, length = next(iter(bars.values())).ts, self.floor.venue.timeframe_ms
        walks = {self.floor.market[symbol]: path(bar.open, bar.high, bar.low, bar.close) for symbol, bar in bars.items()}
        for part in range(1, 5):
            self.clock.now_at = ts + part * (length - 1) // 4
            for m, points in walks.items():
                await self._goes(m, points[part])
        await self.floor.play(Close(self.clock.now_at, dict(bars)))

    async def _goes(self, m: int, price: int) -> None:
        """On a straight line, with a stop wherever somebody's order is met."""
        while True:
            met = self._met(m, price)
            await self.floor.play(Move(m, self.clock.now_at, price if met is None else met))
            await self._told(m)
            if met is None:
                return
            self.stops += 1

    def _met(self, m: int, b: int) -> int | None:
        """The first price on the way at which something happens to somebody."""
        away, a = NEVER, self.floor.markets[m].point
        for account in self.floor.venue.accounts.values():
            if account.involved(m):
                order = matching.nearest(account._meeting(m), a, b)
                away = min(away, order.distance if order else NEVER, *(account._liquidation_distance(m, leg, a, b) for leg in (0, 1)))
        return None if away == NEVER else a + away if b >= a else a - away

    async def _told(self, m: int) -> None:
        """Who follows the price hears it; everybody acts."""
        symbol = self.floor.instruments[m].symbol
        if ("ticker", symbol) in self.streams.listeners:
            self.streams._broadcast(("ticker", symbol), [frames.ticker(self.floor.quote(m), symbol)], "snapshot")
        await self.traffic.settled()
