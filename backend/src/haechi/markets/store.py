"""The candle store: `<root>/<venue>/<symbol>/<timeframe>.parquet`, and `funding.parquet` beside them.

A file is written beside its target, flushed to the disk and renamed over it: whatever kills the process, a reader finds the old
file or the new one. Writers of one symbol take turns (a lock file); a second one is refused, not kept waiting.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
import polars as pl

from haechi.core.timeframe import floor_to
from haechi.errors import BadInput, Conflict, NotFound

from .columns import BARS
from .files import SYNTHETIC_LABEL
from .load import between
from .rows import check_order, check_rows
from .timeframes import TIMEFRAMES, confirm, timeframe
from .times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Policy = Literal["refuse", "replace"]
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,39}")
VENUE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
FUNDING = "funding"
SYNTHETIC_VENUE = "synthetic"  # files of invented markets live here, and say so themselves too


class Entry(msgspec.Struct, frozen=True):
    """One file of the store. Times in ms; `timeframe` is `funding` for funding rates."""

    venue: str
    symbol: str
    timeframe: str
    rows: int
    first: int
    last: int
    bytes: int


class Added(msgspec.Struct, frozen=True):
    """What an import changed."""

    rows_before: int
    rows_added: int
    rows_replaced: int
    rows_same: int
    rows_after: int


def symbol_name(text: str) -> str:
    """BTCUSDT from btcusdt. Raises BadInput for anything that is no plain name."""
    if not SYMBOL.fullmatch(text.upper()):
        raise BadInput(f"{text!r} is not a symbol; use letters, digits, - and _, such as BTCUSDT")
    return text.upper()


def venue_name(text: str) -> str:
    if not VENUE.fullmatch(text.lower()):
        raise BadInput(f"{text!r} is not a venue; use letters, digits, - and _, such as bitget")
    return text.lower()


class Store:
    """Bars and funding under one folder. Every method takes names as people write them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, venue: str, symbol: str, timeframe_name: str) -> Path:
        name = FUNDING if timeframe_name == FUNDING else timeframe(timeframe_name)
        return self.root / venue_name(venue) / symbol_name(symbol) / f"{name}.parquet"

    def has(self, venue: str, symbol: str, timeframe_name: str) -> bool:
        return self.path(venue, symbol, timeframe_name).is_file()

    def read(self, venue: str, symbol: str, timeframe_name: str, *, start: int | str | None = None,
             end: int | str | None = None) -> pl.DataFrame:
        """Bars with start <= ts < end, sorted. Raises NotFound naming what the store has instead."""
        path = self.path(venue, symbol, timeframe_name)
        if not path.is_file():
            raise NotFound(f"the store has no {timeframe_name} of {symbol_name(symbol)} at {venue_name(venue)}; "
                           f"it has {', '.join(self._names()) or 'nothing yet'}")
        return between(_read(path), start, end)

    def add(self, frame: pl.DataFrame, *, venue: str, symbol: str, timeframe_name: str, policy: Policy = "refuse") -> Added:
        """Merge sorted bars into the file. A bar that differs from the stored one is refused, or with `replace` takes its place.

        Raises BadInput (broken bars, bars of another timeframe, conflict with the first row that differs) and Conflict (another writer).
        """
        path = self.path(venue, symbol, timeframe_name)
        check(frame, path.stem)
        with _turn(path):
            old = _read(path) if path.is_file() else frame.clear()
            try:
                merged, added = merge(old, frame, policy)
            except BadInput as error:
                raise BadInput(f"{symbol_name(symbol)} {path.stem}: {error.message}; "
                               f"use --replace to let the new ones take their place") from None
            if added.rows_added or added.rows_replaced:
                if path.stem != FUNDING:
                    confirm(merged["ts"].to_numpy(), TIMEFRAMES[path.stem])
                write(merged, path, SYNTHETIC_LABEL if venue_name(venue) == SYNTHETIC_VENUE else None)
        return added

    def append(self, frame: pl.DataFrame, *, venue: str, symbol: str, timeframe_name: str) -> Added:
        """Add bars that are all newer than the stored ones. Raises BadInput otherwise."""
        path = self.path(venue, symbol, timeframe_name)
        if path.is_file() and len(frame):
            last = int(_read(path)["ts"][-1])
            if int(frame["ts"][0]) <= last:
                raise BadInput(f"{symbol_name(symbol)} {path.stem} already reaches {iso(last)}; "
                               f"the new bars begin at {iso(int(frame['ts'][0]))}")
        return self.add(frame, venue=venue, symbol=symbol, timeframe_name=timeframe_name)

    def _files(self) -> list[Path]:
        return [path for path in sorted(self.root.glob("*/*/*.parquet"))
                if not path.name.startswith(".") and (path.stem in TIMEFRAMES or path.stem == FUNDING)]

    def _names(self) -> list[str]:
        return [f"{path.parent.name} {path.stem} ({path.parent.parent.name})" for path in self._files()][:10]

    def list(self) -> list[Entry]:
        """All files, by venue, symbol and length of timeframe."""
        return sorted((_entry(path) for path in self._files()),
                      key=lambda entry: (entry.venue, entry.symbol, TIMEFRAMES.get(entry.timeframe, 0)))


