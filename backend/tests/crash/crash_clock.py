"""The market's time, told by one process to all: a few bytes in a file that each of them maps.

Minutes are played in milliseconds. So that two minutes of waiting for a lost order do not pass while it is on its way to the exchange
on a busy machine, who sends says so, and time stands still until it has arrived.
"""

from __future__ import annotations

import mmap
import struct
from datetime import datetime
from pathlib import Path
from time import monotonic

from haechi.platform.clock import instant

MS = struct.Struct("<q")
SENDING = MS.size  # where the count of what is on its way stands


class SharedClock:
    """Clock. What only measures patience (timers, staleness of streams) is real time: minutes are played in milliseconds."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(2 * MS.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 2 * MS.size)

    def now_ms(self) -> int:
        return int(MS.unpack_from(self._map)[0])

    def set(self, ms: int) -> None:
        MS.pack_into(self._map, 0, ms)

    @property
    def sending(self) -> int:
        return int(MS.unpack_from(self._map, SENDING)[0])

    @sending.setter
    def sending(self, count: int) -> None:
        MS.pack_into(self._map, SENDING, count)

    def now(self) -> datetime:
        return instant(self.now_ms())

    def monotonic(self) -> float:
        return monotonic()
