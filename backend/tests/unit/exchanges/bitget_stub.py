"""A server that checks every byte of a request by its own arithmetic and answers what the test tells it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from haechi.exchanges.bitget.client import BitgetRestClient
from haechi.platform.clock import SetClock

SECRET, AT = "22582BD0CFF14C41EDBF1AB98506286D", 1_695_806_875_837
ACCOUNTS = [{"marginCoin": "USDT", "accountEquity": "105.5", "unrealizedPL": "5.5", "crossedMaxAvailable": "80.25"}]
TERMS = {"marginMode": "crossed", "posMode": "one_way_mode", "crossedMarginLeverage": "5", "isolatedLongLever": "5", "isolatedShortLever": "5"}
CONTRACT = {"symbol": "BTCUSDT", "symbolStatus": "normal", "priceEndStep": "1", "pricePlace": "1", "sizeMultiplier": "0.001",
            "minTradeNum": "0.001", "minTradeUSDT": "5", "makerFeeRate": "0.0002", "takerFeeRate": "0.0006"}
TIER = {"level": "1", "startUnit": "0", "endUnit": "150000", "leverage": "125", "keepMarginRate": "0.004"}


class Stub:
    """`replies`: the data by path, or an error code. `raw`: an answer for everything. `came` remembers."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {
            "/api/v2/public/time": {"serverTime": str(AT)}, "/api/v2/mix/account/accounts": ACCOUNTS, "/api/v2/mix/account/account": TERMS,
            "/api/v2/mix/market/contracts": [CONTRACT], "/api/v2/mix/market/query-position-lever": [TIER],
            "/api/v2/mix/order/place-order": {"orderId": "77", "clientOid": "x"}}
        self.by_query: dict[tuple[str, str, str], Any] = {}  # path, name and value of a parameter -> the data then
        self.came: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.raw: dict[str, Any] | None = None  # of a web.Response

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if "public" not in request.path and "market" not in request.path:
            prehash = f"{request.headers['ACCESS-TIMESTAMP']}{request.method}{request.raw_path}".encode() + body
            sign = base64.b64encode(hmac.new(SECRET.encode(), prehash, hashlib.sha256).digest()).decode()
            if sign != request.headers["ACCESS-SIGN"]:
                return web.json_response({"code": "40009", "msg": "sign signature error", "data": None}, status=400)
        else:
            assert not [name for name in request.headers if name.upper().startswith("ACCESS-")]
        self.came.append((request.path, json.loads(body) if body else dict(request.query), dict(request.headers)))
        if self.raw is not None and request.path not in ("/api/v2/public/time",):
            return web.Response(**self.raw)
        reply = next((data for (path, name, value), data in self.by_query.items()
                      if path == request.path and request.query.get(name) == value), self.replies[request.path])
        if isinstance(reply, str):
            return web.json_response({"code": reply, "msg": "no", "requestTime": AT, "data": None}, status=400)
        return web.json_response({"code": "00000", "msg": "success", "requestTime": AT, "data": reply})

    def last(self, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        return next((given, head) for came, given, head in reversed(self.came) if came.endswith(path))


@asynccontextmanager
async def talking(**given: Any) -> AsyncIterator[tuple[Stub, BitgetRestClient]]:
    stub = Stub()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", stub.handle)
    server = TestServer(app)
    await server.start_server()
    clock = SetClock(datetime.fromtimestamp(AT / 1000, tz=UTC))

    async def sleep(ms: int) -> None:
        clock.advance(timedelta(milliseconds=ms))

    client = BitgetRestClient("bg_key", SECRET, "pass", address=str(server.make_url("")), clock=clock, sleep=sleep, new_client_id=lambda: "script-1", **given)
    try:
        yield stub, client
    finally:
        await client.close()
        await server.close()
