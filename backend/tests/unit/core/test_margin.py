"""Liquidation prices and sizes at the ends of what int64 holds, against plain fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from haechi.core.margin import liquidation
from haechi.core.money import FAR, risk_lots

ONE_TIER = np.array([[99_999_999_900_000_000, 500_000, 125]], dtype=np.int64)


@pytest.mark.parametrize(("lots", "cost", "margin"), [(-3, -3 * 2629, 10**17), (-1, -1, 10**17), (-3_000_000, -3_000_000 * 2629, 10**17),
                                                      (-3, -3 * 2629, 7_000_000)])
def test_a_short_with_money_to_spare_is_liquidated_far_away_or_at_the_formulas_price(lots: int, cost: int, margin: int) -> None:
    exact = Fraction(-cost * 100_000 + margin, -lots * 100_000) / (1 + Fraction(500_000 + 60_000, 10**8))
    found = liquidation(lots, cost, margin, 100_000, 60_000, ONE_TIER)
    assert found == min(int(exact), FAR)
    assert found > 2629


def test_a_size_beyond_all_bounds_is_said_to_be_far_too_large() -> None:
    assert risk_lots(50_000_000_000_000_000, 1_000_000, 1_000, 2_000_000) == FAR
    assert risk_lots(1_000_000_000_000, 1_000_000, 600_000_000, 2_000_000) == 833


@pytest.mark.parametrize("lots", [1_080_000_000, -1_080_000_000, 2**31 - 1, -(2**31 - 1)])
@pytest.mark.parametrize("margin", [10**17, 3 * 10**16 + 1, 10**15])
def test_the_largest_positions_have_the_formulas_price_to_the_tick(lots: int, margin: int) -> None:
    unit, taker, price = 1_000_000, 100_000, 1_862 if abs(lots) > 1_500_000_000 else 3_146
    cost, side = lots * price, 1 if lots > 0 else -1
    exact = Fraction(abs(cost) * unit - side * margin, abs(lots) * unit) / (1 - side * Fraction(500_000 + taker, 10**8))
    wanted = -(-exact.numerator // exact.denominator) if side > 0 else exact.numerator // exact.denominator
    assert liquidation(lots, cost, margin, unit, taker, ONE_TIER) == wanted
