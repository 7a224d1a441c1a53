"""A bot's journal: everything it was told and everything it wished, one line each, in order. `haechi replay` lives on it.

Lines are JSON: {"k": kind, …}. The database is the truth, this file is for the replay: lines reach the system before an order leaves
or a state is saved because of them, and a moment later otherwise. No file stays open between them, for there are many bots.
A disk that takes nothing keeps nobody in the market: lines wait, and what reduces a position leaves without them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import structlog

from haechi.errors import BadInput

encode = msgspec.json.Encoder(decimal_format="string").encode
HEAD, RESTORED = "head", "restored"
OPEN = os.O_WRONLY | os.O_APPEND | os.O_CREAT
# Thousands of bots hear a bar at once: their lines wait until the orders are out, and then do not all come in one moment.
LATER_MS, SPREAD_MS = 2000, 1000
WAITING_MAX = 1 << 20  # bytes of one bot, some thousand lines: hours of a full disk

log = structlog.get_logger(__name__)
Later = Callable[[float, Callable[[], None]], object]


class Journal:
    """The file of one bot. later: calls something after some seconds; until it is set every line is written at once. stuck: the disk has
    taken nothing when it was last asked."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.later: Later | None = None
        self.later_s = (LATER_MS + crc32(path.name.encode()) % SPREAD_MS) / 1000
        self._waiting, self._called = b"", False
        self.stuck = self._torn = False  # torn: the first line that waits is in the file in part

    def begin(self, spec: Any, state: str = "") -> None:
        """Once in a process, before the first line: the head where there is none; a line that a crash cut off goes.

        state: the snapshot a restarted bot goes on from.
        """
        self._mend()
        if not self.path.exists() or not self.path.stat().st_size:
            self.write(HEAD, engine=1, spec=spec)
        if state:
            self.write(RESTORED, state=state)
        self.close()

    def _mend(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            if not end or file.read(1) == b"\n":
                return
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)

    def write(self, kind: str, **fields: Any) -> None:
        self._waiting += encode({"k": kind, **fields}) + b"\n"
        if self.later is None:
            self.close()
        elif not self._called:
            self._called = True
            self.later(self.later_s, self._in_time)

    def flush(self) -> None:
        """What waits reaches the system now. Raises OSError; what was not written then waits on."""
        if not self._waiting:
            return
        self.stuck = True
        file = os.open(self.path, OPEN, 0o600)
        try:
            taken = os.write(file, self._waiting)
        finally:
            os.close(file)
        if taken:
            self._torn = not self._waiting[:taken].endswith(b"\n")
        self._waiting = self._waiting[taken:]
        self.stuck = bool(self._waiting)

    @property
    def overfull(self) -> bool:
        """More waits than may: call `anew`."""
        return len(self._waiting) > WAITING_MAX

    def anew(self, state: str) -> None:
        """What waits is left out, and the journal goes on from this state, as after a restart. A head is kept, a line begun is ended."""
        kept = self._torn or not self.path.exists() or not self.path.stat().st_size
        log.error("journal_left_out", name=self.path.name, size=len(self._waiting))
        self._waiting = self._waiting[:self._waiting.find(b"\n") + 1] if kept else b""
        self.write(RESTORED, state=state)

    def _in_time(self) -> None:
        self._called = False
        self.close()
        if self._waiting and self.later is not None:
            self._called = True
            self.later(self.later_s, self._in_time)

    def close(self) -> None:
        """What waits, as far as the disk takes it. One that takes nothing is told to the log, and the lines wait on."""
        try:
            self.flush()
        except OSError as error:
            log.warning("journal_waits", name=self.path.name, why=error.strerror)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a journal. A last line cut off by a crash is left out; any other broken line is refused with its number."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: the journal cannot be read ({error.strerror})") from None
    rows = text.split(b"\n")
    for number, row in enumerate(rows[:-1], start=1):
        try:
            found = msgspec.json.decode(row)
        except msgspec.DecodeError:
            raise BadInput(f"{path.name}: line {number} is not a line of a journal") from None
        if not isinstance(found, dict) or "k" not in found:
            raise BadInput(f"{path.name}: line {number} is not a line of a journal")
        yield found
