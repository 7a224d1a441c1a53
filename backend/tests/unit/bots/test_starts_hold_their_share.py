"""The use case that starts a bot reserves its share in the transaction that makes it wanted: many at once never have more than all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from haechi.bots import instances
from haechi.bots.models import RUNNING, Bot
from haechi.errors import Conflict
from haechi.identity.models import User
from haechi.platform.db import Database


async def test_starts_at_once_never_have_more_than_the_account(database: Database, rows: tuple[Callable[..., Any], ...], minas: Any,
                                                               clock: Any) -> None:
    await minas(*(rows[2](f"b{n}", "mina", "a1", symbol=f"S{n}", allocation=Decimal(30)) for n in range(8)))
    bots = SimpleNamespace(refuse_while_killed=lambda _user_id, _bot_id="": None, supervisor=None)
    house: Any = SimpleNamespace(database=database, clock=clock, part=lambda _kind: bots)
    asked = instances.Asked(User(id="mina"), "127.0.0.1")
    ends = await asyncio.gather(*(instances.start(house, asked, f"b{n}") for n in range(8)), return_exceptions=True)
    assert [one.code for one in ends if isinstance(one, Conflict)] == ["allocation_exceeded"] * 5
    async with database.reading() as session:
        assert len((await session.execute(select(Bot).where(Bot.desired == RUNNING))).scalars().all()) == 3
