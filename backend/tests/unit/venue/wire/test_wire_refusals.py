"""Bad requests: each has its code, status 400, the sentence of the code, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from wire_caller import ACCOUNT, BTC, MARKET, NOW, ORDER, POSITION, Caller

PT = {"productType": "USDT-FUTURES"}
SOL = {**BTC, "symbol": "SOLUSDT"}
GOOD = {**BTC, "marginMode": "crossed", "size": "0.01", "side": "buy", "orderType": "limit", "price": "59000"}
PLAN = {**GOOD, "planType": "normal_plan", "triggerPrice": "59500", "triggerType": "fill_price", "orderType": "market", "price": ""}
STOP = {**BTC, "planType": "loss_plan", "triggerPrice": "55000", "size": "0.01", "holdSide": "buy"}


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


PLACE = ORDER + "place-order"
ENTRY, TPSL = ORDER + "place-plan-order", ORDER + "place-tpsl-order"
ABSENT = [(PLACE, without(GOOD, name), "40019") for name in ("symbol", "productType", "marginCoin", "marginMode", "side", "orderType", "size",
                                                             "price")] + [
    (ENTRY, without(PLAN, name), "40019") for name in ("planType", "symbol", "productType", "triggerPrice", "side", "size", "orderType")] + [
    (TPSL, without(STOP, name), "40019") for name in ("planType", "symbol", "productType", "marginCoin", "triggerPrice", "holdSide", "size")]
WRONG_WORDS = [(PLACE, {**GOOD, name: "sideways"}, "40020") for name in ("productType", "marginCoin", "marginMode", "side", "orderType", "force",
                                                                         "stpMode", "reduceOnly")] + [
    (ENTRY, {**PLAN, "planType": "loss_plan"}, "40020"), (ENTRY, {**PLAN, "triggerType": "guess"}, "40020"),
    (TPSL, {**STOP, "planType": "normal_plan"}, "40020"), (TPSL, {**STOP, "holdSide": "up"}, "40020"),
    (ACCOUNT + "set-position-mode", {**PT, "posMode": "both"}, "40020"), (ACCOUNT + "set-margin-mode", {**BTC, "marginMode": "none"}, "40020"),
    (PLACE, {**GOOD, "side": ["buy"]}, "40020"), (PLACE, {**GOOD, "size": {"a": 1}}, "40020"), (PLACE, {**GOOD, "size": True}, "40020")]
FIGURES = [
    (PLACE, {**GOOD, "size": "0"}, "40808"), (PLACE, {**GOOD, "size": "-0.01"}, "40808"), (PLACE, {**GOOD, "size": "0.0015"}, "40808"),
    (PLACE, {**GOOD, "size": "a lot"}, "40020"), (PLACE, {**GOOD, "size": "NaN"}, "40020"), (PLACE, {**GOOD, "size": "Infinity"}, "40020"),
    (PLACE, {**GOOD, "size": "1_0"}, "40020"), (PLACE, {**GOOD, "size": "\u0661"}, "40020"), (PLACE, {**GOOD, "size": "1e30"}, "45112"),
    (PLACE, {**GOOD, "size": 1e300}, "40020"), (PLACE, {**GOOD, "size": "1001"}, "45112"), (PLACE, {**GOOD, "size": "9" * 400}, "40020"),
    (PLACE, {**GOOD, "size": "0.001", "price": "4000"}, "45110"), (PLACE, {**GOOD, "price": "59000.05"}, "45115"),
    (PLACE, {**GOOD, "price": "0"}, "40706"), (PLACE, {**GOOD, "price": "-1"}, "40020"), (PLACE, {**GOOD, "price": "1e15"}, "40020"),
    (PLACE, {**GOOD, "price": "70000"}, "40815"), (PLACE, {**GOOD, "side": "sell", "price": "50000"}, "40816"),
    (PLACE, {**GOOD, "size": "5"}, "40762"), (PLACE, {**GOOD, "orderType": "market", "size": "5"}, "40762"),
    (PLACE, {**GOOD, "clientOid": "x" * 51}, "40304"), (PLACE, {**GOOD, "clientOid": "a b"}, "40402"), (PLACE, {**GOOD, "clientOid": "\u20bf"}, "40402"),
    (PLACE, {**GOOD, "symbol": "SOLUSDT"}, "40034"), (PLACE, {**GOOD, "reduceOnly": "YES"}, "22002"),
    (PLACE, {**GOOD, "presetStopLossPrice": "50000.01"}, "45115"),
    (ENTRY, {**PLAN, "triggerPrice": "0"}, "45052"), (ENTRY, {**PLAN, "triggerPrice": "59500.01"}, "45115"),
    (ENTRY, {**PLAN, "size": "0"}, "40808"), (ENTRY, {**PLAN, "planType": "track_plan", "callbackRatio": "11"}, "40020"),
    (ENTRY, {**PLAN, "planType": "track_plan", "callbackRatio": "0"}, "43032"), (ENTRY, {**PLAN, "planType": "track_plan"}, "40019"),
    (ENTRY, {**PLAN, "planType": "track_plan", "callbackRatio": "1", "orderType": "limit", "price": "59000"}, "45051"),
    (ENTRY, {**PLAN, "orderType": "limit", "price": "0"}, "45051"),
    (TPSL, STOP, "40837"), (ORDER + "place-pos-tpsl", {**BTC, "holdSide": "buy"}, "40913"),
    (ORDER + "close-positions", BTC, "22002"), (ORDER + "close-positions", PT, "22002"), (ORDER + "click-backhand", {**BTC, "side": "buy"}, "22002")]
LOOKUPS = [
    (ORDER + "cancel-order", BTC, "40924"), (ORDER + "cancel-order", {**BTC, "orderId": "77"}, "40768"),
    (ORDER + "cancel-order", {**BTC, "clientOid": "mine"}, "40768"), (ORDER + "cancel-order", {**BTC, "orderId": "seven"}, "40402"),
    (ORDER + "cancel-order", {**BTC, "orderId": "9" * 60}, "40402"), (ORDER + "modify-order", {**BTC, "newClientOid": "n"}, "40924"),
    (ORDER + "modify-order", {**BTC, "orderId": "77", "newClientOid": "n", "newSize": "1", "newPrice": "5"}, "40768"),
    (ORDER + "modify-plan-order", {**BTC, "orderId": "77"}, "43025"),
    (ORDER + "modify-tpsl-order", {**BTC, "orderId": "77", "triggerPrice": "5", "size": ""}, "43025"),
    (ORDER + "batch-place-order", {**BTC, "marginMode": "crossed"}, "40019"),
    (ORDER + "batch-place-order", {**BTC, "marginMode": "crossed", "orderList": "two"}, "40020"),
    (ORDER + "batch-place-order", {**BTC, "marginMode": "crossed", "orderList": [1]}, "40020"),
    (ORDER + "batch-place-order", {**BTC, "marginMode": "crossed", "orderList": [GOOD] * 51}, "40306"),
    (ORDER + "batch-cancel-orders", {**BTC, "orderIdList": [{"orderId": "1"}] * 51}, "40912"),
    (ORDER + "cancel-all-orders", {**PT, "requestTime": str(NOW), "receiveWindow": "60000"}, "40079"),
    (ORDER + "cancel-all-orders", {**PT, "requestTime": str(NOW - 6000), "receiveWindow": "5000"}, "40078")]
TERMS = [
    (ACCOUNT + "set-leverage", BTC, "40019"), (ACCOUNT + "set-leverage", {**BTC, "leverage": "0"}, "43050"),
    (ACCOUNT + "set-leverage", {**BTC, "leverage": "126"}, "45045"), (ACCOUNT + "set-leverage", {**BTC, "leverage": "ten"}, "40020"),
    (ACCOUNT + "set-leverage", {**BTC, "leverage": "1.5"}, "40020"), (ACCOUNT + "set-leverage", {**SOL, "leverage": "5"}, "40034"),
    (ACCOUNT + "set-margin", {**BTC, "holdSide": "long", "amount": "5"}, "40875"),
    (ACCOUNT + "set-margin", {**BTC, "holdSide": "long", "amount": "1e50"}, "40020"),
    (ACCOUNT + "set-margin", {**BTC, "holdSide": "long", "amount": "0.000000001"}, "40020"),
    (ACCOUNT + "set-auto-margin", {**BTC, "holdSide": "long", "autoMargin": "on"}, "22011"),
    ("/api/v2/spot/wallet/transfer", {"fromType": "usdt_futures", "toType": "spot", "amount": "10001", "coin": "USDT"}, "43012"),
    ("/api/v2/spot/wallet/transfer", {"fromType": "spot", "toType": "usdt_futures", "amount": "1e50", "coin": "USDT"}, "40020"),
    ("/api/v2/spot/wallet/transfer", {"fromType": "spot", "toType": "usdt_futures", "amount": "1e12", "coin": "USDT"}, "40020"),
    ("/api/v2/spot/wallet/transfer", {"fromType": "spot", "toType": "p2p", "amount": "1", "coin": "USDT"}, "40020"),
    ("/api/v2/spot/wallet/transfer", {"fromType": "spot", "toType": "usdt_futures", "amount": "-1", "coin": "USDT"}, "40020"),
    ("/api/v2/mix/order/place-orders", GOOD, "40404"), (PLACE + "/", GOOD, "40404")]
POSTS = [*ABSENT, *WRONG_WORDS, *FIGURES, *LOOKUPS, *TERMS]
CANDLES = {**BTC, "granularity": "1m"}
GETS: list[tuple[str, dict[str, object], str]] = [
    (MARKET + "contracts", {}, "40019"), (MARKET + "ticker", PT, "40019"), (MARKET + "ticker", {**PT, "symbol": "NOPE"}, "40034"),
    (MARKET + "tickers", {"productType": "SPOT"}, "40020"), (MARKET + "candles", BTC, "40019"),
    (MARKET + "candles", {**BTC, "granularity": "7m"}, "40020"), (MARKET + "candles", {**CANDLES, "limit": "-1"}, "40020"),
    (MARKET + "candles", {**CANDLES, "limit": "many"}, "40020"), (MARKET + "candles", {**CANDLES, "startTime": "yesterday"}, "40020"),
    (MARKET + "candles", {**CANDLES, "startTime": NOW, "endTime": NOW - 1}, "40707"),
    (MARKET + "candles", {**CANDLES, "startTime": NOW - 91 * 86_400_000, "endTime": NOW}, "40705"),
    (MARKET + "merge-depth", {**BTC, "precision": "scale9"}, "40020"), (MARKET + "merge-depth", {**BTC, "limit": "x"}, "40020"),
    (MARKET + "history-fund-rate", {**BTC, "pageNo": "-1"}, "40020"),
    (ACCOUNT + "account", without(BTC, "symbol"), "40019"), (ACCOUNT + "accounts", {}, "40019"),
    (ACCOUNT + "bill", {**PT, "onlyFunding": "maybe"}, "40020"), (ACCOUNT + "bill", {**PT, "idLessThan": "x"}, "40402"),
    (ACCOUNT + "open-count", {**BTC, "openAmount": "1"}, "40019"), (ACCOUNT + "open-count", {**BTC, "openAmount": "1", "openPrice": "0"}, "40020"),
    (ACCOUNT + "liq-price", {**BTC, "posSide": "long", "orderType": "market", "openAmount": "0"}, "40020"),
    (POSITION + "single-position", PT, "40019"), (POSITION + "history-position", {"symbol": "NOPE"}, "40034"),
    (ORDER + "detail", BTC, "40924"), (ORDER + "detail", {**BTC, "orderId": "77"}, "40109"), (ORDER + "orders-pending", {}, "40019"),
    (ORDER + "orders-pending", {**PT, "status": "filled"}, "40020"), (ORDER + "orders-plan-pending", PT, "40019"),
    (ORDER + "fill-history", {**PT, "startTime": NOW - 8 * 86_400_000, "endTime": NOW}, "40705"),
    (ORDER + "plan-sub-order", {**PT, "planType": "normal_plan"}, "40019"),
    (ORDER + "plan-sub-order", {**PT, "planType": "normal_plan", "planOrderId": "77"}, "43025"),
    ("/api/v3/account/settings", {}, "25245"), ("/api/v2/mix/market/nothing", {}, "40404"), ("/", {}, "40404"),
    (ORDER + "place-order", GOOD, "40404"), ("/api/v2/spot/../mix/market/tickers", PT, "40404")]


def test_there_are_enough_of_them() -> None:
    assert len(POSTS) + len(GETS) >= 60


@pytest.mark.parametrize(("path", "body", "code"), POSTS)
async def test_a_bad_write_is_refused_with_its_code_and_changes_nothing(rest: Caller, path: str, body: dict[str, Any], code: str) -> None:
    before = await state(rest)
    reply = await rest.post(path, body)
    assert (reply.code, reply.status) == (code, 404 if code == "40404" else 400), reply.raw
    assert reply.whole["msg"] and "{" not in reply.whole["msg"] and reply.whole["data"] is None
    assert await state(rest) == before


@pytest.mark.parametrize(("path", "query", "code"), GETS)
async def test_a_bad_read_is_refused_with_its_code(rest: Caller, path: str, query: dict[str, Any], code: str) -> None:
    reply = await rest.get(path, query)
    assert (reply.code, reply.status) == (code, 404 if code == "40404" else 400), reply.raw
    assert reply.whole["msg"] and "{" not in reply.whole["msg"]


async def state(rest: Caller) -> tuple[Any, ...]:
    ann = rest.played.floor.members["ann"]
    return (list(ann.orders), list(ann.plans), len(ann.fills), len(ann.bills), ann.balance(), ann.pos_mode, ann.cross(0), ann.leverage(0))


async def test_what_cannot_be_done_twice_or_any_more(rest: Caller) -> None:
    first = (await rest.limit("59000", clientOid="mine-1")).data
    assert (await rest.limit("58000", clientOid="mine-1")).code == "45034"
    batch = {**BTC, "marginMode": "crossed", "orderList": [{**GOOD, "clientOid": "mine-1"}, {**GOOD, "clientOid": "mine-2"}]}
    made = (await rest.post(ORDER + "batch-place-order", batch)).data
    assert [one["clientOid"] for one in made["successList"]] == ["mine-2"]
    assert [(one["clientOid"], one["errorCode"], one["errorMsg"]) for one in made["failureList"]] == [
        ("mine-1", "43118", "clientOrderId duplicate")]
    same = {**BTC, "orderId": first["orderId"], "newClientOid": "mine-3", "newSize": "0.01", "newPrice": "59000"}
    assert (await rest.post(ORDER + "modify-order", same)).code == "40923"
    assert (await rest.post(ORDER + "modify-order", without({**same, "newPrice": "58000"}, "newClientOid"))).code in ("22003", "40019")
    assert (await rest.post(ORDER + "cancel-order", {**BTC, "orderId": first["orderId"]})).data == first
    assert (await rest.post(ORDER + "cancel-order", {**BTC, "orderId": first["orderId"]})).code == "22001"
    assert (await rest.post(ORDER + "modify-order", {**same, "newPrice": "58000"})).code == "40922"


async def test_terms_do_not_change_under_orders_and_positions(rest: Caller) -> None:
    await rest.limit("59000")
    assert (await rest.post(ACCOUNT + "set-margin-mode", {**BTC, "marginMode": "isolated"})).code == "45117"
    assert (await rest.post(ACCOUNT + "set-position-mode", {**PT, "posMode": "hedge_mode"})).code == "40920"
    assert (await rest.post(ACCOUNT + "set-leverage", {**BTC, "leverage": "5"})).code == "45097"
    assert (await rest.limit("58000", marginMode="isolated")).code == "45117"


async def test_in_hedge_mode_a_side_says_whether_it_opens_or_closes(rest: Caller) -> None:
    assert (await rest.post(ACCOUNT + "set-position-mode", {**PT, "posMode": "hedge_mode"})).data
    assert (await rest.place()).code == "40774"
    assert (await rest.place(tradeSide="open", side="up")).code == "40020"
    assert (await rest.place(tradeSide="close")).code == "22002"


@pytest.mark.parametrize(("status", "code"), [("maintain", "41114"), ("off", "40309"), ("restrictedAPI", "22004"), ("limit_open", "45119")])
async def test_a_symbol_that_is_not_traded_says_why(rest: Caller, status: str, code: str) -> None:
    rest.played.floor.contracts[0].status = status
    assert (await rest.place()).code == code
    (listed,) = (await rest.get(MARKET + "contracts", {**PT, "symbol": "BTCUSDT"})).data
    assert listed["symbolStatus"] == status
