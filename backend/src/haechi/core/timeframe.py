"""Where bars of a length begin, for files, exchanges and bots alike: on UTC, weeks on Monday."""

from __future__ import annotations

WEEK = 7 * 86_400_000
MONDAY = 4 * 86_400_000  # 1970-01-05, the first Monday after 1970-01-01 (a Thursday)


def anchor(length_ms: int) -> int:
    """Time in ms from which bars of this length are counted."""
    return MONDAY if length_ms == WEEK else 0


def floor_to(time_ms: int, length_ms: int) -> int:
    """Open time of the bar in which `time_ms` lies."""
    start = anchor(length_ms)
    return (time_ms - start) // length_ms * length_ms + start
