"""Whose fill it was: a fill names its order by the exchange's id only, and the order may be shown later than the fill."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bitget_bench import Heard, an_order, bench, seen
from bitget_stub import AT, Stub
from test_bitget_evidence import NOTHING, ORDERS, a_fill, account, an_item
from test_bitget_looking import a_plan

from haechi.exchanges.bitget.adapter import Bitget
from haechi.exchanges.bitget.events import HOMELESS_MS
from haechi.exchanges.bitget.parse import rest_fill
from haechi.exchanges.bitget.since import DAY_MS, KEPT_MS, SPAN_MS, questions
from haechi.exchanges.bitget.tracking import Tracked
from haechi.exchanges.errors import Refused
from haechi.exchanges.port import Accepted, Fill

NOBODY = "ws://127.0.0.1:1/"
TRIGGERED = {"orderSource": "loss_market", "clientOid": "88", "status": "filled", "baseVolume": "0.004"}


def named(found: list[Any]) -> list[str]:
    return [one.client_id for one in found]


def a_minute_later(bitget: Bitget) -> None:
    bitget.server_clock.clock.advance(timedelta(milliseconds=HOMELESS_MS + 1))  # type: ignore[attr-defined]


def shown(stub: Stub, order_id: str = "77", **given: Any) -> None:
    stub.by_query[ORDERS + "detail", "orderId", order_id] = an_item(orderId=order_id, **given)


@pytest.mark.parametrize("lost", [True, False])
async def test_a_fill_that_is_shown_before_its_order_waits_and_then_has_our_name(lost: bool) -> None:
    """By the stream of an earlier run, or by the list; with the order's answer lost, or the order placed before a restart."""
    async with account() as (stub, bitget, heard):
        if lost:
            bitget.book.add(Tracked(an_order(), "", AT, unknown=True))
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t1")]}
        assert await bitget.fills_since(AT) == [] and await bitget.events.filled([rest_fill(a_fill("t1"))]) == 0
        shown(stub)
        assert named(await bitget.fills_since(AT)) == ["o-1"]
        await bitget.events.homeless_again()
        assert named(await heard.until(1, Fill)) == ["o-1"]


async def test_a_fill_whose_order_is_never_shown_is_nobodys_after_a_minute() -> None:
    async with account() as (stub, bitget, heard):
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t1")]}
        assert await bitget.fills_since(AT) == [] and await bitget.events.filled([rest_fill(a_fill("t1"))]) == 0
        a_minute_later(bitget)
        assert named(await bitget.fills_since(AT)) == ["77"]
        await bitget.events.homeless_again()
        assert named(await heard.until(1, Fill)) == ["77"]


async def test_a_fill_of_a_stop_waits_until_it_is_shown_which_plan_became_its_order() -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t1", orderId="99")]}
        shown(stub, "99", **TRIGGERED)
        assert await bitget.fills_since(AT) == []
        stub.by_query[ORDERS + "orders-plan-history", "planType", "profit_loss"] = {
            "entrustedList": [a_plan(planType="loss_plan", planStatus="executed", executeOrderId="99", clientOid="b1-000002")]}
        assert named(await bitget.fills_since(AT)) == ["b1-000002"]


@pytest.mark.parametrize("given", [{"clientOid": "1190384645074202625"}, {"orderSource": "pos_loss_market", "clientOid": "55"},
                                   {"orderSource": "tracking_market", "clientOid": "56"}])
async def test_what_was_done_by_hand_is_nobodys_at_once(given: dict[str, str]) -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t1")]}
        shown(stub, status="filled", **given)
        assert named(await bitget.fills_since(AT)) == [given["clientOid"]]


async def test_an_order_that_the_exchange_will_not_talk_about_holds_up_no_other_fill() -> None:
    async with account() as (stub, bitget, _):
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t2"), a_fill("t1", orderId="5")]}
        shown(stub)
        stub.by_query[ORDERS + "detail", "orderId", "5"] = "40309"
        assert named(await bitget.fills_since(AT)) == ["o-1"]
        stub.by_query[ORDERS + "detail", "orderId", "5"] = "40009"
        with pytest.raises(Refused):
            await bitget.fills_since(AT)


