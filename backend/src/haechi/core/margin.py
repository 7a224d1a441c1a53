"""Margin, tiers and the liquidation price. Rules and formulas: docs/engine.md, "Margin".

`tiers` is int64[k, 3]: highest notional (1e-8 quote), maintenance rate (1e-8), highest leverage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .money import FAR, RATE, ratio_ceil, ratio_floor

Tiers = NDArray[np.int64]  # int64[k, 3]
TIER_NOTIONAL, TIER_RATE, TIER_LEVERAGE = 0, 1, 2


@compiled
def tier_of(tiers: Tiers, notional: int) -> int:
    """Row of the tier a notional belongs to: the first whose limit is not below it, else the last."""
    for k in range(tiers.shape[0]):
        if notional <= tiers[k, TIER_NOTIONAL]:
            return k
    return tiers.shape[0] - 1


@compiled
def initial_margin(notional: int, leverage: int) -> int:
    """ceil(notional / leverage)."""
    return (notional + leverage - 1) // leverage


@compiled
def liquidation_long(cost: int, lots: int, margin: int, unit: int, taker: int, tiers: Tiers) -> int:
    """Liquidation price in ticks of a long: (S·E − M)/(S(1 − m − t)), up to a tick; 0 where there is none."""
    debt = cost * unit - margin
    if debt <= 0:
        return 0
    k = tier_of(tiers, cost * unit)
    while True:
        price = ratio_ceil(debt, lots * unit, RATE - tiers[k, TIER_RATE] - taker)
        if k == 0 or price * lots * unit > tiers[k - 1, TIER_NOTIONAL]:
            return price
        k -= 1


@compiled
def liquidation_short(cost: int, lots: int, margin: int, unit: int, taker: int, tiers: Tiers) -> int:
    """Liquidation price in ticks of a short: (S·E + M)/(S(1 + m + t)), down to a tick; FAR where no price reaches it. cost, lots > 0."""
    worth = cost * unit + margin
    if worth // (lots * unit) >= FAR:
        return FAR
    k = tier_of(tiers, cost * unit)
    floor = 0
    while True:
        price = max(ratio_floor(worth, lots * unit, RATE + tiers[k, TIER_RATE] + taker), floor)
        if k == tiers.shape[0] - 1 or price * lots * unit <= tiers[k, TIER_NOTIONAL]:
            return price
        floor = tiers[k, TIER_NOTIONAL] // (lots * unit) + 1
        k += 1


@compiled
def liquidation(lots: int, cost: int, margin: int, unit: int, taker: int, tiers: Tiers) -> int:
    """Liquidation price in ticks of a position of signed lots and cost; 0: none. `margin` may be negative (cross)."""
    if lots > 0:
        return liquidation_long(cost, lots, margin, unit, taker, tiers)
    worth = -cost * unit + margin
    if worth <= 0:
        return 1
    return liquidation_short(-cost, -lots, margin, unit, taker, tiers)


@compiled
def maintenance(lots: int, price: int, unit: int, taker: int, tiers: Tiers) -> int:
    """Money a position must keep at a price: notional × (m + t), rounded half up."""
    notional = abs(lots) * price * unit
    rate = tiers[tier_of(tiers, notional), TIER_RATE] + taker
    return notional // RATE * rate + (notional % RATE * rate + RATE // 2) // RATE
