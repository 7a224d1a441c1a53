"""Money, rates and their text: the one door between Decimal outside and int64 inside.

Money is a whole number of 1e-8 quote units, rates (fees, percents, shares) are whole numbers of 1e-8.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

SCALE = 100_000_000
INT64_MAX = 2**63 - 1


class UnitError(ValueError):
    """A number that does not fit its unit; the message says which and why."""


def exact(value: str | int | Decimal) -> Decimal:
    """Text or whole number -> Decimal, never through float."""
    if isinstance(value, float):
        raise UnitError(f"{value!r} is a float; money and prices are given as text")
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise UnitError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise UnitError(f"{value!r} is not a finite number")
    return number


@lru_cache(maxsize=4096, typed=True)  # a sweep asks for the same few figures thousands of times
def scaled(value: str | int | Decimal, *, what: str = "amount") -> int:
    """A Decimal in 1e-8 units, rounded half up; refuses what int64 cannot hold."""
    units = int((exact(value) * SCALE).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if abs(units) > INT64_MAX:
        raise UnitError(f"{what} {value} is too large")
    return units


def unscaled(units: int) -> Decimal:
    """1e-8 units -> Decimal with eight decimals."""
    return Decimal(int(units)).scaleb(-8)


def text(units: int) -> str:
    """1e-8 units as the text of JSON: always eight decimals."""
    return f"{unscaled(units):.8f}"
