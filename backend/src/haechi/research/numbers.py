"""Numbers as people write them -> Decimal, with a sentence naming what was wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from haechi.core.units import UnitError, exact
from haechi.errors import BadInput


def decimal(value: Any, what: str) -> Decimal:
    """Text, Decimal, whole number or float (by the text Python shows for it). Raises BadInput naming `what`."""
    if isinstance(value, bool):
        raise BadInput(f"{what} must be a number, got {value}")
    text = value if isinstance(value, str | int | Decimal) else repr(float(value)) if _is_float(value) else None
    if text is None:
        raise BadInput(f"{what} must be a number, got {value!r}")
    try:
        return exact(text.strip() if isinstance(text, str) else text)
    except UnitError:
        raise BadInput(f"{what} must be a number, got {str(value)[:40]!r}") from None


def fraction(value: Any, what: str, *, below: Decimal = Decimal(1)) -> Decimal:
    """A share such as 0.0006 (0.06 %). Raises BadInput when it is negative or not below `below`."""
    found = decimal(value, what)
    if found < 0:
        raise BadInput(f"{what} must not be negative, got {found}")
    if found >= below:
        raise BadInput(f"{what} must be below {below}, got {found}; it is a fraction, 0.0006 means 0.06 %")
    return found


def positive(value: Any, what: str) -> Decimal:
    found = decimal(value, what)
    if found <= 0:
        raise BadInput(f"{what} must be greater than 0, got {found}")
    return found


def _is_float(value: Any) -> bool:
    return hasattr(value, "__float__")
