"""A simulated exchange on this machine's loopback that a server under test takes for Bitget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer
from people import bearer, code, registered, signed_in, with_2fa
from trading_floor import Played, trading

from haechi.trading.connections import Connections
from haechi.venue.faults import Faults
from haechi.venue.records import ApiKey
from haechi.venue.wire.server import make_app

SECRETS = {"api key": "cAnArYK0apikeyjd72hs8d", "secret": "cAnArYK1secret8dh3jdk2", "passphrase": "cAnArYK2passphrase8d"}


@dataclass
class Stage:
    """app: the server; played: the exchange, with one member `ann` of 10,000 USDT."""

    app: Any
    played: Played
    faults: Faults
    server: TestServer

    @property
    def member(self) -> Any:
        return self.played.floor.members["ann"]

    def key(self, **given: Any) -> ApiKey:
        """Made anew with other permissions or addresses."""
        made = ApiKey(SECRETS["api key"], SECRETS["secret"], SECRETS["passphrase"], "ann", **{"ips": ("127.0.0.1",), **given})
        self.played.floor.keys[made.key] = made
        return made

    def body(self, **given: Any) -> dict[str, Any]:
        return {"mode": "demo", "label": "mine", "api_key": SECRETS["api key"], "secret": SECRETS["secret"], "passphrase": SECRETS["passphrase"], **given}

    async def person(self, email: str = "mina@example.com", *, strong: bool = False) -> dict[str, str]:
        """Signed in just now, or with the second factor."""
        await registered(self.app, email)
        headers = bearer(await signed_in(self.app, email))
        if strong:
            secret, _ = await with_2fa(self.app, headers)
            self.app.clock.advance(timedelta(seconds=30))
            shown = await self.app.http.post("/auth/confirm", headers=headers, json={"proof": code(self.app, secret)})
            assert shown.status_code == 204, shown.text
        return headers

    async def saved(self, headers: dict[str, str], **given: Any) -> dict[str, Any]:
        answer = await self.app.http.post("/account/keys", headers=headers, json=self.body(**given))
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def gone(self) -> None:
        """Nobody answers at its address any more."""
        await self.server.close()


@asynccontextmanager
async def stage(folder: Path, running: Callable[..., AbstractAsyncContextManager[Any]], **settings: Any) -> AsyncIterator[Stage]:
    played = await trading()
    faults = Faults(played.floor)
    played.floor.open_member("ann")
    server = TestServer(make_app(played.floor, faults=faults, limits=False))
    await server.start_server()
    address = str(server.make_url("/")).rstrip("/")
    sockets = {f"bitget_{name}": f"{address}/v2/ws/{name}".replace("http", "ws", 1) for name in ("public", "private")}
    try:
        async with running(folder, bitget_rest=address, **sockets, **settings) as app:
            played.floor.clock = app.clock.now_ms

            async def sleep(ms: int) -> None:
                app.clock.advance(timedelta(milliseconds=ms))
                await asyncio.sleep(0)

            app.house.part(Connections).sleep = sleep
            made = Stage(app, played, faults, server)
            made.key()
            yield made
    finally:
        await server.close()
