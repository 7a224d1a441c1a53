"""What may change of a bot: of one that is wanted, holds something or has orders only its name; a memory does not outlive what it is of."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from haechi.bots import instances
from haechi.bots.instance_schemas import UpdateBody
from haechi.bots.models import FAILED, RUNNING, STOPPED, Bot, BotState
from haechi.errors import Conflict
from haechi.identity.models import User
from haechi.platform.db import Database
from haechi.trading.models import FILLED, OPEN, UNKNOWN, Order

Rows = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]
ACCOUNT = "a" * 32
ASKED = instances.Asked(User(id="mina"), "127.0.0.1")
SHARE, SYMBOL = UpdateBody(allocation=Decimal(20)), UpdateBody(symbol="ETHUSDT")


@pytest.fixture
def house(database: Database, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    async def checked(_house: Any, _user_id: str, body: Any) -> tuple[dict[str, Any], str, str, str]:
        return {"strategy": body.strategy, "params": {}, "overrides": {}}, "rsi", body.symbol, "1m"

    monkeypatch.setattr(instances, "checked", checked)
    return SimpleNamespace(database=database, clock=clock)


async def made(database: Database, rows: Rows, order: str = "", **given: Any) -> None:
    person, account, bot = rows
    async with database.writing() as session:
        session.add(person("mina"))
        await session.flush()
        session.add(account(ACCOUNT, "mina"))
        await session.flush()
        session.add(bot("b1", "mina", ACCOUNT, **given))
        await session.flush()
        session.add(BotState(bot_id="b1", user_id="mina", body="{}", updated_ms=0))
        if order:
            session.add(Order(id="b1-000001", user_id="mina", account_id=ACCOUNT, bot_id="b1", symbol="BTCUSDT", role="line1", side="buy",
                              kind="limit", quantity=Decimal(1), price=Decimal(1), trigger=None, reduce_only=False, status=order, reason="",
                              exchange_id="", intent=None, origin="bot", filled=Decimal(0), leverage=1, decision="", sent_ms=0,
                              created_ms=0, updated_ms=0))


async def found(database: Database) -> tuple[Bot, bool]:
    async with database.reading() as session:
        return await session.get_one(Bot, "b1"), (await session.execute(select(BotState))).scalar_one_or_none() is not None


def holds(monkeypatch: pytest.MonkeyPatch, quantity: str) -> None:
    async def of(_session: Any, _account_id: str) -> Any:
        return SimpleNamespace(quantity=lambda _owner, _symbol: Decimal(quantity))

    monkeypatch.setattr(instances, "holdings_of", of)


@pytest.mark.parametrize("body", [SHARE, SYMBOL], ids=["share", "symbol"])
@pytest.mark.parametrize(("given", "quantity", "order", "code"), [
    ({"desired": RUNNING, "observed": FAILED}, "0", "", "bot_running"), ({}, "0.5", "", "position_open"),
    ({"observed": FAILED}, "0", OPEN, "orders_open"), ({}, "0", UNKNOWN, "orders_open"),
], ids=["wanted", "holds", "line_rests", "nobody_knows"])
async def test_only_the_name_changes_of_one_that_is_wanted_or_left_something(  # noqa: PLR0913, PLR0917
        house: Any, rows: Rows, monkeypatch: pytest.MonkeyPatch, body: UpdateBody, given: dict[str, Any], quantity: str, order: str,
        code: str) -> None:
    await made(house.database, rows, order, **given)
    holds(monkeypatch, quantity)
    with pytest.raises(Conflict) as refused:
        await instances.update(house, "mina", "b1", body)
    assert refused.value.code == code
    bot, remembers = await found(house.database)
    assert (bot.allocation, bot.symbol, remembers) == (Decimal(10), "BTCUSDT", True)
    await instances.update(house, "mina", "b1", UpdateBody(name="other"))
    assert (await found(house.database))[0].name == "other"


@pytest.mark.parametrize("body", [SHARE, SYMBOL], ids=["share", "symbol"])
async def test_what_a_failed_bot_remembers_goes_with_what_it_was(house: Any, rows: Rows, body: UpdateBody) -> None:
    """Else the engine of another strategy, symbol or share is restored under it."""
    await made(house.database, rows, FILLED, desired=STOPPED, observed=FAILED)
    await instances.update(house, "mina", "b1", UpdateBody(name="other"))
    assert (await found(house.database))[1]
    await instances.update(house, "mina", "b1", body)
    assert not (await found(house.database))[1]


@pytest.mark.parametrize("desired", [RUNNING, STOPPED])
async def test_a_bot_whose_orders_rest_is_not_deleted(house: Any, rows: Rows, desired: str) -> None:
    """They would fill later, and belong to a bot that is not there."""
    await made(house.database, rows, OPEN, desired=desired, observed=FAILED)
    with pytest.raises(Conflict) as refused:
        await instances.delete(house, ASKED, "b1")
    assert refused.value.code == "orders_open" and "b1-000001" in str(refused.value.details)
    assert ("start it" in refused.value.message) is (desired == STOPPED)
    assert (await found(house.database))[0].deleted_at is None
