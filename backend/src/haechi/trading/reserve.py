"""Exits without a database: a file whose room was taken on the first day keeps the intents that must not wait for a table.

Records are lines of JSON, each on the disk before its order leaves. When the database is back they are put into their table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import structlog

ROOM_BYTES = 16 * 1024 * 1024
log = structlog.get_logger(__name__)


class Full(Exception):
    """The reserve is used up, or cannot be written."""


class Reserve:
    """`pending`: records not yet in the table."""

    def __init__(self, path: Path, *, room: int = ROOM_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.room = path, room
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._file).st_size
        if size < room:
            os.posix_fallocate(self._file, size, room - size)
        self.pending, self._end = self._read()

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        """Up to the first byte that was never written; a line cut off by a crash was of an order that never left."""
        content = os.pread(self._file, self.room, 0)
        written = content[:content.find(b"\0")] if b"\0" in content else content
        whole = written[:written.rfind(b"\n") + 1]
        found = []
        for line in whole.splitlines():
            try:
                found.append(msgspec.json.decode(line))
            except msgspec.DecodeError:
                log.error("reserve_line_unreadable", path=self.path.name)
        return found, len(whole)

    def keep(self, record: dict[str, Any]) -> None:
        """On the disk when this returns. Raises Full."""
        line = msgspec.json.encode(record) + b"\n"
        if self._end + len(line) >= self.room:
            raise Full("the reserve for exits without a database is full")
        try:
            os.pwrite(self._file, line, self._end)
            os.fdatasync(self._file)
        except OSError as error:
            raise Full(f"the reserve cannot be written: {error.strerror}") from None
        self._end += len(line)
        self.pending.append(record)

    def refused(self, record: dict[str, Any]) -> None:
        """The table does not take it: kept in a file beside this one, for a person to look at."""
        with self.path.with_name(f"{self.path.name}.refused").open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def forget(self) -> None:
        """All of it is in the table."""
        os.pwrite(self._file, b"\0" * self._end, 0)
        os.fdatasync(self._file)
        self.pending, self._end = [], 0

    def close(self) -> None:
        os.close(self._file)
