"""A client of ccxt that is given another address and nothing else, and a list of what it did."""

from __future__ import annotations

import inspect
import json
import traceback
import urllib.request
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
CLIENTS = {"sync": ccxt.bitget, "pro": ccxt.pro.bitget}


class Steps:
    """`do` calls the client, waiting where it is asynchronous; `step` notes what held and what did not."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.done = told, list[dict[str, str]]()
        self.client = client(told)

    async def do(self, name: str, *given: Any, **named: Any) -> Any:
        made = getattr(self.client, name)(*given, **named)
        return await made if inspect.isawaitable(made) else made

    async def step(self, act: Any) -> None:
        """One thing of the day: it raises where the venue is not what ccxt expects."""
        try:
            await act(self)
            failed = ""
        except Exception as wrong:
            failed = f"{type(wrong).__name__}: {wrong or traceback.format_exc(limit=-1)}"
        self.done.append({"step": act.__name__, "failed": failed})

    def market(self, **told: Any) -> None:
        """Tell the venue's market where to go."""
        asked = urllib.request.Request(self.told["url"] + "/_venue/play", data=json.dumps(told).encode(), method="POST")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200, answer.read()

    def moves(self, *prices: object, symbol: str = "BTCUSDT") -> None:
        self.market(symbol=symbol, prices=[str(one) for one in prices])

    async def close(self) -> None:
        if self.told["client"] == "pro":
            await self.client.close()


def client(told: dict[str, Any]) -> Any:
    """Only the addresses are changed. uta: absent leaves ccxt to find out what kind of account it is."""
    options: dict[str, Any] = {"fetchMarkets": {"types": ["swap"]}} if told["swap_only"] else {}
    if told["uta"] is not None:
        options["uta"] = told["uta"]
    made = CLIENTS[told["client"]]({"apiKey": told["key"], "secret": told["secret"], "password": told["passphrase"],
                                    "enableRateLimit": False, "options": {"defaultType": "swap", **options}})
    made.urls["api"] = {face: told["url"] for face in made.urls["api"] if face != "ws"} | {
        "ws": {"public": told["ws"] + "/v2/ws/public", "private": told["ws"] + "/v2/ws/private",
               "utaPublic": told["ws"] + "/v3/ws/public", "utaPrivate": told["ws"] + "/v3/ws/private"}}
    return made


def close_to(got: Any, wanted: float, about: str = "") -> None:
    assert got is not None and abs(float(got) - wanted) <= 1e-7 * max(1.0, abs(wanted)), f"{about} {got!r}, wanted {wanted!r}"


def same(got: Any, wanted: Any, about: str = "") -> None:
    assert got == wanted, f"{about} {got!r}, wanted {wanted!r}"
