"""The REST face: every endpoint answers in Bitget's shape, every wrong request with its own code."""

from __future__ import annotations

from typing import Any

import pytest
from signed_wire import KEY, ORDER, PT, wired

from haechi.venue.records import ApiKey
from haechi.venue.wire.routing import ROUTES
from haechi.venue.wire.signing import sign

BTC = {"symbol": "BTCUSDT", **PT}
MARKET, ACCOUNT, POSITION, ORDERS = "/api/v2/mix/market/", "/api/v2/mix/account/", "/api/v2/mix/position/", "/api/v2/mix/order/"
COIN = {"marginCoin": "USDT"}


def test_the_worked_signatures_of_the_documentation() -> None:
    secret, stamp = "22582BD0CFF14C41EDBF1AB98506286D", "1695806875837"
    query = "/api/v2/mix/account/account?marginCoin=USDT&productType=USDT-FUTURES&symbol=BTCUSDT"
    body = (b'{"symbol":"BTCUSDT","productType":"USDT-FUTURES","marginMode":"isolated","marginCoin":"USDT","size":"0.01","price":"27000",'
            b'"side":"buy","orderType":"limit","force":"gtc","clientOid":"haechi-1"}')
    assert sign(secret, stamp, "GET", query) == "9jXBq10Wq6Yl9uNEyRC1jpaKs0bXYnHU2IWoVAQAm9c="
    assert sign(secret, stamp, "POST", "/api/v2/mix/order/place-order", body) == "n14I6P329EZRyGKO2pYULnKID8zWD5wPNuN63oFxk60="
    assert sign(secret, stamp[:10], "GET", "/user/verify") == "/N0Q/MGH9iPZzUD7RloQ5+85Q036jhc/ccu2NZsA5T0="


async def test_a_day_of_orders_over_the_wire() -> None:
    async with wired() as wire:
        made = await wire.done(ORDERS + "place-order", **ORDER, clientOid="one")
        assert (await wire.data(ORDERS + "detail", **BTC, orderId=made["orderId"]))["state"] == "filled"
        limit = await wire.done(ORDERS + "place-order", **{**ORDER, "orderType": "LIMIT", "price": 59000, "force": "GTC", "size": 0.02})
        pending = await wire.data(ORDERS + "orders-pending", **PT)
        assert [one["orderId"] for one in pending["entrustedList"]] == [limit["orderId"]] and pending["endId"] == limit["orderId"]
        new = await wire.done(ORDERS + "modify-order", **BTC, orderId=limit["orderId"], newClientOid="two", newSize="0.03", newPrice="58000")
        await wire.done(ORDERS + "cancel-order", **BTC, orderId=new["orderId"])
        history = (await wire.data(ORDERS + "orders-history", **PT))["entrustedList"]
        assert [one["status"] for one in history] == ["canceled", "canceled", "filled"]
        fills = (await wire.data(ORDERS + "fills", **PT))["fillList"]
        assert fills[0]["feeDetail"][0]["totalFee"] == "-0.36" and fills[0]["tradeSide"] == "buy_single"
        position = (await wire.data(POSITION + "single-position", **BTC, **COIN))[0]
        assert (position["holdSide"], position["total"], position["openPriceAvg"]) == ("long", "0.01", "60000")
        closed = await wire.done(ORDERS + "close-positions", **PT)
        assert len(closed["successList"]) == 1 and await wire.data(POSITION + "all-position", **PT) == []
        assert (await wire.data(POSITION + "history-position", symbol="BTCUSDT"))["list"][0]["netProfit"] == "-0.72"
        account = (await wire.data(ACCOUNT + "accounts", **PT))[0]
        assert account["accountEquity"] == "9999.28" == (await wire.data(ACCOUNT + "bill", **PT))["bills"][0]["balance"]


async def test_batches_and_cancel_without_a_list() -> None:
    async with wired() as wire:
        rows = [{"size": "0.01", "price": str(price), "side": "buy", "orderType": "limit"} for price in (59000, 58000, 57999.95, 57000)]
        made = await wire.done(ORDERS + "batch-place-order", **BTC, **COIN, marginMode="crossed", orderList=rows)
        assert len(made["successList"]) == 3 and made["failureList"][0]["errorCode"] == "45115"
        some = await wire.done(ORDERS + "batch-cancel-orders", **BTC, orderIdList=[made["successList"][0], {"orderId": "7"}])
        assert len(some["successList"]) == 1 and some["failureList"][0]["errorCode"] == "40768"
        rest = await wire.done(ORDERS + "batch-cancel-orders", **BTC)
        assert len(rest["successList"]) == 2 and not wire.ann.open_orders()


