"""Bars that are read while the minute ends."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bitget_bench import bench

from haechi.exchanges.port import Price


async def test_a_bar_that_ends_while_it_is_read_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench() as at:
        market, asked = at.bitget.market, at.bitget.market.price

        async def after_the_minute(name: str) -> Price:
            """Rows were answered; before the time is asked for, the last of them goes on, ends, and the next one begins."""
            if at.floor.markets[0].bar.ts == first:
                await at.played.move(610_000, 605_000)
                await at.played.close()
                await at.played.open(604_000)
            return await asked(name)

        first = at.floor.markets[0].bar.ts
        monkeypatch.setattr(market, "price", after_the_minute)
        assert [(bar.ts, bar.high, bar.close) for bar in await market.recent("BTCUSDT", 5)] == [(first, Decimal(61_000), Decimal(60_500))]


async def test_the_bar_under_way_is_no_bar_yet() -> None:
    async with bench() as at:
        await at.played.move(610_000)
        assert await at.bitget.market.recent("BTCUSDT", 5) == []
