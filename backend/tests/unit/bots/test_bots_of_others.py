"""Every query about a bot names its owner: another person's bot looks like a missing one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from haechi.bots import store
from haechi.errors import NotFound
from haechi.platform.db import Database

Rows = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]


async def test_anothers_bot_and_a_deleted_one_look_missing(database: Database, rows: Rows, clock: Any) -> None:
    person, account, bot = rows
    async with database.writing() as session:
        session.add_all([person("mina"), person("joon")])
        await session.flush()
        session.add_all([account("a1", "mina"), account("a2", "joon")])
        await session.flush()
        session.add_all([bot("b1", "mina", "a1"), bot("b2", "joon", "a2"), bot("b3", "mina", "a1", deleted_at=clock.now())])
    async with database.reading() as session:
        assert (await store.instance_of(session, "mina", "b1")).id == "b1"
        for bot_id in ("b2", "b3", "b4"):
            with pytest.raises(NotFound):
                await store.instance_of(session, "mina", bot_id)
        assert await store.ids_of(session, "joon") == ["b2"] and (await store.last_bot_of(session, "joon")).id == "b2"
