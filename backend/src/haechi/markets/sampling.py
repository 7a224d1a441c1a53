"""A file with an invented market, which says so of itself."""

from __future__ import annotations

from pathlib import Path

from haechi.core.timeframe import floor_to
from haechi.core.units import UnitError, exact
from haechi.errors import BadInput

from .files import SYNTHETIC_LABEL
from .resampling import check_target
from .store import write
from .synthetic import synthetic_bars
from .timeframes import milliseconds
from .times import instant

BARS_MAX = 5_000_000  # ten years of minutes; some 20 s of work


def write_sample(out: Path, *, bars: int, seed: int, timeframe_name: str, start: str | int, price: str, tick: str,  # noqa: PLR0913
                 replace: bool = False) -> None:
    """The first `bars` bars of the market of `seed` as Parquet. Raises BadInput."""
    import polars as pl

    check_target(out, replace=replace)
    if not 1 <= bars <= BARS_MAX:
        raise BadInput(f"--bars must be 1 to {BARS_MAX:,}, got {bars:,}")
    if seed < 0:
        raise BadInput(f"--seed must not be negative, got {seed}")
    length, first = milliseconds(timeframe_name), instant(start)
    if floor_to(first, length) != first:
        raise BadInput(f"--from {start} is not where a bar of {timeframe_name} opens (UTC)")
    try:
        made = synthetic_bars(seed, bars, timeframe_ms=length, start_ms=first, price=exact(price), tick=exact(tick))
    except UnitError as error:
        raise BadInput(str(error)) from None
    write(pl.DataFrame(made.columns()), out, SYNTHETIC_LABEL)
