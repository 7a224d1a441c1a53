"""The end of a bot: its state and its row change together, so that a crash or a locked database never starts an ended plan anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from haechi.bots.models import RUNNING, STARTING, STOPPED, Bot, BotState
from haechi.bots.service import Bots
from haechi.platform.db import Database
from haechi.trading.scribe import Scribe

Rows = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]


class Stage:
    """A grid whose plan has ended."""

    def __init__(self, database: Database, clock: Any, folder: Any) -> None:
        self.database, self.clock, self.held, self.slept = database, clock, Decimal(0), asyncio.Event()
        self.desks: Any = SimpleNamespace(scribe=Scribe(database, sleep=self._sleep))
        self.bots = Bots(database, clock, None, self.desks, folder)  # type: ignore[arg-type]
        self.bots.supervisor = SimpleNamespace(told={}, up={"b1": None}, wake=lambda: None)  # type: ignore[assignment]
        self.runner: Any = SimpleNamespace(fault=None, symbol="BTCUSDT", mind=SimpleNamespace(position=0, ended_by="stop"),
                                           desk=SimpleNamespace(holdings=SimpleNamespace(quantity=lambda _owner, _symbol: self.held)))

    async def _sleep(self, _seconds: float) -> None:
        await self.slept.wait()

    async def ends(self) -> None:
        async with self.database.reading() as session:
            bot = await session.get_one(Bot, "b1")
        self.bots.runners["b1"] = self.runner
        await self.bots.ended(bot, self.runner)

    async def seen(self) -> tuple[str, str, bool]:
        """Desired, observed, whether its state is there."""
        async with self.database.reading() as session:
            bot = await session.get_one(Bot, "b1")
            return bot.desired, bot.observed, await session.get(BotState, "b1") is not None


@pytest.fixture
async def stage(database: Database, clock: Any, rows: Rows, minas: Any, tmp_path: Any) -> AsyncIterator[Stage]:
    await minas(rows[2]("b1", "mina", "a1", desired=RUNNING, observed=RUNNING, started_at=clock.now()),
                BotState(bot_id="b1", user_id="mina", body="{}", updated_ms=0))
    made = Stage(database, clock, tmp_path)
    yield made
    made.slept.set()
    await made.desks.scribe.close()


async def test_the_state_goes_and_the_row_says_stopped_in_one_commit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the two would leave a running bot without a memory: a new grid, that buys."""
    seen, whole, writing = [], stage.database.together, stage.database.writing

    async def looked_at(works: Any) -> Any:
        made = await whole(works)
        seen.append(await stage.seen())
        return made

    def alone() -> Any:
        raise AssertionError("by the scribe alone, in its turn")

    monkeypatch.setattr(stage.database, "together", looked_at)
    monkeypatch.setattr(stage.database, "writing", alone)
    await stage.ends()
    monkeypatch.setattr(stage.database, "writing", writing)
    assert seen and set(seen) == {(STOPPED, STOPPED, False)} and not stage.bots.runners
    assert stage.bots.supervisor is not None and not stage.bots.supervisor.up, "else it writes another row, without the reason"


async def test_a_locked_database_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = stage.database.together

    async def locked(_works: Any) -> Any:
        raise OSError("database is locked")

    monkeypatch.setattr(stage.database, "together", locked)
    await stage.ends()
    assert await stage.seen() == (RUNNING, RUNNING, True), "whoever starts now finds a plan that has ended"
    monkeypatch.setattr(stage.database, "together", whole)
    stage.slept.set()
    await stage.desks.scribe.settled()
    assert await stage.seen() == (STOPPED, STOPPED, False)


async def test_the_state_stays_while_the_books_hold_something(stage: Stage) -> None:
    """A fill that came while it ended: the next start must know whose it is."""
    stage.held = Decimal("0.1")
    await stage.ends()
    assert await stage.seen() == (STOPPED, STOPPED, True)


async def test_an_end_that_is_written_late_changes_nothing_of_a_new_start(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = stage.database.together

    async def started_first(works: Any) -> Any:
        monkeypatch.setattr(stage.database, "together", whole)
        async with stage.database.writing() as session:
            await session.execute(update(Bot).values(observed=STARTING, started_at=stage.clock.now() + timedelta(seconds=1)))
        return await whole(works)

    monkeypatch.setattr(stage.database, "together", started_first)
    await stage.ends()
    assert (await stage.seen())[:2] == (RUNNING, STARTING)