async def test_plans_of_every_kind_and_their_lists() -> None:
    async with wired() as wire:
        await wire.done(ORDERS + "place-order", **ORDER, presetStopLossPrice="50000")
        await wire.done(ORDERS + "place-plan-order", **ORDER, planType="normal_plan", triggerPrice=61000, triggerType="fill_price")
        await wire.done(ORDERS + "place-plan-order", **ORDER, planType="track_plan", triggerPrice="61000", callbackRatio="1.5")
        both = await wire.done(ORDERS + "place-pos-tpsl", **BTC, **COIN, holdSide="buy", stopSurplusTriggerPrice="65000",
                               stopLossTriggerPrice="55000")
        assert len(both) == 2
        pending = (await wire.data(ORDERS + "orders-plan-pending", **PT, planType="profit_loss"))["entrustedList"]
        assert sorted(one["planType"] for one in pending) == ["loss_plan", "pos_loss", "pos_profit"]
        stop = next(one for one in pending if one["planType"] == "pos_loss")
        await wire.done(ORDERS + "modify-tpsl-order", **BTC, **COIN, orderId=stop["orderId"], triggerPrice="56000", size="")
        position = (await wire.data(POSITION + "all-position", **PT))[0]
        assert (position["stopLoss"], position["takeProfit"], position["stopLossId"]) == ("56000", "65000", stop["orderId"])
        await wire.done(ORDERS + "cancel-plan-order", **BTC, planType="track_plan")
        await wire.played.move(611_000, 550_000)
        gone = (await wire.data(ORDERS + "orders-plan-history", **PT, planType="normal_plan"))["entrustedList"][0]
        assert gone["planStatus"] == "executed" and await wire.data(POSITION + "all-position", **PT) == []
        sub = await wire.data(ORDERS + "plan-sub-order", **PT, planType="normal_plan", planOrderId=gone["orderId"])
        assert sub[0]["orderId"] == gone["executeOrderId"]


async def test_hedge_mode_names_positions() -> None:
    async with wired() as wire:
        await wire.done(ACCOUNT + "set-position-mode", **PT, posMode="hedge_mode")
        await wire.done(ORDERS + "place-order", **{**ORDER, "side": "sell", "tradeSide": "Open"})
        await wire.done(ORDERS + "place-order", **{**ORDER, "tradeSide": "open"})
        shown = await wire.data(POSITION + "all-position", **PT)
        assert sorted(one["holdSide"] for one in shown) == ["long", "short"]
        await wire.done(ORDERS + "place-order", **{**ORDER, "side": "sell", "tradeSide": "Close"})
        fill = (await wire.data(ORDERS + "fills", **PT))["fillList"][0]
        assert (fill["side"], fill["tradeSide"]) == ("sell", "close") and wire.ann.fills[-1].side == 1


async def test_terms_over_the_wire() -> None:
    async with wired() as wire:
        assert (await wire.done(ACCOUNT + "set-leverage", **BTC, **COIN, leverage=25))["crossMarginLeverage"] == "25"
        await wire.done(ACCOUNT + "set-margin-mode", **BTC, **COIN, marginMode="ISOLATED")
        account = await wire.data(ACCOUNT + "account", **BTC, **COIN)
        assert (account["marginMode"], account["isolatedLongLever"], account["posMode"]) == ("isolated", "25", "one_way_mode")
        await wire.done(ORDERS + "place-order", **{**ORDER, "marginMode": "isolated"})
        await wire.done(ACCOUNT + "set-margin", **BTC, **COIN, holdSide="long", amount="10")
        assert (await wire.data(POSITION + "all-position", **PT))[0]["marginSize"] == "34"
        await wire.done("/api/v2/spot/wallet/transfer", fromType="spot", toType="usdt_futures", amount="5", coin="USDT")
        assert (await wire.data(ACCOUNT + "max-open", **BTC, **COIN, posSide="long", orderType="market"))["maxOpen"]
        assert (await wire.data(ACCOUNT + "liq-price", **BTC, **COIN, posSide="long", orderType="market", openAmount="0.01"))["liqPrice"]
        assert (await wire.data(ACCOUNT + "open-count", **BTC, **COIN, openAmount="100", openPrice="60000"))["size"] == "0.041"


