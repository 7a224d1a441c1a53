"""Who writes takes turns, on both databases: what was read in a writing transaction is still so when it is changed."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.exc import SQLAlchemyError

from haechi.platform import turns
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


async def test_a_turn_that_is_kept_between_preparing_and_running_a_statement_is_ended(postgres, monkeypatch):
    """As by a process that was stopped there: the server's own time for idle transactions does not run."""
    monkeypatch.setattr(turns, "SILENT_S", 0.05)
    stopped = await asyncpg.connect(postgres)
    await stopped.execute("BEGIN")
    await stopped.execute(f"SELECT set_config('idle_in_transaction_session_timeout', '50', true), pg_advisory_xact_lock({turns.WRITE_LOCK})")
    await stopped.prepare("SELECT 1")
    waits = Database(postgres.replace("postgresql://", "postgresql+asyncpg://"), busy_timeout_ms=200)
    with pytest.raises(SQLAlchemyError) as refused:
        async with waits.writing():
            raise AssertionError("the turn was free")
    assert unreachable(refused.value)
    async with waits.writing() as session:
        assert (await session.execute(select(1))).scalar_one() == 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await stopped.execute("COMMIT")
    await waits.close()
