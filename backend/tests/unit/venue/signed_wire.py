"""A signed client of the venue's REST face, on a test server."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from trading_floor import Played, trading

from haechi.venue.records import ApiKey
from haechi.venue.wire.server import make_app
from haechi.venue.wire.signing import sign

KEY = ApiKey("key-ann", "secret-ann", "passphrase1", "ann", ("read", "trade", "transfer"))
PT = {"productType": "USDT-FUTURES"}
ORDER = {"symbol": "BTCUSDT", **PT, "marginMode": "crossed", "marginCoin": "USDT", "size": "0.01", "side": "buy", "orderType": "market"}


class Wire:
    """`get` and `post` answer (status, envelope)."""

    def __init__(self, played: Played, server: TestServer, session: ClientSession, key: ApiKey) -> None:
        self.played, self.server, self.session, self.key = played, server, session, key
        self.floor, self.ann = played.floor, played.floor.members["ann"]

    def headers(self, method: str, path: str, body: bytes, **given: str) -> dict[str, str]:
        stamp = str(self.floor.wall_ms())
        return {"ACCESS-KEY": self.key.key, "ACCESS-SIGN": sign(self.key.secret, stamp, method, path, body), "ACCESS-TIMESTAMP": stamp,
                "ACCESS-PASSPHRASE": self.key.passphrase, "Content-Type": "application/json", **given}

    async def get(self, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
        full = path + ("?" + urlencode(query) if query else "")
        return await self.send("GET", full, b"", self.headers("GET", full, b""))

    async def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        raw = json.dumps(body).encode()
        return await self.send("POST", path, raw, self.headers("POST", path, raw))

    async def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        async with self.session.request(method, str(self.server.make_url("/")).rstrip("/") + path, data=body or None, headers=headers) as got:
            return got.status, json.loads(await got.read())

    async def data(self, path: str, **given: Any) -> Any:
        """What a read or a write that must succeed answers."""
        status, said = await (self.get if "/order/" not in path or not given.get("_post") else self.post)(path, **given)
        assert (status, said["code"]) == (200, "00000"), said
        return said["data"]

    async def done(self, path: str, **body: Any) -> Any:
        status, said = await self.post(path, **body)
        assert (status, said["code"], said["msg"]) == (200, "00000", "success"), said
        return said["data"]


@asynccontextmanager
async def wired(key: ApiKey = KEY, **options: Any):
    played = await trading()
    played.floor.open_member("ann", key=key)
    played.floor.open_member("bob", key=ApiKey("key-bob", "secret-bob", "passphrase2", "bob"))
    async with TestServer(make_app(played.floor, limits=False, **options)) as server, ClientSession() as session:
        yield Wire(played, server, session, key)
