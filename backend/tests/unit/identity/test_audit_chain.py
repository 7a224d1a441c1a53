"""The chain of privileged acts: whatever is done to it afterwards is found, and parallel acts keep one chain."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update
from tables import with_tables

from haechi.identity.audit import FIRST, Act, AuditEntry, entries, hash_of, length, record, verify

START = datetime(2026, 1, 1, tzinfo=UTC)
ENTRIES = 7
COLUMNS = [column.key for column in AuditEntry.__table__.columns]
CHANGES = {"number": 99, "at": START - timedelta(microseconds=1), "actor": "somebody", "act": "user.added", "subject": "x",
           "address": "192.0.2.8", "request_id": "f" * 32, "details": {"place": 99}, "before_hash": "e" * 64, "hash": "e" * 64}


@pytest.fixture
async def database(tmp_path):
    """With a chain of some entries."""
    made = await with_tables(f"sqlite+aiosqlite:///{tmp_path}/haechi.db")
    async with made.writing() as session:
        for place in range(ENTRIES):
            act = Act("user.role", actor=f"admin{place % 2}", subject=f"person{place}", address="192.0.2.7", details={"place": place})
            await record(session, act, START + timedelta(seconds=place))
    yield made
    await made.close()


async def broken(database, **given) -> list[tuple[int, str]]:
    async with database.reading() as session:
        return [(one.number, one.why) for one in await verify(session, **given)]


async def rows(database) -> list[dict]:
    async with database.reading() as session:
        return [{name: getattr(one, name) for name in COLUMNS} async for one in entries(session)]


async def replaced(database, wanted: list[dict]) -> None:
    async with database.writing() as session:
        await session.execute(delete(AuditEntry))
        await session.execute(insert(AuditEntry), wanted)


def forged(rows: list[dict]) -> list[dict]:
    """The whole chain with hashes that fit."""
    before, made = FIRST, []
    for number, row in enumerate(rows, start=1):
        entry = AuditEntry(**row | {"number": number, "before_hash": before})
        before = entry.hash = hash_of(entry)
        made.append({name: getattr(entry, name) for name in COLUMNS})
    return made


async def test_a_chain_nobody_touched_holds(database):
    head = (await rows(database))[-1]["hash"]
    assert await broken(database, count=ENTRIES, head=head) == []
    async with database.reading() as session:
        assert await length(session) == ENTRIES


@pytest.mark.parametrize("place", [1, 4, ENTRIES])
@pytest.mark.parametrize(("column", "value"), CHANGES.items())
async def test_a_changed_column_is_found(database, column, value, place):
    async with database.writing() as session:
        await session.execute(update(AuditEntry).where(AuditEntry.number == place).values({column: value}))
    assert await broken(database)


def test_every_column_is_among_the_changed_ones():
    assert set(CHANGES) == set(COLUMNS)


@pytest.mark.parametrize("place", range(1, ENTRIES + 1))
async def test_a_removed_entry_is_found(database, place):
    head = (await rows(database))[-1]["hash"]
    async with database.writing() as session:
        await session.execute(delete(AuditEntry).where(AuditEntry.number == place))
    if place < ENTRIES:
        assert (place, f"entry {place} is missing") in await broken(database)
    else:
        assert await broken(database) == [], "the end is what only the log can tell"
    assert await broken(database, count=ENTRIES) and await broken(database, head=head)


@pytest.mark.parametrize("left", range(ENTRIES))
async def test_a_chain_that_was_cut_short_is_found_by_what_the_log_says(database, left):
    head = (await rows(database))[-1]["hash"]
    async with database.writing() as session:
        await session.execute(delete(AuditEntry).where(AuditEntry.number > left))
    assert await broken(database) == []
    assert await broken(database, count=ENTRIES) == [(left, f"the chain ends here, and once had {ENTRIES} entries")]
    assert await broken(database, head=head)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, ENTRIES), (3, 4), (2, 6), (ENTRIES - 1, ENTRIES)])
async def test_two_that_changed_places_are_found(database, one, other):
    was = await rows(database)
    first, second = was[one - 1], was[other - 1]
    was[one - 1], was[other - 1] = second | {"number": one}, first | {"number": other}
    await replaced(database, was)
    assert await broken(database)


@pytest.mark.parametrize("place", [1, 4, ENTRIES])
async def test_an_entry_put_between_is_found_even_with_a_hash_of_its_own(database, place):
    was = await rows(database)
    new = AuditEntry(**was[place - 1] | {"actor": "nobody", "before_hash": was[place - 2]["hash"] if place > 1 else FIRST})
    new.hash = hash_of(new)
    put = {name: getattr(new, name) for name in COLUMNS}
    await replaced(database, [*was[:place - 1], put, *[row | {"number": row["number"] + 1} for row in was[place - 1:]]])
    assert await broken(database)


async def test_a_chain_written_anew_as_a_whole_is_found_by_any_hash_of_the_log(database):
    was = await rows(database)
    await replaced(database, forged([row | {"actor": "nobody"} for row in was]))
    assert await broken(database, count=ENTRIES) == [], "in itself it is a good chain"
    for row in was:
        assert await broken(database, head=row["hash"]) == [(ENTRIES, "the hash in the log is not in the chain: it was written anew")]


async def test_a_chain_written_anew_from_the_middle_is_found_by_the_newest_hash(database):
    was = await rows(database)
    await replaced(database, forged([*was[:3], *[row | {"subject": "x"} for row in was[3:]]]))
    assert await broken(database, head=was[2]["hash"]) == []
    assert await broken(database, head=was[-1]["hash"])


async def test_fifty_parallel_acts_keep_one_chain(database):
    async def one(place: int) -> None:
        async with database.writing() as session:
            await record(session, Act("user.role", subject=f"parallel{place}"), START)

    await asyncio.gather(*(one(place) for place in range(50)))
    assert await broken(database, count=ENTRIES + 50) == []
    assert [row["number"] for row in await rows(database)] == list(range(1, ENTRIES + 51))
    async with database.reading() as session:
        assert (await session.execute(select(func.count(AuditEntry.subject.distinct())))).scalar_one() == ENTRIES + 50


async def test_an_act_that_is_rolled_back_leaves_no_hole(database):
    with pytest.raises(RuntimeError):
        async with database.writing() as session:
            await record(session, Act("user.role"), START)
            raise RuntimeError
    async with database.writing() as session:
        assert (await record(session, Act("user.role"), START)).number == ENTRIES + 1
    assert await broken(database) == []


async def test_a_long_chain_is_read_in_pages(database, monkeypatch):
    monkeypatch.setattr("haechi.identity.audit.PAGE", 3)
    assert await broken(database, count=ENTRIES) == [] and len(await rows(database)) == ENTRIES
    async with database.writing() as session:
        await session.execute(update(AuditEntry).where(AuditEntry.number == 6).values(actor="x"))
    assert await broken(database) == [(6, "it was changed after it was written")]
