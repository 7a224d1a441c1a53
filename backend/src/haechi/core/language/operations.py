"""What each operation of an expression does to whole arrays. Numbers are float64 (NaN: undefined), conditions bool.

A comparison with an undefined number is false. Values may be scalars (constants) where no window is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..indicators import windows

Array = NDArray[Any]
Mask = NDArray[np.bool_]


def divided(x: Any, y: Any) -> Any:
    """Division by zero is undefined."""
    quotient = np.true_divide(x, y)
    zero = np.equal(y, 0)
    return np.where(zero, np.nan, quotient) if zero.any() else quotient


def crosses_above(x: Any, y: Any) -> Any:
    """x[i−1] ≤ y[i−1] and x[i] > y[i]."""
    return _crossed(np.greater(x, y), np.less_equal(x, y))


def crosses_below(x: Any, y: Any) -> Any:
    """x[i−1] ≥ y[i−1] and x[i] < y[i]."""
    return _crossed(np.less(x, y), np.greater_equal(x, y))


def _crossed(now: Any, before: Any) -> Any:
    if not np.ndim(now):
        return np.False_  # two constants never cross
    out = np.empty(len(now), dtype=np.bool_)
    out[0] = False
    np.logical_and(now[1:], before[:-1], out=out[1:])
    return out


def since(condition: Mask) -> Array:
    """Bars since the condition was last true (0: now), undefined before it first is."""
    bars = np.arange(len(condition))
    last = np.maximum.accumulate(np.where(condition, bars, -1))
    return np.where(last < 0, np.nan, bars - last)


def rising(x: Array, n: int) -> Mask:
    """Each of the last n steps went up."""
    return _all(np.greater(x, windows.shifted(x, 1)), n)


def falling(x: Array, n: int) -> Mask:
    return _all(np.less(x, windows.shifted(x, 1)), n)


def _all(condition: Mask, n: int) -> Mask:
    return np.asarray(windows.count(condition, n) == n)


def _any(condition: Mask, n: int) -> Mask:
    return np.asarray(windows.count(condition, n) > 0)


def divergence_bull(price: Array, oscillator: Array, n: int) -> Mask:
    """With j the (latest) bar of the lowest price of the n bars before i: price[i] < price[j] and oscillator[i] > oscillator[j]."""
    out = np.zeros(len(price), dtype=np.bool_)
    at = windows.lowest_at(price, n)[:-1]
    there = np.maximum(at, 0)
    out[1:] = (at >= 0) & (price[1:] < price[there]) & (oscillator[1:] > oscillator[there])
    return out


def divergence_bear(price: Array, oscillator: Array, n: int) -> Mask:
    """The mirror image: a new high of the price, a lower oscillator."""
    return divergence_bull(-price, -oscillator, n)


PLAIN: dict[str, Callable[..., Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": divided, "neg": np.negative, "<": np.less, "<=": np.less_equal,
    ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": lambda x, y: np.less(x, y) | np.greater(x, y),
    "not": np.logical_not, "and": lambda *all_of: reduce(np.logical_and, all_of),
    "or": lambda *any_of: reduce(np.logical_or, any_of), "abs": np.abs, "min": lambda *of: reduce(np.minimum, of),
    "max": lambda *of: reduce(np.maximum, of), "crosses_above": crosses_above, "crosses_below": crosses_below,
}
# These look back over bars, so a constant is spread over all bars first.
SERIES: dict[str, Callable[..., Any]] = {"since": since}
WINDOWED: dict[str, Callable[..., Any]] = {
    "highest": windows.highest, "lowest": windows.lowest, "mean": windows.mean, "sum": windows.total,
    "stddev": windows.stddev, "shift": windows.shifted, "change": lambda x, n: x - windows.shifted(x, n),
    "rising": rising, "falling": falling, "all": _all, "any": _any, "divergence_bull": divergence_bull,
    "divergence_bear": divergence_bear,
}
