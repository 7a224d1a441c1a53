"""Where the lines of a picture stand: round values, round times, and the text beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil, floor, log10

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
STEPS_MS = (*(minutes * 60_000 for minutes in (1, 5, 15, 30, 60, 180, 360, 720)), DAY_MS, 2 * DAY_MS, 7 * DAY_MS)
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
MONTH_MS = 2_629_800_000  # the mean one: only to choose how many months lie between two lines


def round_values(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """At most about `most` values 1, 2 or 5 × a power of ten apart, within low..high, as numbers and as text."""
    if not high > low:
        return [(low, f"{low:,.6g}")]
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = power * next(one for one in (1, 2, 5, 10) if one * power >= rough * 0.999)
    digits = max(0, -floor(log10(step) + 1e-9))
    return [(k * step, f"{k * step:,.{digits}f}") for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def round_times(start_ms: int, end_ms: int, most: int) -> list[tuple[int, str]]:
    """At most `most` round UTC instants within the stretch: minutes of the day, days, or firsts of a month."""
    each = (end_ms - start_ms) / most
    step = next((one for one in STEPS_MS if one >= each), None)
    if step is None:
        return _months(start_ms, end_ms, each)
    return [(at, _text(at, step)) for at in range(-(-start_ms // step) * step, end_ms, step)]


def _text(at: int, step: int) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%m-%d" if step >= DAY_MS or at % DAY_MS == 0 else "%H:%M")


def _months(start_ms: int, end_ms: int, each: float) -> list[tuple[int, str]]:
    """Firsts of every n-th month, n chosen so that they stand at least `each` ms apart; beyond ten years apart every tenth year."""
    apart = next((one for one in MONTHS if one * MONTH_MS >= each), MONTHS[-1])
    first = datetime.fromtimestamp(start_ms / 1000, UTC)
    found: list[tuple[int, str]] = []
    month = -(-(first.year * 12 + first.month - 1) // apart) * apart
    while True:
        year, of_year = divmod(month, 12)
        at = int(datetime(year, of_year + 1, 1, tzinfo=UTC).timestamp() * 1000)
        if at >= end_ms:
            return found
        if at >= start_ms:
            found.append((at, f"{year}-{of_year + 1:02d}"))
        month += apart
