"""What is traded and by which grid: the door from prices and quantities to ticks and lots."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

import msgspec

from .units import SCALE, UnitError, exact, scaled

SIDES = {"buy": ROUND_FLOOR, "sell": ROUND_CEILING}


class Tier(msgspec.Struct, frozen=True):
    """Maintenance rate and highest leverage for positions worth up to `notional_max` (quote)."""

    notional_max: Decimal
    maintenance: Decimal
    leverage_max: int = 125


# Bitget BTCUSDT's first tier rate, for every size: used where no tiers are given; the report names it.
TIERS_DEFAULT = (Tier(notional_max=Decimal("1e9"), maintenance=Decimal("0.004"), leverage_max=125),)


class Instrument(msgspec.Struct, frozen=True):
    """One futures contract. `tick`, `lot`: smallest price and quantity step; fees and rates as fractions.

    Raises UnitError when tick × lot is no whole number of 1e-8 quote units, or a figure is impossible.
    """

    symbol: str
    tick: Decimal = Decimal("0.1")
    lot: Decimal = Decimal("0.001")
    min_quantity: Decimal = Decimal(0)
    min_value: Decimal = Decimal(5)
    maker: Decimal = Decimal("0.0002")
    taker: Decimal = Decimal("0.0006")
    tiers: tuple[Tier, ...] = TIERS_DEFAULT

    def __post_init__(self) -> None:
        for name in ("tick", "lot"):
            if getattr(self, name) <= 0:
                raise UnitError(f"{name} must be greater than 0, got {getattr(self, name)}")
        for name in ("min_quantity", "min_value", "maker", "taker"):
            if getattr(self, name) < 0:
                raise UnitError(f"{name} must not be negative, got {getattr(self, name)}")
        if max(self.maker, self.taker) >= Decimal("0.1"):
            raise UnitError("a fee of 10 % or more is not a futures fee; give it as a fraction (0.0006 = 0.06 %)")
        if (self.tick * self.lot * SCALE) % 1 != 0:
            raise UnitError(f"tick {self.tick} × lot {self.lot} is finer than 0.00000001 of the quote currency")
        self._check_tiers()

    def _check_tiers(self) -> None:
        if not self.tiers:
            raise UnitError("at least one margin tier is needed")
        limits = [tier.notional_max for tier in self.tiers]
        if limits != sorted(set(limits)):
            raise UnitError("margin tiers must rise in notional_max")
        for tier in self.tiers:
            if not 0 <= tier.maintenance < 1 or tier.leverage_max < 1:
                raise UnitError(f"impossible margin tier: {tier}")

    @property
    def unit(self) -> int:
        """Money (1e-8 quote) of one tick × one lot."""
        return int(self.tick * self.lot * SCALE)

    def ticks(self, price: str | int | Decimal) -> int:
        """Price -> ticks; raises UnitError when it is off the grid."""
        count = exact(price) / self.tick
        if count != count.to_integral_value():
            raise UnitError(f"price {price} is not a multiple of tick {self.tick} of {self.symbol}")
        return int(count)

    def ticks_for(self, price: Decimal, *, side: str) -> int:
        """Price -> ticks, never more eager than asked: a buy rounds down, a sell up."""
        return int((price / self.tick).to_integral_value(rounding=SIDES[side]))

    def ticks_nearest(self, price: Decimal) -> int:
        return int((price / self.tick).to_integral_value(rounding=ROUND_HALF_UP))

    def price(self, ticks: int) -> Decimal:
        return self.tick * int(ticks)

    def lots(self, quantity: str | int | Decimal) -> int:
        """Quantity -> lots, rounded down."""
        return int((exact(quantity) / self.lot).to_integral_value(rounding=ROUND_FLOOR))

    def quantity(self, lots: int) -> Decimal:
        return self.lot * int(lots)

    @property
    def min_lots(self) -> int:
        """Fewest lots an order may have (at least one)."""
        return max(1, int((self.min_quantity / self.lot).to_integral_value(rounding=ROUND_CEILING)))

    @property
    def min_notional(self) -> int:
        return scaled(self.min_value, what="min_value")
