"""The smallest face that lets faults in: four addresses of the exchange and the control, on a real loopback connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from trading_floor import Played, trading

from haechi.venue.fault_answers import envelope
from haechi.venue.faults import Faults
from haechi.venue.member import Member
from haechi.venue.records import ApiKey
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest
from haechi.venue.wire.faulty import PATH, control

PLACE, CANCEL = "/api/v2/mix/order/place-order", "/api/v2/mix/order/cancel-order"
CANCEL_ALL, PENDING = "/api/v2/mix/order/cancel-all-orders", "/api/v2/mix/order/orders-pending"
TIME = "/api/v2/public/time"


class Hours:
    """Time that passes only when somebody sleeps, and at once."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.slept: list[float] = []
        self.before_waking: Callable[[float], None] | None = None

    def clock(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        if self.before_waking is not None:
            self.before_waking(seconds)
        self.slept.append(seconds)
        self.now_ms += round(seconds * 1000)


class Face:
    """`ann` has the keys k1 and k2, `bob` has k3."""

    def __init__(self, played: Played, faults: Faults, hours: Hours) -> None:
        self.played, self.floor, self.faults, self.hours = played, played.floor, faults, hours
        self.ann, self.bob = self.floor.members["ann"], self.floor.members["bob"]
        self.app = web.Application()
        self.app.router.add_route("*", "/{any:.*}", self.handle)
        self.client: TestClient[Any, Any]
        self.executed = asyncio.Event()
        faults.execute = self.respond

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.path.startswith(PATH):
            return await control(self.faults, request, body)
        early = await self.faults.before(request, body)
        if early is not None:
            return early
        return await self.faults.after(request, self.respond(request, body, 0))

    def respond(self, request: web.Request, body: bytes, _came_ms: int) -> web.Response:
        self.executed.set()
        try:
            return envelope("00000", "success", 1, status=200, data=self.do(request, orjson.loads(body) if body else {}))
        except Refusal as no:
            return envelope(no.code, "refused", 1)

    def do(self, request: web.Request, said: dict[str, Any]) -> Any:
        key = self.floor.keys.get(request.headers.get("ACCESS-KEY", ""))
        if request.path == TIME:
            return {"serverTime": str(1_000_000 + self.faults.clock_offset_ms())}
        assert key is not None
        member = self.floor.members[key.member]
        if request.path == PLACE:
            made = member.place(OrderRequest(self.floor.market[said["symbol"]], said.get("side", 1), said.get("size", 100),
                                             "limit" if said.get("price") else "market", said.get("price", 0), client_oid=said["clientOid"]))
            return {"orderId": made.order_id, "clientOid": made.client_oid}
        if request.path == CANCEL:
            found = member.find(order_id=said.get("orderId", ""), client_oid=said.get("clientOid", ""))
            assert found is not None
            member.cancel(found)
            return {"orderId": found.order_id}
        if request.path == CANCEL_ALL:
            for order in member.open_orders():
                member.cancel(order)
            return {}
        return [order.client_oid for order in self.faults.seen(member).open_orders()]

    async def ask(self, method: str, path: str, said: object = None, key: str = "k1") -> tuple[int, bytes, Any]:
        """(status, body, headers); (0, b'', {}) when the connection was cut."""
        body = orjson.dumps(said) if said is not None else None
        with contextlib.suppress(aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            async with self.client.request(method, path, data=body, headers={"ACCESS-KEY": key}) as answer:
                return answer.status, await answer.read(), answer.headers
        return 0, b"", {}

    async def place(self, client_oid: str, price: int = 590_000, *, key: str = "k1", symbol: str = "BTCUSDT",
                    size: int = 100) -> tuple[int, bytes, Any]:
        return await self.ask("POST", PLACE, {"symbol": symbol, "size": size, "price": price, "clientOid": client_oid}, key)

    async def pending(self, key: str = "k1") -> list[str]:
        _, body, _ = await self.ask("GET", PENDING, key=key)
        data: list[str] = orjson.loads(body)["data"]
        return data

    async def order(self, **order: object) -> str:
        """Orders a fault by the wire; its id."""
        status, body, _ = await self.ask("POST", PATH, order)
        assert status == 200, body
        return str(orjson.loads(body)["data"]["id"])

    def counted(self, fault_id: str) -> tuple[int, int]:
        fault = self.faults.faults[fault_id]
        return fault.asked, fault.drawn


@contextlib.asynccontextmanager
async def face(*, enabled: bool = True, seed: int = 0) -> AsyncIterator[Face]:
    played, hours = await trading(), Hours()
    for name, keys in (("ann", ("k1", "k2")), ("bob", ("k3",))):
        for key in keys:
            played.floor.open_member(name, key=ApiKey(key, "s", "p", name))
    faults = Faults(played.floor, enabled=enabled, seed=seed, clock=hours.clock, sleep=hours.sleep)
    made = Face(played, faults, hours)
    async with TestClient(TestServer(made.app)) as made.client:
        yield made


def code_of(answer: tuple[int, bytes, Any]) -> str:
    return str(orjson.loads(answer[1])["code"])


def holds(member: Member, client_oid: str) -> bool:
    return member.find(client_oid=client_oid) is not None
