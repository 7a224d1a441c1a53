"""The server on a live market: its bots trade on what another exchange shows; here a venue of this house stands for that exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp.test_utils import TestServer
from live_bench import HISTORY, MARKETS, MINUTE, START, Theirs

from haechi.bots.service import Bots
from haechi.markets.feed import Market
from haechi.markets.timeframes import HOUR
from haechi.venue.exchange import TickBar
from haechi.venue.wire.server import make_app


async def until(holds: Callable[[], object]) -> None:
    """Messages of this machine's own wire arrive."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def minute(theirs: Theirs, *prices: int) -> None:
    """Trades, and the turn: both markets show something of the next minute."""
    for price in prices:
        await theirs.trade(price)
    theirs.wall_ms += MINUTE
    await theirs.close()
    await theirs.open()
    for m in (0, 1):
        await theirs.trade(theirs.floor.markets[m].point, m=m, volume=0.1)


async def test_a_bot_follows_the_bars_of_a_live_market(tmp_path, running) -> None:
    theirs = Theirs()
    await theirs.history()
    server = TestServer(make_app(theirs.floor, limits=False))
    await server.start_server()
    url = str(server.make_url("/")).rstrip("/")
    live = {"market": "live:bitget:BTCUSDT,ETHUSDT", "live_rest": url, "live_stream": url.replace("http", "ws", 1) + "/v2/ws/public"}
    try:
        async with running(tmp_path, **live) as app:
            market = app.house.part(Market)
            await until(lambda: market.condition()["state"] == "up")
            mina = await app.person()
            started = await app.http.post("/bot/start", headers=mina, json={"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}})
            assert (started.status_code, started.json()["market"]) == (201, "live:bitget")
            for number in range(1, 6):
                played = market.venue.bars_played
                await minute(theirs, 600_000 + 40 * number, 600_000 - 30 * number)
                await until(lambda played=played: market.venue.bars_played > played)
            told = (await app.http.get("/bot/status", headers=mina)).json()
            assert told["bars"] == 5
            mine, true = market.venue.candles["BTCUSDT"], theirs.floor.venue.candles["BTCUSDT"]
            assert [bar[:5] for bar in mine][-4:] == [bar[:5] for bar in true][-4:]
    finally:
        await server.close()


async def test_a_bot_on_hours_begins_with_the_hours_of_the_market_that_is_followed(tmp_path, running) -> None:
    """What was seen from here is ten hours; theirs is two days."""
    theirs, minutes = Theirs(), 2 * 1440
    theirs.floor.remember([{one.symbol: TickBar(START - (HISTORY + minutes - k) * MINUTE, *[1_000 * (m + 1) + k % 90] * 4, 1.0)
                            for m, one in enumerate(MARKETS)} for k in range(minutes)])
    await theirs.history()
    server = TestServer(make_app(theirs.floor, limits=False))
    await server.start_server()
    url = str(server.make_url("/")).rstrip("/")
    live = {"market": "live:bitget:BTCUSDT,ETHUSDT", "live_rest": url, "live_stream": url.replace("http", "ws", 1) + "/v2/ws/public"}
    try:
        async with running(tmp_path, **live) as app:
            market = app.house.part(Market)
            await until(lambda: market.condition()["state"] == "up")
            assert market.venue.past["BTCUSDT"].reach(HOUR) < 11
            started = await app.http.post("/bot/start", headers=await app.person(), json={"strategy": "rsi", "timeframe": "1h"})
            assert started.status_code == 201
            runner, = app.house.part(Bots).runners.values()
            series = runner.hearing.hub._voices[runner.hearing.key].series
            wanted = [bar for kept, bar in theirs.floor.venue.past["BTCUSDT"].joined(HOUR, 5_000) if kept == HOUR]
            assert len(wanted) > 40 and series.bars(series.count).ts.tolist() == [bar.ts for bar in wanted]
            assert series.bars(series.count).close_ticks.tolist() == [bar.close for bar in wanted]
            assert series.next_ms == market.venue.past["BTCUSDT"].bars[-1].ts + MINUTE
    finally:
        await server.close()
