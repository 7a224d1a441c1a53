"""How often one may ask, by user, by address, by endpoint; what is left is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from trading_floor import trading
from wire_caller import ACCOUNT, ANN, BOB, BTC, MARKET, NOW, ORDER, POSITION, READER, Caller

from haechi.venue.refusal import Refusal
from haechi.venue.wire.limits import Limits
from haechi.venue.wire.server import make_app

PT = {"productType": "USDT-FUTURES"}
LEFT = "x-mbx-used-remain-limit"


@pytest.fixture
async def limited() -> AsyncIterator[Caller]:
    played = await trading()
    for key in (ANN, READER, BOB):
        played.floor.open_member(key.member, key=key)
    async with TestClient(TestServer(make_app(played.floor, limits=True))) as http:
        yield Caller(http, played)


def at(caller: Caller, ms: int) -> None:
    caller.played.floor.clock = lambda: ms


@pytest.mark.parametrize(("path", "query", "most"), [
    (MARKET + "ticker", BTC, 20), (MARKET + "query-position-lever", BTC, 10), (MARKET + "fills-history", BTC, 10),
    ("/api/v2/spot/public/coins", {}, 3), (ACCOUNT + "accounts", PT, 10), (POSITION + "all-position", PT, 5), (ACCOUNT + "max-open", {
        **BTC, "posSide": "long", "orderType": "market"}, 20), (ORDER + "orders-pending", PT, 10)])
async def test_a_read_is_granted_so_often_a_second(limited: Caller, path: str, query: dict[str, str], most: int) -> None:
    left = [(await limited.get(path, query)).headers[LEFT] for _ in range(most)]
    assert left == [str(most - n) for n in range(1, most + 1)]
    refused = await limited.get(path, query)
    assert (refused.status, refused.code, refused.whole["msg"]) == (429, "429", "Too many requests")
    assert refused.headers[LEFT] == "0"
    at(limited, NOW + 1000)
    assert (await limited.get(path, query)).status == 200


@pytest.mark.parametrize(("path", "body", "most"), [
    (ORDER + "place-order", {**BTC, "marginMode": "crossed", "size": "0.001", "side": "buy", "orderType": "market"}, 10),
    (ORDER + "batch-place-order", {**BTC, "marginMode": "crossed", "orderList": []}, 5), (ORDER + "cancel-all-orders", PT, 10),
    (ORDER + "close-positions", PT, 1), (ACCOUNT + "set-leverage", {**BTC, "leverage": "10"}, 5)])
async def test_a_write_over_the_limit_is_not_executed(limited: Caller, path: str, body: dict[str, object], most: int) -> None:
    for _ in range(most):
        assert (await limited.post(path, body)).status != 429
    ann = limited.played.floor.members["ann"]
    before = len(ann.orders)
    assert (await limited.post(path, body)).code == "429"
    assert len(ann.orders) == before


async def test_users_do_not_share_their_limit_and_keys_of_one_user_do(limited: Caller) -> None:
    for _ in range(5):
        assert (await limited.get(POSITION + "all-position", PT)).status == 200
    assert (await limited.as_key(READER).get(POSITION + "all-position", PT)).status == 429
    assert (await limited.as_key(BOB).get(POSITION + "all-position", PT)).status == 200


async def test_endpoints_do_not_share_their_limit(limited: Caller) -> None:
    for _ in range(20):
        await limited.get(MARKET + "ticker", BTC)
    assert (await limited.get(MARKET + "ticker", BTC)).status == 429
    assert (await limited.get(MARKET + "tickers", PT)).status == 200


async def test_who_cannot_prove_himself_does_not_use_up_the_limit_of_another(limited: Caller) -> None:
    for _ in range(12):
        assert (await limited.get(ACCOUNT + "accounts", PT, ACCESS_SIGN="wrong")).code == "40009"
    assert (await limited.get(ACCOUNT + "accounts", PT)).status == 200


def test_an_address_has_six_thousand_calls_a_minute_and_then_waits_five() -> None:
    limits = Limits()
    for n in range(6000):
        limits.arrive("192.0.2.1", NOW + n)
    limits.arrive("192.0.2.2", NOW)
    for late in (6000, 60_000, 6000 + 299_999):
        with pytest.raises(Refusal, match="429"):
            limits.arrive("192.0.2.1", NOW + late)
    limits.arrive("192.0.2.1", NOW + 6000 + 300_000)


def test_limits_that_are_off_count_nothing() -> None:
    limits = Limits(off=True)
    assert [limits.call("ann", "x", 1, NOW) for _ in range(3)] == [1, 1, 1]
    for _ in range(6001):
        limits.arrive("192.0.2.1", NOW)


async def test_the_minute_counts_every_request_of_an_address_unknown_ones_too(limited: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haechi.venue.wire.limits.MINUTE_CALLS", 3)
    codes = [(await limited.get("/nowhere")).code for _ in range(4)]
    assert codes == ["40404", "40404", "40404", "429"]
    assert (await limited.get("/api/v2/public/time")).status == 429
