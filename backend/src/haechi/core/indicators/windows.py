"""Figures over the last n values, each bar at constant cost and without running sums that drift.

An undefined value (NaN) makes exactly the windows that hold it undefined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import loops

Array = NDArray[np.float64]


def highest(x: Array, n: int) -> Array:
    return -_windowed(loops.window_lowest, -x, n)


def lowest(x: Array, n: int) -> Array:
    return _windowed(loops.window_lowest, x, n)


def total(x: Array, n: int) -> Array:
    return _windowed(loops.window_total, x, n)


def mean(x: Array, n: int) -> Array:
    return total(x, n) / n


def stddev(x: Array, n: int) -> Array:
    """Population standard deviation."""
    return _windowed(loops.window_stddev, x, n)


def shifted(x: Array, n: int) -> Array:
    """The value n bars ago."""
    out = np.empty(len(x))
    out[:n] = np.nan
    out[n:] = x[:max(0, len(x) - n)]
    return out


def count(condition: NDArray[np.bool_], n: int) -> NDArray[np.int32]:
    """How many of the last n (or of all there are, if fewer) were true."""
    sums = np.cumsum(condition, dtype=np.int32)
    out = sums.copy()
    out[n:] -= sums[:max(0, len(sums) - n)]
    return out


def lowest_at(x: Array, n: int) -> NDArray[np.int64]:
    """Bar of the lowest of the last n values (the latest of equals), −1 while undefined."""
    out = np.empty(len(x), dtype=np.int64)
    loops.lowest_at(np.ascontiguousarray(x), n, np.empty(n, dtype=np.int64), out)
    return out


def _windowed(loop: loops.Window, x: Array, n: int) -> Array:
    out = np.full(len(x), np.nan)
    if len(x) >= n:
        loop(np.ascontiguousarray(x), n, np.empty((2, n)), out)
    return out
