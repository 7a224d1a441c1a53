"""A bot's plan in the house's values: what it enters with, how big, and how it is protected.

Percents are fractions here (2 % is Decimal("0.02")). The strategy document of `language` becomes a Plan; `encode` of
`layout` turns a Plan into the int64 row the compiled engine reads.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

ZERO = Decimal(0)


class Size(msgspec.Struct, frozen=True):
    """kind: equity_fraction | fixed_quote | fixed_quantity | risk_fraction | volatility_target; amount in its unit."""

    kind: str = "equity_fraction"
    amount: Decimal = Decimal("0.25")
    atr_period: int = 14


class Entry(msgspec.Struct, frozen=True):
    """kind: market | limit | post_only | stop | stop_limit; offsets are fractions of the signal bar's close."""

    kind: str = "market"
    offset: Decimal = ZERO
    limit_offset: Decimal = ZERO
    bars: int = 1


class Target(msgspec.Struct, frozen=True):
    percent: Decimal
    share: Decimal = Decimal(1)


class Trailing(msgspec.Struct, frozen=True):
    distance: Decimal
    activation: Decimal = ZERO


class Ladder(msgspec.Struct, frozen=True):
    """DCA: step k at s(c^k − 1)/(c − 1) from the first entry, size v·m^(k−1) of the first order."""

    steps: int
    percent: Decimal
    percent_scale: Decimal = Decimal(1)
    size: Decimal = Decimal(1)
    size_scale: Decimal = Decimal(1)


class Protections(msgspec.Struct, frozen=True):
    """Account-wide pauses; 0 means off. Losses as fractions."""

    daily_loss: Decimal = ZERO
    daily_loss_flatten: bool = False
    drawdown: Decimal = ZERO
    drawdown_bars: int = 0
    drawdown_flatten: bool = False
    losing_streak: int = 0
    losing_streak_bars: int = 0


class Plan(msgspec.Struct, frozen=True):
    """All of it. None and 0 mean: not used."""

    size: Size = Size()
    leverage: int = 1
    margin: str = "isolated"  # isolated | cross
    hedge: bool = False
    entry: Entry = Entry()
    stop_loss: Decimal | None = None
    targets: tuple[Target, ...] = ()
    break_even: Decimal | None = None
    trailing: Trailing | None = None
    ladder: Ladder | None = None
    time_stop: int = 0
    cool_down: int = 0
    protections: Protections = Protections()
    on_opposite: str = "close"  # close | reverse | ignore


class Costs(msgspec.Struct, frozen=True):
    """What a back-test assumes of the market; fees are the instrument's."""

    slippage: Decimal = Decimal("0.0001")
    capital: Decimal = Decimal(10_000)