def check(frame: pl.DataFrame, name: str) -> None:
    """What the store accepts: rows, possible values, rising times on the UTC grid of the timeframe. Raises BadInput."""
    if not len(frame):
        raise BadInput("there are no rows to store")
    ts = frame["ts"].to_numpy()
    check_order(ts, "new rows")
    if name == FUNDING:
        return
    check_rows({column: frame[column].to_numpy() for column in BARS[1:]}, "new rows")
    confirm(ts, TIMEFRAMES[name])
    check_grid(int(ts[0]), name)


def check_grid(first: int, name: str) -> None:
    """Raises BadInput when bars that begin here do not open where bars of this timeframe do."""
    if floor_to(first, TIMEFRAMES[name]) != first:
        raise BadInput(f"row 1 opens at {iso(first)}, which is not on the UTC grid of {name}; the times may be local or those of the close")


def merge(old: pl.DataFrame, new: pl.DataFrame, policy: Policy) -> tuple[pl.DataFrame, Added]:
    """Old and new rows in one sorted frame. Raises BadInput at the first row that differs, unless the policy is `replace`."""
    old_ts, new_ts = old["ts"].to_numpy(), new["ts"].to_numpy()
    _, in_old, in_new = np.intersect1d(old_ts, new_ts, assume_unique=True, return_indices=True)
    differs = np.zeros(len(in_new), dtype=np.bool_)
    for name in new.columns[1:]:
        differs |= old[name].to_numpy()[in_old] != new[name].to_numpy()[in_new]
    if differs.any() and policy == "refuse":
        first = int(np.argmax(differs))
        raise BadInput(f"{int(differs.sum())} of the new rows differ from those there are, first at {iso(int(new_ts[in_new[first]]))}: "
                       f"there {_values(old, in_old[first])}, new {_values(new, in_new[first])}")
    kept = old.filter(~pl.Series(np.isin(old_ts, new_ts, assume_unique=True), dtype=pl.Boolean))
    merged = pl.concat([kept, new.select(old.columns)]).sort("ts")
    replaced = int(differs.sum())
    return merged, Added(len(old), len(new) - len(in_new), replaced, len(in_new) - replaced, len(merged))


def write(frame: pl.DataFrame, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Parquet (zstd), all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            frame.write_parquet(file, compression="zstd", metadata=metadata)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """The rename itself reaches the disk only with its folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another process is writing to {path.parent.name}; try again when it is done") from None
        yield


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(f"{path}: the stored file is damaged ({str(error).splitlines()[0]}); move it away and import again") from None


def _entry(path: Path) -> Entry:
    ends = pl.scan_parquet(path).select(pl.len().alias("rows"), pl.col("ts").first().alias("first"), pl.col("ts").last().alias("last"))
    row = ends.collect().row(0, named=True)
    return Entry(path.parent.parent.name, path.parent.name, path.stem, row["rows"], row["first"], row["last"], path.stat().st_size)


def _values(frame: pl.DataFrame, row: int) -> str:
    return " ".join(f"{name} {value:g}" if name == "volume" else f"{name} {value!r}" for name, value in
                    zip(frame.columns[1:], frame.row(int(row))[1:], strict=True))
