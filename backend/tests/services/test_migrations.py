"""Every step of the tables, up and down, on SQLite and PostgreSQL: both end with the tables of the code, names and all."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.dialects import postgresql

from haechi import tables
from haechi.platform.db import Database
from haechi.platform.migrate import config, current, downgrade, newest, upgrade

STEPS = [step.revision for step in reversed(list(ScriptDirectory.from_config(config()).walk_revisions()))]


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path) -> str:
    return on_sqlite(tmp_path) if request.param == "sqlite" else on_postgresql(request.getfixturevalue("postgres"))


def on_sqlite(folder) -> str:
    return f"sqlite+aiosqlite:///{folder}/haechi.db"


def on_postgresql(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture
async def database(address):
    made = Database(address)
    yield made
    await made.close()


async def seen(database, look):
    async with database.engine.connect() as connection:
        return await connection.run_sync(look)


def shape(connection: Connection) -> dict[str, object]:
    """All that can be told of every table, in one form for both databases."""
    looking = inspect(connection)
    return {name: shape_of(looking, name) for name in looking.get_table_names() if name != "alembic_version"}


def shape_of(looking, name: str) -> dict[str, object]:
    keys = {(one["name"], *one["constrained_columns"], one["referred_table"], *one["referred_columns"], one["options"].get("ondelete"))
            for one in looking.get_foreign_keys(name)}
    unique = {(one["name"], *one["column_names"]) for one in looking.get_unique_constraints(name)}
    # PostgreSQL lists the index behind a unique constraint too
    indexes = {(one["name"], one["unique"], *one["column_names"]) for one in looking.get_indexes(name) if not one.get("duplicates_constraint")}
    primary = looking.get_pk_constraint(name)
    return {"columns": {one["name"]: (kind(one["type"]), one["nullable"]) for one in looking.get_columns(name)}, "foreign keys": keys,
            "unique": unique, "indexes": {(one, bool(two), *rest) for one, two, *rest in indexes},
            "primary": (primary["name"], *primary["constrained_columns"]),
            "checks": {one["name"] for one in looking.get_check_constraints(name)}}


def kind(found) -> str:
    """The type as the code means it: an Amount is text on SQLite and NUMERIC on PostgreSQL, an Instant has its zone only there."""
    text = str(found.compile(dialect=postgresql.dialect()))
    return {"NUMERIC": "AMOUNT", "VARCHAR": "AMOUNT", "TIMESTAMP WITH TIME ZONE": "INSTANT", "TIMESTAMP WITHOUT TIME ZONE": "INSTANT",
            "DATETIME": "INSTANT"}.get(text, text)


async def test_the_tables_are_those_of_the_code(database):
    await upgrade(database)
    assert await current(database) == newest()
    options = {"compare_type": True, "compare_server_default": True}
    difference = await seen(database, lambda link: compare_metadata(MigrationContext.configure(link, opts=options), tables.metadata))
    assert difference == [], 'write the missing step: python -m haechi.migrations "what changes"'


async def test_down_to_nothing_and_up_again_is_the_same(database):
    await upgrade(database)
    first = await seen(database, shape)
    assert set(first) == set(tables.metadata.tables)
    await downgrade(database, "base")
    assert await seen(database, shape) == {}
    await upgrade(database)
    assert await seen(database, shape) == first


async def test_every_step_can_be_taken_back_alone(database):
    """After each step: down one and up again leaves the same tables."""
    for before, step in zip(["base", *STEPS], STEPS, strict=False):
        await upgrade(database, step)
        first = await seen(database, shape)
        await downgrade(database, before)
        await upgrade(database, step)
        assert await seen(database, shape) == first, step


async def test_both_databases_have_the_same_tables_and_names(tmp_path, postgres):
    shapes = []
    for url in (on_sqlite(tmp_path), on_postgresql(postgres)):
        database = Database(url)
        await upgrade(database)
        shapes.append(await seen(database, shape))
        await database.close()
    of_sqlite, of_postgresql = shapes
    assert set(of_sqlite) == set(of_postgresql)
    for table, is_there in of_sqlite.items():
        for what, names in is_there.items():
            assert names == of_postgresql[table][what], f"{what} of {table}"


async def test_several_processes_that_start_at_once_migrate_once(postgres):
    several = [Database(on_postgresql(postgres)) for _ in range(4)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(upgrade(one) for one in several))
    assert {await current(one) for one in several} == {newest()}
    for one in several:
        await one.close()
