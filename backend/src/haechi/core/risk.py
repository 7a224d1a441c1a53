"""The risk gate's rules: one pure function each, with the numbers in its refusal. What reduces a position always passes.

`judge` is the only way to an exchange; a new rule is one function and one row in RULES.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec


class Intent(msgspec.Struct, frozen=True):
    """An order that somebody wishes. notional in quote; reduces: it can only make the position smaller."""

    symbol: str
    side: str
    quantity: Decimal
    notional: Decimal
    leverage: int
    reduces: bool


class View(msgspec.Struct, frozen=True):
    """What is known when the order is judged. age_ms: how old the last price is; orders_minute: orders sent in the last minute."""

    equity: Decimal
    position_notional: Decimal
    positions: int
    age_ms: int
    orders_minute: int
    loss_today: Decimal
    halted: str = ""  # which kill switch is on: bot | user | platform


class Limits(msgspec.Struct, frozen=True):
    """Of a user; the defaults are the product's."""

    leverage_max: int = 10
    positions_max: int = 5
    daily_loss_max: Decimal = Decimal(500)
    exposure_max: Decimal = Decimal(20)  # position notional over equity
    orders_minute_max: int = 120
    age_ms_max: int = 120_000
    symbols: tuple[str, ...] = ()  # empty: all


class Refused(msgspec.Struct, frozen=True):
    """rule, and what was asked against what is allowed."""

    rule: str
    asked: str
    allowed: str


def not_halted(intent: Intent, view: View, limits: Limits) -> Refused | None:
    return Refused("halted", intent.symbol, f"nothing while the {view.halted} is halted") if view.halted else None


def leverage_within_limit(intent: Intent, view: View, limits: Limits) -> Refused | None:
    if intent.leverage <= limits.leverage_max:
        return None
    return Refused("leverage", str(intent.leverage), str(limits.leverage_max))


def symbol_allowed(intent: Intent, view: View, limits: Limits) -> Refused | None:
    if not limits.symbols or intent.symbol in limits.symbols:
        return None
    return Refused("symbol", intent.symbol, ", ".join(limits.symbols))


def positions_within_limit(intent: Intent, view: View, limits: Limits) -> Refused | None:
    more = view.positions + (view.position_notional == 0)
    return None if more <= limits.positions_max else Refused("positions", str(more), str(limits.positions_max))


def exposure_within_limit(intent: Intent, view: View, limits: Limits) -> Refused | None:
    after, most = view.position_notional + intent.notional, view.equity * limits.exposure_max
    return None if after <= most else Refused("exposure", str(after), str(most))


def loss_within_limit(intent: Intent, view: View, limits: Limits) -> Refused | None:
    if view.loss_today < limits.daily_loss_max:
        return None
    return Refused("daily_loss", str(view.loss_today), str(limits.daily_loss_max))


def rate_within_limit(intent: Intent, view: View, limits: Limits) -> Refused | None:
    if view.orders_minute < limits.orders_minute_max:
        return None
    return Refused("order_rate", str(view.orders_minute + 1), str(limits.orders_minute_max))


def data_fresh(intent: Intent, view: View, limits: Limits) -> Refused | None:
    return None if view.age_ms <= limits.age_ms_max else Refused("stale_data", f"{view.age_ms} ms", f"{limits.age_ms_max} ms")


Rule = Callable[[Intent, View, Limits], Refused | None]
RULES: tuple[Rule, ...] = (not_halted, leverage_within_limit, symbol_allowed, positions_within_limit, exposure_within_limit,
                           loss_within_limit, rate_within_limit, data_fresh)


def judge(intent: Intent, view: View, limits: Limits) -> Refused | None:
    """The first rule that refuses, or None."""
    if intent.reduces:
        return None
    return next((refused for rule in RULES if (refused := rule(intent, view, limits)) is not None), None)
