"""The longer bars of the venue's past in its memory on disk: a market that is taken up again begins with its last minutes only."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from haechi.venue.past import BARS_KEPT, TickBar

if TYPE_CHECKING:
    from haechi.venue.floor import Floor

SCHEMA = """
CREATE TABLE IF NOT EXISTS bars (symbol TEXT NOT NULL, length INTEGER NOT NULL, ts INTEGER NOT NULL, open INTEGER NOT NULL,
                                 high INTEGER NOT NULL, low INTEGER NOT NULL, close INTEGER NOT NULL, volume REAL NOT NULL,
                                 PRIMARY KEY (symbol, length, ts)) WITHOUT ROWID;
"""


def write(db: sqlite3.Connection, floor: Floor) -> None:
    """In the caller's transaction; `written` when it is committed. Only of a market that is taken up where it stood: one that begins anew
    with each start would meet its own future, and one that is carried here from elsewhere keeps its own past."""
    stands = floor.place is not None and floor.venue.before is None
    for symbol, past in floor.venue.past.items():
        if past.forgotten:
            db.execute("DELETE FROM bars WHERE symbol = ?", (symbol,))
        for length, level in past.levels.items():
            if stands and level.unwritten:
                db.executemany("INSERT OR REPLACE INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                               [(symbol, length, *bar[:6]) for bar in level.last(level.unwritten)])
                db.execute("DELETE FROM bars WHERE symbol = ? AND length = ? AND ts < ?",
                           (symbol, length, level.end_ms - BARS_KEPT * length))


def written(floor: Floor) -> None:
    for past in floor.venue.past.values():
        past.forgotten = False
        for level in past.levels.values():
            level.unwritten = 0


def restore(db: sqlite3.Connection, floor: Floor) -> None:
    for symbol, past in floor.venue.past.items():
        for length, level in past.levels.items():
            for row in db.execute("SELECT ts, open, high, low, close, volume FROM bars WHERE symbol = ? AND length = ? ORDER BY ts",
                                  (symbol, length)):
                level.put(TickBar(*row))
