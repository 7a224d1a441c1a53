"""A bot's journal: everything it was told and everything it wished, one line each, in order. `haechi replay` lives on it.

The file is only appended to and each line is flushed to the system before the bot acts on it. Lines are JSON: {"k": kind, …}.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from haechi.errors import BadInput

encode = msgspec.json.Encoder(decimal_format="string").encode
HEAD = "head"


class Journal:
    """The open file of one bot. `sync` puts it on the disk: done before an order leaves."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, kind: str, **fields: Any) -> None:
        self._file.write(encode({"k": kind, **fields}) + b"\n")

    def sync(self) -> None:
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


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
