"""Nothing a caller sends breaks the venue: malformed bodies, wrong kinds of values, and ten thousand random requests, a third of them torn."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from wire_caller import ACCOUNT, BTC, MARKET, ORDER, POSITION, Caller

from haechi.core import layout as at
from haechi.venue.member import Member
from haechi.venue.requests import OrderRequest, PlanRequest

REQUESTS = 1_000  # of each of the ten seeds
PT = {"productType": "USDT-FUTURES"}
BODIES = [b"", b" ", b"{", b"}", b"[]", b"[1,2]", b'"text"', b"12", b"null", b"true", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1,}',
          b'{"a" 1}', b'{"a": 1}{"b": 2}', b"\xff\xfe\x00", b'{"symbol": "\xff"}', b'{"symbol": "\\ud800"}', b"\x00", b"a=1&b=2", b"<xml/>",
          b"[" * 5000, b'{"a":' * 5000, b'{"' + b"k" * 100_000 + b'": 1}', b"\xef\xbb\xbf{}", b'{"size": 1' + b"0" * 5000 + b"}", b"{}"]
WRITES = [ORDER + end for end in (
    "place-order", "batch-place-order", "modify-order", "cancel-order", "batch-cancel-orders", "cancel-all-orders", "close-positions", "click-backhand",
    "place-plan-order", "place-tpsl-order", "place-pos-tpsl", "modify-plan-order", "modify-tpsl-order", "cancel-plan-order")] + [
    ACCOUNT + end for end in ("set-leverage", "set-all-leverage", "set-margin-mode", "set-position-mode", "set-margin", "set-auto-margin")] + [
    "/api/v2/spot/wallet/transfer"]
READS = [MARKET + end for end in (
    "contracts", "ticker", "tickers", "merge-depth", "candles", "history-candles", "history-mark-candles", "fills", "fills-history", "symbol-price",
    "current-fund-rate", "history-fund-rate", "funding-time", "open-interest", "query-position-lever")] + [
    ACCOUNT + end for end in ("account", "accounts", "bill", "liq-price", "max-open", "open-count")] + [
    POSITION + end for end in ("all-position", "single-position", "history-position", "adlRank")] + [
    ORDER + end for end in ("detail", "orders-pending", "orders-history", "fills", "fill-history", "orders-plan-pending", "orders-plan-history",
                            "plan-sub-order")] + ["/api/v2/public/time", "/api/v2/common/trade-rate", "/api/v2/spot/public/coins"]


def sane(status: int, raw: bytes, what: object) -> None:
    """An envelope of the exchange, and no failure of ours."""
    said = json.loads(raw)
    assert status in (200, 400, 404, 429) and said["code"] != "45001", (what, status, raw[:300])
    assert (status == 200) == (said["code"] == "00000") and isinstance(said["requestTime"], int), (what, raw[:300])


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:20]))
async def test_a_malformed_body_is_refused(rest: Caller, body: bytes) -> None:
    reply = await rest.post(ORDER + "place-order", body)
    assert reply.status == 400 and reply.code in ("40409", "40019", "40020", "40034"), reply.raw
    assert rest.played.floor.members["ann"].orders == {}


async def test_a_body_beyond_a_megabyte_is_refused_and_the_venue_goes_on(rest: Caller) -> None:
    reply = await rest.post(ORDER + "place-order", b'{"note": "' + b"x" * (1 << 21) + b'"}')
    assert (reply.status, reply.code) in ((400, "40020"), (413, "40020"))
    assert (await rest.place()).data


@pytest.mark.parametrize("path", WRITES)
async def test_an_empty_write_is_refused_with_what_it_lacks(rest: Caller, path: str) -> None:
    reply = await rest.post(path, {})
    assert (reply.status, reply.code in ("40019", "40924")) == (400, True), reply.raw


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_unknown_addresses(rest: Caller, method: str) -> None:
    assert (await rest.send(method, ORDER + "place-order", b"{}", {})).code == "40404"


@pytest.mark.parametrize("path", ["//", "/%00", "/%ff%fe", "/api/v2/mix/order/place-order%00", "/" + "a" * 6000, "/?" + "&".join(["a=b"] * 500), "/%2e%2e/x"])
async def test_strange_addresses_are_unknown(rest: Caller, path: str) -> None:
    for method in ("GET", "POST"):
        reply = await rest.send(method, path, b"", {})
        assert (reply.status, reply.code) == (404, "40404")


async def test_an_address_that_is_too_long_is_refused_by_http_itself(rest: Caller) -> None:
    assert (await rest.send("GET", "/" + "a" * 9000, b"", {})).status == 400
    assert (await rest.get("/api/v2/public/time")).data


async def test_strange_queries_are_refused_or_ignored(rest: Caller) -> None:
    for query in ("%", "%zz=%zz", "symbol=%ff%fe&productType=USDT-FUTURES", "symbol=%00&productType=USDT-FUTURES", "&&&===", "symbol[]=BTCUSDT",
                  "productType=USDT-FUTURES&symbol=BTCUSDT&symbol=ETHUSDT", "symbol=%ED%A0%80&productType=USDT-FUTURES"):
        for path in (MARKET + "ticker", ORDER + "orders-pending"):
            reply = await rest.get(path, query)
            sane(reply.status, reply.raw, query)


WORDS = """symbol marginMode side orderType size price force clientOid reduceOnly tradeSide presetStopSurplusPrice orderId newSize newPrice
    newClientOid orderList orderIdList planType triggerPrice triggerType callbackRatio executePrice holdSide rangeRate leverage longLeverage posMode amount
    autoMargin fromType toType coin limit idLessThan startTime endTime pageNo pageSize granularity precision openAmount openPrice posSide stpMode
    stopSurplusTriggerPrice stopLossTriggerPrice stopSurplusSize newTriggerPrice requestTime receiveWindow businessType planOrderId status"""
NAMES = sorted(WORDS.split())
VALUES: list[Any] = [
    "", " ", "0", "-0", "-1", "1", "1e5", "1e-5", "1e99", "-1e99", "1e-99", "9" * 30, "NaN", "inf", "0x10", "1,5", "\u0661\u0662", "\u20bf", "\x00", "\ud800", "%", "'; --",
    "../..", "buy", "sell", "long", "short", "open", "close", "limit", "market", "crossed", "isolated", "gtc", "ioc", "post_only", "YES", "hedge_mode",
    "one_way_mode", "normal_plan", "track_plan", "pos_loss", "profit_loss", "1m", "1M", "max", "scale2", "USDT", "usdt_futures", "spot", "BTCUSDT", "ETHUSDT",
    "USDT-FUTURES", "59000", "60000.5", "0.01", "0.001", "yes", "on", 0, 1, -1, 0.01, 1e300, 2**63, 2**70, -(2**63), 59000.5, True, False, None, [], {}, [[]],
    [{}], [{"orderId": "1"}], [{"size": "0.01", "side": "buy", "orderType": "market", "clientOid": {}}], {"a": {"b": []}}, "x" * 1000]
GOOD = {**BTC, "marginMode": "crossed", "size": "0.01", "side": "buy", "orderType": "limit", "price": "59000", "planType": "normal_plan",
        "triggerPrice": "59500", "triggerType": "fill_price", "holdSide": "buy", "granularity": "1m", "posSide": "long", "openAmount": "1"}


def torn(rng: random.Random, body: bytes) -> bytes:
    """A body as no client means it: cut, with bytes changed, doubled or put in."""
    at = rng.randrange(len(body) + 1)
    noise = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 6)))
    return rng.choice((body[:at], body[:at] + noise + body[at:], body[:at] + noise + body[at + len(noise):], body + body, body[at:], body[::-1]))


def drawn(rng: random.Random, values: list[Any]) -> dict[str, Any]:
    given: dict[str, Any] = dict(GOOD) if rng.random() < 0.8 else {}
    for name in rng.sample(NAMES, rng.randrange(0, 6)):
        given[name] = rng.choice(values)
    for name in rng.sample(sorted(given), min(len(given), rng.randrange(0, 3))):
        del given[name]
    return given


def pictured(member: Member) -> object:
    """Everything the venue knows of a member."""
    return (list(member.orders.values()), list(member.plans.values()), list(member.fills), list(member.bills), member.pos_mode, member.balance_now,
            [member.leverage(m) for m in (0, 1)], [member.cross(m) for m in (0, 1)], member.positions())


@pytest.mark.parametrize("seed", range(10))
async def test_random_requests_break_nothing_touch_nobody_else_and_the_wallet_is_what_the_bills_say(rest: Caller, seed: int) -> None:
    rng = random.Random(seed)
    ann, bob = (rest.played.floor.members[name] for name in ("ann", "bob"))
    resting = bob.place(OrderRequest(0, 1, 10, price=300_000, client_oid="bobs-order"))
    plan = bob.place_plan(PlanRequest(0, 1, "normal_plan", 10, trigger=900_000, client_oid="bobs-plan"))
    rest.played.floor.commit()
    his, before = [resting.order_id, plan.order_id, "bobs-order", "bobs-plan", "bob", {"orderId": resting.order_id}], repr(pictured(bob))
    for _ in range(REQUESTS):
        given = drawn(rng, [*VALUES, *his * 2])
        if rng.random() < 0.8:
            path, body = rng.choice(WRITES), json.dumps(given).encode()
            reply = await rest.post(path, torn(rng, body) if rng.random() < 0.4 else body)
        else:
            path = rng.choice(READS)
            reply = await rest.get(path, {name: str(value).encode("utf-8", "replace").decode() for name, value in given.items()})
        sane(reply.status, reply.raw, (path, given))
        assert b"bobs-" not in reply.raw or b"bobs-" in json.dumps(given).encode(), "another member's order was shown"
        if rng.random() < 0.05:
            await rest.played.move(600_000 + rng.randrange(-3000, 3000))
    assert repr(pictured(bob)) == before
    assert int(ann.account.machine.state[0, at.WALLET]) == ann.balance_now == sum(bill.amount - bill.fee for bill in ann.bills)
