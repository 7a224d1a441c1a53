"""Manners towards a public API: a steady pace, and longer and longer waits where it is busy or silent. Time is a parameter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from haechi.errors import HaechiError

TRIES_MAX = 7
WAIT_FIRST_SECONDS, WAIT_MAX_SECONDS = 1.0, 60.0
T = TypeVar("T")


class Unreachable(HaechiError):
    """The exchange did not answer, or not usefully, however often it was asked."""

    status = 502
    code = "exchange_unreachable"


class Busy(Exception):
    """An answer that another try may better. wait: seconds the other side asks for."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.wait = reason, wait


class Patience:
    """At most `per_second` requests; waits of 1, 2, 4 … seconds between tries, or as long as the other side asks (a minute at most)."""

    def __init__(self, per_second: float, *, sleep: Callable[[float], Awaitable[None]], now: Callable[[], float]) -> None:
        self._gap, self._sleep, self._now = 1.0 / per_second, sleep, now
        self._next = 0.0

    async def ask(self, whom: str, request: Callable[[], Awaitable[T]]) -> T:
        """Raises Unreachable when the last try fails too."""
        reason = ""
        for number in range(TRIES_MAX):
            await self._turn()
            try:
                return await request()
            except Busy as busy:
                reason = busy.reason
                if number < TRIES_MAX - 1:
                    await self._sleep(min(WAIT_MAX_SECONDS, max(busy.wait, WAIT_FIRST_SECONDS * 2**number)))
        raise Unreachable(f"{whom} gave no useful answer in {TRIES_MAX} tries, at last: {reason}; "
                          f"what has come is stored, run it again to go on")

    async def _turn(self) -> None:
        now = self._now()
        wait = self._next - now
        self._next = max(self._next, now) + self._gap
        if wait > 0:
            await self._sleep(wait)
