"""Lists are newest first, a page at a time, and a walk through all pages sees everything once."""

from __future__ import annotations

from typing import Any

import pytest
from wire_caller import ACCOUNT, BTC, MARKET, ORDER, POSITION, Caller

PT = {"productType": "USDT-FUTURES"}


async def walk(rest: Caller, path: str, name: str, identity: str, size: int, **query: object) -> list[dict[str, Any]]:
    """All pages of a list, by endId."""
    seen: list[dict[str, Any]] = []
    cursor: dict[str, object] = {}
    for _ in range(100):
        page = (await rest.get(path, {**PT, **query, **cursor, "limit": size})).data
        if not page[name]:
            return seen
        assert len(page[name]) <= size and page["endId"] == page[name][-1][identity]
        seen += page[name]
        cursor = {"idLessThan": page["endId"]}
    raise AssertionError(f"{path}: the pages have no end")


@pytest.fixture
async def traded(rest: Caller) -> Caller:
    """Seven rounds: fourteen fills, seven closed positions, and seven orders that wait."""
    for n in range(7):
        await rest.place()
        await rest.place(side="sell", reduceOnly="YES")
        await rest.limit(str(59000 - n), clientOid=f"waits-{n}")
        await rest.played.move(600_000 + n)
    return rest


@pytest.mark.parametrize(("path", "name", "identity", "count"), [
    (ORDER + "orders-pending", "entrustedList", "orderId", 7), (ORDER + "orders-history", "entrustedList", "orderId", 14),
    (ORDER + "fills", "fillList", "tradeId", 14), (ORDER + "fill-history", "fillList", "tradeId", 14),
    (POSITION + "history-position", "list", "positionId", 7), (ACCOUNT + "bill", "bills", "billId", 15)])
async def test_a_walk_through_the_pages_sees_everything_once_newest_first(traded: Caller, path: str, name: str, identity: str, count: int) -> None:
    whole = (await traded.get(path, {**PT, "limit": 100})).data[name]
    assert len(whole) == count and [int(one[identity]) for one in whole] == sorted((int(one[identity]) for one in whole), reverse=True)
    for size in (1, 3, 100):
        assert await walk(traded, path, name, identity, size) == whole


async def test_what_comes_between_two_pages_does_not_shift_them(traded: Caller) -> None:
    first = (await traded.get(ORDER + "orders-pending", {**PT, "limit": 3})).data
    await traded.limit("58000")
    rest = (await traded.get(ORDER + "orders-pending", {**PT, "limit": 100, "idLessThan": first["endId"]})).data
    assert [one["clientOid"] for one in first["entrustedList"] + rest["entrustedList"]] == [f"waits-{n}" for n in range(6, -1, -1)]


async def test_a_span_of_time_has_both_its_ends(traded: Caller) -> None:
    whole = (await traded.get(ORDER + "fills", PT)).data["fillList"]
    start, end = whole[9]["cTime"], whole[4]["cTime"]
    found = (await traded.get(ORDER + "fills", {**PT, "startTime": start, "endTime": end})).data["fillList"]
    assert found == [one for one in whole if int(start) <= int(one["cTime"]) <= int(end)] and 0 < len(found) < len(whole)


async def test_an_empty_list_has_no_next_page(rest: Caller) -> None:
    for path, name in ((ORDER + "orders-pending", "entrustedList"), (ORDER + "fills", "fillList"), (POSITION + "history-position", "list")):
        page = (await rest.get(path, PT)).data
        assert page[name] in ([], None) and page["endId"] in (None, "")


async def test_lists_are_filtered_by_symbol_id_and_client_id(traded: Caller) -> None:
    pending = (await traded.get(ORDER + "orders-pending", PT)).data["entrustedList"]
    for query in ({"orderId": pending[2]["orderId"]}, {"clientOid": "waits-4"}):
        assert (await traded.get(ORDER + "orders-pending", {**PT, **query})).data["entrustedList"] == [pending[2]]
    assert (await traded.get(ORDER + "fills", {**PT, "symbol": "ETHUSDT"})).data["fillList"] == []
    fill = (await traded.get(ORDER + "fills", PT)).data["fillList"][5]
    assert (await traded.get(ORDER + "fills", {**PT, "orderId": fill["orderId"]})).data["fillList"] == [fill]


