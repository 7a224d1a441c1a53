"""A grid of a demo or live account is laid by its exchange's prices, never by those of the market this server plays."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from haechi.bots import grid_bots, instances, templates
from haechi.bots.grid_schemas import CreateGridBody, PreviewBody
from haechi.bots.template_schemas import UseTemplateBody
from haechi.core.instrument import Instrument
from haechi.errors import Conflict, NotFound
from haechi.exchanges.port import Bar
from haechi.identity.models import User
from haechi.markets.feed import Market
from haechi.platform.db import Database
from haechi.trading.connections import Connections
from haechi.venue.past import TickBar

ONE, D = Instrument("BTCUSDT", tick=Decimal("0.1"), lot=Decimal("0.001")), Decimal
ACCOUNT = "a" * 32
ASKED = instances.Asked(User(id="mina"), "127.0.0.1")
AUTO = {"symbol": "BTCUSDT", "account_id": ACCOUNT, "range": "auto", "cells": 10, "investment": "1000", "direction": "long"}


class Exchange:
    """Two hundred bars around the price, or none."""

    def __init__(self, price: int) -> None:
        self.price = price

    async def instrument(self, _symbol: str) -> Instrument:
        return ONE

    async def bars(self, symbol: str, most: int) -> list[Bar]:
        at = D(self.price)
        return [Bar(symbol, 60_000, n * 60_000, at, at * D("1.01"), at * D("0.99"), at, 1.0) for n in range(most if at else 0)]


@pytest.fixture
async def house(database: Database, clock: Any, rows: Any) -> Any:
    """This server plays a market at 60,000."""
    person, account, _ = rows
    async with database.writing() as session:
        session.add(person("mina"))
        await session.flush()
        session.add(account(ACCOUNT, "mina", mode="live"))
    bar = TickBar(0, 600_000, 610_000, 590_000, 600_000, 1.0)
    market = SimpleNamespace(tape=SimpleNamespace(instruments=(ONE,), timeframe_ms=60_000, label="synthetic"),
                             venue=SimpleNamespace(candles={"BTCUSDT": [bar] * 500}))
    made = SimpleNamespace(exchange=Exchange(90_000))

    async def look_at(_account: Any) -> Exchange:
        return made.exchange

    parts: dict[Any, Any] = {Market: market, Connections: SimpleNamespace(look_at=look_at)}
    made.database, made.clock, made.part = database, clock, parts.__getitem__
    return made


async def made_by(house: Any, what: str) -> Any:
    if what == "auto":
        return await grid_bots.create(house, ASKED, CreateGridBody(**AUTO))
    return await templates.use(house, ASKED, GRID_TEMPLATE, UseTemplateBody(symbol="BTCUSDT", account_id=ACCOUNT))


GRID_TEMPLATE = next(name for name, (_, _, plan) in templates.SHIPPED.items() if plan.kind == "grid")


@pytest.mark.parametrize("what", ["auto", "template"])
async def test_a_live_grid_lies_around_its_exchanges_price(house: Any, what: str) -> None:
    plan = grid_bots.spec_of(await made_by(house, what)).grid
    assert D(75_000) < plan.lower < D(90_000) < plan.upper < D(110_000)


@pytest.mark.parametrize("what", ["auto", "template"])
async def test_without_its_exchanges_price_no_other_is_taken(house: Any, what: str) -> None:
    house.exchange = Exchange(0)
    with pytest.raises(Conflict) as refused:
        await made_by(house, what)
    assert refused.value.code == "no_price"


async def test_a_preview_is_of_the_market_of_its_account(house: Any) -> None:
    asked = AUTO | {"backtest": True, "bars": 100}
    live = await grid_bots.previewed(house, "mina", PreviewBody(**asked), "en")
    own = await grid_bots.previewed(house, "mina", PreviewBody(**asked | {"account_id": None}), "en")
    assert (D(live.price), D(own.price)) == (90_000, 60_000)
    assert D(live.lines[0].price) > 80_000 > D(own.lines[-1].price)
    assert live.backtest is not None and (live.backtest.market, live.backtest.bars) == ("live", 100)
    assert own.backtest is not None and own.backtest.market == "synthetic"
    with pytest.raises(NotFound):
        await grid_bots.previewed(house, "jun", PreviewBody(**asked), "en")
