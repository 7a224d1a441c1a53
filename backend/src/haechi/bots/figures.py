"""What a bot has earned: from the ledger exactly, and what is open now from its mind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import select

from haechi.bots.models import Bot
from haechi.core.holdings import FEES, FUNDING, LIQUIDATION, REALIZED
from haechi.platform.db import Session
from haechi.trading.ledger import DAY_MS
from haechi.trading.models import Booking, Entry

ZERO = Decimal(0)
EARNED = (REALIZED, LIQUIDATION, FEES, FUNDING)


class Step(msgspec.Struct, frozen=True):
    """One booking of a bot. held: its signed position afterwards; amounts: book -> what it earned (+) or cost (−)."""

    time_ms: int
    held: Decimal
    amounts: Mapping[str, Decimal]

    @property
    def net(self) -> Decimal:
        return sum(self.amounts.values(), ZERO)


class Figures(msgspec.Struct, frozen=True):
    """trades: from flat to flat; won: those that earned after costs; drawdown: the deepest fall of the sum from its highest."""

    trades: int = 0
    won: int = 0
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    today: Decimal = ZERO
    drawdown: Decimal = ZERO
    held: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        return self.realized + self.fees + self.funding


def figures_of(steps: Iterable[Step], now_ms: int) -> Figures:
    """Oldest first. A liquidation's loss counts as realized."""
    books = dict.fromkeys(EARNED, ZERO)
    trades = won = 0
    trade = total = highest = drawdown = today = held = ZERO
    for step in steps:
        for name, amount in step.amounts.items():
            books[name] += amount
        trade, total = trade + step.net, total + step.net
        highest = max(highest, total)
        drawdown = max(drawdown, highest - total)
        today += step.net if step.time_ms >= now_ms // DAY_MS * DAY_MS else ZERO
        if held and not step.held:
            trades, won, trade = trades + 1, won + (trade > 0), ZERO
        held = step.held
    return Figures(trades, won, books[REALIZED] + books[LIQUIDATION], books[FEES], books[FUNDING], today, drawdown, held)


async def steps_of(session: Session, bot: Bot) -> list[Step]:
    """Its bookings, oldest first. What another book gives is what the bot earns, so the signs turn round."""
    query = (select(Booking.id, Booking.time_ms, Booking.held, Entry.book, Entry.amount).outerjoin(Entry, Entry.booking_id == Booking.id)
             .where(Booking.user_id == bot.user_id, Booking.bot_id == bot.id, Booking.symbol != "").order_by(Booking.id, Entry.id))
    found: dict[int, Step] = {}
    for booking_id, time_ms, held, name, amount in (await session.execute(query)).all():
        step = found.setdefault(booking_id, Step(time_ms, held, {}))
        if name in EARNED:
            found[booking_id] = msgspec.structs.replace(step, amounts={**step.amounts, name: -amount})
    return list(found.values())


def open_now(shown: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """Unrealised profit, and the position's value over equity; None of a bot that does not run."""
    if "equity" not in shown or "wallet" not in shown:
        return None, None
    equity, price = Decimal(shown["equity"]), Decimal(shown.get("price", 0))
    exposure = abs(Decimal(shown.get("position", 0))) * price / equity if equity > 0 else None
    return equity - Decimal(shown["wallet"]), exposure
