"""The exchange that outlives the killed: a floor with its real faces on a port, a market that goes on, and who watches the stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from crash_clock import SharedClock
from crash_trader import key_of
from trading_floor import BTC, ETH

from haechi.core.matching import path
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor
from haechi.venue.member import Member
from haechi.venue.moments import Close, Move, Open
from haechi.venue.records import ApiKey, PublicTrade
from haechi.venue.wire import signing
from haechi.venue.wire.server import STREAMS, make_app

MINUTE = 60_000
START_MS = 1_767_225_600_000 + 9 * MINUTE  # some minutes after a funding
PAST_BARS = 30
MIDDLE = (600_000, 300_000)  # ticks
RECORDS_KEPT = 1_000_000
WINDOW_MS = signing.WINDOW_MS


class Walk:
    """Invented bars that swing around a middle, wide enough for stops and targets to be met every few bars."""

    def __init__(self, seed: str, middle: int, ts: int) -> None:
        self.rng, self.middle, self.point, self.ts = Random(seed), middle, middle, ts

    def __next__(self) -> TickBar:
        first, width = self.point, self.middle // 250
        self.point += int(self.rng.gauss((self.middle - self.point) * 0.05, width * 0.6))
        high = max(first, self.point) + self.rng.randrange(width // 2)
        low = min(first, self.point) - self.rng.randrange(width // 2)
        bar = TickBar(self.ts, first, high, low, self.point, 10.0)
        self.ts += MINUTE
        return bar


@dataclass
class Stops:
    """A Sink. Watches what is held without a whole stop, and whether a stop ever went away from a position that stayed."""

    watched: set[tuple[str, int]] = field(default_factory=set)
    seen: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)  # lots held, lots without a stop
    since: dict[tuple[str, int], float] = field(default_factory=dict)
    naked_s: list[float] = field(default_factory=list)  # from a fill to its stop
    bared: list[str] = field(default_factory=list)  # a stop was taken away
    _due: set[str] = field(default_factory=set)

    def member(self, member: Member, what: str, record: object) -> None:
        if what in ("fill", "order", "plan", "position") and member.name not in self._due:
            self._due.add(member.name)
            asyncio.get_running_loop().call_soon(self._look, member)

    def market(self, m: int) -> None:
        """Prices alone take no stop away."""

    def traded(self, trade: PublicTrade) -> None:
        """Nor does the tape."""

    def barred(self, m: int, bar: TickBar) -> None:
        """Nor do bars."""

    def _look(self, member: Member) -> None:
        self._due.discard(member.name)
        for name, m in self.watched:
            if name == member.name:
                self._judge(member, m)

    def _judge(self, member: Member, m: int) -> None:
        key, held = (member.name, m), member.account.lots(m)
        covered = sum(plan.lots for plan in member.open_plans(m) if plan.closes and (plan.side < 0) == (held > 0))
        bare = max(abs(held) - covered, 0)
        held_before, bare_before = self.seen.get(key, (0, 0))
        self.seen[key] = held, bare
        if bare > bare_before and held == held_before:
            gone = [plan for plan in member.plans.values() if plan.m == m and plan.closes][-4:]
            self.bared.append(f"{member.name} holds {held} lots of market {m}; {bare} of them lost their stop; the newest: {gone}")
        if bare and key not in self.since:
            self.since[key] = time.monotonic()
        elif not bare and key in self.since:
            self.naked_s.append(time.monotonic() - self.since.pop(key))


class Exchange:
    """`bars` is how many were played; `step_s` is what a quarter of a bar takes."""

    def __init__(self, folder: Path, seed: str, *, step_s: float) -> None:
        self.clock, self.step_s, self.bars = SharedClock(folder / "clock"), step_s, 0
        self.clock.set(START_MS - PAST_BARS * MINUTE)
        self.floor = Floor(Venue([BTC, ETH], timeframe_ms=MINUTE), clock=self.clock.now_ms)
        self.floor.history_kept = RECORDS_KEPT
        self.walks = [Walk(f"{seed}/{m}", middle, self.clock.now_ms()) for m, middle in enumerate(MIDDLE)]
        self.asked: list[tuple[float, int, str]] = []  # when, which process, what: of everything that changes something and came in time
        made = make_app(self.floor, limits=False)
        made.middlewares.append(self._noted)
        self.server = TestServer(made)
        self.streams = made[STREAMS]
        self.stops = Stops()
        self.floor.listen(self.stops)
        self.played = asyncio.Event()  # a bar is over
        self._going = asyncio.Event()
        self._stands = asyncio.Event()

    @property
    def address(self) -> str:
        return str(self.server.make_url("/")).rstrip("/")

    def admit(self, account_id: str, deposit: Decimal) -> Member:
        key = key_of(account_id)
        return self.floor.open_member(account_id, deposit=deposit, key=ApiKey(key.key, key.secret, key.passphrase, account_id))

    @web.middleware
    async def _noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST":
            if "/order/" in request.path and self.clock.now_ms() - int(request.headers["ACCESS-TIMESTAMP"]) > WINDOW_MS:
                return web.json_response({"code": "40008", "msg": "Request timestamp expired", "requestTime": self.clock.now_ms(), "data": None}, status=400)
            reduces = b'"reduceOnly":"YES"' in await request.read()
            self.asked.append((time.monotonic(), int(request.headers.get("x-process", "0")), request.path + " reducing" * reduces))
        return await handler(request)

    # ---- the market

    def _next(self) -> dict[str, TickBar]:
        return {one.symbol: next(walk) for one, walk in zip(self.floor.instruments, self.walks, strict=True)}

    async def play(self) -> None:
        """For ever, whoever is alive; stands still between two bars when it is told to."""
        self.floor.remember([self._next() for _ in range(PAST_BARS)])
        while True:
            if not self._going.is_set():
                self._stands.set()
                await self._going.wait()
            await self._bar(self._next())

    async def _bar(self, bars: dict[str, TickBar]) -> None:
        ts = next(iter(bars.values())).ts
        self._at(ts)
        for symbol, bar in bars.items():
            await self.floor.play(Open(self.floor.market[symbol], ts, bar.open))
        walks = {self.floor.market[symbol]: path(bar.open, bar.high, bar.low, bar.close) for symbol, bar in bars.items()}
        await self._told()
        for part in range(1, 5):
            self._at(ts + part * (MINUTE - 1) // 4)
            for m, points in walks.items():
                await self.floor.play(Move(m, self.clock.now_ms(), points[part]))
            await self._told()
        await self.floor.play(Close(self.clock.now_ms(), bars))
        self.bars += 1
        self.played.set()

    def _at(self, ms: int) -> None:
        self.clock.set(ms)
        self.floor.now_ms = ms

    async def _told(self) -> None:
        for m, one in enumerate(self.floor.instruments):
            self.streams._flush_market(m, one.symbol)
        await asyncio.sleep(self.step_s)
        while self.clock.sending > 0:  # noqa: ASYNC110 - another process says it in shared memory
            await asyncio.sleep(0.001)

    def nothing_is_on_its_way(self) -> None:
        """Whoever said so is dead."""
        self.clock.sending = 0

    async def goes(self, bars: int = 0) -> None:
        """On; returns after so many bars."""
        self._stands.clear()
        self._going.set()
        until = self.bars + bars
        while self.bars < until:
            self.played.clear()
            await self.played.wait()

    async def stands(self) -> None:
        """Returns when the bar under way is over."""
        self._going.clear()
        await self._stands.wait()


@asynccontextmanager
async def exchange(folder: Path, seed: str, *, step_s: float = 0.012) -> AsyncIterator[Exchange]:
    signing.WINDOW_MS = 1 << 40  # a reading that was on its way while minutes passed is no stolen one; orders have no such excuse
    made = Exchange(folder, seed, step_s=step_s)
    await made.server.start_server()
    playing = asyncio.create_task(made.play())
    try:
        yield made
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        await made.server.close()
        signing.WINDOW_MS = WINDOW_MS
