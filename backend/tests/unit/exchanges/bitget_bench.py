"""The adapter against the simulated exchange over real HTTP on this machine, with time in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from trading_floor import Played, trading

from haechi.exchanges.bitget.adapter import Bitget
from haechi.exchanges.bitget.sign import ApiKey
from haechi.exchanges.port import Event, NewOrder
from haechi.platform.clock import SetClock
from haechi.venue import records
from haechi.venue.faults import Faults
from haechi.venue.wire.server import make_app

WALL_MS = 1_700_000_000_000
KEY = ApiKey("bg_test_key_0123456789", "22582BD0CFF14C41EDBF1AB98506286D", "passphrase1")


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.changed = asyncio.Event()

    async def hear(self, event: Event) -> None:
        self.events.append(event)
        self.changed.set()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def settled(self) -> None:
        """Deliveries are tasks of their own: let them run."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def until(self, count: int, kind: type) -> list[Any]:
        """Wait (not for a time: for the events) until there are so many."""
        async with asyncio.timeout(30):
            while len(self.of(kind)) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.of(kind)


class HandTime:
    """Time that stands until the test lets it go on; then who slept so long wakes up, in order."""

    def __init__(self, clock: SetClock, played: Played) -> None:
        self.clock, self.played = clock, played
        self.sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> int:
        return round(self.clock.monotonic() * 1000)

    async def sleep(self, ms: int) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now() + ms, waiting))
        await waiting

    async def go(self, ms: int) -> None:
        """In steps of a second or less, so that what wakes up may sleep again."""
        end = self.now() + ms
        while self.now() < end:
            due = min([at for at, waiting in self.sleepers if not waiting.done()], default=end)
            step = max(1, min(due, end) - self.now())
            self.clock.advance(timedelta(milliseconds=step))
            self.played.wall_ms += step
            for at, waiting in self.sleepers:
                if at <= self.now() and not waiting.done():
                    waiting.set_result(None)
            self.sleepers = [(at, waiting) for at, waiting in self.sleepers if not waiting.done()]
            for _ in range(30):
                await asyncio.sleep(0)


async def seen(what: Callable[[], object]) -> None:
    """Let the loop run until something holds: it depends on messages on this machine's own wire, not on time."""
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110
            await asyncio.sleep(0)


@dataclass
class Bench:
    """`slept` are the ms the adapter asked to sleep; its clock moves on by them at once."""

    played: Played
    member: Any
    bitget: Bitget
    clock: SetClock
    faults: Faults | None
    url: str
    alarms: list[tuple[str, str]] = field(default_factory=list)
    slept: list[int] = field(default_factory=list)
    time: HandTime | None = None

    @property
    def floor(self) -> Any:
        return self.played.floor

    def later(self, ms: int) -> None:
        """Both clocks move on."""
        self.clock.advance(timedelta(milliseconds=ms))
        self.played.wall_ms += ms

    async def settled(self) -> None:
        """Deliveries to listeners are tasks of their own: let them run."""
        for _ in range(20):
            await asyncio.sleep(0)


def an_order(client_id: str = "o-1", *, side: str = "buy", quantity: str = "0.01", kind: str = "market", price: str | None = None,
             trigger: str | None = None, reduce_only: bool = False, symbol: str = "BTCUSDT") -> NewOrder:
    return NewOrder(client_id, symbol, side, Decimal(quantity), kind, Decimal(price) if price else None,
                    Decimal(trigger) if trigger else None, reduce_only)


async def at_once(_seconds: float) -> None:
    """The venue's faults hang for no time here; what they lose is lost all the same."""
    await asyncio.sleep(0)


@asynccontextmanager
async def bench(*, offset_ms: int = 0, with_faults: bool = False, limits: bool = False, by_hand: bool = False,
                **given: Any) -> AsyncIterator[Bench]:
    """BTCUSDT stands at 60,000; the member has 10,000. offset_ms: how far the adapter's clock is off. by_hand: sleepers
    wake only when the test lets time go on (`time`); otherwise sleeping moves the clocks on at once."""
    played = await trading()
    played.wall_ms = WALL_MS  # type: ignore[attr-defined]
    played.floor.clock = lambda: played.wall_ms  # type: ignore[attr-defined]
    member = played.floor.open_member("m", key=records.ApiKey(KEY.key, KEY.secret, KEY.passphrase, "m"))
    clock = SetClock(datetime.fromtimestamp((WALL_MS + offset_ms) / 1000, tz=UTC))
    faults = Faults(played.floor, sleep=at_once) if with_faults else None
    server = TestServer(make_app(played.floor, faults=faults, limits=limits))
    await server.start_server()
    alarms: list[tuple[str, str]] = []
    slept: list[int] = []

    async def sleep(ms: int) -> None:
        slept.append(ms)
        clock.advance(timedelta(milliseconds=ms))
        played.wall_ms += ms  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    time = HandTime(clock, played)
    address = str(server.make_url("/")).rstrip("/")
    sockets = {name: f"{address}/v2/ws/{name}".replace("http", "ws", 1) for name in ("public", "private")}
    async with aiohttp.ClientSession() as session:
        bitget = Bitget(session, KEY, clock, timeframe_ms=60_000, address=address, sleep=time.sleep if by_hand else sleep,
                        alarm=lambda word, sentence: alarms.append((word, sentence)), **{**sockets, **given})
        try:
            yield Bench(played, member, bitget, clock, faults, address, alarms, slept, time)
        finally:
            await bitget.close()
            await server.close()
