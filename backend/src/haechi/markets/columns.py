"""Which column of a foreign file is which, and its values as plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from haechi.core.units import INT64_MAX
from haechi.errors import BadInput

from .times import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BARS = ("ts", "open", "high", "low", "close", "volume")
FUNDING = ("ts", "rate")

# In order of trust: where two of them are present the first counts, and the second must say the same.
ALIASES = {
    "ts": ("ts", "open_time", "opentime", "open_timestamp", "timestamp", "time", "date", "datetime", "unix", "t"),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price"),
    "volume": ("volume", "vol", "v", "base_volume", "basevolume", "volume_base"),
    "rate": ("rate", "funding_rate", "fundingrate", "last_funding_rate"),
}
FUNDING_TIMES = ("funding_time", "fundingtime", "calc_time", "settle_time")


def plain(name: str) -> str:
    return name.strip().lstrip("\ufeff").strip('"').lower().replace(" ", "_")


def pick(names: Sequence[str], wanted: Sequence[str], where: str) -> dict[str, list[str]]:
    """Wanted name -> the file's columns that mean it, best first. Raises BadInput naming what is missing."""
    by_plain: dict[str, str] = {}
    for name in names:
        if plain(name) in by_plain:
            raise BadInput(f"{where}: the column {plain(name)!r} is there twice; remove one")
        by_plain[plain(name)] = name
    found = {want: [by_plain[alias] for alias in _aliases(want, wanted) if alias in by_plain] for want in wanted}
    missing = [want for want, columns in found.items() if not columns]
    if missing:
        raise BadInput(f"{where}: missing column {', '.join(missing)}; the file has {', '.join(names) or 'none'}")
    return found


def _aliases(want: str, wanted: Sequence[str]) -> tuple[str, ...]:
    return (*ALIASES[want], *FUNDING_TIMES) if want == "ts" and "rate" in wanted else ALIASES[want]


def numbers(column: pl.Series, where: str) -> NDArray[np.float64]:
    """A column of numbers -> float64; a missing number becomes NaN. Raises BadInput at text that is no number."""
    if column.dtype == pl.String:
        column = _from_text(column, where)
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise BadInput(f"{where}: column {column.name!r} holds {column.dtype}, not numbers")
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _from_text(column: pl.Series, where: str) -> pl.Series:
    stripped = column.str.strip_chars()
    filled = stripped.set(stripped == "", None)
    values = filled.cast(pl.Float64, strict=False)
    wrong = (values.is_null() & filled.is_not_null()).arg_true()
    if len(wrong):
        raise refuse(where, int(wrong[0]), f"{column.name} is {column[int(wrong[0])]!r}, which is not a number")
    return values


def from_values(name: str, values: list[object], where: str) -> pl.Series:
    """Values out of JSON -> a column: all numbers, or all text when there is any text."""
    for row, value in enumerate(values):
        if isinstance(value, bool | list | dict):
            raise refuse(where, row, f"{name} is {value!r}, which is neither a number nor text")
        if isinstance(value, int) and not -INT64_MAX <= value <= INT64_MAX:
            raise refuse(where, row, f"{name} is {value}, which is too large")
    if any(isinstance(value, str) for value in values):
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    whole = all(isinstance(value, int) for value in values)
    return pl.Series(name, values, dtype=pl.Int64 if whole else pl.Float64, strict=False)


def agreeing(columns: list[NDArray[np.generic]], names: list[str], where: str) -> NDArray[np.generic]:
    """The first of several columns with one meaning; raises BadInput where the others say something else."""
    for other, name in zip(columns[1:], names[1:], strict=True):
        differ = np.flatnonzero((columns[0] != other) & ~(_nan(columns[0]) & _nan(other)))
        if len(differ):
            raise refuse(where, int(differ[0]), f"columns {names[0]!r} and {name!r} disagree ({columns[0][differ[0]]} and "
                                                f"{other[differ[0]]}); remove one")
    return columns[0]


def _nan(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=np.bool_)
