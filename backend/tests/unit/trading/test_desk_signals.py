"""A strategy on its desk: no closed bar is passed over, whoever was told it, and what was missed is thought over in its order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from desk_stage import BTC, SYMBOL, Stage, staged

from haechi.bots import starting
from haechi.bots.mind import Mind, Spec
from haechi.bots.models import INSTANCE, Bot
from haechi.bots.replay import replay
from haechi.bots.runner import Poke, Runner
from haechi.bots.signals import SignalHub
from haechi.core.plan import Costs
from haechi.exchanges.port import Bar

MINUTE = 60_000
RULES = {"name": "above", "timeframe": "1m", "enter_long": "close > 60500", "exit_long": "close < 59500",
         "size": {"kind": "fixed_quantity", "quantity": "1"}, "stop_loss": {"percent": 10}}
SPEC = Spec(RULES, {}, {}, BTC, Costs(capital=D(1_000_000)), MINUTE)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


class Market:
    """Closed bars, one a minute; the exchange has them all."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.closed = stage, list[Bar]()
        stage.exchange.bars = self.bars  # type: ignore[method-assign]
        for _ in range(20):
            self.closes("60000")

    async def bars(self, symbol: str, most: int, timeframe_ms: int | None = None) -> list[Bar]:
        return self.closed[-most:]

    def closes(self, price: str) -> Bar:
        self.stage.later(60)
        at = D(price)
        self.closed.append(Bar(SYMBOL, MINUTE, self.stage.clock.now_ms() // MINUTE * MINUTE - MINUTE, at, at, at, at, 1.0))
        return self.closed[-1]


async def begun(stage: Stage, hub: SignalHub) -> Runner:
    async def say(*_given: Any, **_facts: Any) -> None:
        return

    async with stage.database.writing() as session:
        bot = await session.get_one(Bot, "b1")
        bot.spec, bot.origin, bot.allocation = msgspec.to_builtins(SPEC), INSTANCE, D(10)
    bots: Any = SimpleNamespace(desks=stage.desks, database=stage.database, folder=stage.folder, clock=stage.clock, hub=hub, runners={}, say=say, ended=say)
    await starting.begun(bot, bots)
    runner: Runner = bots.runners["b1"]
    await runner.take(Poke())  # what it begins with is done
    return runner


def thought(runner: Runner) -> tuple[int, int]:
    assert isinstance(runner.mind, Mind)
    return runner.mind.engine.bars, runner.mind.bar_ts


async def test_a_bar_that_only_another_account_was_told_is_thought_over_all_the_same(stage: Stage) -> None:
    market, hub = Market(stage), SignalHub()
    runner = await begun(stage, hub)
    other = hub.open(SPEC, [], "bitget")
    tell = stage.desk.hear
    await tell(market.closes("60000"))
    for price in ("60600", "60000"):
        hub.signal(other, market.closes(price))
    await tell(market.closes("60000"))
    assert thought(runner) == (4, market.closed[-1].ts) and stage.exchange.calls == [], "an entry that was missed is dropped"
    await tell(market.closes("60600"))
    assert stage.exchange.calls[0].startswith("market buy")
    await runner.close()
    assert replay(runner.journal.path).difference == ""


async def test_bars_and_fills_that_were_missed_are_thought_over_in_their_order(stage: Stage) -> None:
    """The entry was sent and filled, the exit came two bars later, and the process was down all the while."""
    market, hub = Market(stage), SignalHub()
    runner = await begun(stage, hub)
    await stage.desk.hear(market.closes("60600"))
    await stage.desk.scribe.settled()
    await runner.close()
    stage.later(5)
    late = stage.exchange.fill("b1-000001", str(stage.exchange.placed[0].quantity), "60600")
    for price in ("60400", "59400", "60000"):
        market.closes(price)
    await stage.again()
    assert late.trade_id in stage.desk.known
    runner = await begun(stage, SignalHub())
    assert runner.exiting and stage.exchange.calls[-1].startswith("market sell") and thought(runner)[0] == 4
    await runner.close()
    assert replay(runner.journal.path).difference == ""
