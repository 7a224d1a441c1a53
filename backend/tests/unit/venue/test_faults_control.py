"""Ordering faults: off unless wanted, everything wrong is told, draws repeat, counts are shown, deleting ends them."""

from __future__ import annotations

import orjson
import pytest
from faults_face import TIME, code_of, face
from trading_floor import trading

from haechi.errors import BadInput, NotFound
from haechi.venue.fault_acts import ACTS
from haechi.venue.fault_draws import Fault
from haechi.venue.fault_kinds import KINDS, wanted
from haechi.venue.fault_pushes import PUSHES
from haechi.venue.fault_requests import ANSWER, PREPARE, REFUSE
from haechi.venue.faults import FAULTS_MAX, Faults

PATH = "/_venue/faults"
PROMISED = {
    "timeout_before", "timeout_after", "late_execution", "error_after", "error_before", "truncated_json", "read_lag",
    "duplicate_client_id", "push_duplicate", "push_reorder", "push_late", "push_missing", "silent_stream", "dropped_stream",
    "rate_limit", "ban_until", "clock_offset", "partial_fill", "cancel_fill_race", "stop_rejected", "gap_through_stop", "maintenance",
    "delisting", "key_revoked", "permission_reduced", "mode_changed", "manual_order", "manual_transfer", "forced_liquidation", "adl",
    "ip_changed",
}


def test_every_promised_kind_is_there_and_has_what_carries_it_out() -> None:
    assert set(KINDS) == PROMISED
    tables = {"refuse": REFUSE, "prepare": PREPARE, "answer": ANSWER, "push": PUSHES, "act": ACTS}
    for name, kind in KINDS.items():
        assert kind.when not in tables or name in tables[kind.when], name
        assert kind.says and all(field.says for field in kind.known().values()), name
    others = {name for name, kind in KINDS.items() if kind.when not in tables}
    assert others == {"clock_offset", "partial_fill", "stop_rejected"}  # faults.py and fault_orders.py


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
async def test_without_the_switch_nothing_is_reachable(method: str) -> None:
    async with face(enabled=False) as one:
        status, body, _ = await one.ask(method, PATH, {"kind": "timeout_before"})
        assert (status, orjson.loads(body)["code"]) == (404, "40404")
        with pytest.raises(NotFound):
            await one.faults.add({"kind": "timeout_before"})
        assert (await one.place("a"))[0] == 200 and one.faults.push("ann", "orders", b"{}") == [(0, b"{}")]


