"""What makes one bar, or the order of bars, impossible. Whole arrays are tested at once; only a fault is looked at row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .times import iso, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

BLOCK = 1 << 15  # rows tested at a time: the temporaries stay in the processor's cache
PRICES = ("open", "high", "low", "close")


def check_rows(columns: Mapping[str, NDArray[np.float64]], where: str) -> None:
    """Raises BadInput with number and reason of the first impossible bar."""
    for start in range(0, len(columns["open"]), BLOCK):
        o, h, low, c, v = (columns[name][start:start + BLOCK] for name in (*PRICES, "volume"))
        good = (low > 0) & (h >= o) & (h >= c) & (low <= o) & (low <= c) & (h < np.inf) & (v >= 0) & (v < np.inf)
        if not good.all():
            row = start + int(np.argmin(good))
            raise refuse(where, row, str(fault({name: float(columns[name][row]) for name in (*PRICES, "volume")})))


def fault(bar: Mapping[str, float]) -> str | None:
    """Why this bar is impossible; None when it is not."""
    for name, value in bar.items():
        if not np.isfinite(value):
            return f"{name} is {'missing or NaN' if np.isnan(value) else 'infinite'}"
    for name in PRICES:
        if bar[name] <= 0:
            return f"{name} is {bar[name]:g}; a price must be greater than 0"
    if bar["high"] < bar["low"]:
        return f"high {bar['high']:g} is below low {bar['low']:g}"
    if bar["high"] < max(bar["open"], bar["close"]):
        return f"high {bar['high']:g} is below the open or close {max(bar['open'], bar['close']):g}"
    if bar["low"] > min(bar["open"], bar["close"]):
        return f"low {bar['low']:g} is above the open or close {min(bar['open'], bar['close']):g}"
    if bar["volume"] < 0:
        return f"volume is {bar['volume']:g}; it must not be negative"
    return None


def check_order(ts: NDArray[np.int64], where: str) -> None:
    """Raises BadInput at the first time that does not come after the one before."""
    back = np.flatnonzero(ts[1:] <= ts[:-1])
    if not len(back):
        return
    row = int(back[0]) + 1
    here, before = iso(int(ts[row])), iso(int(ts[row - 1]))
    if ts[row] == ts[row - 1]:
        raise refuse(where, row, f"the time {here} is there twice; remove the duplicate")
    raise refuse(where, row, f"the time {here} comes after {before}; sort the file by time")
