"""Queries about bots; the owner is in every one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from haechi.bots.allocation import HOLDING
from haechi.bots.models import FAILED, INSTANCE, STOPPED, Bot, BotLine
from haechi.errors import NotFound
from haechi.platform.db import Session
from haechi.trading.models import OPEN, SENT, UNKNOWN, Order

ALIVE = (SENT, OPEN, UNKNOWN)


async def last_bot_of(session: Session, user_id: str) -> Bot:
    """The one-bot form's bot: the user's newest. Raises NotFound."""
    query = select(Bot).where(Bot.user_id == user_id).order_by(Bot.id.desc()).limit(1)
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("No bot has been started yet.")
    return found


async def running_of(session: Session, user_id: str) -> Bot | None:
    query = select(Bot).where(Bot.user_id == user_id, Bot.observed.not_in((STOPPED, FAILED))).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def holding_of(session: Session, user_id: str) -> Bot | None:
    """One that runs, or is wished to: it may hold something, a failed one too."""
    return (await session.execute(select(Bot).where(Bot.user_id == user_id, HOLDING).limit(1))).scalar_one_or_none()


async def use_of(session: Session, account_id: str) -> str:
    """'' or who works on this account: it may not be closed under them."""
    found = (await session.execute(select(Bot.name, Bot.symbol).where(Bot.account_id == account_id, HOLDING).limit(1))).first()
    return "" if found is None else f"A bot of yours ({found.name or found.symbol}) runs on it: stop it first."


async def ids_of(session: Session, user_id: str) -> Sequence[str]:
    return (await session.execute(select(Bot.id).where(Bot.user_id == user_id))).scalars().all()


async def lines_of(session: Session, user_id: str, bot_id: str, *, below: int | None, limit: int) -> Sequence[BotLine]:
    """Newest first."""
    query = select(BotLine).where(BotLine.user_id == user_id, BotLine.bot_id == bot_id)
    if below is not None:
        query = query.where(BotLine.id < below)
    return (await session.execute(query.order_by(BotLine.id.desc()).limit(limit))).scalars().all()


async def open_orders_of(session: Session, user_id: str, bot_id: str) -> Sequence[Order]:
    query = select(Order).where(Order.user_id == user_id, Order.bot_id == bot_id, Order.status.in_(ALIVE)).order_by(Order.id)
    return (await session.execute(query)).scalars().all()


# ---- bots of /bot-instances


async def instance_of(session: Session, user_id: str, bot_id: str) -> Bot:
    """Raises NotFound: another's and a deleted one look like a missing one."""
    query = select(Bot).where(Bot.user_id == user_id, Bot.id == bot_id, Bot.origin == INSTANCE, Bot.deleted_at.is_(None))
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such bot.")
    return found


def instances(user_id: str, **equal: str | None) -> Select[Any]:
    """The person's bots that are not deleted; equal: column -> its value, None: any."""
    query = select(Bot).where(Bot.user_id == user_id, Bot.origin == INSTANCE, Bot.deleted_at.is_(None))
    for column, value in equal.items():
        if value is not None:
            query = query.where(getattr(Bot, column) == value)
    return query


async def refusals_of(session: Session, user_id: str, bot_id: str, limit: int) -> Sequence[BotLine]:
    """Newest first."""
    query = select(BotLine).where(BotLine.user_id == user_id, BotLine.bot_id == bot_id, BotLine.code == "refused")
    return (await session.execute(query.order_by(BotLine.id.desc()).limit(limit))).scalars().all()
