"""What an exchange can be asked afterwards: what became of an order, and everything that happened to the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from exchange_bench import Exchanged

from haechi.exchanges.port import Fill, Liquidated, NewOrder, Rejected, Seen, Unknown

D = Decimal


def wish(name: str, side: str = "buy", quantity: str = "0.01", kind: str = "market", **given: Any) -> NewOrder:
    price, trigger = (D(given[one]) if one in given else None for one in ("price", "trigger"))
    return NewOrder(name, "BTCUSDT", side, D(quantity), kind, price, trigger, given.get("reduce_only", False))


async def placed(at: Exchanged, order: NewOrder) -> None:
    await at.done(order.side, str(order.quantity), order.kind, client_id=order.client_id, reduce_only=order.reduce_only,
                  price=None if order.price is None else str(order.price), trigger=None if order.trigger is None else str(order.trigger))


async def looked(at: Exchanged, order: NewOrder) -> Seen | Rejected | Unknown:
    return await at.port.look(order, 0)  # type: ignore[attr-defined]


async def test_a_filled_order_is_seen_filled(at: Exchanged) -> None:
    order = wish("o-1")
    await placed(at, order)
    await at.fills(1)
    seen = await looked(at, order)
    assert isinstance(seen, Seen) and (seen.status, seen.filled) == ("filled", D("0.01")) and seen.exchange_id


@pytest.mark.parametrize("given", [{"kind": "limit", "price": "59000"}, {"kind": "stop", "trigger": "61000"},
                                   {"kind": "stop_limit", "trigger": "61000", "price": "61100"}], ids=["limit", "stop", "stop_limit"])
async def test_what_rests_is_seen_open_and_what_was_canceled_canceled(at: Exchanged, given: dict[str, Any]) -> None:
    order = wish("o-1", **given)
    await placed(at, order)
    seen = await looked(at, order)
    assert isinstance(seen, Seen) and (seen.status, seen.filled) == ("open", 0)
    await at.port.cancel("o-1")
    seen = await looked(at, order)
    assert isinstance(seen, Seen) and (seen.status, seen.filled, seen.reason) == ("canceled", 0, "canceled")


async def test_a_stop_that_was_met_is_seen_with_what_its_order_filled(at: Exchanged) -> None:
    await placed(at, wish("in"))
    await at.fills(1)
    stop = wish("stop", "sell", kind="stop", trigger="59000", reduce_only=True)
    await placed(at, stop)
    await at.move("58900")
    await at.fills(1, "stop")
    seen = await looked(at, stop)
    assert isinstance(seen, Seen) and (seen.status, seen.filled) == ("filled", D("0.01"))


async def test_an_order_that_never_was_is_never_said_to_exist(at: Exchanged) -> None:
    seen = await looked(at, wish("nobody"))
    assert isinstance(seen, Unknown) or seen == Rejected("never_arrived")


async def test_fills_and_funding_can_be_asked_for_again(at: Exchanged) -> None:
    for name, side in (("a", "buy"), ("b", "sell"), ("c", "buy")):
        await placed(at, wish(name, side))
    heard = await at.fills(3)
    fills = await at.port.fills_since(0)  # type: ignore[attr-defined]
    assert [(one.client_id, one.trade_id, one.quantity, one.fee) for one in fills] == [(one.client_id, one.trade_id, one.quantity, one.fee) for one in heard]
    await at.played.close()
    await at.played.open(600_000, rates=(10_000,))
    paid = await at.port.payments_since(0)  # type: ignore[attr-defined]
    assert [one.amount for one in paid] == [D("0.06")]
    assert await at.port.fills_since(max(one.time_ms for one in fills) + 1) == []  # type: ignore[attr-defined]


async def test_a_stops_fill_is_told_under_our_name(at: Exchanged) -> None:
    await placed(at, wish("stop", kind="stop", trigger="61000"))
    await at.move("61500")
    await at.fills(1, "stop")
    assert [one.client_id for one in await at.port.fills_since(0)] == ["stop"]  # type: ignore[attr-defined]


async def test_a_liquidation_is_among_the_fills_as_what_it_is(at: Exchanged) -> None:
    await at.port.set_leverage("BTCUSDT", 20, cross=False)
    await placed(at, wish("in", quantity="0.1"))
    await at.fills(1)
    await at.move("50000")
    told = await at.event(Liquidated)
    first, second = await at.port.fills_since(0)  # type: ignore[attr-defined]
    assert isinstance(first, Fill) and first.client_id == "in"
    assert second == told and second.loss == D(300)


async def test_only_what_is_no_trade_and_no_funding_is_a_movement(at: Exchanged) -> None:
    member = at.played.floor.members["m"]
    await placed(at, wish("in"))
    await at.fills(1)
    before = len(await at.port.movements_since(0))  # type: ignore[attr-defined]
    member.transfer(D(500))
    member.transfer(D("-20.5"))
    await at.played.close()
    await at.played.open(600_000, rates=(10_000,))
    moved = (await at.port.movements_since(0))[before:]  # type: ignore[attr-defined]
    assert [one.amount for one in moved] == [D(500), D("-20.5")] and len({one.movement_id for one in moved}) == 2
    fills, paid = await at.port.fills_since(0), await at.port.payments_since(0)  # type: ignore[attr-defined]
    spent = sum(one.fee - one.realized for one in fills) + sum(one.amount for one in paid)
    assert (await at.port.balance()).wallet == D(10_000) + sum(one.amount for one in moved) - spent


async def test_who_is_well_connected_is_not_blind(at: Exchanged) -> None:
    await at.in_time(lambda: at.port.blind() == "")  # type: ignore[attr-defined]
