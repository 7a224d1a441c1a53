"""The newest lines of this process's log, kept in memory for admins: redacted as all lines are."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import structlog

from haechi.platform.house import House
from haechi.platform.log import SHARED, redact

LINES = 2_000
LINE_CHARS_MAX = 8_000  # all lines together stay under 16 MB, whatever tracebacks there are
LEVELS = ("debug", "info", "warning", "error")


class LogRing(logging.Handler):
    """The part of the house that remembers lines: the same processors as the log itself, then a bounded deque."""

    def __init__(self, lines: int = LINES) -> None:
        super().__init__()
        self.kept: deque[tuple[int, str]] = deque(maxlen=lines)
        self.number = 0
        self.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=SHARED, processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, redact, short,
            structlog.processors.JSONRenderer(sort_keys=True)]))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # logging's own rule: a line that cannot be written ends nobody's work
            self.handleError(record)
            return
        self.number += 1
        self.kept.append((self.number, line))

    def newest(self, *, below: int | None, level: str | None, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """At most `limit` lines with their numbers, newest first; only those of this level or worse."""
        found: list[tuple[int, dict[str, Any]]] = []
        with self.lock or nullcontext():
            kept = list(self.kept)
        for number, text in reversed(kept):
            if len(found) == limit:
                break
            if below is None or number < below:
                line = json.loads(text)
                if level is None or rank(line["level"]) >= rank(level):
                    found.append((number, line))
        return found


def rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def short(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """No text longer than LINE_CHARS_MAX: of a traceback the end says most."""
    return {name: value[-LINE_CHARS_MAX:] if isinstance(value, str) else value for name, value in event.items()}


@asynccontextmanager
async def open_log_ring(_house: House) -> AsyncIterator[LogRing]:
    ring, root = LogRing(), logging.getLogger()
    root.addHandler(ring)
    try:
        yield ring
    finally:
        root.removeHandler(ring)
