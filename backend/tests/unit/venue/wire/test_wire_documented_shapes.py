"""Every field of the documented answers is in ours, in the same shape and with texts where texts are documented."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from wire_caller import ACCOUNT, BTC, MARKET, ORDER, POSITION, Caller

PRODUCT = {"productType": "USDT-FUTURES"}
PLAN = {**BTC, "marginMode": "crossed", "size": "0.01", "side": "buy", "orderType": "limit", "price": "60100", "triggerType": "fill_price"}

READS: dict[str, dict[str, object]] = {
    "/api/v2/public/time": {}, MARKET + "contracts": PRODUCT, MARKET + "ticker": BTC, MARKET + "tickers": PRODUCT, MARKET + "merge-depth": BTC,
    MARKET + "candles": {**BTC, "granularity": "1m"}, MARKET + "history-candles": {**BTC, "granularity": "1m"},
    MARKET + "history-mark-candles": {**BTC, "granularity": "1m"}, MARKET + "history-index-candles": {**BTC, "granularity": "1m"},
    MARKET + "fills": BTC, MARKET + "fills-history": BTC, MARKET + "symbol-price": BTC, MARKET + "current-fund-rate": PRODUCT,
    MARKET + "history-fund-rate": BTC, MARKET + "funding-time": BTC, MARKET + "open-interest": BTC, MARKET + "query-position-lever": BTC,
    MARKET + "vip-fee-rate": {}, "/api/v2/spot/public/symbols": {}, "/api/v2/spot/public/coins": {},
    ACCOUNT + "account": BTC, ACCOUNT + "accounts": PRODUCT, ACCOUNT + "bill": PRODUCT,
    ACCOUNT + "liq-price": {**BTC, "posSide": "long", "orderType": "market", "openAmount": "0.1"},
    ACCOUNT + "max-open": {**BTC, "posSide": "long", "orderType": "market"},
    ACCOUNT + "open-count": {**BTC, "openAmount": "100", "openPrice": "60000"},
    POSITION + "all-position": PRODUCT, POSITION + "single-position": BTC, POSITION + "history-position": PRODUCT,
    POSITION + "adlRank": PRODUCT, ORDER + "orders-pending": PRODUCT, ORDER + "orders-history": PRODUCT, ORDER + "fills": PRODUCT,
    ORDER + "fill-history": PRODUCT, ORDER + "orders-plan-pending": {**PRODUCT, "planType": "normal_plan"},
    ORDER + "orders-plan-history": {**PRODUCT, "planType": "normal_plan"}, "/api/v2/spot/account/assets": {},
    "/api/v2/common/trade-rate": {"symbol": "BTCUSDT", "businessType": "mix"}}
# No chains: nothing is deposited here. Texts of our own where the example shows a number, null or nothing.
ABSENT = {"chains"}
UNTYPED = {"asks", "bids", "deliveryStartTime", "deliveryTime"}


def missing(wanted: Any, ours: Any, at: str = "") -> list[str]:
    """Paths of what is documented and not in ours, or there as another kind of value."""
    name = at.rsplit(".", 1)[-1].rstrip("[]")
    if name in ABSENT or name in UNTYPED:
        return []
    if isinstance(wanted, Mapping):
        if not isinstance(ours, Mapping):
            return [f"{at}: {ours!r} is no object"]
        return [found for key, value in wanted.items()
                for found in ([f"{at}.{key}"] if key not in ours else missing(value, ours[key], f"{at}.{key}"))]
    if isinstance(wanted, list):
        if not isinstance(ours, list):
            return [f"{at}: {ours!r} is no list"]
        return missing(wanted[0], ours[0], at + "[]") if wanted and ours else ([f"{at}: empty"] if wanted and at.endswith("List") and
                                                                                at != ".assetList" and not at.endswith(".assetList") else [])
    return [f"{at}: {ours!r} is no text"] if isinstance(wanted, str) and not isinstance(ours, str | None) else []


async def a_day(rest: Caller) -> dict[str, str]:
    """Leaves at least one of everything: bars, trades, funding, orders, fills, bills, plans, an open and a closed position."""
    played = rest.played
    await played.move(600_100, volume=1.5)
    await rest.place()
    await rest.place(side="sell", reduceOnly="YES")
    plan = (await rest.post(ORDER + "place-plan-order", {**PLAN, "planType": "normal_plan", "triggerPrice": "60050"})).data["orderId"]
    await played.move(599_000, 601_500, volume=0.5)
    await rest.post(ORDER + "place-plan-order", {**PLAN, "planType": "normal_plan", "triggerPrice": "70000", "price": "70000",
                                                 "stopSurplusTriggerPrice": "72000", "stopLossTriggerPrice": "69000"})
    await rest.place(size="0.02")
    waiting = (await rest.limit("59000", presetStopSurplusPrice="65000", presetStopLossPrice="50000")).data["orderId"]
    await played.close()
    await played.open(601_000, rates=(10_000,))
    await played.move(601_500)
    return {"plan": plan, "waiting": waiting}


def documented(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "docs-examples.json").read_text())["rest"]
    return found


async def test_every_read_has_the_documented_fields(rest: Caller, bitget_fixtures: Path) -> None:
    examples, lacking = documented(bitget_fixtures), []
    await a_day(rest)
    for path, query in READS.items():
        reply = await rest.get(path, query)
        lacking += [f"{path}{gap}" for gap in missing(examples["GET " + path]["data"], reply.data)]
        assert not isinstance(reply.data, list) or reply.data, f"{path}: nothing to compare"
    assert lacking == []


async def test_details_and_sub_orders_have_the_documented_fields(rest: Caller, bitget_fixtures: Path) -> None:
    examples, ids = documented(bitget_fixtures), await a_day(rest)
    detail = await rest.get(ORDER + "detail", {**BTC, "orderId": ids["waiting"]})
    parts = await rest.get(ORDER + "plan-sub-order", {**PRODUCT, "planType": "normal_plan", "planOrderId": ids["plan"]})
    assert missing(examples["GET " + ORDER + "detail"]["data"], detail.data) == []
    assert detail.data["state"] == "live"
    assert missing(examples["GET " + ORDER + "plan-sub-order"]["data"], parts.data) == [] and parts.data


async def test_every_write_answers_with_the_documented_fields(rest: Caller, bitget_fixtures: Path) -> None:
    examples = documented(bitget_fixtures)
    await rest.place()
    ids = [(await rest.limit("59000")).data["orderId"] for _ in range(4)]
    plans = [(await rest.post(ORDER + "place-plan-order", {**PLAN, "planType": "normal_plan", "triggerPrice": "59500"})).data["orderId"]
             for _ in range(2)]
    stop = (await rest.post(ORDER + "place-tpsl-order", {**BTC, "planType": "loss_plan", "triggerPrice": "55000", "size": "0.01",
                                                         "holdSide": "buy"})).data["orderId"]
    writes: list[tuple[str, dict[str, object]]] = [
        (ORDER + "place-order", {**BTC, "marginMode": "crossed", "size": "0.01", "side": "buy", "orderType": "market"}),
        (ORDER + "batch-place-order", {**BTC, "marginMode": "crossed", "orderList": [
            {"size": "0.01", "side": "buy", "orderType": "market"}]}),
        (ORDER + "modify-order", {**BTC, "orderId": ids[0], "newClientOid": "again", "newSize": "0.02", "newPrice": "58000"}),
        (ORDER + "cancel-order", {**BTC, "orderId": ids[1]}),
        (ORDER + "batch-cancel-orders", {**BTC, "orderIdList": [{"orderId": ids[2]}, {"orderId": ids[2]}]}),
        (ORDER + "modify-plan-order", {**BTC, "orderId": plans[0], "newTriggerPrice": "59400"}),
        (ORDER + "modify-tpsl-order", {**BTC, "orderId": stop, "triggerPrice": "54000", "size": "0.01"}),
        (ORDER + "cancel-plan-order", {**BTC, "orderIdList": [{"orderId": plans[1]}, {"orderId": plans[1]}]}),
        (ORDER + "place-pos-tpsl", {**BTC, "holdSide": "buy", "stopSurplusTriggerPrice": "70000", "stopLossTriggerPrice": "50000"}),
        (ORDER + "place-plan-order", {**PLAN, "planType": "normal_plan", "triggerPrice": "59500"}),
        (ORDER + "place-tpsl-order", {**BTC, "planType": "loss_plan", "triggerPrice": "55000", "size": "0.01", "holdSide": "buy"}),
        (ORDER + "click-backhand", {**BTC, "side": "buy", "size": ""}),
        (ORDER + "close-positions", {**BTC}),
        (ACCOUNT + "set-leverage", {"symbol": "ETHUSDT", **PRODUCT, "marginCoin": "USDT", "leverage": "20"}),
        (ACCOUNT + "set-margin-mode", {"symbol": "ETHUSDT", **PRODUCT, "marginCoin": "USDT", "marginMode": "isolated"})]
    lacking: list[str] = []
    for path, body in writes:
        answer = (await rest.post(path, body)).data
        wanted = examples["POST " + path]["data"]
        if isinstance(wanted, dict) and not answer.get("failureList", True):
            wanted = {**wanted, "failureList": []}
        lacking += [f"{path}{gap}" for gap in missing(wanted, answer)]
    assert lacking == []


@pytest.mark.parametrize(("path", "body", "wanted"), [
    (ACCOUNT + "set-all-leverage", {**PRODUCT, "leverage": "7"}, "success"),
    (ACCOUNT + "set-position-mode", {**PRODUCT, "posMode": "hedge_mode"}, {"posMode": "hedge_mode"}),
    (ORDER + "cancel-all-orders", PRODUCT, {"successList": [], "failureList": []})])
async def test_writes_with_a_fixed_answer(rest: Caller, path: str, body: dict[str, object], wanted: object) -> None:
    assert (await rest.post(path, body)).data == wanted


async def test_margin_of_an_isolated_position_is_changed_with_the_documented_answers(rest: Caller) -> None:
    await rest.place(marginMode="isolated")
    assert (await rest.post(ACCOUNT + "set-margin", {**BTC, "holdSide": "long", "amount": "5"})).data == ""
    assert (await rest.post(ACCOUNT + "set-auto-margin", {**BTC, "holdSide": "long", "autoMargin": "on"})).data == "success"
    (held,) = (await rest.get(POSITION + "single-position", BTC)).data
    assert (held["marginSize"], held["autoMargin"], held["marginMode"]) == ("65", "on", "isolated")


async def test_the_envelope_is_the_exchanges(rest: Caller) -> None:
    good, bad = await rest.get("/api/v2/public/time"), await rest.get(MARKET + "ticker", PRODUCT)
    assert set(good.whole) == set(bad.whole) == {"code", "msg", "requestTime", "data"}
    assert (good.whole["msg"], good.whole["requestTime"]) == ("success", 1_700_000_000_000)
    assert (bad.status, bad.whole["msg"], bad.whole["data"]) == (400, "Parameter symbol cannot be empty", None)
    assert good.headers["Content-Type"].startswith("application/json")


async def test_numbers_are_texts_without_exponent(rest: Caller) -> None:
    await a_day(rest)
    for path in (POSITION + "all-position", ACCOUNT + "accounts", ORDER + "fills", ACCOUNT + "bill"):
        raw = (await rest.get(path, PRODUCT)).raw.decode()
        assert "E-" not in raw and "E+" not in raw
