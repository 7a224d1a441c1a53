"""What a bot may have of its account: reserved in the transaction that starts it, so that the shares never sum to more than all of it.

Writers take turns (platform/db.py), so what is read here is still true when it is committed, over all processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import and_, or_, select

from haechi.bots.models import FAILED, GRID, INSTANCE, RUNNING, STOPPED, Bot
from haechi.errors import Conflict
from haechi.platform.db import Session
from haechi.trading.models import NETTED, Account


class Shares(msgspec.Struct, frozen=True):
    """How much may be had: bots of one person, percent of one account, leverage of one bot."""

    bots_max: int = 10
    percent_max: Decimal = Decimal(100)
    leverage_max: int = 20


SHARES = Shares()
ENDED = (STOPPED, FAILED)
# A failed bot whose owner still wants it keeps its share: its position may be there, with its stop at the exchange.
HOLDING = and_(Bot.deleted_at.is_(None), or_(Bot.desired == RUNNING, Bot.observed.not_in(ENDED)))
EXISTING = and_(Bot.deleted_at.is_(None), or_(Bot.origin == INSTANCE, Bot.observed.not_in(ENDED)))


async def reserve(session: Session, user_id: str, account_id: str, bot_id: str, percent: Decimal, *, shares: Shares = SHARES) -> None:
    """In a writing transaction, with the bot's row in it. The share is held while the bot is desired or observed to run.

    Raises Conflict: bot_limit, symbol_taken, leverage_differs, leverage_limit, allocation_exceeded.
    """
    bot = await session.get_one(Bot, bot_id)
    account = await session.get_one(Account, account_id)
    await room_for_one(session, user_id, bot_id, shares=shares)
    leverage = leverage_of(bot)
    within_leverage(leverage, shares)
    others = await holders(session, user_id, account_id, bot_id)
    _symbol_free(bot, leverage, account, [other for other in others if other.symbol == bot.symbol])
    _share_free(percent, others, shares)


async def room_for_one(session: Session, user_id: str, bot_id: str = "", *, shares: Shares = SHARES) -> None:
    """Raises Conflict bot_limit when the person has as many bots as one may have, `bot_id` not counted."""
    query = select(Bot.id).where(Bot.user_id == user_id, Bot.id != bot_id, EXISTING)
    there = len((await session.execute(query)).scalars().all())
    if there >= shares.bots_max:
        raise Conflict(f"You have {there} bots, and may have {shares.bots_max}; delete one first.", code="bot_limit",
                       details={"bots": there, "allowed": shares.bots_max})


async def holders(session: Session, user_id: str, account_id: str, bot_id: str = "") -> Sequence[Bot]:
    """The bots that hold a share of this account, but for one."""
    query = select(Bot).where(Bot.user_id == user_id, Bot.account_id == account_id, Bot.id != bot_id, HOLDING)
    return (await session.execute(query.order_by(Bot.id))).scalars().all()


def within_leverage(leverage: int, shares: Shares = SHARES) -> None:
    """Raises Conflict leverage_limit."""
    if leverage > shares.leverage_max:
        raise Conflict(f"Leverage {leverage} is more than a bot may use; at most {shares.leverage_max}.", code="leverage_limit",
                       details={"leverage": leverage, "allowed": shares.leverage_max})


def _symbol_free(bot: Bot, leverage: int, account: Account, others: Sequence[Bot]) -> None:
    """One bot a symbol; under `netted` several, all with the leverage the exchange keeps for the one position."""
    for other in others:
        there = {"symbol": bot.symbol, "bot_id": other.id}
        if account.isolation != NETTED:
            raise Conflict(f"{bot.symbol} is traded by your bot {other.name or other.id} on this account; stop that one first, "
                           "choose another symbol, or let bots share positions (isolation netted).", code="symbol_taken", details=there)
        theirs = leverage_of(other)
        if theirs != leverage:
            raise Conflict(f"Bots that share the position of {bot.symbol} use one leverage: {other.name or other.id} has {theirs}, "
                           f"this one {leverage}.", code="leverage_differs", details=there | {"leverage": leverage, "allowed": theirs})


def _share_free(percent: Decimal, others: Sequence[Bot], shares: Shares) -> None:
    taken = sum((other.allocation for other in others), Decimal(0))
    if taken + percent > shares.percent_max:
        free = max(shares.percent_max - taken, Decimal(0))
        raise Conflict(f"This bot wants {percent:f} % of the account, and {free:f} % of it are free ({taken:f} % belong to {len(others)} "
                       "running bots); lower its allocation or stop another bot.", code="allocation_exceeded",
                       details={"wanted": f"{percent:f}", "taken": f"{taken:f}", "free": f"{free:f}", "allowed": f"{shares.percent_max:f}"})


def leverage_of(bot: Bot) -> int:
    """What its plan says, its overrides and parameters in it."""
    spec: dict[str, Any] = bot.spec
    if bot.kind == GRID:
        return int(spec["grid"].get("leverage", 1))
    from haechi.core.strategies import find  # the language loads with the first bot

    return find(spec["strategy"]).plan(spec.get("params"), spec.get("overrides")).leverage
