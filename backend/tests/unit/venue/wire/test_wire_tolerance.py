"""What real clients send: every point of the compatibility list, and the recorded requests of one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wire_caller import ACCOUNT, BTC, MARKET, ORDER, POSITION, Caller

PT = {"productType": "USDT-FUTURES"}
PRODUCTS = ["USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"]
ITEM = ("symbol baseCoin quoteCoin buyLimitPriceRatio sellLimitPriceRatio feeRateUpRatio makerFeeRate takerFeeRate openCostUpRatio supportMarginCoins "
        "minTradeNum priceEndStep volumePlace pricePlace sizeMultiplier symbolType minTradeUSDT maxSymbolOrderNum maxProductOrderNum maxPositionNum "
        "symbolStatus offTime limitOpenTime fundInterval minLever maxLever posLimit maxMarketOrderQty maxOrderQty launchTime maintainTime deliveryTime "
        "deliveryStartTime")


async def test_the_unified_account_probe_is_refused_signed_or_not(rest: Caller) -> None:
    for caller in (rest, rest.as_key(None)):
        reply = await caller.get("/api/v3/account/settings")
        assert reply.status == 400 and reply.code != "00000"
    assert (await rest.get("/api/v3/account/settings")).code == "25245"


@pytest.mark.parametrize("product", [*PRODUCTS, "usdt-futures", "Coin-Futures"])
async def test_all_product_types_answer_contracts_without_a_key(rest: Caller, product: str) -> None:
    listed = (await rest.as_key(None).get(MARKET + "contracts", {"productType": product})).data
    assert [one["symbol"] for one in listed] == (["BTCUSDT", "ETHUSDT"] if product.upper() == "USDT-FUTURES" else [])


async def test_a_contract_carries_every_field_and_its_grid(rest: Caller) -> None:
    btc, eth = (await rest.get(MARKET + "contracts", PT)).data
    assert set(ITEM.split()) <= set(btc)
    assert [btc[name] for name in ("pricePlace", "priceEndStep", "volumePlace", "sizeMultiplier", "minTradeNum", "minTradeUSDT", "maxLever")] == [
        "1", "1", "3", "0.001", "0.001", "5", "125"]
    assert (eth["pricePlace"], eth["volumePlace"], eth["supportMarginCoins"], eth["fundInterval"]) == ("2", "2", ["USDT"], "8")
    assert all(isinstance(value, str) for name, value in btc.items() if name != "supportMarginCoins")


async def test_case_does_not_matter_and_numbers_may_be_numbers(rest: Caller) -> None:
    reply = await rest.post(ORDER + "place-order", {
        "symbol": "btcusdt", "productType": "usdt-futures", "marginCoin": "usdt", "marginMode": "Crossed", "side": "BUY", "orderType": "Limit",
        "force": "GTC", "tradeSide": "Open", "price": 59000.5, "size": 0.01, "reduceOnly": "no", "channelApiCode": "p4sve", "nothing": [1, {"x": None}]})
    order = await rest.detail(reply.data["orderId"])
    assert [order[name] for name in ("symbol", "price", "size", "side", "force", "state", "orderType")] == [
        "BTCUSDT", "59000.5", "0.01", "buy", "gtc", "live", "limit"]
    assert (await rest.post(ORDER + "cancel-order", {**BTC, "orderId": int(order["orderId"])})).data["orderId"] == order["orderId"]


@pytest.mark.parametrize("force", ["GTC", "gtc", "IOC", "ioc", "FOK", "fok", "post_only", "POST_ONLY"])
async def test_forces_in_either_case(rest: Caller, force: str) -> None:
    order = await rest.detail((await rest.limit("59000", force=force)).data["orderId"])
    assert order["force"] == force.lower()
    assert order["state"] == ("live" if force.lower() in ("gtc", "post_only") else "canceled")


@pytest.mark.parametrize("market", ["59999.9", 59999.9, 60000])
async def test_a_trigger_may_be_a_number(rest: Caller, market: object) -> None:
    plan = await rest.post(ORDER + "place-plan-order", {
        **BTC, "planType": "normal_plan", "marginMode": "crossed", "size": "0.01", "side": "buy", "orderType": "limit", "force": "GTC",
        "price": "60000", "executePrice": "60000", "triggerPrice": market, "triggerType": "mark_price"})
    (found,) = (await rest.get(ORDER + "orders-plan-pending", {**PT, "planType": "normal_plan"})).data["entrustedList"]
    assert (found["orderId"], float(found["triggerPrice"]), found["executePrice"]) == (plan.data["orderId"], float(str(market)), "60000")


async def test_cancelling_without_a_list_cancels_what_matches(rest: Caller) -> None:
    eth = {**BTC, "symbol": "ETHUSDT"}
    mine = [(await rest.limit(price)).data["orderId"] for price in ("59000", "58000")]
    other = (await rest.limit("2990", symbol="ETHUSDT", size="0.1")).data["orderId"]
    done = (await rest.post(ORDER + "batch-cancel-orders", {"symbol": "BTCUSDT", **PT})).data
    assert sorted(one["orderId"] for one in done["successList"]) == sorted(mine) and done["failureList"] == []
    assert (await rest.get(ORDER + "detail", {**eth, "orderId": other})).data["state"] == "live"
    plan = {**BTC, "planType": "normal_plan", "marginMode": "crossed", "size": "0.01", "side": "buy", "orderType": "market", "triggerPrice": "61000",
            "triggerType": "fill_price"}
    entry = (await rest.post(ORDER + "place-plan-order", plan)).data["orderId"]
    trailing = (await rest.post(ORDER + "place-plan-order", {**plan, "planType": "track_plan", "callbackRatio": "1"})).data["orderId"]
    done = (await rest.post(ORDER + "cancel-plan-order", {"symbol": "BTCUSDT", **PT})).data
    assert [one["orderId"] for one in done["successList"]] == [entry], "normal_plan is the default"
    done = (await rest.post(ORDER + "cancel-plan-order", {**PT, "planType": "track_plan", "orderIdList": []})).data
    assert [one["orderId"] for one in done["successList"]] == [trailing]


async def test_history_position_needs_no_product_type(rest: Caller) -> None:
    await rest.place()
    await rest.place(side="sell", reduceOnly="YES")
    (closed,) = (await rest.get(POSITION + "history-position", {"symbol": "BTCUSDT"})).data["list"]
    assert (closed["ctime"], closed["utime"]) == (closed["cTime"], closed["uTime"])
    assert closed["netProfit"] == "-0.72" and closed["openFee"] == closed["closeFee"] == "-0.36"
    assert (await rest.get(POSITION + "history-position")).data["list"] == [closed]


async def test_every_reply_has_the_time_of_the_request(rest: Caller) -> None:
    for reply in (await rest.get("/api/v2/public/time"), await rest.get("/nowhere"), await rest.place(size="x"),
                  await rest.get(ACCOUNT + "accounts", PT, ACCESS_SIGN="no")):
        assert reply.whole["requestTime"] == 1_700_000_000_000


@pytest.mark.parametrize(("limit", "levels"), [("1", 1), ("5", 5), ("15", 15), ("50", 50), ("100", 100), ("max", 500), (None, 100)])
async def test_depth_of_every_asked_size(rest: Caller, limit: str | None, levels: int) -> None:
    book = (await rest.get(MARKET + "merge-depth", {**BTC, **({"limit": limit} if limit else {})})).data
    assert len(book["asks"]) == len(book["bids"]) == levels
    asks, bids = [price for price, _ in book["asks"]], [price for price, _ in book["bids"]]
    assert asks == sorted(asks) and bids == sorted(bids, reverse=True) and bids[0] < asks[0]
    assert book["precision"] == "scale0" and book["scale"] == "0.1"


async def test_coarse_depth_holds_the_same_size_in_fewer_levels(rest: Caller) -> None:
    fine = (await rest.get(MARKET + "merge-depth", {**BTC, "limit": "50"})).data
    coarse = (await rest.get(MARKET + "merge-depth", {**BTC, "limit": "5", "precision": "scale1"})).data
    assert coarse["scale"] == "1" and len(coarse["asks"]) == 5
    assert sum(size for price, size in fine["asks"] if price <= coarse["asks"][0][0]) == pytest.approx(coarse["asks"][0][1])


async def test_ids_are_texts_that_fit_64_bits(rest: Caller) -> None:
    await rest.place()
    fill = (await rest.get(ORDER + "fills", PT)).data["fillList"][0]
    order = (await rest.get(ORDER + "orders-history", PT)).data["entrustedList"][0]
    bill = (await rest.get(ACCOUNT + "bill", PT)).data["bills"][0]
    for found in (fill["tradeId"], fill["orderId"], order["orderId"], order["clientOid"], bill["billId"]):
        assert isinstance(found, str) and 0 < int(found) < 2**63


async def test_a_list_has_status_and_a_detail_has_state(rest: Caller) -> None:
    order_id = (await rest.limit("59000")).data["orderId"]
    (listed,) = (await rest.get(ORDER + "orders-pending", {**PT, "symbol": "btcusdt"})).data["entrustedList"]
    assert listed["status"] == (await rest.detail(order_id))["state"] == "live"
    assert (listed["posSide"], listed["tradeSide"], listed["posMode"], listed["reduceOnly"]) == ("net", "buy_single", "one_way_mode", "NO")


@pytest.mark.parametrize("trade_side", [None, "open", "Open", "close", "whatever"])
async def test_one_way_mode_ignores_the_trade_side(rest: Caller, trade_side: str | None) -> None:
    order = await rest.detail((await rest.limit("59000", tradeSide=trade_side)).data["orderId"])
    assert (order["side"], order["tradeSide"]) == ("buy", "buy_single")


async def test_a_stop_on_the_whole_position_ignores_the_size_clients_send(rest: Caller) -> None:
    await rest.place()
    body = {**BTC, "planType": "pos_loss", "triggerPrice": "55000", "holdSide": "buy", "size": "0.01", "orderType": "market", "force": "GTC",
            "triggerType": "mark_price"}
    plan = (await rest.post(ORDER + "place-tpsl-order", body)).data
    (found,) = (await rest.get(ORDER + "orders-plan-pending", {**PT, "planType": "profit_loss"})).data["entrustedList"]
    assert (found["orderId"], found["size"], found["stopLossTriggerPrice"], found["side"]) == (plan["orderId"], "0", "55000", "sell")


async def test_market_orders_ignore_force_and_price(rest: Caller) -> None:
    order = await rest.detail((await rest.place(force="GTC", price="")).data["orderId"])
    assert (order["state"], order["priceAvg"], order["orderType"]) == ("filled", "60000", "market")


@pytest.mark.parametrize(("path", "query"), [
    ("/api/v2/public/time", {}), (MARKET + "tickers", PT), (MARKET + "vip-fee-rate", {}), ("/api/v2/spot/public/coins", {}),
    ("/api/v2/spot/public/symbols", {}), ("/api/v2/margin/currencies", {}), (MARKET + "current-fund-rate", PT)])
async def test_what_clients_load_first_needs_no_key(rest: Caller, path: str, query: dict[str, str]) -> None:
    assert (await rest.as_key(None).get(path, query)).data is not None


async def test_recorded_requests_are_understood(rest: Caller, bitget_fixtures: Path) -> None:
    """No address unknown, no signature wrong, nothing of ours broken; what is refused names an order or a symbol that is not here."""
    known = {"00000", "40034", "43025", "40768", "40109", "40837", "22002", "40815", "40816", "40774", "40830", "40834", "45117", "40920"}
    for case in json.loads((bitget_fixtures / "request-swap-v2.json").read_text())["cases"]:
        path = case["url"].removeprefix("https://api.bitget.com")
        body: Any = case.get("output")
        reply = await (rest.post(path, body) if case["httpMethod"] == "POST" else rest.send("GET", path, b"", {}))
        assert reply.code in known, (case["description"], path, body, reply.raw)


async def test_a_page_size_of_nothing_is_the_usual_one(rest: Caller) -> None:
    await rest.limit("59000")
    found = (await rest.get(ORDER + "orders-pending", {**PT, "startTime": "0", "limit": "0"})).data
    assert len(found["entrustedList"]) == 1


async def test_a_query_is_decoded_once(rest: Caller) -> None:
    """%2554 is a %, then 54: not a T."""
    assert (await rest.get(MARKET + "ticker", "productType=USDT-FUTURES&symbol=BTCUSD%54")).data[0]["symbol"] == "BTCUSDT"
    assert (await rest.get(MARKET + "ticker", "productType=USDT-FUTURES&symbol=BTCUSD%2554")).code == "40034"
    mine = (await rest.limit("59000", clientOid="a+b#c")).data["clientOid"]
    (listed,) = (await rest.get(ORDER + "orders-pending", "productType=USDT-FUTURES&clientOid=a%2Bb%23c")).data["entrustedList"]
    assert listed["clientOid"] == mine == "a+b#c"
