"""Bring the tables to the version of the code: Alembic run from here, its scripts lie inside the package."""

from __future__ import annotations

from functools import cache
from typing import Any

from alembic import command as commands
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from haechi.platform.db import Database

SCRIPTS = "haechi:migrations"
# Any number, but the same in every process: only one of several API processes that start at once migrates PostgreSQL.
ADVISORY_LOCK = 7_240_135_001


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made here: an installed copy needs no ini file."""
    made = Config()
    made.set_main_option("script_location", SCRIPTS)
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


async def upgrade(database: Database, revision: str = "head") -> None:
    """Up to `revision`; does nothing when it is already there."""
    await _run(database, "upgrade", revision)


async def downgrade(database: Database, revision: str) -> None:
    """Down to `revision`, `base` for nothing at all."""
    await _run(database, "downgrade", revision)


async def current(database: Database) -> str | None:
    """Revision the database stands at, None for an empty one."""
    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.engine.connect() as connection:
        return await connection.run_sync(read)


@cache
def newest() -> str | None:
    """Revision the code expects; reads all steps, so it is kept."""
    return ScriptDirectory.from_config(config()).get_current_head()


async def _run(database: Database, command: str, revision: str) -> None:
    """On a connection of its own with foreign keys off: rebuilding a SQLite table would cascade through its children."""
    def work(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
        step: Any = getattr(commands, command)
        step(config(connection), revision)
        if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError(f"the migration to {revision} would leave rows that point at nothing; nothing was changed")

    own = Database(database.url, foreign_keys=False)
    try:
        async with own.engine.begin() as connection:
            await connection.run_sync(work)
    finally:
        await own.close()
