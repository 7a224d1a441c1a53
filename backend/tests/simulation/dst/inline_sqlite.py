"""SQLite for simulated time: the house's own `Database` over a driver that runs at once, without a thread, and can fail on purpose.

Addresses: `sqlite+inline:////dev/shm/x.db`. Writers take turns by an asyncio lock of the file (SQLite's own lock would block the
only thread there is); a commit takes some virtual time, so that others get in between, as they do with a real driver.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import LRUCache, await_only
from sqlalchemy.util.concurrency import in_greenlet

from haechi.platform.db import BUSY_TIMEOUT_MS, Database
from haechi.platform.migrate import upgrade

COMMIT_MS_MAX = 3
SHM = Path("/dev/shm")  # noqa: S108 - memory, where there is some
COMPILED: LRUCache[Any, Any] = LRUCache(2000)
FILES: dict[str, File] = {}


class File:
    """What all connections to one file share: the turn to write, and what is wrong with it now (times in seconds of the loop)."""

    def __init__(self, path: str, rng: Random | None = None) -> None:
        self.path, self.rng = path, rng or Random(0)
        self.turn = asyncio.Lock()
        self.locked_until = self.full_until = self.cut_until = 0.0
        self.commits_lost = 0  # so many next commits raise: "before" or "after" they were carried out
        self.lost_after = False
        self.commits = self.failures = 0

    async def enter(self) -> None:
        """The turn to write; waits as long as SQLite would, then raises "database is locked"."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_MS / 1000):
                await self.turn.acquire()
        except TimeoutError:
            raise self.failed("database is locked", "SQLITE_BUSY") from None
        if loop.time() < self.locked_until:
            wait = min(self.locked_until - loop.time(), BUSY_TIMEOUT_MS / 1000)
            try:
                await asyncio.sleep(wait)
            except BaseException:
                self.turn.release()
                raise
            if loop.time() < self.locked_until:
                self.turn.release()
                raise self.failed("database is locked", "SQLITE_BUSY")

    def failed(self, words: str, name: str) -> sqlite3.OperationalError:
        self.failures += 1
        error = sqlite3.OperationalError(words)
        error.sqlite_errorname = name
        return error


def _wait(awaitable: Awaitable[Any]) -> Any:
    return await_only(awaitable)


async def _at_once() -> None:
    """SQLAlchemy insists that an asynchronous driver is waited for."""


class Cursor(sqlite3.Cursor):
    """BEGIN IMMEDIATE waits for its turn."""

    connection: Connection

    def execute(self, sql: str, parameters: Any = ()) -> Cursor:
        self.connection.alive()
        if sql == "BEGIN IMMEDIATE" and self.connection.file is not None:
            self.connection.begin()
        elif in_greenlet():
            _wait(_at_once())
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any) -> Cursor:
        self.connection.alive()
        if in_greenlet():
            _wait(_at_once())
        return super().executemany(sql, parameters)

    async def _async_soft_close(self) -> None:
        """SQLAlchemy asks this of asynchronous cursors; nothing is open elsewhere."""


class Connection(sqlite3.Connection):
    """One connection to a file with troubles; `file` None: a plain one (migrations)."""

    file: File | None = None
    mine = False
    cut = False

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)

    def alive(self) -> None:
        if self.file is not None and asyncio.get_running_loop().time() < self.file.cut_until and not self.cut:
            self.cut = True
            self.file.failures += 1
        if self.cut:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")  # what SQLAlchemy takes for a lost connection

    def begin(self) -> None:
        assert self.file is not None
        _wait(self.file.enter())
        self.mine = True

    def commit(self) -> None:
        if self.file is None or not self.mine:
            return super().commit()
        file = self.file
        try:
            _wait(asyncio.sleep(file.rng.randint(0, COMMIT_MS_MAX) / 1000))
            self._commit(file)
        finally:
            self._leave()

    def _commit(self, file: File) -> None:
        self.alive()
        if asyncio.get_running_loop().time() < file.full_until:
            super().rollback()
            raise file.failed("database or disk is full", "SQLITE_FULL")
        if file.commits_lost:
            file.commits_lost -= 1
            super().commit() if file.lost_after else super().rollback()
            raise file.failed("disk I/O error", "SQLITE_IOERR")
        file.commits += 1
        super().commit()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._leave()

    def close(self) -> None:
        self._leave()
        super().close()

    def _leave(self) -> None:
        if self.mine and self.file is not None:
            self.mine = False
            self.file.turn.release()


class Inline(SQLiteDialect_pysqlite):
    """SQLAlchemy's SQLite, told that it is asynchronous: its calls return at once."""

    driver = "inline"
    is_async = True
    supports_statement_cache = True

    def __hash__(self) -> int:
        return hash(Inline)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)  # compiled statements are shared by all engines of the process

    @classmethod
    def get_pool_class(cls, url: Any) -> type[AsyncAdaptedQueuePool]:
        return AsyncAdaptedQueuePool

    def connect(self, *given: Any, **named: Any) -> Connection:
        made = sqlite3.connect(*given, **{**named, "factory": Connection, "check_same_thread": False})
        made.file = FILES.get(str(given[0]))
        if made.file is not None and asyncio.get_running_loop().time() < made.file.cut_until:
            made.close()
            made.file.failures += 1
            raise sqlite3.OperationalError("unable to open database file")
        return made


registry.register("sqlite.inline", __name__, "Inline")


def address(path: Path) -> str:
    return f"sqlite+inline:///{path}"


def opened(path: Path, file: File | None) -> Database:
    """The house's database on this file. `file` None: without turns and troubles."""
    if file is not None:
        FILES[str(path)] = file
    database = Database(address(path))
    database.engine.sync_engine._compiled_cache = COMPILED
    return database


@cache
def folder() -> Path:
    """In memory where the machine has such a place; one a process."""
    return Path(tempfile.mkdtemp(prefix="haechi-dst-", dir=SHM if SHM.is_dir() else None))


@cache
def template(make: Callable[[], asyncio.AbstractEventLoop] | None = None) -> Path:
    """A migrated file, made once a process."""
    path = folder() / "template.db"

    async def migrate() -> None:
        database = Database(address(path))
        await upgrade(database)
        await database.close()

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(migrate())
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        plain.execute("PRAGMA journal_mode=delete")
    return path


def fresh(name: str, migrated: Path) -> Path:
    """A copy of the migrated file. Call `forget` when done."""
    path = folder() / f"{name}.db"
    forget(path)
    shutil.copyfile(migrated, path)
    return path


def forget(path: Path) -> None:
    FILES.pop(str(path), None)
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
