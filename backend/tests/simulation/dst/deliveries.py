"""How events reach the listeners of one faulty exchange: each at its moment, in order unless a fault says otherwise."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from random import Random

import structlog

from haechi.exchanges.port import Bar, Event, Listener, Price

from .faults import Faults

LATENCY_MS = (4, 60)
LATE_FILL_S = (1, 7_200)

log = structlog.get_logger(__name__)


class Ear:
    """One listener and what of the market waits for it; a price that nobody took yet gives way to a newer one. What happened to the
    account is told at once, as exchanges/bitget/ears.py does."""

    def __init__(self, listener: Listener, symbol: str, *, prices: bool) -> None:
        self.listener, self.symbol, self.prices = listener, symbol, prices
        self.waiting: list[Event] = []
        self.some = asyncio.Event()
        self.told: set[asyncio.Task[None]] = set()
        self.task = asyncio.create_task(self._deliver(), name=f"ear {symbol}")

    def put(self, event: Event) -> None:
        if not isinstance(event, Bar | Price):
            told = asyncio.create_task(self._hear(event), name=f"ear {self.symbol}")
            self.told.add(told)
            told.add_done_callback(self.told.discard)
            return
        if isinstance(event, Price):
            if not self.prices:
                return
            if self.waiting and isinstance(self.waiting[-1], Price):
                self.waiting.pop()
        self.waiting.append(event)
        self.some.set()

    async def _deliver(self) -> None:
        while True:
            if not self.waiting:
                self.some.clear()
                await self.some.wait()
                continue
            await self._hear(self.waiting.pop(0))

    async def _hear(self, event: Event) -> None:
        try:
            await self.listener.hear(event)
        except Exception:
            log.exception("listener_failed", symbol=self.symbol)


class Deliveries:
    """now in ms of the wall. `heard_ms`: the newest moment of a symbol's market that reached somebody."""

    def __init__(self, faults: Faults, rng: Random, now: Callable[[], int]) -> None:
        self.faults, self.rng, self.now = faults, rng, now
        self.ears: list[Ear] = []
        self.heard_ms: dict[str, int] = {}
        self._due: list[tuple[int, int, Event]] = []
        self._number = 0
        self._newest = 0
        self.closed = False

    def listen(self, listener: Listener, symbol: str, *, prices: bool) -> None:
        known = next((ear for ear in self.ears if ear.listener is listener and ear.symbol == symbol), None)
        if known is None:
            self.ears.append(Ear(listener, symbol, prices=prices))
        else:
            known.prices = prices

    def unlisten(self, listener: Listener) -> None:
        for ear in [one for one in self.ears if one.listener is listener]:
            self.ears.remove(ear)  # what it is being told is heard to its end
            if ear.task is not asyncio.current_task():
                ear.task.cancel()

    def close(self) -> None:
        self.closed = True
        for ear in self.ears:
            for task in (ear.task, *ear.told):
                task.cancel()
        self.ears.clear()
        self._due.clear()

    def send(self, event: Event, *, more_ms: int = 0, ordered: bool = True) -> None:
        """On its way; ordered: never before what was sent earlier."""
        at = self.now() + self.rng.randint(*LATENCY_MS) + more_ms
        if ordered and not more_ms:
            at = self._newest = max(at, self._newest)
        self._number += 1
        heapq.heappush(self._due, (at, self._number, event))
        asyncio.get_running_loop().call_later((at - self.now()) / 1000 + 1e-4, self._arrive)

    def _arrive(self) -> None:
        while self._due and self._due[0][0] <= self.now():
            event = heapq.heappop(self._due)[2]
            for ear in [one for one in self.ears if one.symbol in ("", event.symbol) and (one.prices or not isinstance(event, Price))]:
                self.market(event)
                ear.put(event)

    def market(self, event: Event) -> None:
        """Market data tells of a moment; one from the future tells of none."""
        if not isinstance(event, Price | Bar):
            return
        moment = event.time_ms if isinstance(event, Price) else event.ts + event.timeframe_ms
        if moment <= self.now():
            self.heard_ms[event.symbol] = max(moment, self.heard_ms.get(event.symbol, 0))

    # ---- an event of the account, through the faults of the moment

    def account(self, event: Event) -> None:
        faults = self.faults
        if self.closed or faults.hit("events_silent", "key_revoked", "events_lost") or self.down:
            return
        if faults.hit("late_fills"):
            low, high = LATE_FILL_S
            self.send(event, more_ms=int(1000 * low * (high / low) ** self.rng.random()))
            return
        if faults.hit("events_reordered"):
            self.send(event, more_ms=self.rng.randint(1, 1_500))
            return
        self.send(event)
        if faults.hit("events_duplicated"):
            for _ in range(self.rng.randint(1, 4)):
                self.send(event)
        if faults.hit("events_duplicated_late"):
            self.send(event, more_ms=self.rng.randint(5_000, 900_000))

    @property
    def down(self) -> bool:
        """Between two connections: 5 s of each 30 while the connection keeps breaking."""
        one = self.faults.on("reconnects")
        return one is not None and (self.faults.now() - one.start_ms) % 30_000 < 5_000
