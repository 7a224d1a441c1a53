"""Sleeping through what would be nothing: a house that looks every second at a market where nobody trades costs a run most of its time.

While something goes on for a member, its loops sleep as long as they ask. When nothing does, they sleep until something does, or
QUIET_S at most; from then on they are as quick as in production. Nothing they would have found meanwhile is missed: whatever could
give them work stirs them (a request, anything at the venue, a fault's begin and end, a position without a stop).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

LEAST_S = 0.9  # shorter sleeps are no idling
QUIET_S = 45.0
AWAKE_MS = 6_000  # after the last stir
OF_ALL = ""
whose: ContextVar[str] = ContextVar("whose", default=OF_ALL)  # the member a task works for


class Patience:
    """now in ms. busy: whether something goes on for a member ('' for what serves all) that no stir tells of."""

    def __init__(self, now: Callable[[], int], busy: Callable[[str], bool]) -> None:
        self.now, self.busy = now, busy
        self.stirred: dict[str, int] = {}
        self.waiting: dict[asyncio.Future[None], tuple[str, float]] = {}
        self.slept_s = 0.0  # what was asked for less than what was slept

    async def sleep(self, seconds: float) -> None:
        name = whose.get()
        if seconds < LEAST_S or self.busy(name) or self.now() - self.stirred.get(name, 0) < AWAKE_MS:
            await asyncio.sleep(seconds)
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(max(QUIET_S, seconds), _wake, waiter)
        self.waiting[waiter] = (name, seconds)
        began = loop.time()
        try:
            await waiter
        finally:
            timer.cancel()
            self.waiting.pop(waiter, None)
            self.slept_s += loop.time() - began - seconds

    def stir(self, name: str = OF_ALL) -> None:
        """Something happened to this member; '': to the whole house, and so to all."""
        now = self.now()
        for one in {*self.stirred, OF_ALL} if name == OF_ALL else (name,):
            self.stirred[one] = now
        loop = asyncio.get_running_loop()
        for waiter, (mine, seconds) in list(self.waiting.items()):
            if name in (OF_ALL, mine):
                del self.waiting[waiter]
                loop.call_later(seconds, _wake, waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
