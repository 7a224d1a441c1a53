"""Bars of a file in the timeframe asked for: its own, or a longer one made of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from haechi.core.bars import Bars
from haechi.errors import BadInput
from haechi.markets.files import read_bars
from haechi.markets.load import between, load_bars, symbol_of, to_bars
from haechi.markets.resample import resample
from haechi.markets.store import symbol_name
from haechi.markets.timeframes import detect, milliseconds

if TYPE_CHECKING:
    import polars as pl


def as_timeframe(path: Path, *, symbol: str | None, timeframe: str | None, tick: Decimal, start: int | str | None,  # noqa: PLR0913
                 end: int | str | None) -> Bars:
    """Raises BadInput, also where the file's bars are longer than what is asked for."""
    name = None if symbol is None else symbol_name(symbol)
    if timeframe is None:
        return load_bars(path, symbol=name, tick=tick, start=start, end=end)
    wanted = milliseconds(timeframe)
    frame = read_bars(path)
    frame = between(in_length(frame, wanted, path.name), start, end)
    if not len(frame):
        raise BadInput(f"{path.name}: no bar from {start or 'the beginning'} to {end or 'the end'}")
    return to_bars(frame, symbol=name or symbol_of(path), timeframe_ms=wanted, tick=tick)


def in_length(frame: pl.DataFrame, wanted: int, where: str) -> pl.DataFrame:
    """The frame itself where its bars have that length, else longer bars made of it (those that miss nothing)."""
    try:
        own = detect(frame["ts"].to_numpy()) if len(frame) > 1 else wanted
        return frame if own == wanted else resample(frame, own, wanted).frame
    except BadInput as error:
        raise BadInput(f"{where}: {error.message}") from None
