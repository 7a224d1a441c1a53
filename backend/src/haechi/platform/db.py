"""The database: SQLite in WAL mode by default, PostgreSQL by address. One use case is one transaction.

`writing()` begins with the write lock (BEGIN IMMEDIATE on SQLite, an advisory lock on PostgreSQL): who reads and then writes
sees what it will change. Without it SQLite would fail at once when another one wrote in between, and PostgreSQL would let two
bots start for one person, or two bookings continue the same running balance.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from haechi.errors import HaechiError
from haechi.platform import turns
from haechi.platform.points import reached
from haechi.platform.together import Together, Work, worked

BUSY_TIMEOUT_MS = 5000
CONNECTIONS = 5
CONNECTIONS_MORE = 10
CONNECT_TIMEOUT_S = 5  # asyncpg's own is a minute, longer than anybody waits for an answer
# busy_timeout first: several processes may want to switch to WAL at once.
PRAGMAS = {"busy_timeout": BUSY_TIMEOUT_MS, "journal_mode": "wal", "foreign_keys": "on", "synchronous": "full"}

Session = AsyncSession


class Base(DeclarativeBase):
    """Mother of all tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})


class DatabaseUnavailable(HaechiError):
    """The database cannot be opened with what is installed or reachable."""

    status = 503
    code = "database_unavailable"


class Database:
    """One engine and its two kinds of session. `foreign_keys=False` is for migrations only, which rebuild tables.

    `busy_timeout_ms`: how long one waits for one's turn to write.
    """

    def __init__(self, url: str, *, foreign_keys: bool = True, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self.url = url
        self.busy_timeout_ms = busy_timeout_ms
        self.kind = make_url(url).get_backend_name()
        self.engine = create_async_engine(url, **engine_options(url))
        if self.kind == "postgresql":
            event.listen(self.engine.sync_engine, "do_connect", connect)
        pragmas = PRAGMAS | {"busy_timeout": busy_timeout_ms, "foreign_keys": "on" if foreign_keys else "off"}
        if self.kind == "sqlite":
            event.listen(self.engine.sync_engine, "connect", pragma_setter(pragmas))
            event.listen(self.engine.sync_engine, "begin", begin)
        self._together = self._in_thread(pragmas) if make_url(url).drivername == "sqlite+aiosqlite" else None
        self._turns = asyncio.Lock()
        self._writing = async_sessionmaker(self.engine, expire_on_commit=False)
        self._reading = async_sessionmaker(self.engine.execution_options(haechi_reading=True), expire_on_commit=False)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Session]:
        """A transaction that commits when the block ends well and rolls back when it does not. One at a time, over all processes."""
        async with self._turn(), self._writing.begin() as session:
            if self.kind == "postgresql":
                await turns.take(session, self.engine, self.busy_timeout_ms)
            yield session

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Writers of this process in the order they came. SQLite's own lock takes whoever asks at the right moment: one that writes
        without a pause would keep all others out. Raises OperationalError for who has waited as long as SQLite would."""
        if self._together is None:
            yield
            return
        try:
            async with asyncio.timeout(self.busy_timeout_ms / 1000):
                await self._turns.acquire()
        except TimeoutError:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorname = "SQLITE_BUSY"
            raise OperationalError("BEGIN IMMEDIATE", {}, busy) from None
        try:
            yield
        finally:
            self._turns.release()

    def _in_thread(self, pragmas: Mapping[str, object]) -> Together:
        engine = create_engine(make_url(self.url).set(drivername="sqlite"))
        event.listen(engine, "connect", pragma_setter(pragmas))
        event.listen(engine, "begin", begin)
        return Together(engine)

    async def together(self, works: Sequence[Work]) -> list[Any]:
        """Works in one writing transaction, one after the other -> their results. They wait for nothing but their session."""
        if self._together is not None:
            async with self._turn():
                return await self._together.write(works)
        async with self.writing() as session:
            results: list[Any] = await session.run_sync(worked, works)
            reached("before_commit")
        return results

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """A consistent view; nothing is kept of what is changed in it."""
        async with self._reading() as session:
            yield session

    async def ping(self) -> float:
        """Milliseconds one question takes; raises what the driver raises when there is no answer."""
        start = time.perf_counter()
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))
        return (time.perf_counter() - start) * 1000

    async def close(self) -> None:
        if self._together is not None:
            await self._together.close()
        await self.engine.dispose()


async def undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end even when the caller is cancelled meanwhile, then let the cancelling go on.

    A transaction cut off in the middle would leave its connection, and on SQLite the write lock, to whoever cleans up.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def engine_options(url: str) -> dict[str, Any]:
    """Pool sizes; makes the folder of a SQLite file, and says plainly when PostgreSQL's driver is not installed."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if not address.database or address.database == ":memory:":
            raise DatabaseUnavailable("a database in memory would give every connection its own; name a file in DATABASE_URL")
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    elif importlib.util.find_spec("asyncpg") is None:
        raise DatabaseUnavailable("DATABASE_URL names PostgreSQL, but its driver is missing: pip install asyncpg")
    pool = {"pool_size": CONNECTIONS, "max_overflow": CONNECTIONS_MORE}
    if address.get_backend_name() == "sqlite":
        return pool
    return pool | {"pool_pre_ping": True, "connect_args": {"timeout": CONNECT_TIMEOUT_S}}


def connect(dialect: Any, _record: object, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """A new connection to PostgreSQL. Refused, unreachable, starting up, wrong password: all are told as OperationalError.

    SQLAlchemy would let the driver's and the system's errors through as they are; nobody could tell them from others of their kind.
    """
    import asyncpg  # type: ignore[import-untyped]

    try:
        return dialect.connect(*given, **named)
    except (OSError, TimeoutError, asyncpg.PostgresError, dialect.loaded_dbapi.Error) as error:
        raise dialect.loaded_dbapi.OperationalError(f"no connection: {type(error).__name__}: {error}") from error


def unreachable(error: SQLAlchemyError) -> bool:
    """Whether the database is gone, going, or kept busy by others, so that a later try may go well; else it is a fault of ours."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    of_postgresql = type(error.orig).__module__.endswith("asyncpg")  # SQLite says OperationalError for a missing table too
    busy = turns.not_available(error) or getattr(error.orig, "sqlite_errorname", None) == "SQLITE_BUSY"
    return busy or error.connection_invalidated or (of_postgresql and isinstance(error, OperationalError))


def pragma_setter(pragmas: Mapping[str, object]) -> Callable[[Any, object], None]:
    """For every new SQLite connection. Transactions are begun by us (isolation_level None), not guessed by the driver."""
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for name, value in pragmas.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    return set_pragmas


def begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("haechi_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
