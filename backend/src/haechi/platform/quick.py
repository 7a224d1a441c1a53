"""Short reads by key on the way of every request: on SQLite through a kept link of its own in the event loop, about ten microseconds;
through the pool they cost fifty times that, most of it threads and sessions. Elsewhere the pool is used.

Readers never wait for a writer in WAL mode, and each statement sees the newest commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Select, make_url

from haechi.platform.columns import Instant
from haechi.platform.db import Database

WAIT_MS = 5  # in the loop nobody waits longer; then the pool is asked


class QuickRow:
    """One prepared question: `query` gives at most one row of columns; its parameters are named."""

    def __init__(self, database: Database, query: Select[Any]) -> None:
        self.database, self.query = database, query
        self.columns: Sequence[Column[Any]] = list(query.selected_columns)  # type: ignore[arg-type]
        self._fix = [(place, fix) for place, column in enumerate(self.columns) if (fix := fixed(column)) is not None]
        self._link: sqlite3.Connection | None = None
        if database.kind == "sqlite":
            compiled = query.compile(dialect=database.engine.dialect)
            self._text, self._names = str(compiled), list(compiled.positiontup or [])

    async def one(self, named: Mapping[str, str]) -> Sequence[Any] | None:
        """Values in the order of the columns, or None."""
        if self.database.kind == "sqlite":
            with suppress(sqlite3.Error):  # kept busy, replaced, gone: the pool knows what to say
                return self._at_once(named)
        async with self.database.reading() as session:
            row = (await session.execute(self.query, dict(named))).one_or_none()
            return None if row is None else tuple(row)

    def _at_once(self, named: Mapping[str, str]) -> Sequence[Any] | None:
        if self._link is None:
            self._link = opened(self.database.url)
        row = self._link.execute(self._text, [named[name] for name in self._names]).fetchone()
        if row is None:
            return None
        values = list(row)
        for place, fix in self._fix:
            if values[place] is not None:
                values[place] = fix(values[place])
        return values

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def opened(url: str) -> sqlite3.Connection:
    """For reading only."""
    link = sqlite3.connect(str(make_url(url).database), isolation_level=None, timeout=WAIT_MS / 1000, check_same_thread=False)
    link.execute("PRAGMA query_only=1")
    return link


def fixed(column: Column[Any]) -> Any:
    """What SQLAlchemy would make of what SQLite keeps."""
    if isinstance(column.type, Instant):
        return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
    return bool if isinstance(column.type, Boolean) else None