async def test_a_page_has_at_most_a_hundred_and_bills_come_by_twenty(rest: Caller) -> None:
    for n in range(105):
        await rest.limit(str(50000 + n), size="0.001")
    assert len((await rest.get(ORDER + "orders-pending", {**PT, "limit": "1000"})).data["entrustedList"]) == 100
    assert len((await rest.get(ORDER + "orders-pending", PT)).data["entrustedList"]) == 100
    for _ in range(25):
        await rest.place(size="0.001")
    assert len((await rest.get(ACCOUNT + "bill", PT)).data["bills"]) == 20


async def test_bills_are_filtered_by_their_business(traded: Caller) -> None:
    bought = (await traded.get(ACCOUNT + "bill", {**PT, "businessType": "buy", "limit": 100})).data["bills"]
    assert len(bought) == 7 and {one["businessType"] for one in bought} == {"buy"}
    assert (await traded.get(ACCOUNT + "bill", {**PT, "businessType": "contract_settle_fee"})).data["bills"] == []


async def test_plans_are_paged_by_kind(rest: Caller) -> None:
    plan = {**BTC, "planType": "normal_plan", "marginMode": "crossed", "size": "0.001", "side": "buy", "orderType": "market", "triggerType": "fill_price"}
    ids = [(await rest.post(ORDER + "place-plan-order", {**plan, "triggerPrice": str(61000 + n)})).data["orderId"] for n in range(5)]
    found = await walk(rest, ORDER + "orders-plan-pending", "entrustedList", "orderId", 2, planType="normal_plan")
    assert [one["orderId"] for one in found] == ids[::-1]
    await rest.post(ORDER + "cancel-plan-order", {**BTC, "orderIdList": [{"orderId": ids[1]}]})
    (over,) = await walk(rest, ORDER + "orders-plan-history", "entrustedList", "orderId", 2, planType="normal_plan")
    assert (over["orderId"], over["planStatus"]) == (ids[1], "cancelled")
    assert await walk(rest, ORDER + "orders-plan-history", "entrustedList", "orderId", 2, planType="normal_plan", planStatus="executed") == []


async def test_public_trades_and_candles_keep_their_order(rest: Caller) -> None:
    for n in range(12):
        await rest.played.move(600_000 + n, volume=0.01)
    trades = (await rest.get(MARKET + "fills", {**BTC, "limit": "5"})).data
    assert [one["price"] for one in trades] == ["60001.1", "60001", "60000.9", "60000.8", "60000.7"]
    older = (await rest.get(MARKET + "fills-history", {**BTC, "limit": "5", "idLessThan": trades[-1]["tradeId"]})).data
    assert [one["price"] for one in older] == ["60000.6", "60000.5", "60000.4", "60000.3", "60000.2"]
    for _ in range(3):
        await rest.played.close()
        await rest.played.open(600_000)
    rows = (await rest.get(MARKET + "candles", {**BTC, "granularity": "1m"})).data
    times = [int(row[0]) for row in rows]
    assert len(rows) == 4 and times == sorted(times) and all(len(row) == 7 for row in rows)
    assert len((await rest.get(MARKET + "history-candles", {**BTC, "granularity": "1m"})).data) == 3, "finished bars only"
    assert (await rest.get(MARKET + "candles", {**BTC, "granularity": "1m", "limit": "2"})).data == rows[-2:]


async def test_funding_history_is_paged_by_number(rest: Caller) -> None:
    for n in range(5):
        await rest.played.open(600_000, rates=(1000 * (n + 1),))
    rates = [one["fundingRate"] for page in ("1", "2", "3") for one in
             (await rest.get(MARKET + "history-fund-rate", {**BTC, "pageSize": "2", "pageNo": page})).data]
    assert rates == ["0.00005", "0.00004", "0.00003", "0.00002", "0.00001"]
