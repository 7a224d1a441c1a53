"""Works are written in their order, together where they wait together, each fault its own, and what lasts outlives a database that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, OperationalError

from haechi.platform.clock import SetClock
from haechi.platform.db import Database, Session
from haechi.platform.migrate import upgrade
from haechi.trading.lease import FileGuard, Lease, LeaseLost
from haechi.trading.reserve import Full, Reserve
from haechi.trading.scribe import Scribe, Unwritten, Work, away


class Away:
    """A database that can be told to be away."""

    def __init__(self, database: Database) -> None:
        self.database, self.gone = database, False

    async def together(self, works: Sequence[Work]) -> list[Any]:
        if self.gone:
            raise OperationalError("BEGIN", {}, Exception("database is locked"))
        return await self.database.together(works)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/s.db")
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
        return [row[0] for row in (await session.execute(text("SELECT n FROM t ORDER BY rowid"))).all()]


async def test_what_waits_together_is_one_commit(database: Database) -> None:
    scribe = Scribe(database)
    assert await asyncio.gather(*(scribe.write(put(n)) for n in range(50))) == list(range(50))
    assert scribe.commits == 1
    assert await there(database) == list(range(50))


async def test_one_bad_work_fails_alone(database: Database) -> None:
    scribe = Scribe(database)
    answers = await asyncio.gather(scribe.write(put(1)), scribe.write(put(1)), scribe.write(put(2)), return_exceptions=True)
    assert answers[0] == 1
    assert answers[2] == 2
    assert isinstance(answers[1], Exception)
    assert not isinstance(answers[1], Unwritten)
    assert await there(database) == [1, 2]


async def test_without_a_database_who_waits_is_told_and_what_lasts_is_kept_in_order(database: Database) -> None:
    away, naps = Away(database), []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            away.gone = False
        await asyncio.sleep(0)

    scribe = Scribe(away, sleep=nap)  # type: ignore[arg-type]
    away.gone = True
    first, second = scribe.later(put(1)), scribe.later(put(2))
    with pytest.raises(Unwritten):
        await scribe.write(put(9))
    assert scribe.down
    assert await asyncio.gather(first, second) == [1, 2]
    assert not scribe.down
    assert len(naps) == 3
    assert await there(database) == [1, 2]


async def test_a_full_disk_that_ends_the_transaction_is_a_database_that_is_away(database: Database) -> None:
    """SQLite undoes all of it at once; who then asks for a part of it to be undone meets another error on top of the first."""
    naps: list[float] = []
    full = OperationalError("INSERT", {}, Exception("database or disk is full"))

    async def work(session: Session) -> None:
        if not naps:
            raise OperationalError("ROLLBACK TO SAVEPOINT", {}, Exception("no such savepoint")) from full
        await put(1)(session)

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    scribe = Scribe(database, sleep=nap)
    await scribe.later(work)
    assert naps == [1] and await there(database) == [1]


class Said(Exception):
    """What a driver raises: SQLite has a name for it, PostgreSQL a code."""

    def __init__(self, word: str) -> None:
        super().__init__("x")
        self.sqlite_errorname, self.sqlstate = (word, None) if word.startswith("SQLITE") else (None, word)


@pytest.mark.parametrize(("word", "gone"), [
    *((f"SQLITE_{name}", True) for name in ("BUSY_SNAPSHOT", "READONLY", "READONLY_DBMOVED", "CORRUPT", "NOTADB", "PROTOCOL", "NOMEM", "IOERR_WRITE")),
    *((code, True) for code in ("25006", "57014", "40P01", "40001", "53200", "53100", "57P01", "58030", "XX001")),
    *((word, False) for word in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_ERROR", "SQLITE_MISMATCH", "23505", "23503", "42P01", "25P02", "22003"))])
def test_what_is_the_databases_own_state_and_what_is_the_works_fault(word: str, gone: bool) -> None:
    assert away(DatabaseError("INSERT", {}, Said(word))) == gone


def test_no_memory_is_no_fault_of_the_work() -> None:
    assert away(MemoryError()) and not away(ValueError("x"))


async def test_a_line_that_may_not_be_lost_waits_however_many_do(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haechi.trading.scribe.LATER_MAX", 2)
    scribe = Scribe(database)
    for n in range(3):
        scribe.later(put(n))
    with pytest.raises(Unwritten):
        scribe.later(put(3))
    assert await scribe.later(put(4), always=True) == 4 and await there(database) == [0, 1, 2, 4]


async def test_a_process_without_the_lease_writes_nothing(database: Database, tmp_path: Path) -> None:
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    await upgrade(database)
    one, two = Lease(database, clock, "one"), Lease(database, clock, "two")
    assert await one.claim()
    assert not await two.claim()
    scribe = Scribe(database, fence=one.fence)
    assert await scribe.write(put(1)) == 1
    clock.advance(timedelta(minutes=1))  # stopped for a minute, as by SIGSTOP
    assert await two.claim()
    with pytest.raises(LeaseLost):
        await scribe.write(put(2))
    assert not one.held
    assert await there(database) == [1]


async def test_a_file_says_at_once_that_the_holder_is_gone(database: Database, tmp_path: Path) -> None:
    await upgrade(database)
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    guards = [FileGuard(tmp_path / "lock"), FileGuard(tmp_path / "lock")]
    one, two = (Lease(database, clock, name, guard=guard) for name, guard in zip("ab", guards, strict=True))
    assert await one.claim()
    assert one.held
    assert not await two.claim()


def test_the_reserve_is_read_again_without_the_line_a_crash_cut_off(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "r", room=4096)
    reserve.keep({"id": "a"})
    reserve.keep({"id": "b"})
    reserve.close()
    with (tmp_path / "r").open("r+b") as file:
        file.seek(file.read().index(b"\0"))
        file.write(b'{"id": "c')
    again = Reserve(tmp_path / "r", room=4096)
    assert [one["id"] for one in again.pending] == ["a", "b"]
    again.keep({"id": "d"})
    assert [one["id"] for one in Reserve(tmp_path / "r", room=4096).pending] == ["a", "b", "d"]
    again.forget()
    assert Reserve(tmp_path / "r", room=4096).pending == []


def test_a_full_reserve_says_so(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "r", room=64)
    with pytest.raises(Full):
        for _ in range(10):
            reserve.keep({"id": "x" * 20})
