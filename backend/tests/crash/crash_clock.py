"""The market's time, told by one process to all: eight bytes in a file that each of them maps."""

from __future__ import annotations

import mmap
import struct
from datetime import datetime
from pathlib import Path
from time import monotonic

from haechi.platform.clock import instant

MS = struct.Struct("<q")


class SharedClock:
    """Clock. What only measures patience (timers, staleness of streams) is real time: minutes are played in milliseconds."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(MS.pack(0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), MS.size)

    def now_ms(self) -> int:
        return int(MS.unpack_from(self._map)[0])

    def set(self, ms: int) -> None:
        MS.pack_into(self._map, 0, ms)

    def now(self) -> datetime:
        return instant(self.now_ms())

    def monotonic(self) -> float:
        return monotonic()