async def test_a_plan_whose_own_id_is_not_known_is_not_taken_for_the_order_it_became() -> None:
    async with account() as (stub, bitget, heard):
        one = bitget.book.add(Tracked(an_order(kind="stop_limit", price="59000", trigger="59500"), "normal_plan", AT, unknown=True))
        shown(stub, "99", **TRIGGERED | {"orderSource": "plan_limit"})
        stub.replies[ORDERS + "orders-plan-history"] = {"entrustedList": [a_plan(planStatus="executed", executeOrderId="99")]}
        await bitget.events.filled([rest_fill(a_fill("t1", orderId="99"))])
        await heard.until(1, Fill)
        assert (one.exchange_id, one.child_id) == ("88", "99")
        stub.replies[ORDERS + "cancel-order"] = {"orderId": "99"}
        assert await bitget.cancel("o-1") == Accepted("88") and stub.last("cancel-order")[0]["orderId"] == "99"


async def test_what_fills_between_the_questions_of_a_start_has_our_name() -> None:
    async with bench(by_hand=True) as b:
        assert await b.bitget.place(an_order(kind="limit", price="59000")) == Accepted(b.bitget.book.orders["o-1"].exchange_id)
        again = Bitget(b.bitget.rest.session, b.bitget.rest.key, b.clock, timeframe_ms=60_000, address=b.url, public=NOBODY, private=NOBODY,
                       sleep=b.time.sleep)
        asked = again.evidence.open_reports

        async def after_it_has_filled() -> list[Any]:
            await b.played.move(589_000)
            return await asked()

        again.evidence.open_reports = after_it_has_filled  # type: ignore[method-assign]
        heard = Heard()
        await again.start()
        again.listen(heard, symbol="BTCUSDT", prices=False)
        await seen(lambda: heard.of(Fill))
        assert named(heard.of(Fill)) == ["o-1"]
        await again.close()


async def test_one_order_that_is_refused_blinds_nobody_and_rings_once() -> None:
    async with account() as (stub, bitget, _):
        rung: list[str] = []
        bitget.reconciliation.alarm = lambda word, _: rung.append(word)
        for number in (1, 2):
            bitget.book.add(Tracked(an_order(f"o-{number}"), "", AT - 10_000, f"7{number}"))
        stub.by_query[ORDERS + "detail", "clientOid", "o-1"] = "40309"
        shown_filled = an_item(orderId="72", clientOid="o-2", status="filled", baseVolume="0.004", size="0.004")
        stub.by_query[ORDERS + "detail", "clientOid", "o-2"] = shown_filled
        stub.replies[ORDERS + "fills"] = {"fillList": [a_fill("t1", orderId="72")]}
        stub.replies["/api/v2/mix/account/bill"] = NOTHING
        for _ in range(2):
            await bitget.reconciliation.open_orders()
        assert rung == ["order_missing"] and bitget.book.orders["o-2"].ended and not bitget.book.orders["o-1"].ended


async def test_what_is_over_for_us_is_cancelled_all_the_same_where_it_rests() -> None:
    async with account() as (stub, bitget, _):
        bitget.book.add(Tracked(an_order(), "", AT, "77", ended=True))
        stub.replies[ORDERS + "cancel-order"] = {"orderId": "77"}
        assert await bitget.cancel("o-1") == Accepted("77")


def test_no_question_reaches_further_than_the_exchange_answers() -> None:
    now = AT
    assert questions(now - DAY_MS, now) == [{"startTime": str(now - DAY_MS)}]
    spans = questions(0, now)
    starts = [int(one["startTime"]) for one in spans]
    assert starts[0] == now - KEPT_MS and all(later - earlier == SPAN_MS for earlier, later in zip(starts, starts[1:], strict=False))
    assert [one.get("endTime") for one in spans] == [*map(str, starts[1:]), None] and now - starts[-1] <= SPAN_MS
