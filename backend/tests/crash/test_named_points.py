"""A trading process that dies as by `kill -9` at each named point, and what the next one makes of it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pytest
from crash_scene import Scene, forker, scene

from haechi.platform.db import Database
from haechi.platform.migrate import upgrade
from haechi.platform.points import POINTS, Armed

TRIALS = int(os.environ.get("HAECHI_TRIALS", "1"))  # of each point
SPECIAL = frozenset({"reserve_kept", "reserve_emptied", "allocated", "migrated"})
ONCE = frozenset({"lease_claimed", "lease_renewed", "reconciled", "launched"})  # at a start, or every second and a half
GROUPS = 4
AFTER_BARS = 3
USUAL = [point for point in POINTS if point not in SPECIAL]


@pytest.mark.parametrize("group", range(GROUPS))
async def test_killed_at_a_named_point_it_goes_on_as_if_nothing_had_been(group: int, tmp_path: Path, template: Path, told: Any) -> None:
    points = USUAL[group::GROUPS]
    async with forker(tmp_path / "forker") as forked, scene(tmp_path, forked, f"points {group}", template) as one:
        await one.exchange.goes()
        for trial in range(TRIALS):
            for point in points:
                await dies_at(one, point, Random(f"{point}/{trial}"))
            await one.rests()
            await one.exchange.goes()
        await one.kill()
        one.whole()
        assert one.fills > 0
        told(one)


async def dies_at(one: Scene, point: str, rng: Random) -> None:
    count = 1 if point in ONCE else rng.randrange(1, 5)
    if one.pid and one.pid not in one.forker.ended:
        await one.kill()
    await one.begins(wait=False, crash_at=f"{point}:{count}")
    await one.dead()
    await one.begins()
    await one.exchange.goes(AFTER_BARS)
    one.never()


async def test_killed_while_only_the_reserve_could_be_written(tmp_path: Path, template: Path, told: Any) -> None:
    """The database is locked by somebody; a stop leaves all the same, kept in the reserve, and the process dies with it."""
    async with forker(tmp_path / "forker") as forked, scene(tmp_path, forked, "reserve", template) as one:
        await one.exchange.goes()
        for _ in range(TRIALS):
            await one.begins(wait=False, busy_ms=30, crash_at="reserve_kept")
            await forked.until(lambda: one.pid in forked.ready or one.pid in forked.ended)  # a slow disk is a lock too
            while one.pid not in forked.ended:
                await one.until(lambda: one.holding)
                lock = sqlite3.connect(one.database, isolation_level=None, timeout=5)
                lock.execute("BEGIN IMMEDIATE")
                await one.until(lambda: one.pid in forked.ended or not one.holding)
                lock.execute("ROLLBACK")
                lock.close()
            await one.dead()
            await one.begins(wait=False, crash_at="reserve_emptied")
            await one.dead()
            await one.begins()
            await one.exchange.goes(AFTER_BARS)
            await one.rests()
            await one.exchange.goes()
            await one.kill()
        one.whole()
        told(one)


async def test_killed_while_a_share_is_reserved(tmp_path: Path, template: Path, told: Any) -> None:
    """The share of an account and the wish to run are one commit: both are there or none."""
    async with forker(tmp_path / "forker") as forked, scene(tmp_path, forked, "allocated", template) as one:
        await one.exchange.goes()
        await one.begins(wait=False, start="ben1", crash_at="allocated")
        await one.dead()
        assert one.judge.rows("SELECT desired, observed FROM bots WHERE id = 'ben1'") == [("stopped", "stopped")]
        await one.begins(start="ben1")
        await one.exchange.goes(AFTER_BARS)
        assert one.judge.rows("SELECT desired FROM bots WHERE id = 'ben1'") == [("running",)]
        one.judge.allocations()
        await one.rests()
        told(one)


@pytest.mark.parametrize("step", range(5, 6) if TRIALS == 1 else range(1, 12))
async def test_killed_in_a_migration_the_next_start_ends_it(step: int, tmp_path: Path, template: Path) -> None:
    async with forker(tmp_path / "forker") as forked, scene(tmp_path, forked, "migrated", template) as one:
        one.database = tmp_path / "new.db"
        one.url = f"sqlite+aiosqlite:///{one.database}"
        await one.begins(wait=False, upgrade=True, crash_at=f"migrated:{step}")
        await one.dead()
        database = Database(one.url)
        await upgrade(database)
        await database.close()
        one.whole()
        assert tables(one.database) == tables(template)


def tables(path: Path) -> dict[str, list[Any]]:
    """Columns and indexes; a rebuilt table spells its constraints in another order."""
    with sqlite3.connect(path) as link:
        names = [name for name, in link.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: [link.execute(f"PRAGMA table_info({name})").fetchall(), sorted(row[1:] for row in link.execute(f"PRAGMA index_list({name})"))]
                for name in names}


def test_a_point_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such point"):
        Armed("nowhere")
