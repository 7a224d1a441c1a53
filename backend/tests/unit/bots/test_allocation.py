"""Shares of an account: never more than all of it, whoever asks at once; one bot a symbol, or one leverage; ten bots, leverage twenty."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import select

from haechi.bots.allocation import Shares, reserve, within_leverage
from haechi.bots.models import FAILED, FORM, RUNNING, STARTING, STOPPED, STOPPING, Bot
from haechi.errors import Conflict
from haechi.platform.db import Database


@pytest.fixture
async def mina(database, rows):
    """Two accounts of hers, the second one netted."""
    person, account, _ = rows
    async with database.writing() as session:
        session.add(person("mina"))
        await session.flush()
        session.add_all([account("first", "mina"), account("shared", "mina", isolation="netted")])


@pytest.fixture
def add(database, rows, mina):
    async def added(bot_id, account_id="first", **given):
        async with database.writing() as session:
            session.add(rows[2](bot_id, "mina", account_id, **given))
    return added


async def start(database, bot_id, **given):
    """As a use case does it: reserved and desired in one transaction."""
    async with database.writing() as session:
        bot = await session.get_one(Bot, bot_id)
        await reserve(session, bot.user_id, bot.account_id, bot.id, bot.allocation, **given)
        bot.desired, bot.observed = RUNNING, STARTING


async def refused(database, bot_id, **given):
    with pytest.raises(Conflict) as error:
        await start(database, bot_id, **given)
    return error.value


async def test_fifty_starts_at_once_never_have_more_than_all(database, add, tmp_path):
    for n in range(50):
        await add(f"b{n}", symbol=f"S{n}", allocation=Decimal(7 + n % 9))
    processes = [database, Database(database.url)]
    ends = await asyncio.gather(*(start(processes[n % 2], f"b{n}", shares=Shares(bots_max=50)) for n in range(50)), return_exceptions=True)
    async with database.reading() as session:
        shares = [bot.allocation for bot in (await session.execute(select(Bot).where(Bot.desired == RUNNING))).scalars()]
    await processes[1].close()
    errors = [one for one in ends if one is not None]
    assert {one.code for one in errors} == {"allocation_exceeded"}
    assert len(shares) + len(errors) == 50
    assert sum(shares) <= 100
    assert sum(shares) + 7 > 100 or len(errors) == 0, "nothing was refused that had room"


async def test_what_is_free_is_told_in_numbers(database, add):
    await add("one", allocation=Decimal("62.5"), desired=RUNNING, observed=RUNNING)
    await add("two", symbol="ETHUSDT", allocation=Decimal("37.51"))
    error = await refused(database, "two")
    assert (error.code, error.details) == ("allocation_exceeded", {"wanted": "37.51", "taken": "62.5", "free": "37.5", "allowed": "100"})
    await add("three", symbol="ETHUSDT", allocation=Decimal("37.5"))
    await start(database, "three")


@pytest.mark.parametrize(("desired", "observed", "holds"), [
    (RUNNING, STARTING, True), (RUNNING, FAILED, True), (STOPPED, STOPPING, True), (STOPPED, RUNNING, True), (STOPPED, STOPPED, False),
    (STOPPED, FAILED, False)])
async def test_a_share_is_held_until_the_bot_has_ended(database, add, desired, observed, holds):
    await add("one", allocation=Decimal(60), desired=desired, observed=observed)
    await add("two", symbol="ETHUSDT", allocation=Decimal(60))
    if holds:
        assert (await refused(database, "two")).code == "allocation_exceeded"
    else:
        await start(database, "two")


async def test_accounts_and_deleted_bots_do_not_count(database, add, clock):
    await add("one", allocation=Decimal(100), desired=RUNNING, observed=RUNNING)
    await add("old", allocation=Decimal(100), desired=RUNNING, observed=RUNNING, account_id="shared", deleted_at=clock.now())
    await add("two", account_id="shared", allocation=Decimal(100))
    await start(database, "two")


async def test_one_bot_a_symbol(database, add):
    await add("one", desired=RUNNING, observed=RUNNING)
    await add("two")
    error = await refused(database, "two")
    assert (error.code, error.details) == ("symbol_taken", {"symbol": "BTCUSDT", "bot_id": "one"})


async def test_a_netted_account_shares_a_symbol_at_one_leverage(database, add):
    await add("one", "shared", desired=RUNNING, observed=RUNNING, spec={"strategy": "rsi", "params": {}, "overrides": {"leverage": 4}})
    await add("two", "shared", spec={"strategy": "rsi", "params": {}, "overrides": {"leverage": 4}})
    await start(database, "two")
    await add("three", "shared", spec={"strategy": "rsi", "params": {}, "overrides": {"leverage": 5}})
    error = await refused(database, "three")
    assert (error.code, error.details["leverage"], error.details["allowed"]) == ("leverage_differs", 5, 4)


async def test_ten_bots_of_one_person_whether_they_run_or_not(database, add, clock):
    for n in range(9):
        await add(f"b{n}", symbol=f"S{n}")
    await add("gone", deleted_at=clock.now())
    await add("form", origin=FORM)
    await add("tenth")
    await start(database, "tenth")
    await add("eleventh", symbol="ETHUSDT")
    error = await refused(database, "eleventh")
    assert (error.code, error.details) == ("bot_limit", {"bots": 10, "allowed": 10})


async def test_a_running_one_bot_form_counts(database, add):
    for n in range(9):
        await add(f"b{n}", symbol=f"S{n}")
    await add("form", "shared", origin=FORM, desired=RUNNING, observed=RUNNING)
    await add("tenth")
    assert (await refused(database, "tenth")).code == "bot_limit"


async def test_leverage(database, add):
    await add("one", spec={"strategy": "rsi", "params": {}, "overrides": {"leverage": 21}})
    error = await refused(database, "one")
    assert (error.code, error.details) == ("leverage_limit", {"leverage": 21, "allowed": 20})
    within_leverage(20)
