"""Time as a parameter: the system's clock in a running house, a settable one in tests and simulations."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the shell may ask about time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        ...

    def now(self) -> datetime:
        """The same instant as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump back; only differences mean something."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now(self) -> datetime:
        return instant(self.now_ms())

    def monotonic(self) -> float:
        return time.monotonic()


class SetClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime, this one has no time zone")
        self._now_ms = round(start.timestamp() * 1000)
        self._elapsed = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> datetime:
        return instant(self._now_ms)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, by: timedelta) -> None:
        """Move on; time never runs back."""
        if by < timedelta(0):
            raise ValueError("a clock cannot be turned back")
        self._now_ms += round(by.total_seconds() * 1000)
        self._elapsed += by.total_seconds()


def instant(ms: int) -> datetime:
    """Milliseconds since 1970 -> aware UTC datetime."""
    return datetime.fromtimestamp(ms // 1000, tz=UTC) + timedelta(milliseconds=ms % 1000)
