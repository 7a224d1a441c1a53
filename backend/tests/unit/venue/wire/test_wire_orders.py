"""What orders do, as the wire tells it: ids, forces, modes, presets, plans, positions and money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from wire_caller import ACCOUNT, BTC, ORDER, POSITION, Caller

PT = {"productType": "USDT-FUTURES"}


async def held(rest: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await rest.get(POSITION + "all-position", PT)).data
    return found


async def pending(rest: Caller, plan_type: str = "") -> list[dict[str, Any]]:
    path = ORDER + ("orders-plan-pending" if plan_type else "orders-pending")
    found: list[dict[str, Any]] = (await rest.get(path, {**PT, **({"planType": plan_type} if plan_type else {})})).data["entrustedList"]
    return found


async def test_a_market_order_is_told_alike_by_detail_fills_position_bill_and_account(rest: Caller) -> None:
    made = (await rest.place(clientOid="first-1")).data
    order = await rest.detail(made["orderId"])
    (fill,) = (await rest.get(ORDER + "fills", {**PT, "orderId": made["orderId"]})).data["fillList"]
    (position,) = await held(rest)
    bill = (await rest.get(ACCOUNT + "bill", PT)).data["bills"][0]
    account = (await rest.get(ACCOUNT + "account", BTC)).data
    assert made["clientOid"] == order["clientOid"] == "first-1"
    assert (order["state"], order["baseVolume"], order["priceAvg"], order["fee"], order["quoteVolume"]) == ("filled", "0.01", "60000", "-0.36", "600")
    assert (fill["price"], fill["baseVolume"], fill["tradeScope"], fill["tradeSide"]) == ("60000", "0.01", "taker", "buy_single")
    assert fill["feeDetail"] == [{"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "0", "totalFee": "-0.36"}]
    assert (position["holdSide"], position["total"], position["openPriceAvg"], position["leverage"], position["marginSize"]) == (
        "long", "0.01", "60000", "10", "60")
    assert (bill["businessType"], bill["amount"], bill["fee"], bill["balance"]) == ("buy", "0", "-0.36", "9999.64")
    assert (account["accountEquity"], account["posMode"], account["marginMode"]) == ("9999.64", "one_way_mode", "crossed")


async def test_equity_follows_the_mark_and_locked_is_what_waits(rest: Caller) -> None:
    await rest.place()
    await rest.limit("59000")
    await rest.played.move(610_000)
    (account,) = (await rest.get(ACCOUNT + "accounts", PT)).data
    assert (account["accountEquity"], account["unrealizedPL"], account["locked"]) == ("10009.64", "10", "59.354")
    assert Decimal(account["available"]) < Decimal(account["accountEquity"])


async def test_an_order_is_found_and_cancelled_by_its_client_id(rest: Caller) -> None:
    made = (await rest.limit("59000", clientOid="BITGET#1_a-b+c")).data
    assert (await rest.get(ORDER + "detail", {**BTC, "clientOid": made["clientOid"]})).data["orderId"] == made["orderId"]
    assert (await rest.post(ORDER + "cancel-order", {**BTC, "clientOid": made["clientOid"]})).data == made
    order = await rest.detail(made["orderId"])
    assert (order["state"], order["cancelReason"]) == ("canceled", "normal_cancel")
    assert await pending(rest) == []


async def test_a_changed_order_is_a_new_one_with_the_new_client_id(rest: Caller) -> None:
    old = (await rest.limit("59000", clientOid="old")).data
    await rest.post(ORDER + "modify-order", {**BTC, "orderId": old["orderId"], "newClientOid": "new", "newSize": "0.02", "newPrice": "58500"})
    (now,) = await pending(rest)
    assert (now["clientOid"], now["size"], now["price"]) == ("new", "0.02", "58500") and now["orderId"] != old["orderId"]
    assert (await rest.detail(old["orderId"]))["state"] == "canceled"


async def test_changed_presets_keep_the_order_and_zero_deletes_them(rest: Caller) -> None:
    order_id = (await rest.limit("59000", presetStopSurplusPrice="65000", presetStopLossPrice="55000")).data["orderId"]
    body = {**BTC, "orderId": order_id, "newClientOid": "", "newPresetStopSurplusPrice": "66000", "newPresetStopLossPrice": "0"}
    assert (await rest.post(ORDER + "modify-order", body)).data["orderId"] == order_id
    (order,) = await pending(rest)
    assert (order["orderId"], order["presetStopSurplusPrice"], order["presetStopLossPrice"]) == (order_id, "66000", "")


async def test_presets_become_plans_on_the_position_and_one_ends_the_other(rest: Caller) -> None:
    await rest.place(presetStopSurplusPrice="61000", presetStopLossPrice="59000", presetStopLossExecutePrice="58900")
    plans = await pending(rest, "profit_loss")
    assert sorted((one["planType"], one["triggerPrice"], one["executePrice"], one["side"]) for one in plans) == [
        ("loss_plan", "59000", "58900", "sell"), ("profit_plan", "61000", "0", "sell")]
    await rest.played.move(611_000)
    assert await held(rest) == [] and await pending(rest, "profit_loss") == []
    (closed,) = (await rest.get(POSITION + "history-position", PT)).data["list"]
    assert (closed["pnl"], closed["holdSide"], closed["openTotalPos"], closed["closeTotalPos"]) == ("10", "long", "0.01", "0.01")
    over = (await rest.get(ORDER + "orders-plan-history", {**PT, "planType": "profit_loss"})).data["entrustedList"]
    assert {one["planType"]: one["planStatus"] for one in over} == {"loss_plan": "cancelled", "profit_plan": "executed"}


async def test_a_triggered_plan_names_the_order_it_became(rest: Caller) -> None:
    plan = (await rest.post(ORDER + "place-plan-order", {
        **BTC, "planType": "normal_plan", "marginMode": "crossed", "size": "0.01", "side": "sell", "orderType": "market", "triggerPrice": "59500",
        "triggerType": "fill_price", "clientOid": "entry"})).data
    await rest.played.move(594_000)
    (over,) = (await rest.get(ORDER + "orders-plan-history", {**PT, "planType": "normal_plan", "planStatus": "executed"})).data["entrustedList"]
    assert (over["orderId"], over["clientOid"], over["planStatus"]) == (plan["orderId"], "entry", "executed")
    order = await rest.detail(over["executeOrderId"])
    assert (order["state"], order["side"], order["orderSource"], order["priceAvg"]) == ("filled", "sell", "plan_market", "59500")
    (part,) = (await rest.get(ORDER + "plan-sub-order", {**PT, "planType": "normal_plan", "planOrderId": plan["orderId"]})).data
    assert (part["orderId"], part["status"]) == (over["executeOrderId"], "success")


async def test_a_trailing_order_keeps_its_distance(rest: Caller) -> None:
    await rest.place()
    await rest.post(ORDER + "place-plan-order", {
        **BTC, "planType": "track_plan", "marginMode": "crossed", "size": "0.01", "side": "sell", "orderType": "market", "triggerPrice": "61000",
        "callbackRatio": "1", "reduceOnly": "YES", "triggerType": "fill_price"})
    assert (await pending(rest, "track_plan"))[0]["callbackRatio"] == "1"
    await rest.played.move(612_000, 620_000, 614_000)
    assert len(await held(rest)) == 1
    await rest.played.move(613_000)
    assert await held(rest) == []
    assert (await rest.get(ORDER + "fills", PT)).data["fillList"][0]["price"] == "61380"


async def test_both_ends_of_a_position_at_once_or_none(rest: Caller) -> None:
    await rest.place()
    ends = {**BTC, "holdSide": "buy", "stopSurplusTriggerPrice": "65000", "stopLossTriggerPrice": "61000", "stopSurplusClientOid": "tp"}
    assert (await rest.post(ORDER + "place-pos-tpsl", ends)).code == "40834"
    assert await pending(rest, "profit_loss") == []
    (take, stop) = (await rest.post(ORDER + "place-pos-tpsl", {**ends, "stopLossTriggerPrice": "55000", "stopLossClientOid": "sl"})).data
    assert take["stopSurplusClientOid"] == "tp" and stop["stopLossClientOid"] == "sl"
    (position,) = await held(rest)
    assert (position["takeProfit"], position["stopLoss"]) == ("65000", "55000")
    assert (position["takeProfitId"], position["stopLossId"]) == (take["orderId"], stop["orderId"])
    assert (await rest.post(ORDER + "modify-tpsl-order", {**BTC, "orderId": stop["orderId"], "triggerPrice": "56000", "size": ""})).data
    assert (await held(rest))[0]["stopLoss"] == "56000"


@pytest.mark.parametrize(("side", "opens", "closes", "bills"), [("buy", 1, -1, ["open_long", "close_long"]), ("sell", -1, 1, ["open_short", "close_short"])])
async def test_hedge_mode_opens_and_closes_the_position_that_the_side_names(rest: Caller, side: str, opens: int, closes: int, bills: list[str]) -> None:
    await rest.post(ACCOUNT + "set-position-mode", {**PT, "posMode": "hedge_mode"})
    await rest.place(side=side, tradeSide="open")
    (position,) = await held(rest)
    assert (position["holdSide"], position["posMode"], position["total"]) == ("long" if opens > 0 else "short", "hedge_mode", "0.01")
    order = await rest.detail((await rest.place(side=side, tradeSide="close")).data["orderId"])
    assert (order["side"], order["tradeSide"], order["posSide"], order["state"]) == (side, "close", position["holdSide"], "filled")
    assert await held(rest) == []
    found = (await rest.get(ACCOUNT + "bill", PT)).data["bills"]
    assert [one["businessType"] for one in found[:2]] == bills[::-1]
    assert [record.side for record in rest.played.floor.members["ann"].fills] == [opens, closes]


async def test_hedge_mode_holds_both_at_once_and_flash_close_takes_one_or_both(rest: Caller) -> None:
    await rest.post(ACCOUNT + "set-position-mode", {**PT, "posMode": "hedge_mode"})
    for side in ("buy", "sell"):
        await rest.place(side=side, tradeSide="open")
    assert len((await rest.get(POSITION + "single-position", BTC)).data) == 2
    done = (await rest.post(ORDER + "close-positions", {**BTC, "holdSide": "short"})).data
    assert len(done["successList"]) == 1 and [one["holdSide"] for one in await held(rest)] == ["long"]
    assert (await rest.post(ORDER + "close-positions", PT)).data["successList"][0]["symbol"] == "BTCUSDT"
    assert await held(rest) == []


async def test_reversing_leaves_as_much_on_the_other_side(rest: Caller) -> None:
    await rest.place()
    await rest.post(ORDER + "click-backhand", {**BTC, "side": "buy", "size": ""})
    assert [(one["holdSide"], one["total"]) for one in await held(rest)] == [("short", "0.01")]


async def test_a_batch_places_what_it_can(rest: Caller) -> None:
    row = {"size": "0.01", "side": "buy", "orderType": "limit", "price": "59000"}
    body = {**BTC, "marginMode": "crossed", "orderList": [
        {**row, "clientOid": "one"}, {**row, "size": "x", "clientOid": "two"}, {**row, "price": "58000", "clientOid": "three"}, {**row, "clientOid": {}}]}
    made = (await rest.post(ORDER + "batch-place-order", body)).data
    assert [one["clientOid"] for one in made["successList"]] == ["one", "three"]
    assert [one["errorCode"] for one in made["failureList"]] == ["40020", "40020"]
    assert sorted(one["clientOid"] for one in await pending(rest)) == ["one", "three"]
    rows = [{"clientOid": "one"}, {"orderId": "77"}, {"orderId": made["successList"][1]["orderId"]}]
    gone = (await rest.post(ORDER + "batch-cancel-orders", {**BTC, "orderIdList": rows})).data
    assert [one["clientOid"] for one in gone["successList"]] == ["one", "three"]
    assert [(one["orderId"], one["errorCode"]) for one in gone["failureList"]] == [("77", "40768")]


async def test_cancel_all_takes_every_symbols_orders(rest: Caller) -> None:
    await rest.limit("59000")
    await rest.limit("2990", symbol="ETHUSDT", size="0.1")
    done = (await rest.post(ORDER + "cancel-all-orders", {**PT, "requestTime": "1700000000000", "receiveWindow": "5000"})).data
    assert len(done["successList"]) == 2 and await pending(rest) == []


async def test_leverage_and_margin_mode_are_told_where_clients_look(rest: Caller) -> None:
    assert (await rest.post(ACCOUNT + "set-leverage", {**BTC, "leverage": 25})).data["crossMarginLeverage"] == "25"
    assert (await rest.post(ACCOUNT + "set-margin-mode", {**BTC, "marginMode": "ISOLATED"})).data["marginMode"] == "isolated"
    account = (await rest.get(ACCOUNT + "account", BTC)).data
    assert (account["marginMode"], account["crossedMarginLeverage"], account["isolatedLongLever"], account["isolatedShortLever"]) == (
        "isolated", "25", "25", "25")
    await rest.post(ACCOUNT + "set-position-mode", {**PT, "posMode": "hedge_mode"})
    body = {**BTC, "longLeverage": "5", "shortLeverage": "8"}
    assert {**(await rest.post(ACCOUNT + "set-leverage", body)).data}.items() >= {"longLeverage": "5", "shortLeverage": "8"}.items()
    await rest.post(ACCOUNT + "set-leverage", {**BTC, "leverage": "9", "holdSide": "short"})
    account = (await rest.get(ACCOUNT + "account", BTC)).data
    assert (account["isolatedLongLever"], account["isolatedShortLever"]) == ("5", "9")


async def test_transfers_move_money_and_leave_a_bill(rest: Caller) -> None:
    body = {"fromType": "spot", "toType": "usdt_futures", "amount": "250.5", "coin": "USDT", "clientOid": "t-1"}
    assert (await rest.post("/api/v2/spot/wallet/transfer", body)).data["clientOid"] == "t-1"
    assert (await rest.get(ACCOUNT + "account", BTC)).data["accountEquity"] == "10250.5"
    await rest.post("/api/v2/spot/wallet/transfer", {**body, "fromType": "usdt_futures", "toType": "spot", "amount": 50.5, "clientOid": ""})
    found = (await rest.get(ACCOUNT + "bill", PT)).data["bills"][:2]
    assert [(one["businessType"], one["amount"], one["balance"]) for one in found] == [
        ("trans_to_exchange", "-50.5", "10200"), ("trans_from_exchange", "250.5", "10250.5")]


async def test_a_refused_transfer_moves_nothing(rest: Caller) -> None:
    body = {"fromType": "spot", "toType": "usdt_futures", "coin": "USDT", "clientOid": "x" * 60, "amount": "5"}
    assert (await rest.post("/api/v2/spot/wallet/transfer", body)).code == "40304"
    assert (await rest.post("/api/v2/spot/wallet/transfer", {**body, "clientOid": "", "amount": "9999999999"})).code == "40053"
    assert (await rest.get(ACCOUNT + "account", BTC)).data["accountEquity"] == "10000"


async def test_funding_and_liquidation_reach_the_lists(rest: Caller) -> None:
    await rest.post(ACCOUNT + "set-leverage", {**BTC, "leverage": "100"})
    await rest.place(marginMode="isolated")
    await rest.played.close()
    await rest.played.open(600_000, rates=(10_000,))
    (fee,) = (await rest.get(ACCOUNT + "bill", {**PT, "businessType": "contract_settle_fee"})).data["bills"]
    assert (fee["amount"], fee["symbol"]) == ("-0.06", "BTCUSDT")
    await rest.played.move(590_000)
    assert await held(rest) == []
    (closed,) = (await rest.get(POSITION + "history-position", PT)).data["list"]
    assert (closed["totalFunding"], closed["marginMode"]) == ("-0.06", "isolated") and Decimal(closed["pnl"]) < -5
    last = (await rest.get(ORDER + "orders-history", PT)).data["entrustedList"][0]
    assert (last["orderSource"], last["tradeSide"], last["state"]) == ("liquidation", "burst_sell_single", "filled")


async def test_liquidation_price_and_largest_order_are_told_before_one_orders(rest: Caller) -> None:
    ask = {**BTC, "posSide": "long", "orderType": "limit", "openPrice": "60000"}
    most = Decimal((await rest.get(ACCOUNT + "max-open", ask)).data["maxOpen"])
    assert (await rest.limit("60000", size=str(most + Decimal("0.001")))).code == "40762"
    stop = (await rest.get(ACCOUNT + "liq-price", {**ask, "openAmount": "0.5"})).data["liqPrice"]
    await rest.place(size="0.5")
    (position,) = await held(rest)
    assert abs(Decimal(position["liquidationPrice"]) - Decimal(stop)) < 50
    assert (await rest.limit("60000", size=str(most))).code == "40762"
    assert (await rest.get(ACCOUNT + "open-count", {**BTC, "openAmount": "60", "openPrice": "60000", "leverage": "10"})).data["size"] == "0.01"
