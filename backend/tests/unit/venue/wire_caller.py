"""A client of the venue's REST face, written from the protocol alone: it signs by itself and knows nothing of the server's code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp.test_utils import TestClient
from trading_floor import Played
from yarl import URL

from haechi.venue.records import ApiKey

NOW = 1_700_000_000_000  # the floor's wall clock in tests
ANN = ApiKey("bg_ann", "22582BD0CFF14C41EDBF1AB98506286D", "passphrase1", "ann", permissions=("read", "trade", "transfer"))
READER = ApiKey("bg_reader", "secret-of-the-reader", "passphrase2", "ann", permissions=("read",))
BOB = ApiKey("bg_bob", "secret-of-bob", "passphrase3", "bob")
ORDER = "/api/v2/mix/order/"
ACCOUNT = "/api/v2/mix/account/"
POSITION = "/api/v2/mix/position/"
MARKET = "/api/v2/mix/market/"
BTC = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT"}


def signature(secret: str, timestamp: str, method: str, path: str, body: bytes = b"") -> str:
    digest = hmac.new(secret.encode(), timestamp.encode() + method.encode() + path.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def whole(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found

    @property
    def code(self) -> str:
        return str(self.whole["code"])

    @property
    def data(self) -> Any:
        """Of a request that was granted."""
        assert (self.status, self.code) == (200, "00000"), self.raw
        return self.whole["data"]


class Caller:
    """Signed calls of one key; `key=None` calls as the public does."""

    def __init__(self, http: TestClient[Any, Any], played: Played, key: ApiKey | None = ANN) -> None:
        self.http, self.played, self.key = http, played, key

    def as_key(self, key: ApiKey | None) -> Caller:
        return Caller(self.http, self.played, key)

    async def get(self, path: str, query: Mapping[str, object] | str | None = None, **headers: str) -> Reply:
        text = query if isinstance(query, str) else urlencode(dict(query or {}))
        return await self.send("GET", path + ("?" + text if text else ""), b"", headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send("POST", path, raw, headers)

    async def send(self, method: str, path: str, body: bytes, changed: Mapping[str, str], *, signed_path: str = "") -> Reply:
        """changed: headers by name with _ for -, that replace the right ones; '' leaves one out."""
        headers = {"Content-Type": "application/json"} if method == "POST" else {}
        if self.key is not None:
            timestamp = changed.get("ACCESS_TIMESTAMP") or str(self.played.floor.wall_ms())
            headers |= {"ACCESS-KEY": self.key.key, "ACCESS-TIMESTAMP": timestamp, "ACCESS-PASSPHRASE": self.key.passphrase,
                        "ACCESS-SIGN": signature(self.key.secret, timestamp, method, signed_path or path, body)}
        for name, value in changed.items():
            if value:
                headers[name.replace("_", "-")] = value
            else:
                headers.pop(name.replace("_", "-"), None)
        url = URL(str(self.http.make_url("/")).rstrip("/") + path, encoded=True)
        async with self.http.session.request(method, url, data=body or None, headers=headers) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    # ---- what many tests do

    async def place(self, **given: object) -> Reply:
        return await self.post(ORDER + "place-order", {**BTC, "marginMode": "crossed", "size": "0.01", "side": "buy", "orderType": "market",
                                                       **given})

    async def limit(self, price: object, **given: object) -> Reply:
        return await self.place(price=price, orderType="limit", **given)

    async def detail(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.get(ORDER + "detail", {**BTC, "orderId": order_id})).data
        return found
