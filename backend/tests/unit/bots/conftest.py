"""Rows of people, accounts and bots in a database of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from haechi.bots.models import INSTANCE, STOPPED, Bot
from haechi.identity.models import User
from haechi.platform.clock import SetClock
from haechi.platform.db import Base, Database
from haechi.tables import TABLES
from haechi.trading.models import Account

START = datetime(2026, 1, 1, tzinfo=UTC)
assert TABLES, "all tables are known"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(START)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/haechi.db")
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.close()


def person(user_id: str) -> User:
    return User(id=user_id, email=f"{user_id}@example.com", password_hash=None, role="user", created_at=START)


def account(account_id: str, user_id: str, **given: Any) -> Account:
    return Account(**{"id": account_id, "user_id": user_id, "mode": "paper", "capital": Decimal(10_000), "created_at": START} | given)


def bot(bot_id: str, user_id: str, account_id: str, **given: Any) -> Bot:
    return Bot(**{"id": bot_id, "user_id": user_id, "account_id": account_id, "strategy": "rsi", "symbol": "BTCUSDT", "timeframe": "1m",
                  "spec": {"strategy": "rsi", "params": {}, "overrides": {}}, "capital": Decimal(0), "desired": STOPPED, "observed": STOPPED,
                  "reason": "", "name": bot_id, "origin": INSTANCE, "allocation": Decimal(10), "created_at": START, "ended_at": None} | given)


@pytest.fixture
def rows() -> tuple[Callable[..., User], Callable[..., Account], Callable[..., Bot]]:
    """What makes them: person, account, bot."""
    return person, account, bot


@pytest.fixture
def minas(database: Database) -> Callable[..., Awaitable[None]]:
    """Puts rows into the database: mina and her account a1 first, then what is given, in this order."""
    async def put(*more: Any) -> None:
        async with database.writing() as session:
            for row in (person("mina"), account("a1", "mina"), *more):
                session.add(row)
                await session.flush()

    return put
