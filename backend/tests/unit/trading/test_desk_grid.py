"""A grid on its desk: its start is taken whole or not at all, what is edited fills late, and what it leaves behind when it goes."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from desk_stage import BTC, LOST_BEFORE, SYMBOL, Stage, staged, until
from sqlalchemy import delete

from haechi.bots import starting
from haechi.bots.grid_memory import GridMemory
from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.bots.models import GRID, Bot, BotState
from haechi.bots.replay import replay
from haechi.bots.runner import Poke, Runner
from haechi.bots.states import Saved
from haechi.core.grid_plan import GridPlan
from haechi.core.plan import Costs
from haechi.core.units import UnitError
from haechi.exchanges.port import Price, Rejected
from haechi.trading import journal

PLAN = {"lower": D(56_000), "upper": D(64_000), "cells": 4, "quantity": D("0.1"), "leverage": 1, "direction": "long", "stop_lower": D(50_000)}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


def spec_of(**changed: Any) -> GridSpec:
    """Lines at 56, 58, 60, 62 and 64 thousand: at 60,000 a long grid takes 0.2 at once."""
    return GridSpec(GridPlan(**(PLAN | changed)), BTC, Costs(capital=D(1_000_000)), 60_000)


async def price(stage: Stage, at: str = "60000") -> None:
    stage.later(1)
    await stage.desk.hear(Price(SYMBOL, D(at), stage.clock.now_ms()))


async def begun(stage: Stage, spec: GridSpec) -> Runner:
    """Started as the house starts it, on what it has saved."""
    async def say(*_given: Any, **_facts: Any) -> None:
        return

    async with stage.database.writing() as session:
        bot = await session.get_one(Bot, "b1")
        bot.kind, bot.spec, bot.origin, bot.allocation = GRID, msgspec.to_builtins(spec), "instance", D(10)
    bots: Any = SimpleNamespace(desks=stage.desks, database=stage.database, folder=stage.folder, clock=stage.clock, hub=None, runners={}, say=say, ended=say)
    await starting.begun(bot, bots)
    runner: Runner = bots.runners["b1"]
    await runner.take(Poke())  # what it begins with is done
    return runner


async def saved(stage: Stage) -> GridMemory:
    body = msgspec.json.decode((await stage.rows(BotState))[0].body, type=Saved)
    return msgspec.json.decode(body.mind, type=GridMemory)


def resting(stage: Stage) -> list[tuple[str, str, D]]:
    return [(one.kind, one.side, one.quantity) for one in stage.exchange.resting.values()]


async def never_arrived(stage: Stage) -> None:
    stage.exchange.answers = [LOST_BEFORE]
    await price(stage)
    assert resting(stage) == []
    stage.exchange.looks[stage.exchange.placed[0].client_id] = Rejected("never_arrived")
    await stage.round()


async def busy(stage: Stage) -> None:
    stage.exchange.answers = [(Rejected("busy"), False)]
    await price(stage)


async def killed(stage: Stage) -> None:
    stage.killed = "bot"
    await price(stage)
    stage.killed = ""


async def blind(stage: Stage) -> None:
    stage.exchange.sight = "no stream"
    await price(stage)
    stage.exchange.sight = ""


@pytest.mark.parametrize("refused", [never_arrived, busy, killed, blind])
async def test_a_grid_whose_start_was_not_taken_lets_nothing_rest_and_begins_again_after_the_next_close(stage: Stage, refused: Any) -> None:
    mind = GridMind(spec_of())
    runner = await stage.works(mind)  # type: ignore[arg-type]
    await refused(stage)
    before = len(stage.exchange.placed)
    for _ in range(5):
        await price(stage)
        await stage.round(2)
    assert resting(stage) == [] and len(stage.exchange.placed) == before, "asked for at every price it would be a storm"
    await stage.bar("59500")
    await price(stage, "59500")
    assert stage.exchange.calls[before] == "market buy 0.200" and len(stage.exchange.resting) == 5
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[before].client_id, "0.2", "59500"))
    assert (mind.position, mind.memory.start_left, resting(stage)[-1]) == (200, 0, ("stop", "sell", D("0.2")))
    await runner.close()


async def test_a_start_the_exchange_never_takes_ends_the_bot_with_its_reason_and_is_not_remembered_as_sent(stage: Stage) -> None:
    runner = await stage.works(GridMind(spec_of()))  # type: ignore[arg-type]
    stage.exchange.answers = [(Rejected("margin"), False)]
    await price(stage)
    assert isinstance(runner.fault, UnitError) and "margin" in str(runner.fault) and resting(stage) == []
    memory = await saved(stage)
    assert (memory.held, memory.start_left, memory.put_off) == (None, 0, True)


async def test_a_start_of_which_a_part_filled_and_the_rest_is_gone_ends_the_grid_and_the_part_leaves(stage: Stage) -> None:
    mind = GridMind(spec_of())
    await stage.works(mind)  # type: ignore[arg-type]
    await price(stage)
    name = stage.exchange.placed[0].client_id
    await stage.desk.hear(stage.exchange.fill(name, "0.05"))
    stage.exchange.resting.pop(name)
    stage.exchange.looks[name] = Rejected("canceled")
    await stage.round()
    await price(stage)
    assert mind.ended_by == "start" and sorted(resting(stage)) == [("market", "sell", D("0.05")), ("stop", "sell", D("0.05"))]


async def test_a_start_that_was_lost_while_the_grid_was_not_at_work_is_begun_anew(stage: Stage) -> None:
    runner = await begun(stage, spec_of())
    stage.exchange.answers = [LOST_BEFORE]
    await price(stage)
    await runner.close()
    assert (await saved(stage)).start_left == 200
    stage.exchange.looks[stage.exchange.placed[0].client_id] = Rejected("never_arrived")
    stage.later(10)
    await stage.again()
    runner = await begun(stage, spec_of())
    await price(stage)
    assert resting(stage) == []
    await stage.bar()
    await price(stage)
    assert [one.quantity for one in stage.exchange.placed if one.kind == "market"] == [D("0.2")] * 2 and len(stage.exchange.resting) == 5
    await runner.close()


async def test_a_start_on_its_way_over_a_restart_is_not_sent_twice(stage: Stage) -> None:
    runner = await begun(stage, spec_of())
    stage.exchange.answers = [LOST_BEFORE]
    await price(stage)
    await runner.close()
    await stage.again()
    runner = await begun(stage, spec_of())
    for _ in range(3):
        await stage.bar()
        await price(stage)
    assert [one.kind for one in stage.exchange.placed] == ["market"]
    await runner.close()


async def test_a_grid_that_was_stopped_and_is_started_anew_sends_its_start_again(stage: Stage) -> None:
    for life in (1, 2):
        runner = await begun(stage, spec_of())
        await price(stage)
        assert [one.side for one in stage.exchange.placed if one.kind == "market"] == ["buy", "sell"] * (life - 1) + ["buy"]
        await stage.desk.hear(stage.exchange.fill(next(one.client_id for one in stage.exchange.resting.values() if one.kind == "market"), "0.2"))
        await runner.stop()
        await stage.desk.hear(stage.exchange.fill(next(one.client_id for one in stage.exchange.resting.values() if one.kind == "market"), "0.2"))
        await until(runner.ended.is_set)
        await stage.desks.scribe.settled()
        async with stage.database.writing() as session:
            await session.execute(delete(BotState))  # it holds nothing: the next start begins anew


async def test_a_journal_of_which_a_full_disk_left_lines_out_replays_from_there(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int, _text: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "WAITING_MAX", 2_000)
    runner, write = await begun(stage, spec_of()), os.write
    await price(stage)
    monkeypatch.setattr(os, "write", full)
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[0].client_id, "0.2"))
    for at in range(60_000, 60_040):
        await price(stage, str(at))
    assert len(runner.journal._waiting) < 6_000 and ("stop", "sell", D("0.2")) in resting(stage)
    monkeypatch.setattr(os, "write", write)
    await stage.bar("60100")
    await price(stage, "60100")
    await runner.close()
    found = replay(runner.journal.path)
    assert found.difference == "" and found.events < 40


async def test_a_journal_whose_grid_ended_by_a_refusal_replays(stage: Stage) -> None:
    runner = await begun(stage, spec_of())
    stage.exchange.answers = [(Rejected("margin"), False)]
    await price(stage)
    assert runner.fault is not None
    await begun(stage, spec_of())
    await stage.bar()
    await price(stage)
    await stage.desk.faces["b1"].close()  # type: ignore[attr-defined]
    assert replay(runner.journal.path).difference == ""


@pytest.mark.parametrize("runs", [True, False])
async def test_a_piece_of_a_line_of_before_an_edit_is_closed_and_the_grid_goes_on(stage: Stage, runs: bool) -> None:
    """Told to the grid that runs, or found in the books by its next life."""
    runner, wider = await begun(stage, spec_of(direction="neutral")), spec_of(direction="neutral", lower=D(55_000))
    await price(stage)
    old = next(name for name, one in stage.exchange.resting.items() if one.price == 58_000)
    if runs:
        runner.mind = runner.mind.edited(wider.grid)  # type: ignore[union-attr]
    else:
        await runner.close()
    await stage.desk.hear(stage.exchange.fill(old, "0.04", "58000"))
    if not runs:
        runner = await begun(stage, wider)
    await price(stage)
    assert not runner.ended.is_set() and ("stop", "sell", D("0.04")) in resting(stage)
    await stage.bar()
    assert stage.exchange.calls[-1] == "market sell 0.040 reducing"
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[-1].client_id, "0.04"))
    assert stage.exchange.position == 0 and [one[:2] for one in resting(stage)].count(("limit", "buy")) == 2
    await runner.close()
