"""What the exchange knows of an order: against a server that hides things, and on the venue with lost answers; and when it is blind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bitget_bench import Heard, an_order, bench, seen
from bitget_stub import AT, Stub
from test_bitget_evidence import ORDERS, a_fill, account, an_item

from haechi.exchanges.bitget.orders import LATEST_MS
from haechi.exchanges.port import Fill, Liquidated, Moved, Rejected, Seen, Unknown

D = Decimal
LONG_AGO = AT - LATEST_MS - 1_000


def a_plan(**given: Any) -> dict[str, Any]:
    return {"planType": "normal_plan", "symbol": "BTCUSDT", "size": "0.01", "orderId": "88", "clientOid": "o-1", "price": "0", "triggerPrice": "61000",
            "planStatus": "live", "side": "buy", "orderType": "market", "posMode": "one_way_mode", "reduceOnly": "NO", "cTime": "1695806875837",
            "uTime": "1695806875838", "executeOrderId": "", **given}


@pytest.mark.parametrize(("given", "expected"), [
    ({}, Seen("77", "open", D(0))), ({"baseVolume": "0.004", "status": "partially_filled"}, Seen("77", "open", D("0.004"))),
    ({"baseVolume": "0.01", "status": "filled"}, Seen("77", "filled", D("0.01"))),
    ({"status": "canceled", "cancelReason": "normal_cancel"}, Seen("77", "canceled", D(0), "canceled")),
    ({"status": "canceled", "baseVolume": "0.004", "cancelReason": "normal_cancel"}, Seen("77", "canceled", D("0.004"), "canceled")),
    ({"status": "canceled", "baseVolume": "0.004", "cancelReason": "stp_cancel"}, Seen("77", "canceled", D("0.004"), "self_trade")),
    ({"status": "canceled", "force": "post_only"}, Seen("77", "rejected", D(0), "post_only"))])
@pytest.mark.parametrize("where", ["orders-pending", "orders-history"])
async def test_an_order_is_seen_as_the_list_says(where: str, given: dict[str, str], expected: Seen) -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "fills"] = {"fillList": []}
        stub.replies[ORDERS + where] = {"entrustedList": [an_item(**given)]}
        assert await bitget.look(an_order(kind="limit", price="59000"), AT) == expected


@pytest.mark.parametrize(("given", "expected"), [
    ({}, Seen("88", "open", D(0))), ({"planStatus": "cancelled"}, Seen("88", "canceled", D(0), "canceled")),
    ({"planStatus": "fail_execute"}, Seen("88", "rejected", D(0), "rejected"))])
@pytest.mark.parametrize("where", ["orders-plan-pending", "orders-plan-history"])
async def test_a_plan_is_seen_as_the_list_says(where: str, given: dict[str, str], expected: Seen) -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + where] = {"entrustedList": [a_plan(**given)]}
        assert await bitget.look(an_order(kind="stop", trigger="61000"), AT) == expected


@pytest.mark.parametrize(("given", "expected"), [
    ({"status": "filled", "baseVolume": "0.01"}, Seen("88", "filled", D("0.01"))),
    ({"status": "live", "baseVolume": "0.003"}, Seen("88", "open", D("0.003"))),
    ({"status": "canceled", "cancelReason": "normal_cancel"}, Seen("88", "canceled", D(0), "canceled"))])
async def test_what_a_plan_became_tells_how_far_it_is_filled(given: dict[str, str], expected: Seen) -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "orders-plan-history"] = {"entrustedList": [a_plan(planStatus="executed", executeOrderId="99")]}
        stub.replies[ORDERS + "detail"] = an_item(orderId="99", clientOid="88", **given)
        assert await bitget.look(an_order(kind="stop", trigger="61000"), AT) == expected


@pytest.mark.parametrize("child", ["99", ""], ids=["its order is not shown", "its order is not named"])
async def test_a_triggered_plan_without_its_order_proves_nothing(child: str) -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "orders-plan-history"] = {"entrustedList": [a_plan(planStatus="executed", executeOrderId=child)]}
        assert isinstance(await bitget.look(an_order(kind="stop", trigger="61000"), LONG_AGO), Unknown)


@pytest.mark.parametrize("order", [an_order(kind="limit", price="59000"), an_order(kind="stop", trigger="61000")], ids=["order", "plan"])
async def test_nowhere_is_a_conclusion_only_when_nothing_can_arrive_any_more(order: Any) -> None:
    async with account() as (_, bitget, __):
        assert isinstance(await bitget.look(order, AT - LATEST_MS + 1), Unknown)
    async with account() as (_, bitget, __):
        assert await bitget.look(order, AT - LATEST_MS) == Rejected("never_arrived")


async def test_without_a_time_of_sending_the_wait_begins_with_the_first_look() -> None:
    async with bench() as b:
        await b.bitget.rest.measure()
        assert isinstance(await b.bitget.look(an_order(), 0), Unknown)
        b.later(LATEST_MS - 1_000)
        assert isinstance(await b.bitget.look(an_order(), 0), Unknown)
    async with bench() as b:
        await b.bitget.look(an_order(), b.clock.now_ms() - LATEST_MS + 500)
        b.later(1_000)
        assert await b.bitget.look(an_order(), b.clock.now_ms() - LATEST_MS - 1) == Rejected("never_arrived")


async def test_a_later_try_counts_not_the_first_one() -> None:
    async with account() as (_, bitget, __):
        assert isinstance(await bitget.look(an_order(), AT), Unknown)
        assert isinstance(await bitget.look(an_order(), LONG_AGO), Unknown)


def hidden(stub: Stub, name: str, reply: Any) -> None:
    stub.replies[ORDERS + name] = reply


@pytest.mark.parametrize("name", ["detail", "orders-pending", "orders-history", "fills"])
@pytest.mark.parametrize("reply", ["45001", "99999", [7], {"entrustedList": [7], "fillList": 3}], ids=["silence", "a code nobody knows", "no list", "torn"])
async def test_one_place_that_does_not_answer_is_enough_to_know_nothing(name: str, reply: Any) -> None:
    async with account() as (stub, bitget, _):
        hidden(stub, name, reply)
        assert isinstance(await bitget.look(an_order(kind="limit", price="59000"), LONG_AGO), Unknown)


@pytest.mark.parametrize("name", ["orders-plan-pending", "orders-plan-history"])
@pytest.mark.parametrize("reply", ["45001", [7]], ids=["silence", "torn"])
async def test_one_list_of_plans_that_does_not_answer_is_enough_to_know_nothing(name: str, reply: Any) -> None:
    async with account() as (stub, bitget, _):
        hidden(stub, name, reply)
        assert isinstance(await bitget.look(an_order(kind="stop", trigger="61000"), LONG_AGO), Unknown)


async def test_what_was_accepted_is_not_said_to_have_never_arrived() -> None:
    async with account() as (stub, bitget, _):
        await bitget.place(an_order(kind="limit", price="59000"))
        assert isinstance(await bitget.look(an_order(kind="limit", price="59000"), LONG_AGO), Unknown)
        hidden(stub, "orders-history", {"entrustedList": [an_item(status="filled", baseVolume="0.01")]})
        assert await bitget.look(an_order(kind="limit", price="59000"), LONG_AGO) == Seen("77", "filled", D("0.01"))


async def test_an_order_that_comes_after_all_is_seen() -> None:
    async with account() as (stub, bitget, _):
        order = an_order(kind="limit", price="59000")
        assert await bitget.look(order, LONG_AGO) == Rejected("never_arrived")
        hidden(stub, "orders-pending", {"entrustedList": [an_item()]})
        assert await bitget.look(order, LONG_AGO) == Seen("77", "open", D(0))


async def test_looking_tells_the_fills_that_nobody_heard_of() -> None:
    async with account() as (stub, bitget, heard):
        hidden(stub, "orders-history", {"entrustedList": [an_item(status="filled", baseVolume="0.004", size="0.004")]})
        hidden(stub, "fills", {"fillList": [a_fill("t-1")]})
        assert await bitget.look(an_order(kind="limit", price="59000", quantity="0.004"), AT) == Seen("77", "filled", D("0.004"))
        assert [one.trade_id for one in await heard.until(1, Fill)] == ["t-1"]


async def test_an_executed_order_whose_answer_is_lost_is_seen_after_a_restart() -> None:
    async with bench(with_faults=True) as b:
        assert b.faults is not None
        await b.faults.add({"path": "/api/v2/mix/order/place-order", "kind": "timeout_after"})
        assert isinstance(await b.bitget.place(an_order()), Unknown)
        b.bitget.book.orders.clear()
        found = await b.bitget.look(an_order(), b.clock.now_ms())
        assert isinstance(found, Seen) and (found.status, found.filled) == ("filled", D("0.01"))


# ---- the account's bills

BILLS = "/api/v2/mix/account/bill"
WORDS = {"trans_from_exchange": "100", "trans_to_exchange": "-40", "bonus_issue": "5", "bonus_recycle": "-5", "bonus_expired": "-1", "cash_gift_issue": "3",
         "risk_captital_user_transfer": "0.5", "settle_interest": "-0.01", "a_word_of_tomorrow": "7"}
NOT_MOVEMENTS = ("contract_settle_fee", "buy", "sell", "open_long", "open_short", "close_long", "close_short", "force_close_long", "force_buy", "burst_sell",
                 "burst_long_loss_query", "adl_close_long", "adl_sell_in_single_side_mode", "append_margin", "reduce_margin", "auto_append_margin")


def a_bill(number: int, word: str, amount: str, **given: Any) -> dict[str, Any]:
    return {"billId": str(number), "symbol": "", "amount": amount, "fee": "0", "feeByCoupon": "", "businessType": word, "coin": "USDT", "balance": "1",
            "cTime": str(AT + number), **given}


async def test_every_other_change_of_the_wallet_is_a_movement() -> None:
    async with account() as (stub, bitget, _):
        bills = [a_bill(n, word, amount) for n, (word, amount) in enumerate(WORDS.items(), start=1)]
        bills += [a_bill(100 + n, word, "-9") for n, word in enumerate(NOT_MOVEMENTS)]
        bills += [a_bill(200, "trans_from_exchange", "9", coin="BGB"), a_bill(201, "trans_from_exchange", "0"), a_bill(202, "user_exchange_sell", "10", fee="-0.1")]
        stub.replies[BILLS] = {"bills": bills[::-1], "endId": "1"}
        moved = await bitget.movements_since(AT)
        assert {one.kind: one.amount for one in moved} == {**{word: D(amount) for word, amount in WORDS.items()}, "user_exchange_sell": D("9.9")}
        assert moved[0] == Moved("1", "trans_from_exchange", D(100), AT + 1) and [one.time_ms for one in moved] == sorted(one.time_ms for one in moved)
        assert stub.last(BILLS)[0]["startTime"] == str(AT) and "businessType" not in stub.last(BILLS)[0]


async def test_a_liquidation_among_the_fills_is_told_as_one() -> None:
    async with account() as (stub, bitget, _):
        burst = a_fill("t-2", orderId="66", side="sell", tradeSide="burst_sell_single", profit="-300", baseVolume="0.1", feeDetail=[], cTime=str(AT + 2))
        hidden(stub, "fills", {"fillList": [burst]})
        assert await bitget.fills_since(AT) == [Liquidated("t-2", "BTCUSDT", "sell", D("0.1"), D(59_000), D(300), AT + 2)]


async def test_a_fill_of_what_a_plan_of_an_earlier_run_became_has_the_plans_name() -> None:
    async with account() as (stub, bitget, _):
        hidden(stub, "fills", {"fillList": [a_fill("t-1", orderId="99"), a_fill("t-2", orderId="99")]})
        hidden(stub, "detail", an_item(orderId="99", clientOid="88", orderSource="plan_market", status="filled", baseVolume="0.008"))
        hidden(stub, "orders-plan-history", {"entrustedList": [a_plan(planStatus="executed", executeOrderId="99", clientOid="ours")]})
        assert [getattr(one, "client_id", "") for one in await bitget.fills_since(AT)] == ["ours", "ours"]
        assert len([path for path, _, __ in stub.came if path.endswith("detail")]) == 1


async def test_of_fills_that_are_known_nobody_asks_whose_they_were() -> None:
    async with account() as (stub, bitget, _):
        hidden(stub, "fills", {"fillList": [a_fill("t-1", orderId="98"), a_fill("t-2", orderId="99")]})
        hidden(stub, "detail", an_item(orderId="99", clientOid="ours", status="filled", baseVolume="0.008"))
        found = await bitget.fills_since(AT, known=lambda trade_id: trade_id == "t-1")
        assert [(one.trade_id, getattr(one, "client_id", "")) for one in found] == [("t-2", "ours")]
        assert len([path for path, _, __ in stub.came if path.endswith("detail")]) == 1


# ---- blindness

async def test_blind_until_the_stream_speaks_and_the_first_round_is_over() -> None:
    async with bench(by_hand=True) as b:
        assert b.bitget.blind().startswith("stream")
        await b.bitget.start()
        assert b.time is not None
        b.bitget.listen(Heard(), symbol="BTCUSDT", prices=False)
        await b.time.go(3_000)
        await seen(lambda: b.bitget.private.ready)
        await seen(lambda: b.bitget.reconciliation.done_ms is not None)
        assert b.bitget.blind() == ""


async def a_ready_one(b: Any) -> None:
    await b.bitget.rest.measure()
    b.bitget.private.ready = True
    await b.bitget.reconciliation.once()
    assert b.bitget.blind() == ""


async def test_blind_when_no_round_succeeded_for_half_a_minute() -> None:
    async with bench() as b:
        await a_ready_one(b)
        b.later(30_000)
        assert b.bitget.blind() == ""
        b.later(1)
        assert b.bitget.blind().startswith("reconciliation")
        await b.bitget.reconciliation.once()
        assert b.bitget.blind() == ""


async def test_blind_without_a_clock_or_a_stream() -> None:
    async with bench() as b:
        await a_ready_one(b)
        b.bitget.server_clock.offset_ms = None
        assert b.bitget.blind().startswith("clock")
        b.bitget.private.ready = False
        assert b.bitget.blind().startswith("stream")


async def test_blind_when_the_key_is_refused() -> None:
    async with bench(by_hand=True) as b:
        await b.bitget.start()
        assert b.time is not None
        await seen(lambda: b.bitget.private.ready)
        for key in b.floor.keys.values():
            key.revoked = True
        b.bitget.reconciliation.soon()
        for _ in range(20):
            await b.time.go(1_000)
        assert b.bitget.blind().startswith("key") and ("key" in {word for word, _ in b.alarms})
