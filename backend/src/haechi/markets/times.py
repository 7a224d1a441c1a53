"""Times in files -> int64 milliseconds UTC. Whole numbers in s, ms, µs or ns, dates, or ISO text; text without a zone is UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from haechi.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A count since 1970 tells its unit by its size: each range is 1973 to 5138 in that unit.
UNITS = (("seconds", 10**8, 10**11, 1000, 1), ("milliseconds", 10**11, 10**14, 1, 1),
         ("microseconds", 10**14, 10**17, 1, 1000), ("nanoseconds", 10**17, 2**63 - 1, 1, 1_000_000))


def iso(time_ms: int) -> str:
    """1640995200000 -> 2022-01-01 00:00 (seconds are shown when there are any)."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M" if time_ms % 60_000 == 0 else "%Y-%m-%d %H:%M:%S")


def instant(value: int | str) -> int:
    """Milliseconds UTC from a whole number of ms or from ISO text. Raises BadInput."""
    if isinstance(value, int):
        return value
    if value.strip().isdigit():
        return int(counts(np.array([int(value)], dtype=np.int64), value)[0])
    return _moment(value)[0]


def refuse(where: str, row: int, reason: str) -> BadInput:
    """One sentence for a broken row. `row` counts from 0 here and from 1 in the sentence; a header is not counted."""
    return BadInput(f"{where}: row {row + 1}: {reason}")


def milliseconds(column: pl.Series, where: str) -> NDArray[np.int64]:
    """A column of times -> int64 ms. Raises BadInput with the first row that is no time."""
    if column.null_count():
        raise refuse(where, int(column.is_null().arg_max() or 0), "the time is missing")
    if isinstance(column.dtype, pl.Datetime):
        return counts(column.dt.epoch("us").to_numpy(), where) if len(column) else np.empty(0, np.int64)
    if column.dtype == pl.Date:
        return column.cast(pl.Datetime("ms")).dt.epoch("ms").to_numpy()
    if column.dtype == pl.String:
        return _from_text(column, where)
    if column.dtype.is_integer():
        return counts(column.cast(pl.Int64).to_numpy(), where)
    if column.dtype.is_float():
        return _from_floats(column.cast(pl.Float64).to_numpy(), where)
    raise BadInput(f"{where}: times of type {column.dtype} are not understood; give milliseconds or ISO text")


def counts(values: NDArray[np.int64], where: str) -> NDArray[np.int64]:
    """Whole counts since 1970 -> ms. All rows must be in one unit."""
    if not len(values):
        return values
    low, high = int(values.min()), int(values.max())
    for name, least, most, times, parts in UNITS:
        if least <= int(values[0]) < most:
            if low < least or high >= most:
                row = int(np.argmax((values < least) | (values >= most)))
                raise refuse(where, row, f"the time {int(values[row])} is not in {name} like row 1: the units are mixed")
            if parts == 1:
                return values * times if times != 1 else values
            return _whole(values, parts, where)
    raise refuse(where, 0, f"{int(values[0])} is not a time since 1973 in s, ms, µs or ns")


def _whole(values: NDArray[np.int64], parts: int, where: str) -> NDArray[np.int64]:
    odd = np.flatnonzero(values % parts)
    if len(odd):
        raise refuse(where, int(odd[0]), f"the time {int(values[odd[0]])} is no whole millisecond")
    return values // parts


def _from_floats(values: NDArray[np.float64], where: str) -> NDArray[np.int64]:
    bad = np.flatnonzero(~np.isfinite(values) | (values != np.floor(values)))
    if len(bad):
        raise refuse(where, int(bad[0]), f"the time {values[bad[0]]} is not a whole number")
    return counts(values.astype(np.int64), where)


def _from_text(column: pl.Series, where: str) -> NDArray[np.int64]:
    digits = column.str.strip_chars().str.contains(r"^\d+(\.0+)?$")
    if digits.all():
        whole = column.str.strip_chars().str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
        if whole.null_count():
            raise refuse(where, int(whole.is_null().arg_max() or 0), "the time is too large")
        return counts(whole.to_numpy(), where)
    moments = np.empty(len(column), dtype=np.int64)
    zoned = None
    for row, text in enumerate(column.to_list()):
        try:
            moments[row], has_zone = _moment(text)
        except BadInput as error:
            raise refuse(where, row, error.message) from None
        zoned = has_zone if zoned is None else zoned
        if has_zone is not zoned:
            raise refuse(where, row, f"the time {text!r} {'has' if has_zone else 'lacks'} a zone, unlike row 1")
    return moments


def _moment(text: str) -> tuple[int, bool]:
    """ISO text -> (ms, whether it named a zone)."""
    if len(text.strip()) < 8 or text.strip().isdigit():  # fromisoformat would read 20220101 and 2022 as dates
        raise BadInput(f"{text!r} is not a time; give ISO text such as 2022-01-31T08:00Z")
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        raise BadInput(f"{text!r} is not a time; give ISO text such as 2022-01-31T08:00Z") from None
    zoned = moment.tzinfo is not None or text.strip().endswith(" UTC")
    exact = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = exact - datetime(1970, 1, 1, tzinfo=UTC)
    return whole.days * 86_400_000 + whole.seconds * 1000 + whole.microseconds // 1000, zoned
