"""A venue that is started again knows everything, and goes on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
from trading_floor import Played, trading

from haechi.venue.floor import Floor
from haechi.venue.records import ApiKey
from haechi.venue.requests import OrderRequest, PlanRequest


def shown(floor: Floor) -> dict[str, object]:
    """All of a floor's members, as plain values."""
    return {name: msgspec.to_builtins([list(one.orders.values()), list(one.plans.values()), one.fills, one.bills, one.closed, one.positions(),
                                       one.balance(), one.pos_mode]) for name, one in floor.members.items()}


async def test_everything_is_there_after_a_restart_and_open_orders_go_on(tmp_path: Path) -> None:
    first = await trading(tmp_path / "venue.db")
    ann = first.floor.open_member("ann", key=ApiKey("k", "s", "p", "ann"))
    bob = first.floor.open_member("bob", deposit=Decimal(500))
    bob.set_position_mode("hedge_mode")
    ann.place(OrderRequest(0, 1, 100, "market"))
    ann.place_plan(PlanRequest(0, -1, "pos_loss", 0, 590_000, closes=True))
    waiting = ann.place(OrderRequest(0, 1, 10, "limit", 595_000, client_oid="mine"))
    bob.place(OrderRequest(0, -1, 10, "market", leg=1))
    await first.move(599_000)
    first.floor.commit()
    second = Played(tmp_path / "venue.db")
    assert shown(second.floor) == shown(first.floor)
    assert second.floor.keys["k"].member == "ann" and second.floor.clearing == first.floor.clearing
    again = second.floor.members["ann"]
    second.ts = first.ts + 60_000
    await second.open(598_000)
    await second.move(580_000)
    order = again.find(client_oid="mine")
    assert order is not None and order.order_id == waiting.order_id and order.status == "filled"
    assert not again.positions() and int(again.fills[-1].trade_id) > int(ann.fills[-1].trade_id)


async def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    first = await trading(tmp_path / "venue.db")
    ann = first.floor.open_member("ann")
    ann.place(OrderRequest(0, 1, 100, "market"))
    second = Played(tmp_path / "venue.db")
    assert not second.floor.members["ann"].positions() and second.floor.members["ann"].balance().wallet == Decimal(10_000)
