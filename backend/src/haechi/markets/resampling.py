"""Longer bars made of a file or of the store, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from haechi.errors import BadInput

from .files import SYNTHETIC_LABEL, is_synthetic, read_bars
from .load import timeframe_name
from .resample import Resampled, resample
from .store import Store, write
from .timeframes import TIMEFRAMES, milliseconds, timeframe

if TYPE_CHECKING:
    import polars as pl


class Made(NamedTuple):
    """What was written. `incomplete`: bars that miss some of those they are made of."""

    path: Path
    timeframe: str
    bars: int
    incomplete: int


def resample_file(source: Path, target: str, out: Path, *, partial: bool = False, replace: bool = False) -> Made:
    """Raises BadInput for a broken file, an impossible pair of timeframes, or an `out` that cannot be written."""
    check_target(out, replace=replace)
    frame = read_bars(source)
    own = TIMEFRAMES[timeframe_name(frame["ts"].to_numpy(), None, source.name)]
    made = _made(frame, own, target, partial, source.name)
    write(made.frame, out, SYNTHETIC_LABEL if is_synthetic(source) else None)
    return Made(out, timeframe(target), len(made.frame), made.incomplete)


def resample_stored(store: Store, venue: str, symbol: str, source: str, target: str, *, partial: bool = False,
                    replace: bool = False) -> Made:  # noqa: PLR0913
    """Stored bars of `source` -> stored bars of `target`, merged into those that are there. Raises BadInput and NotFound."""
    made = _made(store.read(venue, symbol, source), milliseconds(source), target, partial, symbol)
    store.add(made.frame, venue=venue, symbol=symbol, timeframe_name=target, policy="replace" if replace else "refuse")
    return Made(store.path(venue, symbol, target), timeframe(target), len(made.frame), made.incomplete)


def _made(frame: pl.DataFrame, own: int, target: str, partial: bool, where: str) -> Resampled:
    try:
        made = resample(frame, own, milliseconds(target), complete=not partial)
    except BadInput as error:
        raise BadInput(f"{where}: {error.message}") from None
    if not len(made.frame):
        raise BadInput(f"{where}: no {timeframe(target)} bar has all the bars it is made of; --partial makes them of what there is")
    return made


def check_target(out: Path, *, replace: bool) -> None:
    """Refuse what could not, or should not, be written when the work is done."""
    if out.suffix.lower() != ".parquet":
        raise BadInput(f"{out}: bars are written as Parquet; end the name in .parquet")
    if out.is_dir() or not out.parent.is_dir():
        raise BadInput(f"{out}: {'this is a folder' if out.is_dir() else 'its folder does not exist'}")
    if out.exists() and not replace:
        raise BadInput(f"{out}: the file exists; name another, or use --replace")
