"""Bots trade on PostgreSQL; its connections are cut, the server is killed, a leader is stopped for a while. Nothing doubled, nothing lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from crash_scene import Scene, forker, migrated, people, scene

from haechi.platform.columns import spelled
from haechi.platform.db import Database
from haechi.platform.migrate import upgrade

TRIALS = int(os.environ.get("HAECHI_TRIALS", "1"))
TABLES = ("bots", "orders", "bookings", "ledger_entries", "alarms")


@asynccontextmanager
async def on_postgresql(postgres: str, folder: Path, seed: str) -> AsyncIterator[Scene]:
    """The judge reads a copy."""
    url = postgres.replace("postgresql://", "postgresql+asyncpg://")
    await migrated(folder / "template.db")
    database = Database(url)
    await upgrade(database)
    await people(database)
    await database.close()
    async with forker(folder / "forker") as forked, scene(folder, forked, seed, folder / "template.db") as one:
        one.url = url

        async def copied() -> None:
            await copy(postgres, one.database)

        one.before_rest = copied
        await one.exchange.goes()
        yield one


async def copy(postgres: str, path: Path) -> None:
    link = await asyncpg.connect(postgres)
    with sqlite3.connect(path) as there:
        for table in TABLES:
            rows = await link.fetch(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 - names from above
            there.execute(f"DELETE FROM {table}")  # noqa: S608
            for row in rows:
                values = [spelled(value) if isinstance(value, Decimal) else value if value is None or isinstance(value, (int, str)) else str(value)
                          for value in row.values()]
                there.execute(f"INSERT INTO {table} ({', '.join(row.keys())}) VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608
    await link.close()


async def cut(postgres: str) -> None:
    link = await asyncpg.connect(postgres)
    await link.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    await link.close()


async def test_connections_are_cut_again_and_again(postgres: str, tmp_path: Path) -> None:
    rng = Random("cut")
    async with on_postgresql(postgres, tmp_path, "cut") as one:
        await one.begins(row_lease=True)
        await one.exchange.goes(3)
        for _ in range(TRIALS):
            for _ in range(3):
                await cut(postgres)
                await asyncio.sleep(rng.random() * 0.2)  # the moment is the case
            await one.rests()
            await one.exchange.goes(2)
        assert one.fills > 0


async def test_the_server_is_killed_and_comes_back(postgres_server: Any, postgres: str, tmp_path: Path) -> None:
    rng = Random("killed")
    async with on_postgresql(postgres, tmp_path, "killed") as one:
        await one.begins(row_lease=True)
        await one.exchange.goes(3)
        for _ in range(TRIALS):
            postgres_server.running.send_signal(signal.SIGQUIT)  # as `pg_ctl stop -m immediate`
            await asyncio.to_thread(postgres_server.running.wait)
            await asyncio.sleep(rng.random() * 0.5)  # the moment is the case
            await asyncio.to_thread(postgres_server.start)
            await one.rests()
            await one.exchange.goes(2)
        assert one.fills > 0


@pytest.mark.skipif("HAECHI_TRIALS" not in os.environ, reason="takes a minute of waiting: part of make soak")
async def test_a_stopped_leader_opens_nothing_after_another_took_over(postgres: str, tmp_path: Path) -> None:
    """Its connection was cut meanwhile: until it learns of the other, what protects and closes may leave (docs/reliability.md)."""
    rng = Random("stopped")
    async with on_postgresql(postgres, tmp_path, "stopped") as one:
        leader = await one.begins(row_lease=True)
        for _ in range(TRIALS):
            other = await one.begins(wait=False, row_lease=True)
            await one.exchange.goes(rng.randrange(1, 4))
            await asyncio.sleep(rng.random() * 0.1)  # the moment is the case
            os.kill(leader, signal.SIGSTOP)
            one.exchange.clock.sending = 0
            await one.at_work(other)
            since = len(one.exchange.asked)
            os.kill(leader, signal.SIGCONT)
            await one.exchange.goes(5)
            assert not [what for _, pid, what in one.exchange.asked[since:] if pid != other and what.endswith("/place-order")]
            await one.kill(leader)
            await one.rests()
            await one.exchange.goes()
            leader = other