BAD: list[tuple[object, str]] = [
    ([], "JSON object"), ("timeout_before", "JSON object"), (None, "JSON object"), ({}, "there is no fault None"),
    ({"kind": "earthquake"}, "there is no fault 'earthquake'; there are timeout_before"), ({"kind": ["x"]}, "there is no fault"),
    ({"kind": "timeout_before", "hang": 1}, "does not take 'hang'; it takes member"),
    ({"kind": "timeout_before", "channel": "fill"}, "does not take 'channel'"),
    ({"kind": "push_late", "path": "/api"}, "does not take 'path'"),
    ({"kind": "timeout_before", "hang_ms": "5"}, "hang_ms must be a whole number from 0"),
    ({"kind": "timeout_before", "hang_ms": True}, "hang_ms must be a whole number"),
    ({"kind": "timeout_before", "hang_ms": -1}, "hang_ms must be"), ({"kind": "timeout_before", "hang_ms": 1.5}, "hang_ms must be"),
    ({"kind": "timeout_before", "count": 0}, "count must be a whole number from 1"), ({"kind": "rate_limit", "count": -3}, "count must"),
    ({"kind": "timeout_before", "probability": 1.1}, "probability must be from 0 to 1"),
    ({"kind": "timeout_before", "probability": "often"}, "probability must be a number"),
    ({"kind": "timeout_before", "probability": "NaN"}, "finite"), ({"kind": "timeout_before", "probability": [1]}, "must be a number"),
    ({"kind": "timeout_before", "seed": -1}, "seed must be"), ({"kind": "timeout_before", "after": "two"}, "after must be"),
    ({"kind": "timeout_before", "member": "carl"}, "no member 'carl'; there are ann, bob"),
    ({"kind": "timeout_before", "member": 7}, "member must be a text"), ({"kind": "timeout_before", "member": ""}, "member must be a text"),
    ({"kind": "timeout_before", "symbol": "XYZUSDT"}, "no symbol 'XYZUSDT'; there are BTCUSDT, ETHUSDT"),
    ({"kind": "error_before", "status": 99}, "status must be"), ({"kind": "error_after", "message": "x"}, "only with 'code'"),
    ({"kind": "error_after", "code": "12345"}, "say the 'message'"), ({"kind": "error_after", "code": 40725}, "code must be a text"),
    ({"kind": "duplicate_client_id"}, "needs 'policy'"), ({"kind": "duplicate_client_id", "policy": "maybe"}, "one of reject, new, same"),
    ({"kind": "ban_until"}, "needs 'for_ms'"), ({"kind": "ban_until", "for_ms": 0}, "for_ms must be"),
    ({"kind": "clock_offset"}, "needs 'offset_ms'"), ({"kind": "clock_offset", "offset_ms": 10**12}, "offset_ms must be"),
    ({"kind": "clock_offset", "offset_ms": 1, "member": "ann"}, "does not take 'member'"),
    ({"kind": "maintenance", "code": "41114"}, "of one symbol"), ({"kind": "maintenance", "code": "99"}, "one of 40200, 45043, 41114"),
    ({"kind": "maintenance", "cancels": "yes"}, "true or false"),
    ({"kind": "push_duplicate", "copies": 1}, "copies must be a whole number from 2"),
    ({"kind": "partial_fill", "order": "a"}, "needs its 'member'"), ({"kind": "partial_fill", "pieces": 51}, "pieces must be"),
    ({"kind": "stop_rejected"}, "needs 'member'"), ({"kind": "manual_order", "member": "ann"}, "needs 'symbol'"),
    ({"kind": "manual_order", "member": "ann", "symbol": "BTCUSDT", "side": "up", "size": "1"}, "one of buy, sell"),
    ({"kind": "manual_order", "member": "ann", "symbol": "BTCUSDT", "side": "buy", "size": "-1"}, "greater than 0"),
    ({"kind": "manual_order", "member": "ann", "symbol": "BTCUSDT", "side": "buy", "size": "1e400"}, "usual size"),
    ({"kind": "manual_order", "member": "ann", "symbol": "BTCUSDT", "side": "buy"}, "needs 'size'"),
    ({"kind": "manual_transfer", "member": "ann", "amount": 0}, "must not be 0"),
    ({"kind": "manual_transfer", "member": "ann", "amount": False}, "must be a number"), ({"kind": "manual_transfer"}, "needs 'member'"),
    ({"kind": "mode_changed", "member": "ann"}, "needs one of"), ({"kind": "mode_changed", "member": "ann", "leverage": 5}, "needs 'symbol'"),
    ({"kind": "mode_changed", "member": "ann", "position_mode": "hedge_mode", "leverage": 5}, "needs one of"),
    ({"kind": "gap_through_stop", "symbol": "BTCUSDT"}, "either 'price' or 'fraction'"),
    ({"kind": "gap_through_stop", "symbol": "BTCUSDT", "price": "1", "fraction": "0.1"}, "either"),
    ({"kind": "gap_through_stop", "symbol": "BTCUSDT", "fraction": "-1"}, "above -1"),
    ({"kind": "delisting"}, "needs 'symbol'"), ({"kind": "ip_changed", "member": "ann", "ips": []}, "ips must be a list"),
    ({"kind": "ip_changed", "member": "ann", "ips": ["", 1]}, "every one of ips"), ({"kind": "key_revoked", "member": "ann", "key": "k3"}, "no key"),
    ({"kind": "delisting", "symbol": "BTCUSDT", "after": 2}, "say at which 'path'"),
    ({"kind": "manual_transfer", "member": "ann", "amount": 1, "count": 101}, "at most 100 times"),
    ({"kind": "dropped_stream"}, "no streams are served"),
]


