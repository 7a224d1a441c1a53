"""Nothing rests beside an exit that would take its quantity away; what rests on both sides of the market is not needed twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path

import pytest
from desk_stage import BUY, SELL, SYMBOL, Puppet, Stage, entry, staged

from haechi.core.live import Wanted
from haechi.exchanges.port import Gone


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


async def test_targets_do_not_come_back_beside_an_exit(stage: Stage) -> None:
    """Bitget cancels older reduce-only orders for newer ones: targets and an exit that both insist would replace each other for ever."""
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next, mind.rests = [BUY], {}
    await stage.bar()
    await stage.desk.hear(stage.exchange.fill("b1-000001", "1"))
    mind.rests = {"target1": Wanted("target1", -1, 1000, "limit", price=630_000, reduce_only=True)}
    await runner.poke()
    name = next(one.client_id for one in stage.exchange.placed if one.kind == "limit")
    mind.next = [SELL]
    await stage.bar()
    stage.exchange.resting.pop(name, None)
    stage.exchange.calls.clear()
    await stage.desk.hear(Gone(name, SYMBOL, "reduce_only_replaced", stage.clock.now_ms()))
    for _ in range(3):
        await runner.poke()
    assert stage.exchange.calls == [], "the stop rests, the exit is on its way, and that is all"
    assert {one.role for one in stage.desk.orders.of("b1")} == {"stop", "exit"}
    await runner.close()


async def test_margin_is_needed_for_the_worse_side_only(stage: Stage) -> None:
    """At 60,000 and leverage 1: a line of 0.1 above and two below, with nothing held, then with one of those below filled."""
    desk = stage.desk
    free = desk.view(desk.owner("b1"), SYMBOL).available
    line = {"kind": "limit", "quantity": "0.1"}
    await stage.sent(entry(role="line3", side="sell", price=D(61_000), **line))
    first = await stage.sent(entry(role="line1", price=D(59_000), **line))
    await stage.sent(entry(role="line0", price=D(58_000), **line))
    assert desk.view(desk.owner("b1"), SYMBOL).available == free - D(5_900) - D(5_800)
    await desk.hear(stage.exchange.fill(first, "0.1", "59000"))
    view = desk.view(desk.owner("b1"), SYMBOL)
    assert view.available == view.equity - D(6_000) - D(5_800), "what is held at the market's price, and the other one below"
