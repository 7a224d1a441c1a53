"""The longest stretch below the highest equity so far, in one pass over the equity curve."""

from __future__ import annotations

from typing import Any

from .compiled import compiled


@compiled
def longest_under_water(equity: Any, capital: int) -> tuple[int, int]:
    """First close and length of the longest run of closes below the peak (at first the capital); the first of equals, (0, 0) for none."""
    peak, start, length, here = capital, 0, 0, 0
    for i in range(equity.shape[0]):
        if equity[i] < peak:
            here += 1
            if here > length:
                length, start = here, i + 1 - here
        else:
            peak, here = equity[i], 0
    return start, length
