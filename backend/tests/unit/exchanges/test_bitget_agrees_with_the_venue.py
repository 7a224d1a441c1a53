"""After a stormy hour of lost, torn and late answers, what the listener heard is what happened at the exchange: each fill once, nothing else."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pytest
from bitget_bench import Bench, Heard, an_order, bench

from haechi.exchanges.bitget.orders import LATEST_MS
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Accepted, Fill, Gone, Liquidated, NewOrder, Rejected, Traceable, Unknown

STORM = [{"kind": "timeout_before", "probability": "0.04", "count": 1000}, {"kind": "timeout_after", "probability": "0.04", "count": 1000},
         {"kind": "error_before", "probability": "0.03", "count": 1000}, {"kind": "error_after", "probability": "0.04", "count": 1000},
         {"kind": "truncated_json", "probability": "0.04", "count": 1000},
         {"kind": "rate_limit", "probability": "0.01", "count": 1000, "wait_ms": 1000},
         {"kind": "read_lag", "probability": "0.05", "count": 1000, "lag_ms": 5_000},
         {"kind": "cancel_fill_race", "probability": "0.1", "count": 1000},
         {"kind": "partial_fill", "probability": "0.1", "count": 1000, "pieces": 2, "dust_lots": 1},
         {"kind": "late_execution", "probability": "0.02", "count": 1000}]


def an_intent(luck: random.Random, n: int, price: int) -> NewOrder:
    side = luck.choice(["buy", "sell"])
    away = luck.randint(1, 300) * (-1 if side == "buy" else 1)
    kind = luck.choice(["market", "market", "limit", "post_only", "stop", "stop_limit"])
    name, quantity = f"s-{n:05d}", str(luck.randint(1, 30) * Decimal("0.001"))
    reduces = luck.random() < 0.3
    near, far = str(Decimal(price + away) / 10), str(Decimal(price - away) / 10)
    if kind in ("limit", "post_only"):
        return an_order(name, side=side, quantity=quantity, kind=kind, price=near, reduce_only=reduces)
    if kind == "market":
        return an_order(name, side=side, quantity=quantity, reduce_only=reduces)
    return an_order(name, side=side, quantity=quantity, kind=kind, trigger=far, price=far if kind == "stop_limit" else None,
                    reduce_only=reduces)


async def storm(b: Bench, luck: random.Random, steps: int) -> dict[str, object]:
    outcomes: dict[str, object] = {}
    price = 600_000
    for n in range(steps):
        order = an_intent(luck, n, price)
        outcomes[order.client_id] = await b.bitget.place(order)
        if luck.random() < 0.3 and b.bitget.book.open():
            await b.bitget.cancel(luck.choice(b.bitget.book.open()).id)
        if luck.random() < 0.5:
            price += luck.randint(-400, 400)
            await b.played.move(price)
        b.later(luck.randint(0, 3_000))
        if luck.random() < 0.3:
            await reconciled(b)
    return outcomes


async def reconciled(b: Bench) -> None:
    try:
        await b.bitget.reconciliation.once()
    except (Unreachable, Refused):
        return  # the storm: the next one will do


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_heard_is_what_happened(seed: int) -> None:
    luck = random.Random(seed)
    async with bench(with_faults=True) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        assert b.faults is not None
        await b.bitget.set_leverage("BTCUSDT", 20, cross=True)
        for order in STORM:
            await b.faults.add({"path": "/api/v2/mix/order/*", **order, "seed": seed})
        outcomes = await storm(b, luck, 60)
        b.faults.remove()
        for _ in range(100):
            await asyncio.sleep(0)
        for _ in range(4):
            b.later(LATEST_MS // 2)
            await b.bitget.reconciliation.once()
        await b.settled()
        assert b.faults.failures == [] if hasattr(b.faults, "failures") else True
        check(b, heard, outcomes, seed)


def check(b: Bench, heard: Heard, outcomes: dict[str, object], seed: int) -> None:
    fills = heard.of(Fill) + heard.of(Liquidated)
    assert sorted(fill.trade_id for fill in fills) == sorted(fill.trade_id for fill in b.member.fills), f"seed={seed}"
    names = {plan.executed_order_id: plan.client_oid for plan in b.member.plans.values()}
    truth = {fill.trade_id: names.get(fill.order_id) or fill.client_oid for fill in b.member.fills}
    assert {fill.trade_id: fill.client_id for fill in heard.of(Fill)} == {
        trade: name for trade, name in truth.items() if trade in {fill.trade_id for fill in heard.of(Fill)}}, f"seed={seed}"
    made = {order.client_oid for order in b.member.orders.values()} | {plan.client_oid for plan in b.member.plans.values()}
    for name, outcome in outcomes.items():
        count = sum(order.client_oid == name for order in b.member.orders.values()) + sum(
            plan.client_oid == name for plan in b.member.plans.values())
        assert count <= 1, f"{name} was made {count} times, seed={seed}"
        if isinstance(outcome, Rejected):
            assert name not in made, f"{name} was called rejected and exists, seed={seed}"
        if isinstance(outcome, Accepted):
            assert name in made, f"{name} was called accepted and does not exist, seed={seed}"
    resting = {order.client_oid for order in b.member.open_orders()} | {plan.client_oid for plan in b.member.open_plans()}
    children = {b.member.orders[plan.executed_order_id].client_oid: plan.client_oid for plan in b.member.plans.values()
                if plan.executed_order_id}
    assert {one.id for one in b.bitget.book.open()} == {children.get(name, name) for name in resting}, f"seed={seed}"
    assert b.bitget.book.unknown() == []
    assert any(isinstance(one, Unknown) for one in outcomes.values()), "the storm was no storm"
    lost = {gone.client_id for gone in heard.of(Gone) if gone.reason == "never_arrived"}
    assert not lost & made, f"seed={seed}"


def test_the_adapter_is_an_exchange_that_can_be_asked(tmp_path: object) -> None:
    from haechi.exchanges.bitget.adapter import Bitget
    for name in (name for name in dir(Traceable) if not name.startswith("_")):
        assert callable(getattr(Bitget, name)), name
