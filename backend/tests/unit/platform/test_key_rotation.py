"""A new key in front: all is sealed again while others write, a crash anywhere is made up for, and the old key can go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, select, update
from tables import begin_with_tables, with_tables

from haechi import tables
from haechi.identity.models import User
from haechi.identity.second_factor import context
from haechi.platform.crypto import SealBroken, Vault
from haechi.platform.db import Database, Session
from haechi.platform.rotation import SEALED, Sealed, rotate

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = 1_000


class Crash(Exception): ...


class Fragile(Database):
    """Breaks down in the middle of its transaction number `fatal`, after its work and before it is kept."""

    def __init__(self, url: str, fatal: int | None = None) -> None:
        super().__init__(url)
        self.left = fatal

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Session]:
        async with super().writing() as session:
            yield session
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise Crash


@pytest.fixture
async def url(tmp_path):
    """A database of many people with a sealed secret each, and some without."""
    url, vault = f"sqlite+aiosqlite:///{tmp_path}/haechi.db", Vault([OLD])
    database = await with_tables(url)
    async with database.writing() as session:
        await session.execute(insert(User), [
            {"id": f"{place:032x}", "email": f"p{place}@example.com", "password_hash": None, "role": "user", "created_at": START,
             "totp": vault.seal(f"secret {place}", context(f"{place:032x}")) if place < PEOPLE else None, "totp_step": 0}
            for place in range(PEOPLE + 5)])
    await database.close()
    return url


@asynccontextmanager
async def opened(url: str, fatal: int | None = None) -> AsyncIterator[Fragile]:
    database = Fragile(url, fatal)
    try:
        yield database
    finally:
        await database.close()


async def sealed(database) -> dict[str, str]:
    async with database.reading() as session:
        return {row.id: row.totp for row in (await session.execute(select(User.id, User.totp).where(User.totp.is_not(None)))).all()}


async def readable(database, keys: list[str]) -> int:
    vault, found = Vault(keys), 0
    for who, text in (await sealed(database)).items():
        try:
            found += vault.open(text, context(who)) == f"secret {int(who, 16)}"
        except SealBroken:
            continue
    return found


async def test_afterwards_the_old_key_can_be_taken_out(url):
    async with opened(url) as database:
        assert await readable(database, [NEW]) == 0
        made = await rotate(database, [NEW, OLD])
        assert (made.done, made.total, made.broken) == (PEOPLE, PEOPLE, [])
        assert await readable(database, [NEW]) == PEOPLE and await readable(database, [OLD]) == 0
        again = await rotate(database, [NEW])
        assert (again.done, again.total, again.broken) == (0, PEOPLE, [])


@pytest.mark.parametrize(("fatal", "batch"), [(0, 100), (4, 100), (9, 100), (0, 1), (1, 1), (7, 1), (3, 333)])
async def test_a_crash_loses_nothing_and_the_next_run_goes_on(url, fatal, batch):
    async with opened(url, fatal) as database:
        with pytest.raises(Crash):
            await rotate(database, [NEW, OLD], batch=batch)
    async with opened(url) as database:
        assert await readable(database, [NEW, OLD]) == PEOPLE, "while it is half done everything works"
        assert await readable(database, [NEW]) == fatal * batch
        made = await rotate(database, [NEW, OLD])
        assert made.done == PEOPLE - fatal * batch
        assert await readable(database, [NEW]) == PEOPLE


async def test_every_crash_of_many_is_made_up_for(url):
    crashes = 0
    while True:
        async with opened(url, fatal=1) as database:
            try:
                await rotate(database, [NEW, OLD])
                break
            except Crash:
                crashes += 1
    assert crashes == PEOPLE // 100 - 1
    async with opened(url) as database:
        assert await readable(database, [NEW]) == PEOPLE


async def test_who_writes_meanwhile_is_not_overwritten_and_is_met_again(url):
    """A server that still has the old key in front gives somebody a new secret between our reading and our writing."""
    who = f"{5:032x}"
    async with opened(url) as database, opened(url) as server:
        writing, fresh = database.writing, Vault([OLD]).seal("secret 5", context(who))

        @asynccontextmanager
        async def late() -> AsyncIterator[Session]:
            database.writing = writing
            async with server.writing() as session:
                await session.execute(update(User).where(User.id == who).values(totp=fresh))
                await session.execute(update(User).where(User.id == f"{6:032x}").values(totp=None))
            async with writing() as session:
                yield session

        database.writing = late
        made = await rotate(database, [NEW, OLD])
        assert (made.done, made.total) == (PEOPLE - 1, PEOPLE - 1)
        assert await readable(database, [NEW]) == PEOPLE - 1


async def test_what_no_key_opens_is_named_left_alone_and_holds_up_nothing(url):
    lost = {f"{place:032x}": Vault([LOST]).seal("x", {"user": "x"}) for place in (0, 500, 999)}
    async with opened(url) as database:
        async with database.writing() as session:
            for who, text in lost.items():
                await session.execute(update(User).where(User.id == who).values(totp=text))
        made = await rotate(database, [NEW, OLD])
        assert (made.done, made.total) == (PEOPLE - 3, PEOPLE)
        assert made.broken == [f"users.totp {who}" for who in lost]
        assert {who: text for who, text in (await sealed(database)).items() if who in lost} == lost
        assert (await rotate(database, [NEW, OLD, LOST])).done == 3


async def test_an_empty_database_has_nothing_to_do(tmp_path):
    await begin_with_tables(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    async with opened(f"sqlite+aiosqlite:///{tmp_path}/empty.db") as database:
        made = await rotate(database, [NEW, OLD])
        assert (made.done, made.total, made.broken) == (0, 0, [])


@pytest.mark.parametrize("one", SEALED, ids=str)
def test_every_sealed_column_is_a_column(one: Sealed):
    table = tables.metadata.tables[one.table]
    assert {one.column, one.key} <= set(table.c.keys()) and table.c[one.key].primary_key
