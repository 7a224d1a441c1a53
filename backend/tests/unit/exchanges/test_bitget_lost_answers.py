"""Orders whose answers are lost, late, torn or doubled: unknown until the exchange itself says what became of them, never sent twice."""

from __future__ import annotations

import pytest
from bitget_bench import Bench, Heard, an_order, bench

from haechi.exchanges.bitget.orders import LATEST_MS
from haechi.exchanges.port import Accepted, Fill, Gone, NewOrder, Rejected, Unknown

PLACE = "/api/v2/mix/order/place-order"
LOST_AFTER = [{"kind": "timeout_after"}, {"kind": "error_after"}, {"kind": "error_after", "status": 504},
              {"kind": "error_after", "code": "45001", "status": 400}, {"kind": "error_after", "code": "40725", "status": 400},
              {"kind": "error_after", "code": "40015", "status": 200}, {"kind": "error_after", "code": "40910", "status": 400},
              {"kind": "error_after", "code": "22002", "status": 502}, {"kind": "error_after", "code": "99999", "status": 400, "message": "new"},
              {"kind": "truncated_json"}]


async def fault(b: Bench, order: dict[str, object], path: str = PLACE) -> None:
    assert b.faults is not None
    await b.faults.add({"path": path, **order})


@pytest.mark.parametrize("order", LOST_AFTER, ids=lambda one: "-".join(map(str, one.values())))
async def test_an_executed_order_whose_answer_is_lost_is_unknown_then_found(order: dict[str, object]) -> None:
    async with bench(with_faults=True) as b:
        await fault(b, order)
        outcome = await b.bitget.place(an_order())
        assert isinstance(outcome, Unknown), outcome
        made = b.member.find(client_oid="o-1")
        assert await b.bitget.resolve("o-1") == Accepted(made.order_id)
        assert len(b.member.orders) == 1
        assert len(b.member.fills) == 1


async def test_the_reconciliation_alone_finds_the_order_and_tells_its_fill() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await fault(b, {"kind": "timeout_after"})
        assert isinstance(await b.bitget.place(an_order()), Unknown)
        await b.bitget.reconciliation.once()
        (fill,) = await heard.until(1, Fill)
        assert fill.client_id == "o-1"
        assert not b.bitget.book.find("o-1").unknown


async def test_what_waited_for_the_budget_is_asked_whether_it_may_still_leave() -> None:
    async with bench() as b:
        answers = iter((False, True))
        asked: list[int] = []

        def still() -> bool:
            asked.append(b.bitget.rest.budget.sent)  # its turn has come by then
            return next(answers)

        before = b.bitget.rest.budget.sent
        assert await b.bitget.place(an_order(), still=still) == Rejected("not_sent")
        assert not b.member.orders and asked[0] > before
        assert isinstance(await b.bitget.place(an_order(), still=still), Accepted)


@pytest.mark.parametrize("order", [{"kind": "timeout_before"}, {"kind": "error_before"}, {"kind": "error_before", "code": "45001"}],
                         ids=lambda one: "-".join(one.values()))
async def test_an_order_that_never_arrived_stays_unknown_until_it_no_longer_can(order: dict[str, object]) -> None:
    async with bench(with_faults=True) as b:
        await fault(b, order)
        assert isinstance(await b.bitget.place(an_order()), Unknown)
        b.later(LATEST_MS - 1_000)
        assert isinstance(await b.bitget.resolve("o-1"), Unknown)
        b.later(2_000)
        assert await b.bitget.resolve("o-1") == Rejected("never_arrived")
        assert not b.member.orders


@pytest.mark.parametrize("order", [an_order(kind="limit", price="59000"), an_order(kind="stop", trigger="61000")])
async def test_the_listener_is_told_that_an_order_never_arrived(order: NewOrder) -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await fault(b, {"kind": "timeout_before"}, "/api/v2/mix/order/place-*")
        assert isinstance(await b.bitget.place(order), Unknown)
        b.later(60_000)
        await b.bitget.reconciliation.once()
        await b.settled()
        assert heard.events == []
        b.later(LATEST_MS)
        await b.bitget.reconciliation.once()
        assert [(gone.client_id, gone.reason) for gone in await heard.until(1, Gone)] == [("o-1", "never_arrived")]


