"""One file of bars or funding -> a frame. Parquet, CSV, Feather (Arrow IPC), JSON; a broken file is refused with row and reason.

Bars come out as `ts` (int64 ms UTC, the open time), `open high low close volume` (float64). Rows are counted from 1, a header not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from haechi.errors import BadInput

from .columns import BARS, FUNDING, agreeing, from_values, numbers, pick
from .rows import check_order, check_rows
from .times import iso, milliseconds, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAGIC = {".parquet": b"PAR1", ".feather": b"ARROW1", ".arrow": b"ARROW1", ".ipc": b"ARROW1"}
SUFFIXES = (*MAGIC, ".csv", ".json")
SYNTHETIC_LABEL = {"haechi.synthetic": "true"}  # in the metadata of Parquet files that hold an invented market
MINUTE = 60_000


def read_bars(path: Path, *, ordered: bool = True) -> pl.DataFrame:
    """Bars of one file, every row possible; with `ordered`, times rise. Raises BadInput with row and reason."""
    frame = read_frame(path)
    check_rows({name: frame[name].to_numpy() for name in BARS[1:]}, path.name)
    if ordered:
        check_order(frame["ts"].to_numpy(), path.name)
    return frame


def read_frame(path: Path) -> pl.DataFrame:
    """Bars as the file has them: named and typed, but neither their values nor their order are judged (missing is NaN)."""
    return _typed(path, BARS)


def read_funding(path: Path) -> pl.DataFrame:
    """Funding of one file: `ts` (ms, rounded to the nearest minute, half up), `rate` (float64, a fraction per settlement)."""
    frame = _typed(path, FUNDING)
    ts = (frame["ts"].to_numpy() + MINUTE // 2) // MINUTE * MINUTE
    rate = frame["rate"].to_numpy()
    bad = np.flatnonzero(~(np.abs(rate) < 1))
    if len(bad):
        raise refuse(path.name, int(bad[0]), f"the rate is {rate[bad[0]]:g}; it must be a fraction (0.0001 = 0.01 %)")
    check_order(ts, path.name)
    return pl.DataFrame({"ts": ts, "rate": rate})


def is_synthetic(path: Path) -> bool:
    """True for Parquet files that say of themselves that their market is invented."""
    return path.suffix.lower() == ".parquet" and SYNTHETIC_LABEL.items() <= pl.read_parquet_metadata(path).items()


def _typed(path: Path, wanted: Sequence[str]) -> pl.DataFrame:
    raw, found = _raw(path, wanted)
    if not len(raw):
        raise BadInput(f"{path.name}: the file holds no rows")
    times = [milliseconds(raw[name], path.name) for name in found["ts"]]
    data: dict[str, Any] = {"ts": agreeing(list(times), found["ts"], path.name)}
    for want in wanted[1:]:
        data[want] = agreeing([numbers(raw[name], path.name) for name in found[want]], found[want], path.name)
    return pl.DataFrame(data)


def _raw(path: Path, wanted: Sequence[str]) -> tuple[pl.DataFrame, dict[str, list[str]]]:
    """Only the columns that are needed, as the file has them."""
    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            found = pick(list(pl.read_parquet_schema(path)), wanted, path.name)
            return pl.read_parquet(path, columns=[name for names in found.values() for name in names], parallel="columns"), found
        frame = {".csv": _csv, ".json": _json}.get(suffix, _ipc)(path, wanted)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name}: the file is damaged or not {suffix[1:]}: {str(error).splitlines()[0]}") from None
    return frame, pick(frame.columns, wanted, path.name)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{path.name}: cannot read {suffix or 'a file without an ending'}; there are {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise BadInput(f"{path.name}: the file is empty")
    if suffix in MAGIC:
        with path.open("rb") as file:
            start = file.read(len(MAGIC[suffix]))
        if start != MAGIC[suffix]:
            raise BadInput(f"{path.name}: this is not a {suffix[1:]} file (it begins with {start!r})")
    return suffix


def _ipc(path: Path, _wanted: Sequence[str]) -> pl.DataFrame:
    return pl.read_ipc(path)


def _csv(path: Path, wanted: Sequence[str]) -> pl.DataFrame:
    """All cells as text: numbers are judged where the row can be named. A first line of numbers is not a header."""
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline().strip()
    separator = max(",;\t", key=first.count)
    cells = [cell.strip('" ') for cell in first.split(separator)]
    headed = len(cells) < 2 or not _is_number(cells[1])
    frame = pl.read_csv(path, infer_schema=False, has_header=headed, separator=separator)
    return frame if headed else _by_position(frame, wanted, path.name)


def _by_position(frame: pl.DataFrame, wanted: Sequence[str], where: str) -> pl.DataFrame:
    if frame.width < len(wanted):
        raise BadInput(f"{where}: {frame.width} columns without names; {len(wanted)} are needed: {', '.join(wanted)}")
    return frame.select(pl.col(name).alias(want) for name, want in zip(frame.columns, wanted, strict=False))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(path: Path, wanted: Sequence[str]) -> pl.DataFrame:
    """A list of lists in the order of `wanted` (more columns may follow), or a list of objects; either may stand under `data`."""
    try:
        content = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise BadInput(f"{path.name}: the file is damaged or not JSON: {error}") from None
    rows = content.get("data") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise BadInput(f"{path.name}: expected a list of bars, found {type(content).__name__}")
    if not rows:
        raise BadInput(f"{path.name}: the file holds no rows")
    if isinstance(rows[0], dict):
        return _objects(rows, path.name)
    return _lists(rows, wanted, path.name)


def _objects(rows: list[Any], where: str) -> pl.DataFrame:
    names = list(rows[0])
    for row, item in enumerate(rows):
        if not isinstance(item, dict) or list(item) != names and set(item) != set(names):
            raise refuse(where, row, f"expected an object with {', '.join(names)}")
    useful = [name for name in names if not isinstance(rows[0][name], list | dict | bool)]
    return pl.DataFrame([from_values(name, [item[name] for item in rows], where) for name in useful])


def _lists(rows: list[Any], wanted: Sequence[str], where: str) -> pl.DataFrame:
    for row, item in enumerate(rows):
        if not isinstance(item, list) or len(item) < len(wanted):
            raise refuse(where, row, f"expected a list of at least {len(wanted)} values: {', '.join(wanted)}")
    return pl.DataFrame([from_values(name, [item[place] for item in rows], where) for place, name in enumerate(wanted)])


def describe(frame: pl.DataFrame) -> str:
    """First and last bar of a frame, for a sentence."""
    return f"{len(frame):,} bars, {iso(int(frame['ts'][0]))} to {iso(int(frame['ts'][-1]))}"
