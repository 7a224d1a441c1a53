"""What an owner may: the person's own settings, the bot's, and the platform's, the tightest of each. In memory, for the gate asks often.

A bot's limits live while it runs: whoever launches it says them with `set_bot`. They can only be tighter than the person's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace
from sqlalchemy import JSON, ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from haechi.core.risk import Limits, tighter
from haechi.platform.columns import Amount, Instant
from haechi.platform.db import Base, Session
from haechi.platform.house import House
from haechi.settings import Settings
from haechi.trading.owner import Owner

LEVERAGE_OF_BOT = 20
OTHERS = "*"  # the bots of a person that said nothing share what they may
DUPLICATE_BY_HAND_MS = 1_000  # a double click; a bot's orders have causes of their own
WIDEST = Limits(leverage_max=125, positions_max=10**6, daily_loss_max=Decimal("1e18"), exposure_max=Decimal("1e9"),
                order_value_max=Decimal("1e18"), collar_percent=Decimal("1e6"), distance_percent=Decimal("1e6"), orders_second_max=10**6,
                orders_minute_max=10**6, orders_minute_user_max=10**6, age_ms_max=10**9, taker_fee=Decimal(0))
OF_BOT = replace(WIDEST, leverage_max=LEVERAGE_OF_BOT, orders_minute_max=Limits().orders_minute_max)
OF_PLATFORM = replace(WIDEST, orders_second_max=Limits().orders_second_max, age_ms_max=Limits().age_ms_max)


class RiskSettings(Base):
    """A person's own limits; without a row the product's. allowed_symbols None: all."""

    __tablename__ = "risk_settings"

    user_id: Mapped[str] = mapped_column(String(32), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    daily_loss_limit: Mapped[Decimal] = mapped_column(Amount)
    max_leverage: Mapped[int]
    max_positions: Mapped[int]
    max_exposure: Mapped[Decimal] = mapped_column(Amount)
    order_value_min: Mapped[Decimal] = mapped_column(Amount)
    order_value_max: Mapped[Decimal] = mapped_column(Amount)
    price_collar_percent: Mapped[Decimal] = mapped_column(Amount)
    price_distance_percent: Mapped[Decimal] = mapped_column(Amount)
    orders_per_minute: Mapped[int]
    duplicate_window_ms: Mapped[int]
    allowed_symbols: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    updated_at: Mapped[datetime] = mapped_column(Instant)


# A person's word for it -> the field of Limits, and whether more of it allows more.
FIELDS: dict[str, tuple[str, bool]] = {
    "daily_loss_limit": ("daily_loss_max", True), "max_leverage": ("leverage_max", True), "max_positions": ("positions_max", True),
    "max_exposure": ("exposure_max", True), "order_value_min": ("order_value_min", False), "order_value_max": ("order_value_max", True),
    "price_collar_percent": ("collar_percent", True), "price_distance_percent": ("distance_percent", True),
    "orders_per_minute": ("orders_minute_user_max", True), "duplicate_window_ms": ("duplicate_ms", False)}


def defaults() -> dict[str, Any]:
    """The product's, in a person's words."""
    first = Limits()
    return {name: getattr(first, field) for name, (field, _) in FIELDS.items()} | {
        "duplicate_window_ms": DUPLICATE_BY_HAND_MS, "allowed_symbols": None}


def values_of(row: RiskSettings | None) -> dict[str, Any]:
    return defaults() if row is None else {name: getattr(row, name) for name in (*FIELDS, "allowed_symbols")}


def limits_of(values: dict[str, Any]) -> Limits:
    """What a person has no word for is the platform's to say."""
    allowed, mine = values["allowed_symbols"], {field: values[name] for name, (field, _) in FIELDS.items()}
    return replace(WIDEST, **mine, taker_fee=Limits().taker_fee, symbols=None if allowed is None else frozenset(allowed))


def raised(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of what allows more than it did."""
    found = [name for name, (_, more) in FIELDS.items() if (after[name] > before[name] if more else after[name] < before[name])]
    was, will = before["allowed_symbols"], after["allowed_symbols"]
    wider = was is not None and (will is None or not set(will) <= set(was))
    return [*found, "allowed_symbols"] if wider else found


def platform_limits(settings: Settings) -> Limits:
    """What the operator allows to anybody."""
    return replace(OF_PLATFORM, leverage_max=settings.risk_leverage_max, order_value_max=settings.risk_order_value_max,
                   age_ms_max=settings.risk_price_age_seconds_max * 1_000, orders_second_max=settings.risk_orders_per_second)


class RiskBook:
    """Everybody's limits. `of` is what the gate asks."""

    name = "risk"

    def __init__(self, platform: Limits = OF_PLATFORM) -> None:
        self.platform = platform
        self.changing = asyncio.Lock()  # held from the table to the memory: both take changes in one order
        self._users: dict[str, Limits] = {}
        self._bots: dict[str, Limits] = {}
        self._made: dict[tuple[str, str], Limits] = {}  # what `of` has put together

    def of(self, owner: Owner) -> Limits:
        key = (owner.user_id, owner.bot_id if owner.bot_id in self._bots else OTHERS if owner.bot_id else "")
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._put_together(owner)
        return made

    def _put_together(self, owner: Owner) -> Limits:
        mine = tighter(self._users.get(owner.user_id) or limits_of(defaults()), self.platform)
        if not owner.bot_id:
            return mine
        bot = self._bots.get(owner.bot_id, OF_BOT)
        # the window against double clicks is for hands; a bot says its own
        return replace(tighter(mine, bot), duplicate_ms=bot.duplicate_ms)

    def set_user(self, user_id: str, limits: Limits) -> None:
        self._users[user_id] = limits
        self._made.clear()

    def set_bot(self, bot_id: str, *, leverage_max: int = LEVERAGE_OF_BOT, orders_minute_max: int | None = None,
                duplicate_ms: int = 0) -> None:
        """Before the bot's first order; what is not said is the default of bots."""
        per_minute = OF_BOT.orders_minute_max if orders_minute_max is None else orders_minute_max
        self._bots[bot_id] = replace(OF_BOT, leverage_max=leverage_max, duplicate_ms=duplicate_ms, orders_minute_max=per_minute)
        self._made.clear()

    def forget_bot(self, bot_id: str) -> None:
        self._bots.pop(bot_id, None)
        for key in [key for key in self._made if key[1] == bot_id]:
            del self._made[key]

    async def load(self, session: Session) -> None:
        """From the table: at the start."""
        for row in (await session.execute(select(RiskSettings))).scalars():
            self.set_user(row.user_id, limits_of(values_of(row)))


async def settings_of(session: Session, user_id: str) -> RiskSettings | None:
    return await session.get(RiskSettings, user_id)


@asynccontextmanager
async def open_risk(house: House) -> AsyncIterator[RiskBook]:
    book = RiskBook(platform_limits(house.settings))
    async with house.database.reading() as session:
        await book.load(session)
    yield book
