"""Panic and the operator's switch: whoever is wanted is stopped and closed, also who does not run now; what could not be done is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from haechi.bots import panic
from haechi.bots.models import FAILED, RECOVERING, RUNNING, STARTING, STOPPED, STOPPING, Bot
from haechi.bots.panic import Panic
from haechi.bots.service import Bots
from haechi.errors import Conflict
from haechi.platform.db import Database
from haechi.trading.desks import Desks
from haechi.trading.kill_switch import Kills
from haechi.trading.scribe import Scribe

Rows = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]
STATES = [(RUNNING, STARTING), (RUNNING, RECOVERING), (RUNNING, FAILED), (STOPPED, STOPPING), (STOPPED, STOPPED), (STOPPED, FAILED)]


class Holdings:
    """Two positions by hand."""

    def symbols(self) -> list[str]:
        return ["BTCUSDT", "ETHUSDT"]

    def quantity(self, _owner: str, _symbol: str) -> Decimal:
        return Decimal(1)


class Stage:
    """A person with a bot in every state, and a desk where two positions are held by hand."""

    def __init__(self, database: Database, clock: Any, folder: Any) -> None:
        self.database = database
        self.desk = SimpleNamespace(user_id="mina", account_id="a1", holdings=Holdings(), orders=SimpleNamespace(adding=list),
                                    owner=lambda bot_id: bot_id, withdraw=self._nothing)
        self.desks: Any = SimpleNamespace(open={"a1": self.desk}, scribe=Scribe(database))
        self.bots = Bots(database, clock, None, self.desks, folder)  # type: ignore[arg-type]
        kills = SimpleNamespace(read=lambda _scope, _name: None)
        parts: dict[Any, Any] = {Desks: self.desks, Bots: self.bots, Kills: kills}
        self.house: Any = SimpleNamespace(database=database, clock=clock, part=parts.__getitem__)

    async def _nothing(self) -> None:
        return

    async def rows(self) -> dict[str, tuple[str, str, bool]]:
        async with self.database.reading() as session:
            return {bot.id: (bot.desired, bot.observed, bot.flatten) for bot in (await session.execute(select(Bot))).scalars()}


@pytest.fixture
async def stage(database: Database, clock: Any, rows: Rows, minas: Any, tmp_path: Any) -> AsyncIterator[Stage]:
    await minas(*(rows[2](f"b{n}", "mina", "a1", desired=desired, observed=observed, flatten=False, attempts=3, retry_ms=9)
                  for n, (desired, observed) in enumerate(STATES)))
    made = Stage(database, clock, tmp_path)
    yield made
    await made.desks.scribe.close()


STOPPED_AND_CLOSED = {"b0", "b1", "b2", "b3"}


async def test_panic_stops_and_closes_whoever_is_wanted_also_who_has_failed(stage: Stage) -> None:
    """A failed bot that is wanted may hold a position: it is launched once more to close it."""
    told = await Panic(stage.house, "mina", "127.0.0.1").act(close=False)
    assert set(told.bots) == STOPPED_AND_CLOSED and told.failed == []
    rows = await stage.rows()
    assert {bot_id for bot_id, row in rows.items() if row == (STOPPED, STOPPING, True)} == STOPPED_AND_CLOSED
    assert rows["b4"] == (STOPPED, STOPPED, False) and rows["b5"] == (STOPPED, FAILED, False)


async def test_the_operators_switch_stops_also_who_is_only_on_the_way(stage: Stage) -> None:
    """Else they are launched under the switch, and trade when it goes off."""
    assert await stage.bots.stop_all() == (3, 0), "the fourth is being stopped already"
    rows = await stage.rows()
    assert {bot_id for bot_id, row in rows.items() if row == (STOPPED, STOPPING, True)} == STOPPED_AND_CLOSED
    assert rows["b4"] == (STOPPED, STOPPED, False) and rows["b5"] == (STOPPED, FAILED, False)
    assert await stage.bots.stop_all() == (0, 0)


async def test_a_closing_that_takes_long_is_not_broken_off_and_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database may be locked for long: an order must not be cut between its writing and its sending."""
    goes_on, closed = asyncio.Event(), []

    async def slowly(_desk: Any, _owner: Any, symbol: str, _quantity: Any) -> str:
        await goes_on.wait()
        closed.append(symbol)
        return "m-1"

    monkeypatch.setattr(panic, "ACT_S_MAX", 0.01)
    monkeypatch.setattr(panic.by_hand, "close", slowly)
    told = await Panic(stage.house, "mina", "127.0.0.1").act(close=True)
    assert told.closing == [] and told.failed == [f"{symbol} of account a1: still under way" for symbol in ("BTCUSDT", "ETHUSDT")]
    goes_on.set()
    async with asyncio.timeout(10):
        while panic.UNDER_WAY:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert sorted(closed) == ["BTCUSDT", "ETHUSDT"]


async def test_a_position_that_is_being_closed_already_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def close(_desk: Any, _owner: Any, symbol: str, _quantity: Any) -> str:
        if symbol == "BTCUSDT":
            raise Conflict("BTCUSDT is being closed already.", code="closing")
        return "m-1"

    monkeypatch.setattr(panic.by_hand, "close", close)
    told = await Panic(stage.house, "mina", "127.0.0.1").act(close=True)
    assert told.closing == ["a1:ETHUSDT"] and told.failed == ["BTCUSDT of account a1: BTCUSDT is being closed already."]
