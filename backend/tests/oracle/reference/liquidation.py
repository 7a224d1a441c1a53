"""Liquidation prices. Money in 1e-8, prices in ticks; `size` is lots × unit, the money of one tick on the whole position."""

from __future__ import annotations

import math
from fractions import Fraction

from .feed import Terms


def liquidation_price(side: int, terms: Terms, lots: int, cost: int, margin: int) -> int:
    """The first tick at which the margin is gone; 0 means a long that can not be liquidated."""
    size = lots * terms.unit
    paid = cost * terms.unit
    row = terms.tier(paid)
    return _long(terms, size, paid, margin, row) if side > 0 else _short(terms, size, paid, margin, row)


def _long(terms: Terms, size: int, paid: int, margin: int, row: int) -> int:
    """(S·E − M)/(S(1 − m − t)) rounded up, from the tier of the entry notional downwards."""
    while True:
        maintenance = terms.tiers[row][1]
        price = math.ceil(Fraction(paid - margin, size) / (1 - maintenance - terms.taker))
        if row == 0 or size * price > terms.tiers[row - 1][0]:
            return max(price, 0)
        row -= 1


def _short(terms: Terms, size: int, paid: int, margin: int, row: int) -> int:
    """(S·E + M)/(S(1 + m + t)) rounded down, from the tier of the entry notional upwards."""
    left: int | None = None  # limit of the row just left
    while True:
        limit, maintenance, _ = terms.tiers[row]
        price = math.floor(Fraction(paid + margin, size) / (1 + maintenance + terms.taker))
        if left is not None and size * price <= left:
            return left // size + 1
        if size * price <= limit or row == len(terms.tiers) - 1:
            return price
        left = limit
        row += 1
