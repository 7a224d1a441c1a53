"""Faults through the REST face itself: signed requests of a client that cannot know."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from faults_face import CANCEL, PATH, PENDING, PLACE, TIME, Hours, code_of
from trading_floor import trading

from haechi.venue.faults import Faults
from haechi.venue.records import ApiKey
from haechi.venue.wire.server import make_app
from haechi.venue.wire.signing import sign

KEY = ApiKey("bg_ann", "secret", "pass", "ann")
ORDER = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "size": "0.1", "price": "59000",
         "side": "buy", "orderType": "limit", "force": "gtc"}


class Client:
    def __init__(self, client: TestClient[Any, Any], faults: Faults) -> None:
        self.client, self.faults, self.floor, self.ann = client, faults, faults.floor, faults.floor.members["ann"]

    async def ask(self, method: str, path: str, said: object = None) -> tuple[int, bytes, Any]:
        body = orjson.dumps(said) if said is not None else b""
        now = str(self.floor.wall_ms())
        headers = {"ACCESS-KEY": KEY.key, "ACCESS-PASSPHRASE": KEY.passphrase, "ACCESS-TIMESTAMP": now,
                   "ACCESS-SIGN": sign(KEY.secret, now, method, path, body)}
        with contextlib.suppress(aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            async with self.client.request(method, path, data=body or None, headers=headers) as answer:
                return answer.status, await answer.read(), answer.headers
        return 0, b"", {}

    async def place(self, client_oid: str) -> tuple[int, bytes, Any]:
        return await self.ask("POST", PLACE, {**ORDER, "clientOid": client_oid})

    async def pending(self) -> list[str]:
        data = orjson.loads((await self.ask("GET", PENDING + "?productType=USDT-FUTURES"))[1])["data"]
        return [order["clientOid"] for order in data["entrustedList"] or []]

    async def order(self, **order: object) -> str:
        status, body, _ = await self.ask("POST", PATH, order)
        assert status == 200, body
        return str(orjson.loads(body)["data"]["id"])


@contextlib.asynccontextmanager
async def wire(*, enabled: bool = True) -> AsyncIterator[Client]:
    played, hours = await trading(), Hours()
    played.floor.open_member("ann", key=KEY)
    faults = Faults(played.floor, enabled=enabled, clock=hours.clock, sleep=hours.sleep)
    async with TestClient(TestServer(make_app(played.floor, faults=faults, limits=False))) as client:
        yield Client(client, faults)
    faults.close()


@pytest.mark.parametrize(("order", "code"), [
    ({"kind": "key_revoked", "member": "ann"}, "40037"), ({"kind": "permission_reduced", "member": "ann"}, "40014"),
    ({"kind": "ip_changed", "member": "ann"}, "40018"), ({"kind": "clock_offset", "offset_ms": 31_000}, "40008"),
    ({"kind": "delisting", "symbol": "BTCUSDT"}, "40309"), ({"kind": "maintenance"}, "40200"),
    ({"kind": "maintenance", "code": "41114", "symbol": "BTCUSDT"}, "41114"), ({"kind": "rate_limit"}, "429"),
    ({"kind": "error_after", "status": 200, "code": "40725"}, "40725")])
async def test_the_client_meets_the_code_of_the_fault(order: dict[str, object], code: str) -> None:
    async with wire() as one:
        assert code_of(await one.place("a")) == "00000"
        fault = await one.order(**order)
        assert code_of(await one.place("b")) == code and one.faults.faults[fault].drawn >= 1


async def test_an_order_whose_answer_was_lost_is_there_and_one_whose_request_was_lost_is_not() -> None:
    async with wire() as one:
        await one.order(kind="timeout_after")
        await one.order(kind="timeout_before", after=1)
        assert (await one.place("after"))[0] == 0 and (await one.place("before"))[0] == 0
        assert await one.pending() == ["after"]


async def test_a_new_order_is_not_found_while_reads_lag_and_a_canceled_one_was_filled() -> None:
    async with wire() as one:
        await one.order(kind="read_lag", lag_ms=10_000)
        await one.order(kind="cancel_fill_race")
        await one.place("a")
        assert await one.pending() == []
        one.faults.views.clear()
        assert await one.pending() == ["a"]
        answer = await one.ask("POST", CANCEL, {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "clientOid": "a"})
        assert answer[0] == 400 and one.ann.account.lots(0) == 100


async def test_a_fill_of_a_placed_order_leaves_the_dust_and_a_gap_follows() -> None:
    async with wire() as one:
        await one.order(kind="partial_fill", pieces=5, dust_lots=2)
        await one.order(kind="gap_through_stop", symbol="BTCUSDT", price="58999.9", path=PLACE)
        assert code_of(await one.place("a")) == "00000"
        assert one.ann.account.lots(0) == 100 and len(one.ann.fills) == 6


async def test_without_the_switch_the_control_is_an_unknown_address() -> None:
    async with wire(enabled=False) as one:
        answer = await one.ask("POST", PATH, {"kind": "timeout_before"})
        assert (answer[0], code_of(answer)) == (404, "40404") and (await one.ask("GET", TIME))[0] == 200
