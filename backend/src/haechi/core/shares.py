"""Exact shares of quantities and money: whole numbers only, quantities and prices in 1e-12, their products and money in 1e-24.

Money is given out in steps of 1e-8; what does not divide stays where it was, so that every sum is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, Inexact

import msgspec

QUANTITY, MONEY = 12, 24  # decimals
CENT = 10 ** (MONEY - 8)
EXACT = Context(prec=100, traps=[Inexact])


def units(value: Decimal, places: int) -> int:
    """A Decimal as a whole number of 10^-places; ValueError when it has more decimals."""
    number = value.scaleb(places, EXACT)
    whole = int(number)
    if whole != number:
        raise ValueError(f"{value} has more than {places} decimals")
    return whole


def told(number: int, places: int) -> Decimal:
    """The shortest Decimal of a whole number of 10^-places."""
    return EXACT.normalize(Decimal(number).scaleb(-places, EXACT))


def toward_zero(amount: int, part: int, whole: int) -> int:
    """amount × part / whole; any signs."""
    size = abs(amount) * abs(part) // abs(whole)
    return size if (amount >= 0) == ((part >= 0) == (whole >= 0)) else -size


def steps(amount: int) -> int:
    """The whole steps of 1e-8 in an amount, towards zero."""
    return int(toward_zero(amount, 1, CENT) * CENT)


def by_size(weights: Mapping[str, int]) -> list[str]:
    """The largest first, equal ones by name."""
    return sorted(weights, key=lambda name: (-abs(weights[name]), name))


def split(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Money by weight, in steps of 1e-8; the remainder to the largest. The weights may not sum to zero."""
    whole = sum(weights.values())
    shares = {name: steps(toward_zero(amount, weight, whole)) for name, weight in weights.items()}
    shares[by_size(weights)[0]] += amount - sum(shares.values())
    return shares


def spread(wanted: int, held: Mapping[str, int], lot: int | None) -> dict[str, int]:
    """A quantity taken from parts by their size, whole lots each; the remainder from the largest. wanted ≤ the sum of the parts."""
    whole = sum(held.values())
    if not wanted:
        return {}
    step = lot if lot and not any(one % lot for one in (wanted, *held.values())) else finest(wanted, *held.values())
    taken = {name: part * wanted // whole // step * step for name, part in held.items()}
    left = wanted - sum(taken.values())
    for name in by_size(held):
        more = min(left, held[name] - taken[name])
        taken[name] += more
        left -= more
    return taken


def finest(*numbers: int) -> int:
    """The largest power of ten that divides all."""
    step = 1
    while all(number % (step * 10) == 0 for number in numbers):
        step *= 10
    return step


class Part(msgspec.Struct):
    """Signed quantity and signed cost (Σ signed quantity × price) of what is open; never an average."""

    quantity: int = 0
    cost: int = 0

    def trade(self, change: int, price: int, beyond: int) -> int:
        """Close what is opposite, open with the rest. The gain (with `beyond`) in whole steps; what is smaller stays in the cost."""
        gain = gain_of(self, change, price) + beyond
        closing = closing_of(self.quantity, change)
        self.cost -= toward_zero(self.cost, closing, abs(self.quantity)) if closing else 0
        self.quantity += closing if change > 0 else -closing
        given = steps(gain)
        if self.quantity:
            self.cost -= gain - given
        opening = change - (closing if change > 0 else -closing)
        self.quantity += opening
        self.cost += opening * price
        return given


def closing_of(held: int, change: int) -> int:
    """How much of what is held the change takes away; never negative."""
    return min(abs(held), abs(change)) if held and (held > 0) != (change > 0) else 0


def gain_of(part: Part, change: int, price: int) -> int:
    """What closing gives beyond its share of the cost."""
    closing = closing_of(part.quantity, change)
    if not closing:
        return 0
    share = toward_zero(part.cost, closing, abs(part.quantity))
    return (closing if part.quantity > 0 else -closing) * price - share