PUBLIC = [("contracts", PT), ("tickers", PT), ("ticker", BTC), ("merge-depth", BTC), ("candles", {**BTC, "granularity": "1m"}),
          ("history-candles", {**BTC, "granularity": "5m"}), ("history-mark-candles", {**BTC, "granularity": "1H"}), ("fills", BTC),
          ("history-index-candles", {**BTC, "granularity": "1Dutc"}), ("fills-history", BTC), ("symbol-price", BTC),
          ("current-fund-rate", BTC), ("history-fund-rate", BTC), ("funding-time", BTC), ("open-interest", BTC), ("query-position-lever", BTC),
          ("vip-fee-rate", {}), ("oi-limit", PT)]


@pytest.mark.parametrize(("path", "query"), PUBLIC, ids=[path for path, _ in PUBLIC])
async def test_public_endpoints_need_no_key(path: str, query: dict[str, str]) -> None:
    async with wired() as wire:
        await wire.played.move(601_000, volume=1.5)
        status, said = await wire.send("GET", MARKET + path + "?" + "&".join(f"{k}={v}" for k, v in query.items()), b"", {})
        assert (status, said["code"]) == (200, "00000") and said["requestTime"] == wire.floor.wall_ms()
        if path not in ("history-fund-rate", "history-candles", "history-mark-candles", "history-index-candles"):
            assert said["data"]


