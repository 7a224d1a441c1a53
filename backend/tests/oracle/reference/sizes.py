"""How many lots a wish is for, and where its orders lie. Everything floors exactly."""

from __future__ import annotations

import math
from fractions import Fraction

from haechi.core.plan import Entry, Ladder, Plan

from .feed import Terms
from .rounding import SCALE, half_up, money, rate

EQUITY_COUNTED = 500_000_000 * SCALE


def lots_wished(plan: Plan, terms: Terms, price: int, equity: int, atr: float | None) -> int | None:
    """Lots for an entry at a signal close of `price` ticks; None when the volatility is not defined."""
    kind, amount = plan.size.kind, plan.size.amount
    value = price * terms.unit
    if kind == "volatility_target":
        span = 0 if atr is None or atr != atr else half_up(Fraction(atr) / terms.tick)
        return None if span <= 0 else _of_equity(equity, rate(amount), Fraction(span * terms.unit))
    if kind == "fixed_quote":
        return money(amount) // value
    if kind == "fixed_quantity":
        return math.floor(Fraction(amount) / terms.lot)
    if kind == "risk_fraction":
        assert plan.stop_loss is not None, "risk_fraction needs a stop-loss"
        return _of_equity(equity, rate(amount), value * rate(plan.stop_loss))
    return _of_equity(equity, rate(amount) * plan.leverage, Fraction(value))


def _of_equity(equity: int, share: Fraction, value: Fraction) -> int:
    counted = min(equity, EQUITY_COUNTED)
    return math.floor(counted * share / value) if equity > 0 else 0


def entry_prices(entry: Entry, side: int, close: int) -> tuple[int, int]:
    """(limit, trigger) in ticks; 0 where the kind has none."""
    away = rate(entry.offset)
    if entry.kind in ("limit", "post_only"):
        return (math.floor(close * (1 - away)) if side > 0 else math.ceil(close * (1 + away))), 0
    if entry.kind == "market":
        return 0, 0
    trigger = math.ceil(close * (1 + away)) if side > 0 else math.floor(close * (1 - away))
    if entry.kind == "stop":
        return 0, trigger
    room = rate(entry.limit_offset)
    return (math.ceil(trigger * (1 + room)) if side > 0 else math.floor(trigger * (1 - room))), trigger


def ladder_step(ladder: Ladder, side: int, step: int, first_price: int, first_lots: int) -> tuple[int, int] | None:
    """(price, lots) of DCA step 1, 2 …; None where it would be 100 % away or more."""
    spread, scale = rate(ladder.percent), rate(ladder.percent_scale)
    distance = spread * step if scale == 1 else spread * (scale**step - 1) / (scale - 1)
    distance = Fraction(half_up(distance * 10**8), 10**8)
    if distance >= 1:
        return None
    price = math.floor(first_price * (1 - distance)) if side > 0 else math.ceil(first_price * (1 + distance))
    times = Fraction(half_up(rate(ladder.size) * rate(ladder.size_scale) ** (step - 1) * 10**8), 10**8)
    lots = math.floor(first_lots * times)
    return price, lots
