"""The database as it really behaves on a file."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.schema import CreateTable

from haechi import tables
from haechi.platform.columns import Amount, Instant, spelled
from haechi.platform.db import Database, DatabaseUnavailable
from haechi.platform.migrate import current, downgrade, newest, upgrade

PROBE = Table("probe", MetaData(), Column("id", String, primary_key=True), Column("amount", Amount), Column("at", Instant))


@pytest.fixture
async def database(tmp_path):
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/deep/er/haechi.db")
    yield made
    await made.close()


@pytest.fixture
async def probe(database):
    async with database.engine.begin() as connection:
        await connection.run_sync(PROBE.create)
    return database


async def test_migrations_build_exactly_the_tables_of_the_code(database):
    await upgrade(database)
    assert await current(database) == newest()
    async with database.engine.connect() as connection:
        difference = await connection.run_sync(
            lambda link: compare_metadata(MigrationContext.configure(link, opts={"compare_type": True}), tables.metadata))
    assert difference == [], 'write the missing step: python -m haechi.migrations "what changes"'


async def test_migrations_go_down_to_nothing_and_up_again(database):
    await upgrade(database)
    await downgrade(database, "base")
    async with database.engine.connect() as connection:
        assert await connection.run_sync(lambda link: set(inspect(link).get_table_names())) == {"alembic_version"}
    await upgrade(database)
    await upgrade(database)
    assert await current(database) == newest()


async def test_every_connection_has_the_pragmas(database):
    async with database.reading() as one, database.reading() as other:
        for session in (one, other):
            found = {name: (await session.execute(text(f"PRAGMA {name}"))).scalar_one()
                     for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")}
            assert found == {"journal_mode": "wal", "busy_timeout": 5000, "foreign_keys": 1, "synchronous": 2}


async def test_a_row_that_points_at_nobody_is_refused(database):
    await upgrade(database)
    with pytest.raises(IntegrityError):
        async with database.writing() as session:
            await session.execute(text("INSERT INTO mailed_tokens VALUES ('h', 'nobody', 'reset', '2026-01-01')"))


async def test_a_block_that_fails_keeps_nothing(probe):
    with pytest.raises(RuntimeError):
        async with probe.writing() as session:
            await session.execute(PROBE.insert().values(id="a"))
            raise RuntimeError
    async with probe.writing() as session:
        await session.execute(PROBE.insert().values(id="b"))
    async with probe.reading() as session:
        assert (await session.execute(select(PROBE.c.id))).scalars().all() == ["b"]


async def test_two_who_read_and_then_write_take_turns(probe):
    """Without BEGIN IMMEDIATE the second one would fail with "database is locked", at once."""
    async with probe.writing() as session:
        await session.execute(PROBE.insert().values(id="n", amount=Decimal(0)))

    async def add_one():
        async with probe.writing() as session:
            before = (await session.execute(select(PROBE.c.amount))).scalar_one()
            await asyncio.sleep(0)
            await session.execute(PROBE.update().values(amount=before + 1))

    await asyncio.gather(*(add_one() for _ in range(8)))
    async with probe.reading() as session:
        assert (await session.execute(select(PROBE.c.amount))).scalar_one() == 8


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-10**15, max_value=10**15))
def test_amounts_keep_every_digit(value):
    dialect, column = sqlite.dialect(), Amount()
    stored = column.process_bind_param(value, dialect)
    assert isinstance(stored, str)
    assert column.process_result_value(stored, dialect) == value


@pytest.mark.parametrize("written", ["123456789012345678901.234567891", "0.000000000000000000000000000001",
                                     "-99999999999999999999999999999.9", "1E+29", "0", "-0", "12.50"])
async def test_thirty_digits_come_back_from_the_file_as_they_went(probe, written):
    async with probe.writing() as session:
        await session.execute(PROBE.insert().values(id="a", amount=Decimal(written)))
    async with probe.reading() as session:
        assert (await session.execute(select(PROBE.c.amount))).scalar_one() == Decimal(written)
        assert (await session.execute(text("SELECT typeof(amount) FROM probe"))).scalar_one() == "text"
        assert (await session.execute(select(PROBE.c.id).where(PROBE.c.amount == Decimal(written)))).scalar_one() == "a"


def test_one_value_has_one_spelling():
    assert {spelled(Decimal(text)) for text in ("1.50", "1.5", "15E-1", "001.500")} == {"1.5"}
    assert {spelled(Decimal(text)) for text in ("0", "-0", "0.000")} == {"0"}


@pytest.mark.parametrize("wrong", [1.5, "1.5", 1, Decimal("NaN"), Decimal("Infinity")])
async def test_only_a_finite_decimal_is_an_amount(probe, wrong):
    with pytest.raises(StatementError, match="finite Decimal"):
        async with probe.writing() as session:
            await session.execute(PROBE.insert().values(id="a", amount=wrong))


def test_amounts_are_not_compared_or_added_in_sql():
    amount = PROBE.c.amount
    for attempt in (lambda: amount < Decimal(1), lambda: amount + amount, lambda: amount.desc(), lambda: amount.between(1, 2)):
        with pytest.raises(TypeError, match="compare in Python"):
            attempt()


def test_on_postgresql_an_amount_is_numeric_without_a_limit():
    assert "amount NUMERIC," in str(CreateTable(PROBE).compile(dialect=postgresql.dialect()))


async def test_instants_are_utc_and_never_naive(probe):
    seoul = datetime(2026, 1, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    async with probe.writing() as session:
        await session.execute(PROBE.insert().values(id="a", at=seoul))
    async with probe.reading() as session:
        back = (await session.execute(select(PROBE.c.at))).scalar_one()
    assert back == seoul
    assert back.tzinfo is UTC
    with pytest.raises(StatementError, match="no time zone"):
        async with probe.writing() as session:
            await session.execute(PROBE.insert().values(id="b", at=datetime(2026, 1, 1)))


def test_what_cannot_be_opened_is_said_plainly():
    with pytest.raises(DatabaseUnavailable, match="name a file"):
        Database("sqlite+aiosqlite://")