@pytest.mark.parametrize("product", ["COIN-FUTURES", "usdc-futures", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"])
async def test_the_other_products_list_no_contracts(product: str) -> None:
    async with wired() as wire:
        assert await wire.data(MARKET + "contracts", productType=product) == []


async def test_the_probes_of_clients() -> None:
    async with wired() as wire:
        for path in ("/api/v2/public/time", "/api/v2/spot/public/coins", "/api/v2/spot/public/symbols", "/api/v2/margin/currencies",
                     "/api/v2/spot/account/assets", "/api/v2/spot/account/info"):
            await wire.data(path)
        assert (await wire.get("/api/v3/account/settings"))[1]["code"] == "25245"
        assert (await wire.data("/api/v2/common/trade-rate", symbol="BTCUSDT", businessType="mix"))["takerFeeRate"] == "0.0006"


WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    ("GET", "/api/v2/mix/market/nothing", {}, "40404"), ("POST", MARKET + "ticker", {}, "40404"), ("GET", MARKET + "ticker", PT, "40019"),
    ("GET", MARKET + "ticker", {"symbol": "BTCUSDT"}, "40019"), ("GET", MARKET + "ticker", {**BTC, "productType": "X"}, "40020"),
    ("GET", MARKET + "ticker", {**PT, "symbol": "NOPE"}, "40034"), ("GET", MARKET + "candles", {**BTC, "granularity": "7m"}, "40020"),
    ("GET", MARKET + "candles", {**BTC, "granularity": "1m", "limit": "x"}, "40020"),
    ("GET", MARKET + "candles", {**BTC, "granularity": "1m", "startTime": "5", "endTime": "4"}, "40707"),
    ("GET", MARKET + "candles", {**BTC, "granularity": "1m", "startTime": "5", "endTime": "9999999999999"}, "40705"),
    ("GET", MARKET + "merge-depth", {**BTC, "limit": "0"}, "40020"), ("GET", ACCOUNT + "account", BTC, "40019"),
    ("GET", ACCOUNT + "account", {**BTC, "marginCoin": "BTC"}, "40020"), ("GET", ORDERS + "detail", BTC, "40924"),
    ("GET", ORDERS + "detail", {**BTC, "orderId": "12"}, "40109"), ("GET", ORDERS + "detail", {**BTC, "orderId": "abc"}, "40402"),
    ("GET", ORDERS + "orders-pending", {**PT, "idLessThan": "-1"}, "40402"), ("GET", ORDERS + "orders-plan-pending", PT, "40019"),
    ("GET", ORDERS + "orders-plan-pending", {**PT, "planType": "x"}, "40020"),
    ("POST", ORDERS + "place-order", {**ORDER, "size": ""}, "40019"), ("POST", ORDERS + "place-order", {**ORDER, "size": "-0.01"}, "40808"),
    ("POST", ORDERS + "place-order", {**ORDER, "size": "0"}, "40808"), ("POST", ORDERS + "place-order", {**ORDER, "size": "0.0001"}, "40808"),
    ("POST", ORDERS + "place-order", {**ORDER, "size": "NaN"}, "40020"), ("POST", ORDERS + "place-order", {**ORDER, "size": True}, "40020"),
    ("POST", ORDERS + "place-order", {**ORDER, "size": [1]}, "40020"), ("POST", ORDERS + "place-order", {**ORDER, "size": "1e30"}, "45112"),
    ("POST", ORDERS + "place-order", {**ORDER, "size": "100"}, "40762"), ("POST", ORDERS + "place-order", {**ORDER, "side": "up"}, "40020"),
    ("POST", ORDERS + "place-order", {**ORDER, "orderType": "stop"}, "40020"), ("POST", ORDERS + "place-order", {**ORDER, "marginMode": "x"}, "40020"),
    ("POST", ORDERS + "place-order", {**ORDER, "orderType": "limit"}, "40019"),
    ("POST", ORDERS + "place-order", {**ORDER, "orderType": "limit", "price": "59000.05"}, "45115"),
    ("POST", ORDERS + "place-order", {**ORDER, "orderType": "limit", "price": "90000"}, "40815"),
    ("POST", ORDERS + "place-order", {**ORDER, "orderType": "limit", "price": "59000", "force": "day"}, "40020"),
    ("POST", ORDERS + "place-order", {**ORDER, "symbol": "ETHUSDT", "size": "0.01", "orderType": "limit", "price": "2900", "marginMode": "crossed", "reduceOnly": "YES"}, "22002"),
    ("POST", ORDERS + "place-order", {**ORDER, "clientOid": "x" * 60}, "40304"), ("POST", ORDERS + "place-order", {**ORDER, "clientOid": "a b"}, "40402"),
    ("POST", ORDERS + "cancel-order", BTC, "40924"), ("POST", ORDERS + "cancel-order", {**BTC, "orderId": "5"}, "40768"),
    ("POST", ORDERS + "modify-order", {**BTC, "orderId": "5"}, "40768"), ("POST", ORDERS + "batch-place-order", {**BTC, **COIN, "marginMode": "crossed"}, "40019"),
    ("POST", ORDERS + "batch-place-order", {**BTC, **COIN, "marginMode": "crossed", "orderList": "x"}, "40020"),
    ("POST", ORDERS + "batch-place-order", {**BTC, **COIN, "marginMode": "crossed", "orderList": [{}] * 51}, "40306"),
    ("POST", ORDERS + "batch-cancel-orders", {**BTC, "orderIdList": [{}] * 51}, "40912"),
    ("POST", ORDERS + "cancel-all-orders", {**PT, "requestTime": "5", "receiveWindow": "60000"}, "40079"),
    ("POST", ORDERS + "cancel-all-orders", {**PT, "requestTime": "5", "receiveWindow": "500"}, "40078"),
    ("POST", ORDERS + "close-positions", PT, "22002"), ("POST", ORDERS + "click-backhand", {**BTC, **COIN, "side": "buy"}, "22002"),
    ("POST", ORDERS + "place-plan-order", {**ORDER, "planType": "x"}, "40020"),
    ("POST", ORDERS + "place-plan-order", {**ORDER, "planType": "track_plan", "triggerPrice": "1", "callbackRatio": "11"}, "40020"),
    ("POST", ORDERS + "place-tpsl-order", {**BTC, **COIN, "planType": "pos_loss", "triggerPrice": "50000", "holdSide": "buy"}, "40837"),
    ("POST", ORDERS + "cancel-plan-order", {**BTC, "orderIdList": "x"}, "40020"), ("POST", ORDERS + "modify-plan-order", {**BTC, "orderId": "3"}, "43025"),
    ("POST", ACCOUNT + "set-leverage", {**BTC, **COIN}, "40019"), ("POST", ACCOUNT + "set-leverage", {**BTC, **COIN, "leverage": "126"}, "45045"),
    ("POST", ACCOUNT + "set-leverage", {**BTC, **COIN, "leverage": "0"}, "43050"), ("POST", ACCOUNT + "set-leverage", {**BTC, **COIN, "leverage": "1.5"}, "40020"),
    ("POST", ACCOUNT + "set-position-mode", {**PT, "posMode": "x"}, "40020"), ("POST", ACCOUNT + "set-margin", {**BTC, **COIN, "holdSide": "long", "amount": "5"}, "40875"),
    ("POST", ACCOUNT + "set-auto-margin", {**BTC, **COIN, "holdSide": "long", "autoMargin": "on"}, "22011"),
    ("POST", "/api/v2/spot/wallet/transfer", {"fromType": "usdt_futures", "toType": "spot", "amount": "99999", "coin": "USDT"}, "43012"),
    ("POST", "/api/v2/spot/wallet/transfer", {"fromType": "spot", "toType": "usdt_futures", "amount": "-1", "coin": "USDT"}, "40020")]


@pytest.mark.parametrize(("method", "path", "given", "code"), WRONG, ids=[f"{i} {path.rsplit('/', 1)[-1]} {code}" for i, (_, path, _, code) in enumerate(WRONG)])
async def test_wrong_requests_have_their_own_code_and_change_nothing(method: str, path: str, given: dict[str, Any], code: str) -> None:
    async with wired() as wire:
        before = wire.ann.balance()
        status, said = await (wire.get if method == "GET" else wire.post)(path, **given)
        assert said["code"] == code and status in (400, 404) and said["msg"] and said["data"] is None
        assert wire.ann.balance() == before and not wire.ann.orders and not wire.ann.plans


@pytest.mark.parametrize(("change", "code"), [
    ({"ACCESS-KEY": ""}, "40001"), ({"ACCESS-SIGN": ""}, "40002"), ({"ACCESS-TIMESTAMP": ""}, "40005"), ({"ACCESS-PASSPHRASE": ""}, "40011"),
    ({"ACCESS-KEY": "nobody"}, "40037"), ({"ACCESS-SIGN": "AAAA"}, "40009"), ({"ACCESS-PASSPHRASE": "wrong"}, "40012"),
    ({"ACCESS-TIMESTAMP": "abc"}, "40005"), ({"ACCESS-TIMESTAMP": "1600000000000"}, "40008")])
async def test_who_asks_is_checked(change: dict[str, str], code: str) -> None:
    async with wired() as wire:
        path = ACCOUNT + "accounts?productType=USDT-FUTURES"
        _, said = await wire.send("GET", path, b"", {**wire.headers("GET", path, b""), **change})
        assert said["code"] == code


@pytest.mark.parametrize(("key", "code"), [
    (ApiKey("k", "s", "p", "ann", ("read",)), "40014"), (ApiKey("k", "s", "p", "ann", ips=("10.0.0.1",)), "40018"),
    (ApiKey("k", "s", "p", "ann", revoked=True), "40037"), (ApiKey("k", "s", "p", "nobody"), "40013")])
async def test_what_a_key_may_do(key: ApiKey, code: str) -> None:
    async with wired(key) as wire:
        assert (await wire.post(ORDERS + "place-order", **ORDER))[1]["code"] == code


async def test_the_query_is_signed_as_it_was_sent_or_as_it_is_decoded() -> None:
    async with wired() as wire:
        sent, decoded = "/api/v2/mix/order/detail?clientOid=a%23b&symbol=BTCUSDT&productType=usdt-futures", "/api/v2/mix/order/detail?clientOid=a#b&symbol=BTCUSDT&productType=usdt-futures"
        await wire.done(ORDERS + "place-order", **ORDER, clientOid="a#b")
        for signed in (sent, decoded):
            _, said = await wire.send("GET", sent, b"", wire.headers("GET", signed, b""))
            assert said["data"]["clientOid"] == "a#b"


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b'"x"', b"\xff\xfe", b"null"])
async def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    async with wired() as wire:
        path = ORDERS + "place-order"
        status, said = await wire.send("POST", path, body, wire.headers("POST", path, body))
        assert (status, said["code"]) == (400, "40409")


async def test_too_many_calls_in_a_second_are_refused_with_429() -> None:
    async with wired(KEY) as wire:
        from aiohttp.test_utils import TestServer

        from haechi.venue.wire.server import make_app

        async with TestServer(make_app(wire.floor)) as server:
            wire.server = server
            codes = [(await wire.get(POSITION + "all-position", **PT))[0] for _ in range(7)]
        assert codes == [200] * 5 + [429] * 2


async def test_pages_go_back_in_time() -> None:
    async with wired() as wire:
        for price in range(59_000, 59_007):
            await wire.done(ORDERS + "place-order", **{**ORDER, "orderType": "limit", "price": str(price)})
        seen, cursor = [], {}
        for _ in range(4):
            page = await wire.data(ORDERS + "orders-pending", **PT, limit=3, **cursor)
            seen += [one["price"] for one in page["entrustedList"]]
            cursor = {"idLessThan": page["endId"]} if page["endId"] else cursor
        assert seen == [str(price) for price in range(59_006, 58_999, -1)]


def test_every_endpoint_is_listed() -> None:
    assert len(ROUTES) == 65  # A1–A18, B1–B12, C1–C4, D1–D13, E1–E9, F1–F6, and oi-limit, margin/currencies, v3 settings
