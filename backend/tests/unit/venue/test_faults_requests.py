"""Faults of single requests: what was executed, what came back, how it was counted."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request
from faults_face import CANCEL, CANCEL_ALL, PENDING, PLACE, TIME, code_of, face, holds

from haechi.errors import BadInput


async def test_timeout_before_executes_nothing_hangs_and_drops() -> None:
    async with face() as one:
        fault = await one.order(kind="timeout_before", hang_ms=7_000)
        assert await one.place("a") == (0, b"", {})
        assert not holds(one.ann, "a") and one.hours.slept == [7] and one.counted(fault) == (1, 1)
        assert (await one.place("b"))[0] == 200 and holds(one.ann, "b")


async def test_timeout_after_executes_and_never_answers() -> None:
    async with face() as one:
        fault = await one.order(kind="timeout_after", hang_ms=7_000)
        assert (await one.place("a"))[0] == 0
        assert holds(one.ann, "a") and one.hours.slept == [7] and one.counted(fault) == (1, 1)


@pytest.mark.parametrize(("first", "there"), [(3, False), (60, True)])
async def test_late_execution_hangs_drops_and_executes_each_in_its_own_time(first: int, there: bool) -> None:
    """Even on a server that cancels its handler with the connection, as this one does."""
    async with face() as one:
        fault = await one.order(kind="late_execution", hang_ms=3_000, delay_ms=60_000)
        gates = {3: asyncio.Event(), 60: asyncio.Event()}

        async def sleep(seconds: float) -> None:
            await gates[round(seconds)].wait()

        one.faults.sleep = sleep
        answer = asyncio.create_task(one.place("a"))
        gates[first].set()
        await asyncio.wait({answer, asyncio.create_task(one.executed.wait())}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert (holds(one.ann, "a"), answer.done()) == (there, not there)
        for gate in gates.values():
            gate.set()
        assert (await asyncio.wait_for(answer, 5))[0] == 0
        await asyncio.wait_for(one.executed.wait(), 5)
        assert holds(one.ann, "a") and one.counted(fault) == (1, 1)


async def test_what_is_executed_late_meets_the_other_faults_of_an_execution() -> None:
    async with face() as one:
        for order in ({"kind": "late_execution"}, {"kind": "partial_fill"}, {"kind": "read_lag"}):
            await one.order(**order)
        assert (await one.place("a"))[0] == 0
        await asyncio.wait_for(one.executed.wait(), 5)
        order = one.ann.find(client_oid="a")
        assert order is not None and order.left == 1 and one.faults.seen(one.ann).open_orders() == []


async def test_where_nothing_is_served_nothing_can_be_executed_late() -> None:
    async with face() as one:
        one.faults.execute = None
        with pytest.raises(BadInput, match="no REST face"):
            await one.faults.add({"kind": "late_execution"})


async def test_a_late_execution_ends_with_the_venue() -> None:
    async with face() as one:
        await one.order(kind="late_execution", hang_ms=0)
        never = asyncio.Event()
        one.faults.sleep = lambda _: never.wait()  # type: ignore[assignment, return-value]
        await one.place("a")
        one.faults.close()
        never.set()
        await one.place("b")
        assert not holds(one.ann, "a") and holds(one.ann, "b")


async def test_errors_before_and_after_differ_only_in_what_was_executed() -> None:
    async with face() as one:
        before = await one.order(kind="error_before", status=504)
        status, body, headers = await one.place("a")
        assert (status, headers["Content-Type"].split(";")[0]) == (504, "text/html") and b"<html>" in body and not holds(one.ann, "a")
        after = await one.order(kind="error_after", status=503)
        status, body, _ = await one.place("b")
        assert status == 503 and b"<html>" in body and holds(one.ann, "b")
        assert one.counted(before) == one.counted(after) == (1, 1)


async def test_an_error_may_be_a_code_of_the_exchange_with_any_status() -> None:
    async with face() as one:
        await one.order(kind="error_after", status=200, code="40725")
        status, body, _ = await one.place("a")
        assert (status, orjson.loads(body)["code"], orjson.loads(body)["msg"]) == (200, "40725", "service return an error")
        await one.order(kind="error_before", status=400, code="99999", message="as never seen")
        assert orjson.loads((await one.place("b"))[1])["msg"] == "as never seen"


async def test_truncated_json_is_the_beginning_of_the_answer_after_execution() -> None:
    async with face() as one:
        fault = await one.order(kind="truncated_json", seed=3)
        status, body, _ = await one.place("a")
        assert status == 200 and holds(one.ann, "a") and one.counted(fault) == (1, 1)
        assert b'{"code":"00000"'.startswith(body[:15]) and body
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(body)


async def test_rate_limit_refuses_as_often_as_asked() -> None:
    async with face() as one:
        fault = await one.order(kind="rate_limit", count=3, wait_ms=1_500)
        answers = [await one.place(name) for name in "abcd"]
        assert [answer[0] for answer in answers] == [429, 429, 429, 200]
        assert code_of(answers[0]) == "429" and answers[0][2]["Retry-After"] == "2" and one.counted(fault) == (3, 3)
        assert not holds(one.ann, "c") and holds(one.ann, "d")


async def test_a_ban_refuses_everything_until_its_time_and_tells_it() -> None:
    async with face() as one:
        fault = await one.order(kind="ban_until", for_ms=60_000, after=1, status=418)
        assert (await one.place("a"))[0] == 200
        status, body, headers = await one.place("b")
        assert (status, headers["Retry-After"]) == (418, "60")
        assert str(one.floor.wall_ms() + 60_000) in orjson.loads(body)["msg"]
        one.hours.now_ms += 59_999
        assert (await one.ask("GET", TIME))[0] == 418 and (await one.place("c", key="k3"))[0] == 418
        one.hours.now_ms += 1
        assert (await one.place("d"))[0] == 200 and one.counted(fault) == (4, 3)


async def test_maintenance_of_everything_and_of_orders() -> None:
    async with face() as one:
        fault = await one.order(kind="maintenance", for_ms=60_000)
        assert code_of(await one.ask("GET", TIME)) == code_of(await one.place("a")) == "40200"
        one.hours.now_ms += 60_000
        assert (await one.place("b"))[0] == 200 and one.counted(fault) == (2, 2)
        await one.order(kind="maintenance", code="45043", cancels=True)
        assert code_of(await one.place("c")) == "45043"
        assert (await one.ask("POST", CANCEL, {"clientOid": "b"}))[0] == 200 and (await one.ask("GET", TIME))[0] == 200


async def test_a_maintained_symbol_shows_it_refuses_its_orders_and_comes_back() -> None:
    async with face() as one:
        fault = await one.order(kind="maintenance", code="41114", symbol="btcusdt")
        assert one.floor.contracts[0].status == "maintain"
        assert code_of(await one.place("a")) == "41114"
        assert (await one.place("b", price=290_000, symbol="ETHUSDT"))[0] == 200
        assert one.counted(fault) == (1, 1)
        assert (await one.ask("DELETE", f"/_venue/faults/{fault}"))[0] == 200
        assert one.floor.contracts[0].status == "normal" and (await one.place("c"))[0] == 200


async def test_the_end_of_a_maintenance_gives_the_symbol_back_by_itself() -> None:
    async with face() as one:
        await one.order(kind="maintenance", code="41114", symbol="BTCUSDT", for_ms=60_000)
        one.hours.now_ms += 60_000
        assert (await one.place("a"))[0] == 200 and one.floor.contracts[0].status == "normal"


async def test_a_maintenance_that_begins_later_shows_itself_later() -> None:
    async with face() as one:
        await one.order(kind="maintenance", code="41114", symbol="BTCUSDT", after=1)
        assert (await one.place("a"))[0] == 200 and one.floor.contracts[0].status == "normal"
        assert code_of(await one.place("b")) == "41114" and one.floor.contracts[0].status == "maintain"


async def test_the_clock_is_off_until_the_fault_ends() -> None:
    async with face() as one:
        fault = await one.order(kind="clock_offset", offset_ms=-90_000)
        assert orjson.loads((await one.ask("GET", TIME))[1])["data"] == {"serverTime": "910000"} and one.counted(fault) == (1, 1)
        await one.order(kind="clock_offset", offset_ms=1_000)
        assert one.faults.clock_offset_ms() == -89_000
        one.faults.remove()
        assert one.faults.clock_offset_ms() == 0


async def test_reads_lag_behind_every_write_by_its_own_time() -> None:
    async with face() as one:
        assert (await one.place("a"))[0] == 200
        fault = await one.order(kind="read_lag", lag_ms=10_000, count=2)
        await one.place("b")
        assert await one.pending() == ["a"]
        one.hours.now_ms += 4_000
        await one.place("c")
        assert await one.pending() == ["a"] and one.faults.lag("ann") == 10_000 and one.counted(fault) == (2, 2)  # reads are not asked
        one.hours.now_ms += 6_000
        assert await one.pending() == ["a", "b"]
        one.hours.now_ms += 4_000
        assert await one.pending() == ["a", "b", "c"] and one.faults.lag("ann") == 0


async def test_a_lagging_view_shows_position_and_balance_of_before_and_does_not_touch_the_member() -> None:
    async with face() as one:
        await one.order(kind="read_lag", member="ann")
        wallet = one.ann.balance().wallet
        await one.ask("POST", PLACE, {"symbol": "BTCUSDT", "clientOid": "a"})
        seen = one.faults.seen(one.ann)
        assert (seen.positions(), seen.balance().wallet) == ([], wallet)
        assert len(one.ann.positions()) == 1 and one.ann.balance().wallet < wallet
        assert one.faults.seen(one.bob) is one.bob


@pytest.mark.parametrize(("policy", "code", "orders"), [("reject", "45034", 1), ("new", "00000", 2), ("same", "00000", 1)])
async def test_a_known_client_id_meets_the_policy_ordered(policy: str, code: str, orders: int) -> None:
    async with face() as one:
        fault = await one.order(kind="duplicate_client_id", policy=policy, count=1)
        first = orjson.loads((await one.place("a"))[1])["data"]["orderId"]
        assert one.counted(fault) == (0, 0)
        answer = await one.place("a")
        assert code_of(answer) == code and len(one.ann.open_orders()) == orders and one.counted(fault) == (1, 1)
        assert one.floor.duplicate_policy == "reject"  # it was for that request alone
        assert policy != "same" or orjson.loads(answer[1])["data"]["orderId"] == first
        assert code_of(await one.place("a")) == "45034"  # the fault is over: the exchange's own way again


async def test_a_policy_does_not_outlive_a_request_that_never_came_to_its_answer() -> None:
    async with face() as one:
        await one.place("a")
        fault = await one.order(kind="duplicate_client_id", policy="same", count=1)
        for client_oid, policy in (("a", "same"), ("b", "reject")):
            request = make_mocked_request("POST", PLACE, headers={"ACCESS-KEY": "k1"})
            await one.faults.before(request, orjson.dumps({"clientOid": client_oid}))
            assert one.floor.duplicate_policy == policy
        assert one.counted(fault) == (1, 1)


@pytest.mark.parametrize(("path", "said"), [(CANCEL, {"clientOid": "a"}), (CANCEL_ALL, {"symbol": "BTCUSDT"})])
async def test_the_order_is_filled_before_its_cancelling_is_read(path: str, said: dict[str, str]) -> None:
    async with face() as one:
        fault = await one.order(kind="cancel_fill_race")
        await one.place("a", price=590_000)
        answer = await one.ask("POST", path, said)
        order = one.ann.find(client_oid="a")
        assert order is not None and (order.status, order.quote) == ("filled", 100 * 590_000)
        assert code_of(answer) == ("22001" if path == CANCEL else "00000") and one.counted(fault) == (1, 1)
        assert one.ann.account.lots(0) == 100


async def test_an_order_that_waits_for_the_next_bar_loses_the_race_too_but_one_without_a_price_does_not() -> None:
    async with face() as one:
        await one.played.close()
        fault = await one.order(kind="cancel_fill_race", count=9)
        for client_oid, price, status in (("limit", 590_000, "filled"), ("market", 0, "canceled")):
            await one.place(client_oid, price)
            await one.ask("POST", CANCEL, {"clientOid": client_oid})
            order = one.ann.find(client_oid=client_oid)
            assert order is not None and order.status == status
        assert one.counted(fault) == (1, 1) and one.ann.account.queued[0] == one.ann.account.orders[0] == []


@pytest.mark.parametrize(("pieces", "dust"), [(1, 1), (7, 3), (50, 0), (50, 90)])
async def test_a_resting_order_is_filled_in_pieces_but_for_the_dust(pieces: int, dust: int) -> None:
    async with face() as one:
        fault = await one.order(kind="partial_fill", pieces=pieces, dust_lots=dust, seed=1)
        await one.place("market", price=600_100, size=5)  # fills at once: nothing rests
        await one.place("a", price=590_000)
        order = one.ann.find(client_oid="a")
        assert order is not None and (order.left, order.status) == (dust, "partially_filled" if dust else "filled")
        fills = [fill for fill in one.ann.fills if fill.client_oid == "a"]
        assert len(fills) == min(pieces, 100 - dust) and {fill.price for fill in fills} == {590_000}
        assert one.counted(fault) == (1, 1)


async def test_one_named_order_is_filled_at_once_or_refused() -> None:
    async with face() as one:
        await one.place("a")
        fault = await one.order(kind="partial_fill", member="ann", order="a", pieces=2, dust_lots=1)
        order = one.ann.find(client_oid="a")
        assert order is not None and order.left == 1 and one.counted(fault) == (1, 1)
        refused = await one.ask("POST", "/_venue/faults", {"kind": "partial_fill", "member": "ann", "order": "a", "dust_lots": 1})
        assert code_of(refused) == "40768" and len(one.faults.faults) == 1


async def test_only_the_member_symbol_and_path_named_are_concerned() -> None:
    async with face() as one:
        fault = await one.order(kind="error_before", member="bob", symbol="ETHUSDT", path=PLACE, count=9)
        answers = [await one.place("a"), await one.place("b", key="k3"), await one.place("c", 290_000, symbol="ETHUSDT"),
                   await one.ask("GET", PENDING + "?symbol=ethusdt", key="k3"), await one.place("d", 290_000, key="k3", symbol="ETHUSDT")]
        assert [answer[0] for answer in answers] == [200, 200, 200, 200, 502] and one.counted(fault) == (1, 1)
        await one.order(kind="error_before", symbol="ETHUSDT")
        assert (await one.ask("GET", PENDING + "?symbol=ethusdt"))[0] == 502  # clients write symbols in either case
        await one.order(kind="error_before", path="/api/v2/public/*")
        assert (await one.ask("GET", TIME))[0] == 502
