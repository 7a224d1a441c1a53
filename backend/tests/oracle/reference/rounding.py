"""Exact rounding. Money, rates and shares are whole numbers of 1e-8."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

SCALE = 100_000_000
ONE = Fraction(1)


def half_up(number: Fraction) -> int:
    """Nearest whole number of a number ≥ 0, halves up."""
    return math.floor(number + Fraction(1, 2))


def rate(value: Decimal) -> Fraction:
    """A share or percent as the page keeps it: a whole number of 1e-8, rounded half up."""
    return Fraction(half_up(Fraction(value) * SCALE), SCALE)


def money(value: Decimal) -> int:
    """Quote currency -> 1e-8."""
    return half_up(Fraction(value) * SCALE)


def charge(notional: int, share: Fraction) -> int:
    """A fee or a funding payment: notional × share, rounded half up."""
    return (2 * notional * share.numerator + share.denominator) // (2 * share.denominator)


def released(amount: int, part: int, whole: int) -> int:
    """What closing `part` of `whole` lots releases of an amount: floor of the magnitude, everything at the last close."""
    if part == whole:
        return amount
    magnitude = abs(amount) * part // whole
    return magnitude if amount >= 0 else -magnitude


def ceil_div(number: int, divisor: int) -> int:
    return -(-number // divisor)
