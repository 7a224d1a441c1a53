"""With VENUE_PORT the server's exchange also speaks Bitget's protocol: the same markets, members beside the bots."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp

from haechi.markets.feed import WARM_BARS, Market
from haechi.venue.wire.signing import sign

ORDER = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "size": "0.01", "side": "buy",
         "orderType": "market"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def test_members_on_the_wire_and_bots_share_one_market(tmp_path, running) -> None:
    port = free_port()
    async with running(tmp_path, speed=0.001, venue_port=port) as app, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        mina = await app.person()
        started = await app.http.post("/bot/start", headers=mina, json={"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}})
        assert started.status_code == 201
        market = app.house.part(Market)
        for _ in range(100_000):  # turns of the loop, while the past is being played
            if market.floor.markets[0].bar is not None:
                break
            await asyncio.sleep(0)
        async with http.post("/_venue/members", json={"name": "ann"}) as answer:
            key = (await answer.json())["data"]
        body = json.dumps(ORDER).encode()
        stamp = str(app.clock.now_ms())
        headers = {"ACCESS-KEY": key["apiKey"], "ACCESS-SIGN": sign(key["secret"], stamp, "POST", "/api/v2/mix/order/place-order", body),
                   "ACCESS-TIMESTAMP": stamp, "ACCESS-PASSPHRASE": key["passphrase"]}
        async with http.post("/api/v2/mix/order/place-order", data=body, headers=headers) as answer:
            assert (await answer.json())["code"] == "00000"
        assert market.floor.members["ann"].positions()[0].mark == market.floor.quote(0).last
        assert market.venue.bars_played == WARM_BARS and len(market.venue.accounts) == 2


async def test_without_a_port_nothing_listens(tmp_path, running) -> None:
    async with running(tmp_path) as app:
        assert not app.house.part(Market).steps and len(app.house.part(Market).floor.members) == 0
