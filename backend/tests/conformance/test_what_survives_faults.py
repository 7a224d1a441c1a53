"""A little trading with each fault the venue has, planted before it: nothing is lost, doubled, or believed without evidence.

Faults of the wire are tried over the wire. What the exchange, the market and the account's owner do happens on the paper venue too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from exchange_bench import FLOW_MS, QUICK_MS, Exchanged, on_paper, over_the_wire

from haechi.errors import HaechiError
from haechi.exchanges.port import Accepted, Fill, Outcome, Rejected, Unknown
from haechi.venue.fault_kinds import KINDS
from haechi.venue.faults import Faults
from haechi.venue.paper import Paper

D = Decimal
PLACE, CANCEL = "/api/v2/mix/order/place-order", "/api/v2/mix/order/cancel-order"
STOP = "/api/v2/mix/order/place-tpsl-order"
MINE, BTC = {"member": "m"}, {"member": "m", "symbol": "BTCUSDT"}
OURS = ("entry", "stop", "rest", "afterwards")
ROUNDS = 40  # of asking what became of an order

# name of the case, kind, what else the order for the fault says
WIRE: list[tuple[str, str, dict[str, Any]]] = [
    ("entry_never_came", "timeout_before", {"path": PLACE}), ("entry_answer_lost", "timeout_after", {"path": PLACE}),
    ("stop_never_came", "timeout_before", {"path": STOP}), ("stop_answer_lost", "timeout_after", {"path": STOP}),
    ("cancel_never_came", "timeout_before", {"path": CANCEL}), ("cancel_answer_lost", "timeout_after", {"path": CANCEL}),
    ("entry_executed_late", "late_execution", {"path": PLACE, "delay_ms": 2_000}),
    ("entry_502_not_executed", "error_before", {"path": PLACE}), ("entry_502_executed", "error_after", {"path": PLACE}),
    ("entry_40725_executed", "error_after", {"path": PLACE, "status": 400, "code": "40725"}),
    ("stop_502_executed", "error_after", {"path": STOP}), ("entry_answer_cut", "truncated_json", {"path": PLACE}),
    ("stop_answer_cut", "truncated_json", {"path": STOP}), ("cancel_answer_cut", "truncated_json", {"path": CANCEL}),
    ("every_third_answer_lost", "timeout_after", {"probability": 0.33, "seed": 5, "count": 20}),
    ("every_third_request_lost", "timeout_before", {"probability": 0.33, "seed": 6, "count": 20}),
    ("reads_lag", "read_lag", {"count": 10, "lag_ms": 500}),
    ("known_id_refused", "duplicate_client_id", {"policy": "reject"}), ("known_id_taken_again", "duplicate_client_id", {"policy": "new"}),
    ("known_id_answered", "duplicate_client_id", {"policy": "same"}),
    ("entry_limited", "rate_limit", {"path": PLACE}), ("banned", "ban_until", {"for_ms": 3_000}),
    ("orders_in_maintenance", "maintenance", {"code": "45043", "for_ms": 3_000}), ("all_in_maintenance", "maintenance", {"for_ms": 3_000}),
    ("symbol_in_maintenance", "maintenance", {"code": "41114", "symbol": "BTCUSDT", "for_ms": 3_000}),
    ("clock_ahead", "clock_offset", {"offset_ms": 40_000}), ("clock_behind", "clock_offset", {"offset_ms": -40_000}),
    ("fills_twice", "push_duplicate", {"channel": "fill", "count": 10, "copies": 3}), ("orders_twice", "push_duplicate", {"channel": "orders", "count": 10}),
    ("fills_overtaken", "push_reorder", {"channel": "fill", "count": 10, "window_ms": 300}),
    ("all_overtaken", "push_reorder", {"count": 30, "window_ms": 300}), ("fills_late", "push_late", {"channel": "fill", "count": 10, "delay_ms": 1_000}),
    ("fills_missing", "push_missing", {"channel": "fill", "count": 10}), ("orders_missing", "push_missing", {"channel": "orders", "count": 10}),
    ("stops_missing", "push_missing", {"channel": "orders-algo", "count": 10}),
    ("all_silent", "silent_stream", {}), ("stream_cut", "dropped_stream", {}), ("cut_at_a_fill", "dropped_stream", {"channel": "fill"}),
    ("cut_at_orders", "dropped_stream", {"channel": "orders", "count": 3}),
    ("filled_while_cancelled", "cancel_fill_race", {"path": CANCEL}), ("rest_filled_but_dust", "partial_fill", {"path": PLACE, "pieces": 3}),
    ("owner_sells_after_the_entry", "manual_order", {**BTC, "side": "sell", "size": "0.005", "path": PLACE}),
    ("owner_takes_money_after_the_entry", "manual_transfer", {**MINE, "amount": "-100", "path": PLACE}),
    ("gap_after_the_stop", "gap_through_stop", {"symbol": "BTCUSDT", "price": "58000", "path": STOP}),
    ("taken_over_after_the_stop", "forced_liquidation", {**BTC, "path": STOP}),
    ("deleveraged_after_the_stop", "adl", {**BTC, "size": "0.004", "path": STOP}),
    ("delisted_after_the_stop", "delisting", {"symbol": "BTCUSDT", "path": STOP}),
    ("stop_fails", "stop_rejected", MINE), ("key_revoked_after_the_entry", "key_revoked", {**MINE, "path": PLACE}),
    ("key_may_only_read", "permission_reduced", {**MINE, "path": PLACE}), ("key_of_another_address", "ip_changed", {**MINE, "path": PLACE}),
]
WORLD: list[tuple[str, str, dict[str, Any]]] = [
    ("owner_bought", "manual_order", {**BTC, "side": "buy", "size": "0.02"}),
    ("owner_sold", "manual_order", {**BTC, "side": "sell", "size": "0.02"}), ("owner_took_money", "manual_transfer", {**MINE, "amount": "-5000"}),
    ("owner_brought_money", "manual_transfer", {**MINE, "amount": "5000"}), ("hedge_mode", "mode_changed", {**MINE, "position_mode": "hedge_mode"}),
    ("isolated", "mode_changed", {**BTC, "margin_mode": "isolated"}), ("leverage_2", "mode_changed", {**BTC, "leverage": 2}),
    ("gap_down", "gap_through_stop", {"symbol": "BTCUSDT", "fraction": "-0.03"}),
    ("gap_up", "gap_through_stop", {"symbol": "BTCUSDT", "price": "62000"}), ("delisted", "delisting", {"symbol": "BTCUSDT"}),
]
CASES = [(venue, *case) for case in WIRE for venue in ("bitget",)] + [(venue, *case) for case in WORLD for venue in ("paper", "bitget")]


@pytest.fixture
async def made(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Exchanged, Faults]]:
    if request.param == "paper":
        async with on_paper() as at:
            yield at, Faults(at.played.floor)
    else:
        async with over_the_wire(with_faults=True) as at:
            assert at.wire is not None and at.wire.faults is not None
            yield at, at.wire.faults


def test_every_fault_of_the_venue_has_a_case() -> None:
    assert {kind for _, kind, _ in WIRE + WORLD} == set(KINDS)


@pytest.mark.parametrize(("made", "name", "kind", "more"), CASES, indirect=["made"], ids=[f"{one[0]}-{one[1]}" for one in CASES])
async def test_nothing_is_lost_doubled_or_believed_without_evidence(made: tuple[Exchanged, Faults], name: str, kind: str,
                                                                    more: dict[str, Any]) -> None:
    at, faults = made
    planted = await faults.add({"kind": kind, **more})
    outcomes = await trade(at)
    assert planted.drawn or planted.started is not None or kind == "duplicate_client_id", "the fault never happened: the case shows nothing"
    faults.remove()
    outcomes = {one: await known(at, one, told) for one, told in outcomes.items()}
    await told_is_true(at)
    await check(at, outcomes)
    await the_account_goes_on(at)


async def trade(at: Exchanged) -> dict[str, Outcome]:
    """An entry, its stop, an order that rests and is cancelled, and a price that reaches the stop."""
    outcomes = {}
    for client_id, given in (("entry", ("buy", "0.01")), ("stop", ("sell", "0.01", "stop")), ("rest", ("buy", "0.01", "limit"))):
        price, trigger = ("59500" if client_id == "rest" else None), ("59000" if client_id == "stop" else None)
        _, outcomes[client_id] = await at.order(*given, price=price, trigger=trigger, reduce_only=client_id == "stop", client_id=client_id)
    await at.port.cancel("rest")
    await arrived(at)
    for price in ("60100", "58900"):
        await at.move(price)
        await arrived(at)
    return outcomes


async def arrived(at: Exchanged) -> None:
    with suppress(HaechiError):  # a key that is refused
        await at.quiet()


async def known(at: Exchanged, client_id: str, outcome: Outcome) -> Outcome:
    at.flow_ms = QUICK_MS
    for _ in range(ROUNDS):
        if not isinstance(outcome, Unknown):
            at.flow_ms = FLOW_MS
            return outcome
        assert at.wire is not None and at.wire.time is not None
        await at.wire.time.go(5_000)
        outcome = await at.wire.bitget.resolve(client_id)
    raise AssertionError(f"nobody can say what became of {client_id}: {outcome}")


async def told_is_true(at: Exchanged) -> None:
    """In time, what the port says is what the venue holds."""
    async def same() -> bool:
        return await untrue(at) == []

    try:
        await at.in_time(same)
    except TimeoutError:
        raise AssertionError(await untrue(at)) from None


async def untrue(at: Exchanged) -> list[object]:
    """What the port says now that the venue does not."""
    try:
        held, resting = sorted(one.quantity for one in await at.port.positions()), await at.open_ids()
    except HaechiError as no:  # on its way back
        return [no]
    heard, theirs = told_fills(at), venue_fills(at, ours=True)
    pairs = [("positions", held, await venue_positions(at)), ("open orders", resting, venue_open(at)), ("fills", theirs - heard, Counter()),
             ("fills nobody made", heard - venue_fills(at, ours=False), Counter())]
    return [pair for pair in pairs if pair[1] != pair[2]]


def told_fills(at: Exchanged) -> Counter[Any]:
    return Counter((one.side, one.quantity, one.price) for one in at.heard.of(Fill))


def venue_fills(at: Exchanged, *, ours: bool) -> Counter[Any]:
    """Of the orders that went through the port, or of all."""
    member, one = at.played.floor.members["m"], at.played.floor.instruments[0]
    names = {*OURS, *(plan.order_id for plan in member.plans.values() if plan.client_oid in OURS)}  # a stop's child is called by its id
    made = [fill for fill in member.fills if not ours or member.orders[fill.order_id].client_oid in names]
    return Counter(("buy" if fill.side > 0 else "sell", one.quantity(fill.lots), one.price(fill.price)) for fill in made)


async def venue_positions(at: Exchanged) -> list[Decimal]:
    held = await Paper(at.played.floor.members["m"]).positions()
    return sorted(one.quantity for one in held)


def venue_open(at: Exchanged) -> list[str]:
    member = at.played.floor.members["m"]
    return sorted([one.client_oid for one in member.open_orders()] + [one.client_oid for one in member.open_plans()])


async def check(at: Exchanged, outcomes: dict[str, Outcome]) -> None:
    member = at.played.floor.members["m"]
    told = [fill.trade_id for fill in at.heard.of(Fill)]
    assert len(told) == len(set(told)), "a fill was told twice"
    for client_id, outcome in outcomes.items():
        orders = [one for one in [*member.orders.values(), *member.plans.values()] if one.client_oid == client_id]
        assert len(orders) <= 1, f"{client_id} is at the venue {len(orders)} times"
        if isinstance(outcome, Accepted) and (at.wire or client_id != "rest"):  # in this process a cancelled order was never in a book
            assert orders, f"{client_id} was told accepted and is not there"
        if isinstance(outcome, Rejected):
            filled = [fill for fill in member.fills if member.orders[fill.order_id].client_oid == client_id]
            assert not filled, f"{client_id} was told rejected ({outcome}) and filled"
    balance = await at.port.balance()
    assert balance.wallet * 10**8 == member.balance_now


async def the_account_goes_on(at: Exchanged) -> None:
    """After the fault the port trades again, or says why not; either way the venue agrees."""
    before = len(at.played.floor.members["m"].fills)
    _, outcome = await at.order("buy", "0.002", client_id="afterwards")
    outcome = await known(at, "afterwards", outcome)
    await at.quiet()
    assert (len(at.played.floor.members["m"].fills) > before) == isinstance(outcome, Accepted), outcome
