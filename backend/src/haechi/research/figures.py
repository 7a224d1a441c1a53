"""A figure as people read it: money with its sign and separators, fractions as percents, times in days."""

from __future__ import annotations

from decimal import Decimal

from haechi.core.definitions import Definition
from haechi.core.performance import Figure

UNDEFINED = "–"
DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000


def shown(definition: Definition, figure: Figure) -> str:
    """Rounded for reading; the exact value is in the JSON. An undefined figure is a dash, never 0."""
    if figure is None:
        return UNDEFINED
    if definition.unit == "quote":
        return f"{Decimal(figure):,.2f}"
    if definition.unit == "percent":
        return f"{float(figure) * 100:,.2f} %"
    if definition.unit == "ms":
        return duration(int(figure))
    return f"{figure:,.2f}" if definition.unit == "ratio" else f"{figure:,}"


def duration(ms: int) -> str:
    """86_400_000 -> 1 d; two units at most."""
    days, rest = divmod(ms, DAY_MS)
    hours, rest = divmod(rest, HOUR_MS)
    parts = [f"{days} d"] * (days > 0) + [f"{hours} h"] * (hours > 0) + [f"{rest // MINUTE_MS} min"] * (rest >= MINUTE_MS)
    return " ".join(parts[:2]) or "0"