async def test_a_lost_stop_is_sought_where_stops_are() -> None:
    async with bench(with_faults=True) as b:
        await fault(b, {"kind": "timeout_after"}, "/api/v2/mix/order/place-*")
        await b.bitget.place(an_order("in"))
        assert isinstance(await b.bitget.resolve("in"), Accepted)
        await fault(b, {"kind": "truncated_json"}, "/api/v2/mix/order/place-tpsl-order")
        stop = an_order("sl", side="sell", kind="stop", trigger="59000", reduce_only=True)
        assert isinstance(await b.bitget.place(stop), Unknown)
        plan = b.member.find_plan(client_oid="sl")
        assert await b.bitget.resolve("sl") == Accepted(plan.order_id)


async def test_an_order_executed_late_is_found_late_and_only_once() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await fault(b, {"kind": "late_execution"})
        assert isinstance(await b.bitget.place(an_order()), Unknown)
        for _ in range(50):
            await b.settled()
        again = await b.bitget.place(an_order())
        assert isinstance(again, Accepted | Unknown)
        await b.bitget.reconciliation.once()
        (fill,) = await heard.until(1, Fill)
        assert fill.client_id == "o-1"
        assert len(b.member.orders) == 1


async def test_reads_that_lag_do_not_make_an_order_disappear() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await fault(b, {"kind": "read_lag", "lag_ms": 30_000})
        await fault(b, {"kind": "timeout_after"})
        assert isinstance(await b.bitget.place(an_order(kind="limit", price="59000")), Unknown)
        b.later(3_000)
        await b.bitget.reconciliation.once()
        assert isinstance(await b.bitget.resolve("o-1"), Unknown)
        b.later(30_000)
        assert isinstance(await b.bitget.resolve("o-1"), Accepted)
        await b.settled()
        assert heard.events == []


async def test_a_client_id_that_is_taken_proves_that_the_order_exists() -> None:
    async with bench(with_faults=True) as b:
        await fault(b, {"kind": "timeout_after"})
        assert isinstance(await b.bitget.place(an_order(kind="limit", price="59000")), Unknown)
        b.bitget.book.orders.clear()  # as after a restart: nothing is remembered
        b.bitget.book.by_exchange.clear()
        outcome = await b.bitget.place(an_order(kind="limit", price="59000"))
        assert outcome == Accepted(b.member.find(client_oid="o-1").order_id)
        assert len(b.member.orders) == 1


async def test_the_same_client_id_is_never_sent_twice_even_where_duplicates_are_taken() -> None:
    async with bench(with_faults=True) as b:
        assert b.faults is not None
        await b.faults.add({"kind": "duplicate_client_id", "policy": "new"})
        await fault(b, {"kind": "timeout_after"})
        assert isinstance(await b.bitget.place(an_order()), Unknown)
        assert isinstance(await b.bitget.place(an_order()), Accepted)
        assert isinstance(await b.bitget.place(an_order()), Accepted)
        assert len(b.member.orders) == 1


async def test_after_a_restart_the_saved_order_is_resolved_by_its_id() -> None:
    async with bench(with_faults=True) as b:
        await fault(b, {"kind": "timeout_after"})
        await b.bitget.place(an_order())
        b.bitget.book.orders.clear()
        assert isinstance(await b.bitget.resolve("o-1"), Unknown)
        assert isinstance(await b.bitget.resolve("o-1", order=an_order(), sent_ms=b.clock.now_ms()), Accepted)


async def test_a_request_that_could_not_leave_is_a_rejection_not_a_doubt() -> None:
    async with bench() as b:
        await b.bitget.instrument("BTCUSDT")
        await b.bitget.terms.read("BTCUSDT")
        b.bitget.rest.address = "http://127.0.0.1:1"
        assert await b.bitget.place(an_order()) == Rejected("unreachable")
        assert b.bitget.book.find("o-1") is None


async def test_a_timestamp_refused_is_measured_anew_and_sent_once_more() -> None:
    async with bench(with_faults=True) as b:
        await b.bitget.balance()
        b.clock.advance(__import__("datetime").timedelta(minutes=5))  # the machine's clock was set
        assert isinstance(await b.bitget.place(an_order()), Accepted)
        assert len(b.member.orders) == 1
        assert b.bitget.server_clock.offset_ms == -300_000


async def test_429_is_a_rejection_and_the_endpoint_rests_as_long_as_told() -> None:
    async with bench(with_faults=True) as b:
        await b.bitget.balance()
        await fault(b, {"kind": "rate_limit", "wait_ms": 3_000})
        assert await b.bitget.place(an_order()) == Rejected("rate", "429")
        before = b.clock.now_ms()
        assert isinstance(await b.bitget.place(an_order()), Accepted)
        assert b.clock.now_ms() - before >= 3_000


