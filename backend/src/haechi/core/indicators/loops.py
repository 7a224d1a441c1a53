"""Loops where each bar depends on the one before, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled

Array = NDArray[np.float64]


@compiled
def supertrend(middle: Array, close: Array, band: Array, line: Array, direction: Array) -> None:
    """Bands `middle ± band` that only tighten while the close stays inside; direction 1 up, −1 down.

    The first bar with a band is up when it closes at or above its middle.
    """
    upper = lower = np.nan
    up = True
    started = False
    for i in range(len(close)):
        if np.isnan(band[i]):
            continue
        high, low = middle[i] + band[i], middle[i] - band[i]
        if not started:
            upper, lower, up, started = high, low, close[i] >= middle[i], True
        else:
            if high < upper or close[i - 1] > upper:
                upper = high
            if low > lower or close[i - 1] < lower:
                lower = low
            up = close[i] >= lower if up else close[i] > upper
        line[i] = lower if up else upper
        direction[i] = 1.0 if up else -1.0


@compiled
def day_vwap(day: NDArray[np.int64], price: Array, volume: Array, out: Array) -> None:
    """Σ price × volume / Σ volume since the day's first bar given; undefined while no volume was traded."""
    paid = traded = 0.0
    for i in range(len(price)):
        if i == 0 or day[i] != day[i - 1]:
            paid = traded = 0.0
        paid += price[i] * volume[i]
        traded += volume[i]
        if traded > 0.0:
            out[i] = paid / traded


@compiled
def lowest_at(x: Array, n: int, queue: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Bar of the lowest of the last n values (the latest of equals), −1 while one of the n is undefined or not there.

    `queue` (length n) holds the bars that may still become the lowest, their values rising.
    """
    head = size = 0
    bad = -1
    for i in range(len(x)):
        if np.isnan(x[i]):
            bad = i
            size = 0
        else:
            while size > 0 and x[queue[(head + size - 1) % n]] >= x[i]:
                size -= 1
            if size > 0 and queue[head] <= i - n:
                head = (head + 1) % n
                size -= 1
            queue[(head + size) % n] = i
            size += 1
        out[i] = queue[head] if i - bad >= n else -1
