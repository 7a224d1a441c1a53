"""A bot's journal: everything it was told and everything it wished, one line each, in order. `haechi replay` lives on it.

Lines are JSON: {"k": kind, …}. The database is the truth, this file is for the replay: lines reach the system before the bot acts on
them, and no file stays open between them, for there are many bots.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from haechi.errors import BadInput

encode = msgspec.json.Encoder(decimal_format="string").encode
HEAD, RESTORED = "head", "restored"
OPEN = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class Journal:
    """The file of one bot."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path

    def begin(self, spec: Any, state: str = "") -> None:
        """Once in a process, before the first line: the head where there is none; a line that a crash cut off goes.

        state: the snapshot a restarted bot goes on from.
        """
        self._mend()
        if not self.path.exists() or not self.path.stat().st_size:
            self.write(HEAD, engine=1, spec=spec)
        if state:
            self.write(RESTORED, state=state)

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
        file = os.open(self.path, OPEN, 0o600)
        try:
            os.write(file, encode({"k": kind, **fields}) + b"\n")
        finally:
            os.close(file)


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
