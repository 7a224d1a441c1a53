"""Where an order is sought, and that its end is told only after its fills: against a server that hides things one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from bitget_bench import Heard, an_order
from bitget_stub import Stub, talking

from haechi.exchanges.bitget.adapter import Bitget
from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import Accepted, Fill, Gone, Rejected, Unknown

ORDERS = "/api/v2/mix/order/"
NOTHING = {"entrustedList": None, "fillList": [], "bills": []}


def an_item(**given: Any) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "size": "0.01", "orderId": "77", "clientOid": "o-1", "baseVolume": "0", "price": "59000", "status": "live",
            "side": "buy", "force": "gtc", "orderType": "limit", "posMode": "one_way_mode", "tradeSide": "buy_single", "reduceOnly": "NO",
            "orderSource": "normal", "cancelReason": "", "cTime": "1695806875837", "uTime": "1695806875838", **given}


def a_fill(trade: str, **given: Any) -> dict[str, Any]:
    return {"tradeId": trade, "symbol": "BTCUSDT", "orderId": "77", "price": "59000", "baseVolume": "0.004", "side": "buy", "profit": "0",
            "feeDetail": [{"feeCoin": "USDT", "totalFee": "-0.05"}], "tradeSide": "buy_single", "posMode": "one_way_mode",
            "tradeScope": "maker", "cTime": "1695806875838", **given}


@asynccontextmanager
async def account() -> AsyncIterator[tuple[Stub, Bitget, Heard]]:
    """Nothing is anywhere."""
    async with talking() as (stub, client):
        for name in ("orders-pending", "orders-history", "orders-plan-pending", "orders-plan-history", "fills"):
            stub.replies[ORDERS + name] = NOTHING
        stub.replies[ORDERS + "detail"] = "40109"
        bitget = client._account  # noqa: SLF001
        heard = Heard()
        bitget.ears.add(heard, "BTCUSDT", prices=False)
        yield stub, bitget, heard
        await bitget.close()


async def lost(stub: Stub, bitget: Bitget, **given: Any) -> None:
    """An order whose answer was torn."""
    await bitget.instrument("BTCUSDT")
    await bitget.terms.read("BTCUSDT")
    stub.raw = {"text": "{"}
    assert isinstance(await bitget.place(an_order(kind="limit", price="59000", **given)), Unknown)
    stub.raw = None


@pytest.mark.parametrize("where", ["orders-pending", "orders-history"])
async def test_an_order_is_found_on_whichever_list_it_is(where: str) -> None:
    async with account() as (stub, bitget, _):
        await lost(stub, bitget)
        assert isinstance(await bitget.resolve("o-1"), Unknown)
        stub.replies[ORDERS + where] = {"entrustedList": [an_item(clientOid="other", orderId="1"), an_item()], "endId": "77"}
        assert await bitget.resolve("o-1") == Accepted("77")


async def test_an_order_known_by_its_fill_alone_is_found() -> None:
    async with account() as (stub, bitget, heard):
        await lost(stub, bitget)
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t1")]}
        asked = stub.replies[ORDERS + "detail"]
        assert asked == "40109"
        stub.by_query[ORDERS + "detail", "orderId", "77"] = an_item(state="filled", status="filled", baseVolume="0.004", size="0.004")
        assert await bitget.resolve("o-1") == Accepted("77")
        (fill,) = await heard.until(1, Fill)
        assert (fill.client_id, fill.fee, fill.maker) == ("o-1", Decimal("0.05"), True)


async def test_a_canceled_order_is_gone_only_after_all_its_fills() -> None:
    async with account() as (stub, bitget, heard):
        stub.replies[ORDERS + "place-order"] = {"orderId": "77"}
        assert await bitget.place(an_order(kind="limit", price="59000")) == Accepted("77")
        stub.replies[ORDERS + "detail"] = an_item(state="canceled", status="canceled", baseVolume="0.004", cancelReason="normal_cancel")
        await bitget.orders.look(bitget.book.orders["o-1"])
        await heard.settled()
        assert heard.events == []
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t1")]}
        await bitget.orders.look(bitget.book.orders["o-1"])
        await heard.until(1, Gone)
        assert [type(event) for event in heard.events] == [Fill, Gone]


async def test_another_orders_detail_is_no_evidence() -> None:
    async with account() as (stub, bitget, _):
        await lost(stub, bitget)
        stub.replies[ORDERS + "detail"] = an_item(clientOid="somebody", orderId="5")
        assert isinstance(await bitget.resolve("o-1"), Unknown)


async def test_an_unreadable_list_settles_nothing() -> None:
    async with account() as (stub, bitget, _):
        await lost(stub, bitget)
        stub.replies[ORDERS + "orders-history"] = {"entrustedList": "many"}
        outcome = await bitget.resolve("o-1")
        assert isinstance(outcome, Unknown)
        assert "cannot be read" in outcome.why


async def test_one_strange_order_does_not_hide_the_others() -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "orders-pending"] = {"entrustedList": [an_item(orderType="iceberg", status="odd"), an_item(orderId="78")]}
        assert [one.exchange_id for one in await bitget.open_orders()] == ["78"]


async def test_pages_are_followed_to_the_end() -> None:
    async with account() as (stub, bitget, _):
        pages = [[an_item(orderId=str(1000 - n), clientOid=f"c{n}") for n in range(first, min(first + 100, 230))] for first in (0, 100, 200)]
        stub.replies[ORDERS + "orders-pending"] = {"entrustedList": pages[0]}
        stub.by_query[ORDERS + "orders-pending", "idLessThan", "901"] = {"entrustedList": pages[1]}
        stub.by_query[ORDERS + "orders-pending", "idLessThan", "801"] = {"entrustedList": pages[2]}
        assert len(await bitget.open_orders()) == 230


async def test_a_list_that_never_ends_is_given_up() -> None:
    async with account() as (stub, bitget, _):
        for n in range(60):
            page = {"entrustedList": [an_item(orderId=str(10_000 - n * 100 - k)) for k in range(100)]}
            if n == 0:
                stub.replies[ORDERS + "orders-pending"] = page
            stub.by_query[ORDERS + "orders-pending", "idLessThan", str(10_000 - n * 100 + 1)] = page
        with pytest.raises(Unreachable, match="more than"):
            await bitget.open_orders()


async def test_a_plan_is_cancelled_as_the_lists_of_the_answer_say() -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "place-plan-order"] = {"orderId": "77"}
        stop = an_order(kind="stop", trigger="61000")
        assert await bitget.place(stop) == Accepted("77")
        stub.replies[ORDERS + "cancel-plan-order"] = {"successList": [], "failureList": []}
        assert isinstance(await bitget.cancel("o-1"), Unknown)
        stub.replies[ORDERS + "cancel-plan-order"] = {"successList": [], "failureList": [{"orderId": "77", "errorMsg": "notExistend"}]}
        assert await bitget.cancel("o-1") == Rejected("no_order")
        stub.replies[ORDERS + "cancel-plan-order"] = {"successList": [{"orderId": "77", "clientOid": ""}], "failureList": []}
        assert await bitget.cancel("o-1") == Accepted("77")
