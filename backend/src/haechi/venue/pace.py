"""How fast the market's clock runs: real time, so many times faster, or only as far as the caller says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

SHORTEST_SLEEP_S = 0.001


class Pace:
    """`until(ts)` returns when the market's time `ts` (ms) has come."""

    def __init__(self, speed: float, *, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.speed, self._clock, self._sleep = speed, clock, sleep
        self._start: tuple[int, float] | None = None

    async def until(self, ts: int) -> None:
        """Measured from the first moment, so that lateness does not add up; what is due already is not waited for."""
        if self._start is None:
            self._start = ts, self._clock()
        first, begun = self._start
        wait = begun + (ts - first) / 1000 / self.speed - self._clock()
        await self._sleep(wait if wait >= SHORTEST_SLEEP_S else 0)


class Steps:
    """Stepped by the caller: the market stands still until `step` lets it go on."""

    def __init__(self) -> None:
        self._allowed: int | None = None
        self._waiting_for: int | None = None
        self._go, self._stands = asyncio.Event(), asyncio.Event()
        self.over = False

    async def until(self, ts: int) -> None:
        if self._allowed is None:
            self._allowed = ts  # the first moment is where the steps begin
        while ts > self._allowed:
            self._waiting_for = ts
            self._go.clear()
            self._stands.set()
            await self._go.wait()

    async def step(self, ms: int) -> int:
        """Let `ms` of the market's time pass, and return when all of it has been played: the market's time then."""
        await self._stands.wait()
        if self._allowed is None or self.over:
            return self._allowed or 0
        self._allowed += ms
        if self._waiting_for is not None and self._waiting_for <= self._allowed:
            self._stands.clear()
            self._go.set()
            await self._stands.wait()
        return self._allowed

    def finish(self) -> None:
        """No moment will come any more."""
        self.over = True
        self._stands.set()
