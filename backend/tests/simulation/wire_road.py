"""The whole product on one road: a person's HTTP, the database, the desks, the adapter, real HTTP and WebSocket to a stepped exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from people import bearer, registered, signed_in
from sqlalchemy import text
from wire_steps import MarketClock, Player, Traffic

from haechi.app import create_app
from haechi.bots.runner import Runner
from haechi.bots.service import Bots
from haechi.core.run import Market, bar_columns, funding_rows
from haechi.exchanges.bitget import budget
from haechi.markets import feed
from haechi.platform.house import House
from haechi.settings import load_settings
from haechi.trading.connections import Connections
from haechi.trading.desks import Desks
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor
from haechi.venue.member import Member
from haechi.venue.records import ApiKey
from haechi.venue.wire.server import STREAMS, make_app

CAPITAL = Decimal(10_000)
WIDE = {"daily_loss_limit": "1000000000", "max_leverage": 100, "max_positions": 50, "max_exposure": "125", "order_value_max": "1000000000",
        "price_collar_percent": "100", "price_distance_percent": "100", "orders_per_minute": 6000}


@dataclass
class Wire:
    """Somebody signed in, on a server whose Bitget is the stepped exchange. markets: past and future; past: how many bars are over."""

    app: FastAPI
    http: httpx.AsyncClient
    floor: Floor
    clock: MarketClock
    player: Player
    markets: dict[str, Market]
    past: int
    headers: dict[str, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)  # by bot id

    @property
    def house(self) -> House:
        return self.app.state.house

    @property
    def runners(self) -> dict[str, Runner]:
        return self.house.part(Bots).runners

    # ---- over HTTP, as a person would

    async def ask(self, method: str, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        answer = await self.http.request(method, path, headers=self.headers, json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def signs_in(self) -> None:
        await registered(self)
        self.headers = bearer(await signed_in(self))
        await self.ask("PUT", "/account/risk-settings", **WIDE)

    async def account(self) -> tuple[str, Member]:
        """A demo account with a key of its own; at the exchange a member of 10,000 USDT."""
        name = f"member{len(self.floor.members)}"
        key = ApiKey(f"bg_{name}_0123456789", f"secret_of_{name}_0123456789", "passphrase1", name)
        member = self.floor.open_member(name, deposit=CAPITAL, key=key)
        saved = await self.ask("POST", "/account/keys", 201, mode="demo", label=name, api_key=key.key, secret=key.secret,
                               passphrase=key.passphrase)
        return (await self.ask("POST", "/account", 201, mode="demo", name=name, key_id=saved["id"]))["id"], member

    async def starts(self, path: str, **body: Any) -> str:
        """A bot with all of an account of its own, at work when this returns."""
        account_id, member = await self.account()
        bot_id = (await self.ask("POST", path, 201, account_id=account_id, allocation="100", **body))["id"]
        self.members[bot_id] = member
        await self.ask("POST", f"{path}/{bot_id}/start")
        async with asyncio.timeout(30):
            while bot_id not in self.runners or not self.listening(account_id):  # noqa: ASYNC110
                await asyncio.sleep(0)
                assert (await self.ask("GET", f"/bot-instances/{bot_id}"))["observed"] != "failed"
        await self.player.traffic.settled()
        return bot_id

    def listening(self, account_id: str) -> bool:
        bitget: Any = self.house.part(Connections).open[account_id]
        return bool(bitget.private.ready and bitget.public.ready and not bitget.blind())

    # ---- the market

    def instants(self, first: int, last: int) -> Iterator[dict[str, TickBar]]:
        """Bars first..last-1 of all markets, side by side."""
        columns = {symbol: (bar_columns(one.bars), one.bars.volume, rates_of(one)) for symbol, one in self.markets.items()}
        for i in range(first, last):
            yield {symbol: TickBar(*rows[i].tolist(), float(volume[i]), rates.get(i, ())) for symbol, (rows, volume, rates) in columns.items()}

    @property
    def bars(self) -> int:
        return min(len(one.bars) for one in self.markets.values())

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        await self.house.part(Desks).scribe.settled()
        async with self.house.database.reading() as session:
            return list((await session.execute(text(sql), values)).all())


def rates_of(market: Market) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for bar, rate in funding_rows(market).tolist():
        found[bar] = (*found.get(bar, ()), rate)
    return found


async def never(_seconds: float) -> None:
    """News are told when the player says so."""
    await asyncio.Event().wait()


@asynccontextmanager
async def wire_road(folder: Path, patch: pytest.MonkeyPatch, markets: dict[str, Market], past: int) -> AsyncIterator[Wire]:
    """The exchange has played `past` bars and has opened the next when somebody has signed in."""
    first = next(iter(markets.values())).bars
    clock, traffic = MarketClock(int(first.ts[past])), Traffic()
    venue = Venue([one.instrument for one in markets.values()], timeframe_ms=first.timeframe_ms)
    floor = Floor(venue, clock=clock.now_ms)
    server = TestServer(made := make_app(floor, limits=False))
    made[STREAMS]._sleep = never
    await server.start_server()
    patch.setattr(feed, "MARKETS", tuple((one.instrument, Decimal(100)) for one in markets.values()))
    patch.setattr(budget, "SECOND_MS", 0)  # a month in minutes: as many requests as it takes
    patch.setattr(budget, "MINUTE_MS", 0)
    traffic.count(patch)
    try:
        async with opened(folder, server, clock) as (app, http):
            there = Wire(app, http, floor, clock, Player(floor, made[STREAMS], traffic, clock), markets, past)
            traffic.bitgets = there.house.part(Connections).open.values  # type: ignore[assignment]
            traffic.runners = there.runners.values
            floor.remember(list(there.instants(0, past)))
            await there.player.opens(next(there.instants(past, past + 1)))
            await there.signs_in()
            yield there
    finally:
        await server.close()


@asynccontextmanager
async def opened(folder: Path, server: TestServer, clock: MarketClock) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The real application. Its own paper market stands still."""
    address = str(server.make_url("/")).rstrip("/")
    sockets: dict[str, Any] = {f"bitget_{name}": f"{address}/v2/ws/{name}".replace("http", "ws", 1) for name in ("public", "private")}
    settings = load_settings(_env_file=None, haechi_var=folder / "var", haechi_data=folder / "data", bitget_rest=address, reserve_mib=1,
                             speed=0.000_01, risk_orders_per_second=1_000, log_level="warning", **sockets)
    app = create_app(settings, clock=clock, announce=lambda _said: None)
    async with app.router.lifespan_context(app), httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://haechi.test") as http:
        yield app, http
