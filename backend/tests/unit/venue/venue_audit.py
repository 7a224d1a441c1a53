"""The venue's books, reckoned again from its records by code that shares nothing with it: whole numbers and fractions of them.

Rules: docs/engine.md ("Units", "Fills", "Funding"). Money in 1e-8, prices in ticks, sizes in lots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


@dataclass
class Leg:
    """Signed lots, and what they cost in ticks × lots."""

    lots: int = 0
    cost: int = 0

    def fill(self, side: int, lots: int, price: int, *, closes: bool) -> int:
        """Profit in ticks × lots; the cost of what is closed is its share, its amount rounded down."""
        if not closes:
            self.lots += side * lots
            self.cost += side * lots * price
            return 0
        assert self.lots * side < 0 and lots <= abs(self.lots), "a closing fill of more than is held"
        share = floor(Fraction(abs(self.cost) * lots, abs(self.lots))) * (1 if self.cost > 0 else -1)
        self.cost -= share
        self.lots += side * lots
        return -side * lots * price - share


@dataclass
class Audit:
    """One member's records, read from first to last."""

    units: list[int]
    rates: list[tuple[Fraction, Fraction]]  # maker, taker
    legs: dict[tuple[int, int], Leg] = field(default_factory=dict)
    realised: int = 0
    fees: int = 0
    lost: int = 0  # by liquidation
    fills: int = 0

    def read(self, fills: list[Any]) -> None:
        """The fills that were not read yet."""
        for one in fills[self.fills:]:
            self.fills += 1
            leg = self.legs.setdefault((one.m, one.leg), Leg())
            profit = leg.fill(one.side, one.lots, one.price, closes=one.closes) * self.units[one.m]
            maker, taker = self.rates[one.m]
            if one.trade_side.startswith("burst"):
                self.lost += one.profit
                assert one.fee == 0
                continue
            assert one.profit == profit, f"profit of {one}: reckoned {profit}"
            assert one.fee == half_up(one.lots * one.price * self.units[one.m] * (maker if one.maker else taker)), f"fee of {one}"
            self.realised += profit
            self.fees += one.fee


def chained(bills: list[Any]) -> None:
    """Each balance is the one before, with this bill's amount and without its fee."""
    for before, after in zip(bills, bills[1:], strict=False):
        assert after.balance == before.balance + after.amount - after.fee, after