@pytest.mark.parametrize(("order", "told"), BAD, ids=lambda case: str(case)[:60])
async def test_a_bad_order_is_told_in_a_sentence_and_nothing_is_kept(order: object, told: str) -> None:
    async with face() as one:
        async with one.client.post(PATH, data=orjson.dumps(order)) as sent:
            status, answer = sent.status, await sent.json()
        assert (status, answer["code"]) == (400, "40020") and told in answer["msg"], answer
        assert not one.faults.faults and one.ann.account.wallet == 10_000 and one.floor.contracts[0].status == "normal"


async def test_a_body_that_is_not_json_or_too_long_or_a_wrong_method_is_told() -> None:
    async with face() as one:
        for body in (b"", b"{", b"\xff\xfe", b'{"kind":NaN}', b"[" * 20_000):
            async with one.client.post(PATH, data=body) as answer:
                assert answer.status == 400 and (await answer.json())["code"] == "40020"
        assert code_of(await one.ask("PUT", PATH, {"kind": "timeout_before"})) == "40020"
        assert code_of(await one.ask("POST", PATH + "/f1", {"kind": "timeout_before"})) == "40020"


async def test_faults_are_shown_with_their_order_and_counts_and_deleted_one_or_all() -> None:
    async with face() as one:
        first = await one.order(kind="error_before", member="ann", probability="0.25", count=5, seed=9)
        second = await one.order(kind="rate_limit")
        assert (await one.ask("GET", TIME, key="k3"))[0] == 429
        shown = orjson.loads((await one.ask("GET", PATH))[1])["data"]
        assert [(fault["id"], fault["kind"], fault["asked"], fault["drawn"], fault["over"]) for fault in shown] == [
            (first, "error_before", 0, 0, False), (second, "rate_limit", 1, 1, True)]
        assert shown[0]["order"] == {"member": "ann", "probability": "0.25", "count": 5, "seed": 9, "after": 0, "status": 502}
        assert [fault["id"] for fault in orjson.loads((await one.ask("GET", f"{PATH}/{second}"))[1])["data"]] == [second]
        assert (await one.ask("GET", f"{PATH}/f99"))[0] == (await one.ask("DELETE", f"{PATH}/f99"))[0] == 404
        assert orjson.loads((await one.ask("DELETE", f"{PATH}?id={first}"))[1])["data"] == {"removed": 1}
        assert orjson.loads((await one.ask("DELETE", PATH))[1])["data"] == {"removed": 1} and one.faults.faults == {}
        assert await one.order(kind="rate_limit") == "f3"  # ids are never used twice


def draws(order: dict[str, object], questions: int = 300, venue_seed: str = "0/1") -> list[bool]:
    made = wanted(order)
    fault = Fault(1, made, str(made.seed) if made.seed is not None else venue_seed)
    return [fault.take(0) for _ in range(questions)]


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    order: dict[str, object] = {"kind": "timeout_after", "probability": 0.3, "count": 1000, "seed": 4}
    assert draws(order) == draws(order, venue_seed="7/8") != draws({**order, "seed": 5})
    assert 60 < sum(draws(order)) < 120


async def test_without_a_seed_the_venues_own_repeats_the_whole_row_of_faults() -> None:
    rows = []
    for seed in (1, 1, 2):
        faults = Faults((await trading()).floor, seed=seed)
        made = [await faults.add({"kind": "push_missing", "probability": "0.5", "count": 999}) for _ in range(2)]
        rows.append([[fault.take(0) for _ in range(100)] for fault in made])
    assert rows[0] == rows[1] != rows[2] and rows[0][0] != rows[0][1]


def test_count_after_and_probability_bound_the_draws() -> None:
    assert draws({"kind": "rate_limit", "count": 2, "after": 3}, 8) == [False] * 3 + [True] * 2 + [False] * 3
    assert sum(draws({"kind": "rate_limit", "count": 9, "probability": 0})) == 0
    assert sum(draws({"kind": "rate_limit", "count": 7, "probability": 0.5})) == 7


async def test_no_more_faults_are_kept_than_a_bound() -> None:
    faults = Faults((await trading()).floor)
    for _ in range(FAULTS_MAX):
        await faults.add({"kind": "rate_limit"})
    with pytest.raises(BadInput, match="delete some first"):
        await faults.add({"kind": "rate_limit"})
    assert faults.remove() == FAULTS_MAX
