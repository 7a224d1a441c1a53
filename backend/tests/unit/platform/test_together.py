"""Works in one transaction of a thread: all or nothing, their results in order; writers of a process take turns as they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from haechi.platform.db import Database, Session


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/t.db", busy_timeout_ms=200)
    async with made.writing() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
    yield made
    await made.close()


def put(n: int):
    async def work(session: Session) -> int:
        await session.execute(text("INSERT INTO t VALUES (:n)"), {"n": n})
        return n

    return work


async def there(database: Database) -> list[int]:
    async with database.reading() as session:
        return list((await session.execute(text("SELECT n FROM t ORDER BY n"))).scalars())


async def test_all_or_nothing_with_their_results(database: Database) -> None:
    assert await database.together([put(1), put(2)]) == [1, 2]
    with pytest.raises(IntegrityError):
        await database.together([put(3), put(1)])
    assert await there(database) == [1, 2]


async def test_a_work_that_waits_for_something_else_is_refused(database: Database) -> None:
    async def work(_session: Session) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="wait for nothing but its session"):
        await database.together([put(1), work])
    assert await there(database) == []


async def test_one_that_writes_without_a_pause_keeps_nobody_out(database: Database) -> None:
    order: list[str] = []

    async def busy() -> None:
        for n in range(20):
            await database.together([put(n)])
            order.append("busy")

    async def other() -> None:
        async with database.writing() as session:
            await put(100)(session)
        order.append("other")

    await asyncio.gather(busy(), other())
    assert order.index("other") <= 2


async def test_who_has_waited_as_long_as_sqlite_would_is_told_so(database: Database) -> None:
    async with database.writing():
        with pytest.raises(OperationalError, match="database is locked"):
            await database.together([put(1)])
