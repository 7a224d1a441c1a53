"""Loops where each bar depends on the one before, compiled.

Windows: the array is cut in blocks of n; the window that ends at i is the tail of one block and the head of the next
(van Herk, Gil and Werman). So nothing is ever subtracted, and each bar costs the same whatever n is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled

Array = NDArray[np.float64]
Window = Callable[[Array, int, Array, Array], None]


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
def mean_and_deviation(x: Array, n: int, mean: Array, deviation: Array) -> None:
    """Of the last n values, population deviation. Each window is summed anew: it gives the same bits wherever the bars begin, which a
    running sum does not; a bot that keeps ten thousand bars must agree with a back-test of all of them, ties included."""
    for i in range(n - 1, len(x)):
        total = 0.0
        for k in range(i - n + 1, i + 1):
            total += x[k]
        middle = total / n
        square = 0.0
        for k in range(i - n + 1, i + 1):
            square += (x[k] - middle) * (x[k] - middle)
        mean[i], deviation[i] = middle, np.sqrt(square / n)


@compiled
def day_vwap(day: NDArray[np.int64], price: Array, volume: Array, out: Array) -> None:
    """Σ price × volume / Σ volume since the day's first bar given; undefined while no volume was traded and where the price is."""
    paid = traded = 0.0
    for i in range(len(price)):
        if i == 0 or day[i] != day[i - 1]:
            paid = traded = 0.0
        if np.isnan(price[i]):
            continue
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


@compiled
def window_lowest(x: Array, n: int, tails: Array, out: Array) -> None:
    """Lowest of x[i−n+1..i], NaN if one of them is. `tails` is (2, n) of working space."""
    tail = tails[0]
    for start in range(0, len(x), n):
        head = x[start]
        for k in range(min(n, len(x) - start)):
            value = x[start + k]
            if value < head or value != value:
                head = value
            if k == n - 1:
                out[start + k] = head
            elif start > 0:
                rest = tail[k + 1]
                out[start + k] = rest if rest < head or rest != rest else head
        if start + n <= len(x):
            tail[n - 1] = x[start + n - 1]
            for k in range(n - 2, -1, -1):
                value, rest = x[start + k], tail[k + 1]
                tail[k] = value if value < rest or value != value else rest


@compiled
def window_total(x: Array, n: int, tails: Array, out: Array) -> None:
    """Sum of x[i−n+1..i], NaN if one of them is. `tails` is (2, n) of working space."""
    tail = tails[0]
    for start in range(0, len(x), n):
        head = 0.0
        for k in range(min(n, len(x) - start)):
            head += x[start + k]
            if k == n - 1:
                out[start + k] = head
            elif start > 0:
                out[start + k] = tail[k + 1] + head
        if start + n <= len(x):
            rest = 0.0
            for k in range(n - 1, -1, -1):
                rest += x[start + k]
                tail[k] = rest


@compiled
def window_stddev(x: Array, n: int, tails: Array, out: Array) -> None:
    """Population standard deviation, from differences to the value before the block so that nothing large cancels."""
    for start in range(0, len(x), n):
        near = x[max(0, start - 1)]
        if not np.isfinite(near):
            near = 0.0
        if start > 0:
            first = second = 0.0
            for k in range(n - 1, -1, -1):
                away = x[start - n + k] - near
                first += away
                second += away * away
                tails[0, k], tails[1, k] = first, second
        first = second = 0.0
        for k in range(min(n, len(x) - start)):
            away = x[start + k] - near
            first += away
            second += away * away
            if k == n - 1:
                out[start + k] = np.sqrt(max(second / n - (first / n) * (first / n), 0.0))
            elif start > 0:
                mean = (tails[0, k + 1] + first) / n
                out[start + k] = np.sqrt(max((tails[1, k + 1] + second) / n - mean * mean, 0.0))
