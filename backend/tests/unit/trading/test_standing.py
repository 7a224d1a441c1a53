"""Desks where something is held or rests are opened without a bot, and tried again until they are open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desk_stage import Stage, staged

from haechi.exchanges.errors import Unreachable
from haechi.trading.standing import AGAIN_S, EVERY_S, FIRST_S, Standing


class Enough(Exception):
    """The test has seen it."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        await made.held()  # and nothing rests
        await made.desk.scribe.settled()
        await made.desks.close_desk("a1")
        yield made


async def test_an_account_that_only_holds_something_is_tried_until_its_desk_is_open(stage: Stage) -> None:
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            stage.exchange.error = None
        if len(naps) == 4:
            raise Enough

    stage.exchange.error = Unreachable("no answer")
    with pytest.raises(Enough):
        await Standing(stage.database, stage.desks, sleep=nap).run()
    assert naps == [AGAIN_S, AGAIN_S, AGAIN_S, EVERY_S] and list(stage.desks.open) == ["a1"] and stage.alarms() == set()


async def test_who_comes_to_trade_again_looks_again_at_what_is_held(stage: Stage) -> None:
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        raise Enough

    standing, lease = Standing(stage.database, stage.desks, sleep=nap), stage.desks.lease
    await standing.look()
    await stage.desks.close_desk("a1")
    await standing.look()
    assert stage.desks.open == {}, "later positions are made at an open desk"
    await lease.release()
    await standing.look()
    assert await lease.claim()
    await standing.look()
    assert list(stage.desks.open) == ["a1"]
    await lease.release()
    with pytest.raises(Enough):
        await Standing(stage.database, stage.desks, sleep=nap).run()
    assert naps == [FIRST_S]
