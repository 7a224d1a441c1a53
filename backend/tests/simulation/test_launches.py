"""A launch that is broken off, or comes too late, leaves no bot at work that nobody knows of."""

from __future__ import annotations

import asyncio

import pytest
from test_road_makes_the_back_tests_trades import INVENTED, invented

from haechi.bots import starting
from haechi.bots.runner import Runner
from haechi.trading.lease import LeaseLost


async def test_a_launch_waits_for_nothing_once_the_bot_is_at_work(road, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does first may take longer than a launch may; a second bot would be launched beside it."""
    async def hangs(_self: Runner, _event: object, _role: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Runner, "_act", hangs)
    async with road({"BTCUSDT": invented(*INVENTED[0], n=10)}) as there:
        async with asyncio.timeout(20):
            bot = await there.start("rsi", "BTCUSDT")
        runner = there.bots.runners[bot.id]
        await there.bots.launch(bot)
        assert there.bots.runners == {bot.id: runner} and there.bots.desks.open[bot.account_id].faces[bot.id] is runner


async def test_a_bot_whose_desk_was_closed_while_it_was_read_does_not_begin(road, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed_meanwhile(_runner: Runner, desk: object) -> None:
        desk.closed = True  # type: ignore[attr-defined]

    monkeypatch.setattr(starting, "_agrees", closed_meanwhile)
    async with road({"BTCUSDT": invented(*INVENTED[0], n=10)}) as there:
        with pytest.raises(LeaseLost):
            await there.start("rsi", "BTCUSDT")
        assert there.bots.runners == {}