async def test_a_ban_stops_everything_until_it_is_over() -> None:
    async with bench(with_faults=True) as b:
        await b.bitget.balance()
        assert b.faults is not None
        await b.faults.add({"kind": "ban_until", "for_ms": 60_000})
        assert isinstance(await b.bitget.place(an_order()), Rejected)
        sent = b.bitget.rest.budget.sent
        assert await b.bitget.place(an_order("o-2")) == Rejected("rate")
        assert b.bitget.rest.budget.sent == sent
        b.later(61_000)
        assert isinstance(await b.bitget.place(an_order("o-3")), Accepted)


@pytest.mark.parametrize("code", ["40200", "45043"])
async def test_maintenance_is_a_rejection_and_passes(code: str) -> None:
    async with bench(with_faults=True) as b:
        await b.bitget.balance()
        await b.bitget.instrument("BTCUSDT")
        await b.bitget.terms.read("BTCUSDT")
        assert b.faults is not None
        made = await b.faults.add({"kind": "maintenance", "code": code})
        assert await b.bitget.place(an_order()) == Rejected("maintenance", code)
        b.faults.remove(made.id)
        assert isinstance(await b.bitget.place(an_order()), Accepted)


async def test_a_cancel_whose_answer_is_lost_is_asked_again() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order(kind="limit", price="59000"))
        await fault(b, {"kind": "timeout_after"}, "/api/v2/mix/order/cancel-order")
        outcome = await b.bitget.cancel("o-1")
        assert outcome == Rejected("no_order", "22001")  # the first one did it; the listener hears of the end
        assert [gone.reason for gone in await heard.until(1, Gone)] == ["canceled"]


async def test_an_order_filled_while_it_is_cancelled_is_a_fill() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order(kind="limit", price="59000"))
        await fault(b, {"kind": "cancel_fill_race"}, "/api/v2/mix/order/cancel-order")
        outcome = await b.bitget.cancel("o-1")
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "no_order"
        (fill,) = await heard.until(1, Fill)
        assert fill.client_id == "o-1"
        await b.bitget.reconciliation.once()
        await b.settled()
        assert len(heard.events) == 1


async def test_a_stop_the_exchange_cannot_carry_out_is_told_as_gone() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order("in"))
        await b.bitget.place(an_order("sl", side="sell", kind="stop", trigger="59000", reduce_only=True))
        assert b.faults is not None
        await b.faults.add({"kind": "stop_rejected", "member": "m"})
        await b.played.move(585_000)
        b.later(3_000)
        await b.bitget.reconciliation.once()
        (gone,) = await heard.until(1, Gone)
        assert (gone.client_id, gone.reason) == ("sl", "rejected")


async def test_partial_fills_are_each_told_and_the_rest_is_still_open() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await fault(b, {"kind": "partial_fill", "pieces": 3, "dust_lots": 2})
        await b.bitget.place(an_order(kind="limit", price="59000", quantity="0.011"))
        await b.bitget.reconciliation.once()
        fills = await heard.until(3, Fill)
        assert sum(fill.quantity for fill in fills) == an_order(quantity="0.009").quantity
        one = b.bitget.book.find("o-1")
        assert not one.ended
        await b.bitget.cancel("o-1")
        b.later(3_000)
        await b.bitget.reconciliation.once()
        assert one.ended
        await b.settled()
        assert len(heard.events) == 3


async def test_what_is_done_by_hand_is_told_too() -> None:
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        assert b.faults is not None
        await b.faults.add({"kind": "manual_order", "member": "m", "symbol": "BTCUSDT", "side": "buy", "size": "0.05"})
        await b.bitget.reconciliation.once()
        (fill,) = await heard.until(1, Fill)
        assert fill.quantity == an_order(quantity="0.05").quantity
        assert b.bitget.book.find(fill.client_id) is None


async def test_a_revoked_key_is_an_alarm_and_no_storm() -> None:
    async with bench(with_faults=True) as b:
        await b.bitget.place(an_order(kind="limit", price="59000"))
        assert b.faults is not None
        await b.faults.add({"kind": "key_revoked", "member": "m"})
        outcome = await b.bitget.place(an_order("o-2"))
        assert outcome == Rejected("key", "40037")
        before = b.bitget.rest.budget.sent
        with pytest.raises(Exception, match="40037"):
            await b.bitget.reconciliation.once()
        assert b.bitget.rest.budget.sent - before == 1
