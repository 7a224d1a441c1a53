"""Shares of an account on PostgreSQL, where two processes really start bots at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import select

from haechi.bots.allocation import Shares, reserve
from haechi.bots.models import INSTANCE, RUNNING, STARTING, STOPPED, Bot
from haechi.errors import Conflict
from haechi.identity.models import User
from haechi.platform.db import Database
from haechi.platform.migrate import upgrade
from haechi.trading.models import Account

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STARTS = 50


async def start(database, n):
    async with database.writing() as session:
        bot = await session.get_one(Bot, f"b{n}")
        await reserve(session, "mina", "account", bot.id, bot.allocation, shares=Shares(bots_max=STARTS))
        bot.desired, bot.observed = RUNNING, STARTING


async def test_fifty_starts_of_two_processes_never_have_more_than_all(postgres):
    url = postgres.replace("postgresql://", "postgresql+asyncpg://")
    processes = [Database(url, busy_timeout_ms=60_000), Database(url, busy_timeout_ms=60_000)]
    await upgrade(processes[0])
    async with processes[0].writing() as session:
        session.add(User(id="mina", email="mina@example.com", password_hash=None, role="user", created_at=NOW))
        await session.flush()
        session.add(Account(id="account", user_id="mina", mode="paper", capital=Decimal(10_000), created_at=NOW))
        await session.flush()
        session.add_all([Bot(
            id=f"b{n}", user_id="mina", account_id="account", strategy="rsi", symbol=f"S{n % 30}", timeframe="1m",
            spec={"strategy": "rsi", "params": {}, "overrides": {}}, capital=Decimal(0), desired=STOPPED, observed=STOPPED, reason="", name=f"b{n}",
            origin=INSTANCE, allocation=Decimal(7 + n % 9), created_at=NOW, ended_at=None) for n in range(STARTS)])
    ends = await asyncio.gather(*(start(processes[n % 2], n) for n in range(STARTS)), return_exceptions=True)
    async with processes[1].reading() as session:
        wanted = (await session.execute(select(Bot).where(Bot.desired == RUNNING))).scalars().all()
    for database in processes:
        await database.close()
    errors = [one for one in ends if one is not None]
    assert all(isinstance(one, Conflict) and one.code in ("allocation_exceeded", "symbol_taken") for one in errors), errors
    assert len(wanted) + len(errors) == STARTS
    assert 85 < sum(bot.allocation for bot in wanted) <= 100
    assert len({bot.symbol for bot in wanted}) == len(wanted)
