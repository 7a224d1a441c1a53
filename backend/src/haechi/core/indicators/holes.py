"""A source that is undefined at some bars: the indicator is computed over the defined values, and undefined where its source is.

Without this one hole would silence a recursive indicator, and TA-Lib's running sums, for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def over_defined(function: Callable[[Any, Array, Mapping[str, float]], tuple[Array, ...]], bars: Any, x: Array,
                 args: Mapping[str, float]) -> tuple[Array, ...]:
    """`function(bars, x, args)`, which must read nothing but x, over the defined values of x."""
    there = np.isfinite(x)
    if there.all():
        return function(bars, x, args)
    defined = x[there] if there.any() else np.zeros(1)  # none is defined: one value, to learn how many outputs there are
    return tuple(_spread(values, there) for values in function(bars, defined, args))


def _spread(values: Array, there: NDArray[np.bool_]) -> Array:
    out = np.full(len(there), np.nan)
    if there.any():
        out[there] = values
    return out
