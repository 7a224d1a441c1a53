"""Figures over the last n values, each bar at constant cost and without running sums that drift.

The array is cut in blocks of n; the window that ends at i is the tail of one block and the head of the next (van Herk,
Gil and Werman). An undefined value (NaN) makes exactly the windows that hold it undefined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DIRECT_MAX = 6  # so few terms are quicker added one by one


def highest(x: Array, n: int) -> Array:
    return _window(np.maximum, x, n)


def lowest(x: Array, n: int) -> Array:
    return _window(np.minimum, x, n)


def total(x: Array, n: int) -> Array:
    return _window(np.add, x, n)


def mean(x: Array, n: int) -> Array:
    return total(x, n) / n


def stddev(x: Array, n: int) -> Array:
    """Population standard deviation, of differences to a nearby value so that nothing large cancels."""
    if n == 1:
        return x - x
    blocks = _blocks(x, n)
    nearby = np.empty(len(blocks))
    nearby[0], nearby[1:] = blocks[0, 0], blocks[:-1, -1]
    nearby[~np.isfinite(nearby)] = 0.0
    first = _joined(np.add, blocks, nearby, 1, len(x))
    second = _joined(np.add, blocks, nearby, 2, len(x))
    return np.sqrt(np.maximum(second / n - np.square(first / n), 0.0))


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


def _window(join: np.ufunc, x: Array, n: int) -> Array:
    if n == 1:
        return x
    if n <= DIRECT_MAX:
        return _direct(join, x, n)
    blocks = _blocks(x, n)
    return _joined(join, blocks, None, 1, len(x))


def _direct(join: np.ufunc, x: Array, n: int) -> Array:
    out = np.full(len(x), np.nan)
    if len(x) >= n:
        tail = out[n - 1:]
        join(x[n - 1:], x[n - 2:-1], out=tail)
        for back in range(2, n):
            join(tail, x[n - 1 - back:len(x) - back], out=tail)
    return out


def _blocks(x: Array, n: int) -> Array:
    rows = max(1, -(-len(x) // n))
    padded = np.full(rows * n, np.nan)
    padded[:len(x)] = x
    return padded.reshape(rows, n)


def _joined(join: np.ufunc, blocks: Array, nearby: Array | None, power: int, length: int) -> Array:
    """Tail of the block before joined with the head of this one; `nearby` (one a block) is taken off both first."""
    rows, n = blocks.shape
    out = np.full(length, np.nan)
    if length < n:
        return out
    heads = _accumulated(join, blocks if nearby is None else _raised(blocks - nearby[:, None], power))
    following = blocks if nearby is None else _raised(blocks - np.append(nearby[1:], 0.0)[:, None], power)
    tails = _accumulated(join, following[:, ::-1])[:, ::-1]
    out[n - 1:] = join(tails.ravel()[:length - n + 1], heads.ravel()[n - 1:length])
    out[n - 1::n] = heads[:, -1][:len(out[n - 1::n])]
    return out


def _raised(x: Array, power: int) -> Array:
    return x if power == 1 else np.square(x)


def _accumulated(join: np.ufunc, blocks: Array) -> Array:
    """Accumulate along each row. Few long columns or few long rows: the loop goes over the shorter side."""
    rows, n = blocks.shape
    if n > rows:
        return np.asarray(join.accumulate(blocks, axis=1))
    turned = np.ascontiguousarray(blocks.T)
    for column in range(1, n):
        join(turned[column - 1], turned[column], out=turned[column])
    return turned.T
