"""Bars of one timeframe -> bars of a longer one, on UTC days and weeks that open on Monday. A gap stays a gap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from haechi.core.timeframe import anchor
from haechi.errors import BadInput

from .timeframes import NAMES


class Resampled(NamedTuple):
    """The longer bars, and how many were left out because bars are missing inside them (or they are not over yet)."""

    frame: pl.DataFrame
    incomplete: int


def resample(frame: pl.DataFrame, source_ms: int, target_ms: int, *, complete: bool = True) -> Resampled:
    """Sorted bars `ts open high low close volume` of `source_ms` -> `target_ms`.

    With `complete` a bar comes out only when every bar inside it is there; without, it is made of those that are.
    Raises BadInput when the target is no multiple of the source, or a bar does not stand on the UTC grid of its timeframe.
    """
    _check(frame, source_ms, target_ms)
    if not len(frame):
        return Resampled(frame, 0)
    start = anchor(target_ms)
    bucket = (frame["ts"].to_numpy() - start) // target_ms
    edges = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    counts = np.diff(np.append(edges, len(bucket)))
    ends = edges + counts - 1
    bars = pl.DataFrame({
        "ts": bucket[edges] * target_ms + start,
        "open": frame["open"].to_numpy()[edges],
        "high": np.maximum.reduceat(frame["high"].to_numpy(), edges),
        "low": np.minimum.reduceat(frame["low"].to_numpy(), edges),
        "close": frame["close"].to_numpy()[ends],
        "volume": np.add.reduceat(frame["volume"].to_numpy(), edges),
    })
    whole = counts == target_ms // source_ms
    short = int(len(whole) - whole.sum())
    return Resampled(bars.filter(pl.Series(whole)) if complete else bars, short)


def _check(frame: pl.DataFrame, source_ms: int, target_ms: int) -> None:
    if target_ms <= source_ms or target_ms % source_ms:
        raise BadInput(f"{NAMES[source_ms]} bars cannot be made into {NAMES[target_ms]} bars: "
                       f"the target must be a whole multiple of the source")
    off = np.flatnonzero((frame["ts"].to_numpy() - anchor(source_ms)) % source_ms)
    if len(off):
        raise BadInput(f"row {int(off[0]) + 1} does not open on the UTC grid of {NAMES[source_ms]}; resampling would mix two grids")
