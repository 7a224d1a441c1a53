"""Names of timeframes and their length in milliseconds. Where their bars begin: core/timeframe.py."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from haechi.core.timeframe import WEEK
from haechi.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

TIMEFRAMES = {
    "1m": MINUTE, "3m": 3 * MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE,
    "1h": HOUR, "2h": 2 * HOUR, "4h": 4 * HOUR, "6h": 6 * HOUR, "12h": 12 * HOUR,
    "1d": DAY, "3d": 3 * DAY, "1w": WEEK,
}
NAMES = {length: name for name, length in TIMEFRAMES.items()}
UNITS = {
    "m": MINUTE, "min": MINUTE, "mins": MINUTE, "minute": MINUTE, "minutes": MINUTE, "t": MINUTE,
    "h": HOUR, "hr": HOUR, "hour": HOUR, "hours": HOUR, "d": DAY, "day": DAY, "days": DAY, "w": WEEK, "week": WEEK, "weeks": WEEK,
}


def timeframe(text: str) -> str:
    """The one spelling of a timeframe: `1H`, `60m` and `60min` are `1h`. Raises BadInput and names the nearest."""
    found = re.fullmatch(r"\s*(\d{1,5})\s*([A-Za-z]{1,7})\s*", text)
    if found and found[2] == "M":
        raise BadInput(f"timeframe {text!r} is a month, which has no fixed length; use one of {', '.join(TIMEFRAMES)} (1m is a minute)")
    length = int(found[1]) * UNITS.get(found[2].lower(), 0) if found else 0
    if length in NAMES:
        return NAMES[length]
    raise BadInput(f"{text!r} is not a timeframe; did you mean {nearest(text, length)}? There are {', '.join(TIMEFRAMES)}")


def milliseconds(text: str) -> int:
    """Length of a timeframe in ms. Raises BadInput."""
    return TIMEFRAMES[timeframe(text)]


def nearest(text: str, length: int) -> str:
    """The timeframe closest in length, or in spelling when the length cannot be read."""
    if length:
        return min(TIMEFRAMES, key=lambda name: abs(TIMEFRAMES[name] - length))
    close = get_close_matches(text.strip().lower(), TIMEFRAMES, n=1, cutoff=0)
    return close[0] if close else "1h"


def detect(ts: NDArray[np.int64]) -> int:
    """Length in ms from the median step of sorted open times. Raises BadInput with the reason when it is unclear."""
    if len(ts) < 2:
        raise BadInput(f"the timeframe cannot be told from {len(ts)} bar; name it with timeframe=")
    steps = np.diff(ts)
    even = steps.min() == steps.max()  # no gap: the usual file, and the median of half a million steps costs 5 ms
    step = int(steps[0] if even else np.partition(steps, len(steps) // 2)[len(steps) // 2])
    if step not in NAMES:
        raise BadInput(f"the timeframe is unclear: the median step between bars is {step / 1000:g} s; name it with timeframe=")
    odd = np.flatnonzero(steps % step) if not even else steps[:0]
    if len(odd):
        row = int(odd[0]) + 2
        raise BadInput(f"the timeframe is unclear: most bars are {NAMES[step]} apart, but row {row} comes "
                       f"{steps[odd[0]] / 1000:g} s after the one before")
    return step


def confirm(ts: NDArray[np.int64], length_ms: int) -> None:
    """Sorted open times can be bars of this length (gaps allowed). Raises BadInput with the first row that cannot."""
    steps = np.diff(ts)
    name = NAMES[length_ms]
    odd = np.flatnonzero(steps % length_ms)
    if len(odd):
        raise BadInput(f"these are not {name} bars: row {int(odd[0]) + 2} comes {steps[odd[0]] / 1000:g} s after the one before; "
                       f"name the timeframe of the file, and resample afterwards")
    if len(steps) and int(steps.min()) > length_ms:
        raise BadInput(f"these are not {name} bars: no two of them are {name} apart (the closest are {steps.min() / 1000:g} s); "
                       f"name the timeframe of the file")
