"""Who writes takes turns, on both databases: what was read in a writing transaction is still so when it is changed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.exc import SQLAlchemyError

from haechi.platform.db import Database, unreachable

COUNT = Table("count", MetaData(), Column("n", Integer))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/haechi.db"
    return request.getfixturevalue("postgres").replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture
async def databases(url):
    """Engines as several processes have them; the last one is impatient."""
    made = Database(url), Database(url), Database(url, busy_timeout_ms=50)
    async with made[0].engine.begin() as connection:
        await connection.run_sync(COUNT.create)
        await connection.execute(COUNT.insert().values(n=0))
    yield made
    for one in made:
        await one.close()


async def add_one(database):
    async with database.writing() as session:
        before = (await session.execute(select(COUNT.c.n))).scalar_one()
        await asyncio.sleep(0)
        await session.execute(COUNT.update().values(n=before + 1))


async def test_nobody_continues_what_another_has_changed_meanwhile(databases):
    await asyncio.gather(*(add_one(databases[n % 2]) for n in range(24)))
    async with databases[0].reading() as session:
        assert (await session.execute(select(COUNT.c.n))).scalar_one() == 24


async def test_readers_wait_for_nobody(databases):
    one, other, _ = databases
    async with one.writing() as session:
        await session.execute(COUNT.update().values(n=7))
        async with other.reading() as looking:
            assert (await looking.execute(select(COUNT.c.n))).scalar_one() == 0


async def test_who_waits_too_long_for_a_turn_may_come_again(databases):
    one, _, impatient = databases
    async with one.writing() as session:
        await session.execute(COUNT.update().values(n=7))
        with pytest.raises(SQLAlchemyError) as refused:
            await add_one(impatient)
        assert unreachable(refused.value)
    await add_one(impatient)
    async with one.reading() as looking:
        assert (await looking.execute(select(COUNT.c.n))).scalar_one() == 8
