"""The market's time, told by one process to all: a few bytes in a file that each of them maps.

Minutes are played in milliseconds. So that two minutes of waiting for a lost order do not pass while it is on its way to the exchange
on a busy machine, who sends says so, and time stands still until it has arrived.
"""

from __future__ import annotations

import mmap
from datetime import datetime
from pathlib import Path
from time import monotonic

from haechi.platform.clock import instant

BYTES = 16
MS, SENDING = 0, 1  # words: the time, and the count of what is on its way


class SharedClock:
    """Clock. What only measures patience (timers, staleness of streams) is real time: minutes are played in milliseconds."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(BYTES))
        with path.open("r+b") as file:  # whole words: struct would write zeros first, and another process might read them
            self._words = memoryview(mmap.mmap(file.fileno(), BYTES)).cast("q")

    def now_ms(self) -> int:
        return self._words[MS]

    def set(self, ms: int) -> None:
        self._words[MS] = ms

    @property
    def sending(self) -> int:
        return self._words[SENDING]

    @sending.setter
    def sending(self, count: int) -> None:
        self._words[SENDING] = count

    def now(self) -> datetime:
        return instant(self.now_ms())

    def monotonic(self) -> float:
        return monotonic()
