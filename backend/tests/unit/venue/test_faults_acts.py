"""Faults that act on the account, the market, the symbol and the keys: by the domain's own ways, counted, and taken back where they can be."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from faults_face import PLACE, Face, code_of, face
from trading_floor import trading

from haechi.errors import BadInput
from haechi.venue.faults import Faults
from haechi.venue.records import FillRecord, OrderRecord
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest, PlanRequest

LONG = OrderRequest(0, 1, 100, "market")


class Heard:
    """A sink that keeps what is told of members."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def market(self, m: int) -> None: ...

    def traded(self, trade: object) -> None: ...

    def barred(self, m: int, bar: object) -> None: ...

    def member(self, member: object, what: str, record: object) -> None:
        self.told.append((what, record))


async def test_a_manual_order_is_an_order_by_another_hand() -> None:
    async with face() as one:
        fault = await one.order(kind="manual_order", member="ann", symbol="BTCUSDT", side="buy", size="0.1", price="59000", count=2)
        orders = one.ann.open_orders()
        assert [(order.lots, order.price, order.entered) for order in orders] == [(100, 590_000, "WEB")] * 2
        assert one.counted(fault) == (2, 2)
        await one.order(kind="manual_order", member="ann", symbol="BTCUSDT", side="sell", size="0.05")
        assert one.ann.account.lots(0) == -50
        await one.order(kind="manual_order", member="ann", symbol="BTCUSDT", side="buy", size="0.08", reduce_only=True)
        assert one.ann.account.lots(0) == 0


@pytest.mark.parametrize(("side", "reduce_only", "hold_side", "lots"), [
    ("buy", False, None, (130, -70)), ("sell", True, None, (70, -70)), ("sell", False, None, (100, -100)), ("buy", True, None, (100, -40)),
    ("sell", True, "long", (70, -70))])
async def test_a_manual_order_in_hedge_mode_finds_its_leg(side: str, reduce_only: bool, hold_side: str | None, lots: tuple[int, int]) -> None:
    async with face() as one:
        one.ann.set_position_mode("hedge_mode")
        one.ann.place(OrderRequest(0, 1, 100, "market"))
        one.ann.place(OrderRequest(0, -1, 70, "market", leg=1))
        more = {"hold_side": hold_side} if hold_side else {}
        await one.order(kind="manual_order", member="ann", symbol="BTCUSDT", side=side, size="0.03", reduce_only=reduce_only, **more)
        assert (one.ann.account.lots(0, 0), one.ann.account.lots(0, 1)) == lots


async def test_a_manual_transfer_moves_money_and_leaves_a_bill() -> None:
    async with face() as one:
        await one.order(kind="manual_transfer", member="ann", amount="-2500.5")
        assert one.ann.balance().wallet == Decimal("7499.5") and one.ann.bills[-1].business == "trans_to_exchange"
        refused = await one.ask("POST", "/_venue/faults", {"kind": "manual_transfer", "member": "ann", "amount": "-8000"})
        assert code_of(refused) == "43012" and one.ann.balance().wallet == Decimal("7499.5")


async def test_settings_are_changed_by_hand_where_the_exchange_lets_them() -> None:
    async with face() as one:
        await one.order(kind="mode_changed", member="ann", position_mode="hedge_mode")
        await one.order(kind="mode_changed", member="ann", symbol="ETHUSDT", margin_mode="isolated")
        await one.order(kind="mode_changed", member="ann", symbol="BTCUSDT", leverage=25)
        assert (one.ann.pos_mode, one.ann.cross(1), one.ann.cross(0), one.ann.leverage(0)) == ("hedge_mode", False, True, 25)
        one.ann.place(LONG)
        refused = await one.ask("POST", "/_venue/faults", {"kind": "mode_changed", "member": "ann", "position_mode": "one_way_mode"})
        assert code_of(refused) == "40920" and one.ann.pos_mode == "hedge_mode"


@pytest.mark.parametrize(("order", "ticks"), [({"price": "55000"}, 550_000), ({"fraction": "-0.1"}, 540_000), ({"fraction": "0.02"}, 612_000)])
async def test_the_price_jumps_and_what_lies_between_fills_where_it_lands(order: dict[str, str], ticks: int) -> None:
    async with face() as one:
        one.ann.place(LONG)
        stop = one.ann.place_plan(PlanRequest(0, -1, "loss_plan", 100, 580_000, closes=True))
        fault = await one.order(kind="gap_through_stop", symbol="BTCUSDT", **order)
        assert one.floor.point(0) == ticks and one.counted(fault) == (1, 1)
        assert stop.status == ("executed" if ticks < 580_000 else "live")
        assert ticks > 580_000 or (one.ann.fills[-1].price == ticks and one.ann.account.lots(0) == 0)


async def test_a_gap_can_wait_for_the_order_it_spoils() -> None:
    async with face() as one:
        fault = await one.order(kind="gap_through_stop", symbol="BTCUSDT", price="55000", path=PLACE, after=1)
        await one.place("a")
        assert one.floor.point(0) == 600_000
        status, body, _ = await one.place("b")
        assert (status, one.floor.point(0)) == (200, 550_000) and one.counted(fault) == (2, 1)
        assert orjson.loads(body)["data"]["clientOid"] == "b"


async def test_a_waiting_act_that_is_refused_says_so_and_the_answer_still_leaves() -> None:
    async with face() as one:
        fault = await one.order(kind="forced_liquidation", member="ann", symbol="BTCUSDT", path=PLACE)
        assert (await one.place("a"))[0] == 200
        assert one.faults.faults[fault].failure == "the exchange refuses: 43043"


async def test_a_forced_liquidation_takes_the_position() -> None:
    async with face() as one:
        one.ann.place(LONG)
        fault = await one.order(kind="forced_liquidation", member="ann", symbol="BTCUSDT")
        assert one.ann.account.lots(0) == 0 and one.counted(fault) == (1, 1)
        order = one.ann.orders[one.ann.fills[-1].order_id]
        assert (order.trade_side, order.entered) == ("burst_sell_single", "SYS")


@pytest.mark.parametrize(("order", "left", "price"), [({}, 0, 600_000), ({"size": "0.03", "price": "59500"}, 70, 595_000)])
async def test_adl_closes_a_part_of_a_position_and_tells_it(order: dict[str, str], left: int, price: int) -> None:
    async with face() as one:
        heard = Heard()
        one.floor.listen(heard)
        one.ann.place(LONG)
        await one.order(kind="adl", member="ann", symbol="BTCUSDT", **order)
        assert one.ann.account.lots(0) == left and one.ann.fills[-1].price == price
        told = [record for what, record in heard.told if what == "adl"]
        assert told == [one.ann.fills[-1]] and isinstance(told[0], FillRecord)


async def test_both_legs_held_must_be_told_apart() -> None:
    async with face() as one:
        one.ann.set_position_mode("hedge_mode")
        one.ann.place(OrderRequest(0, 1, 100, "market"))
        one.ann.place(OrderRequest(0, -1, 100, "market", leg=1))
        with pytest.raises(BadInput, match="hold_side"):
            await one.faults.add({"kind": "adl", "member": "ann", "symbol": "BTCUSDT"})
        await one.order(kind="adl", member="ann", symbol="BTCUSDT", hold_side="short")
        assert (one.ann.account.lots(0, 0), one.ann.account.lots(0, 1)) == (100, 0)


async def test_delisting_ends_orders_and_positions_and_refuses_new_ones() -> None:
    async with face() as one:
        one.ann.place(LONG)
        await one.place("a")
        await one.order(kind="delisting", symbol="BTCUSDT")
        assert one.ann.open_orders() == [] and one.ann.account.lots(0) == 0 and one.ann.fills[-1].price == 600_000
        assert code_of(await one.place("b")) == "40309"


async def test_a_triggered_stop_fails_and_only_as_many_as_ordered() -> None:
    async with face() as one:
        one.ann.place(LONG)
        fault = await one.order(kind="stop_rejected", member="ann", after=1)
        plans = [one.ann.place_plan(PlanRequest(0, -1, "loss_plan", 10, trigger, closes=True)) for trigger in (597_000, 596_000, 595_000)]
        await one.played.move(590_000)
        assert [plan.status for plan in plans] == ["executed", "fail_execute", "executed"]
        assert one.ann.account.lots(0) == 80 and one.counted(fault) == (2, 1) and one.ann.fail_plans == 0


async def test_a_stop_with_a_price_of_its_own_is_not_asked() -> None:
    async with face() as one:
        one.ann.place(LONG)
        fault = await one.order(kind="stop_rejected", member="ann")
        plan = one.ann.place_plan(PlanRequest(0, -1, "loss_plan", 10, 597_000, execute=590_000, closes=True))
        await one.played.move(595_000)
        assert plan.status == "executed" and one.counted(fault) == (0, 0)


# ---- keys

def state(one: Face) -> dict[str, tuple[object, ...]]:
    return {name: (key.revoked, key.permissions, key.ips) for name, key in one.floor.keys.items()}


FREE = (False, ("read", "trade"), ())
KEYS = [({"kind": "key_revoked"}, (True, ("read", "trade"), ())),
        ({"kind": "permission_reduced"}, (False, ("read",), ())),
        ({"kind": "permission_reduced", "permissions": ["trade", "withdraw"]}, (False, ("trade",), ())),
        ({"kind": "ip_changed"}, (False, ("read", "trade"), ("203.0.113.1",))),
        ({"kind": "ip_changed", "ips": ["192.0.2.7", "::1"]}, (False, ("read", "trade"), ("192.0.2.7", "::1")))]


@pytest.mark.parametrize(("order", "changed"), KEYS)
async def test_keys_change_under_their_owner_and_deleting_the_fault_gives_them_back(order: dict[str, object], changed: tuple[object, ...]) -> None:
    async with face() as one:
        fault = await one.order(member="ann", **order)
        assert state(one) == {"k1": changed, "k2": changed, "k3": FREE} and one.counted(fault) == (1, 1)
        await one.ask("DELETE", f"/_venue/faults/{fault}")
        assert state(one) == {"k1": FREE, "k2": FREE, "k3": FREE}


async def test_one_key_changes_for_a_time_and_faults_upon_faults_come_off_in_any_case() -> None:
    async with face() as one:
        await one.order(kind="key_revoked", member="ann", key="k2", for_ms=30_000)
        assert [key.revoked for key in one.floor.keys.values()] == [False, True, False]
        one.hours.now_ms += 30_000
        one.faults.shown()
        assert state(one)["k2"] == FREE
        await one.order(kind="ip_changed", member="ann", ips=["192.0.2.1"])
        await one.order(kind="ip_changed", member="ann", ips=["192.0.2.2"])
        await one.order(kind="key_revoked", member="ann", count=2)
        one.faults.remove()
        assert state(one) == {"k1": FREE, "k2": FREE, "k3": FREE}


async def test_what_a_fault_does_keeps_the_sum_of_all_money_zero() -> None:
    """Forced closes, gaps and partial fills are booked like any other: deposits = wallets + fees + funding + insurance + the counterparty's."""
    async with face() as one:
        one.ann.place(OrderRequest(0, 1, 500, "market"))
        one.bob.place(OrderRequest(0, -1, 300, "market"))
        await one.place("a", price=590_000, size=77)
        await one.order(kind="partial_fill", member="ann", order="a", pieces=9, dust_lots=5)
        await one.order(kind="gap_through_stop", symbol="BTCUSDT", price="58000")
        await one.order(kind="adl", member="bob", symbol="BTCUSDT", size="0.1", price="57990.1")
        await one.order(kind="forced_liquidation", member="ann", symbol="BTCUSDT")
        await one.order(kind="manual_transfer", member="bob", amount="-55.25")
        await one.order(kind="delisting", symbol="BTCUSDT")
        clearing = one.floor.clearing
        wallets = sum(member.balance_now for member in (one.ann, one.bob))
        assert clearing.lots[0] == 0 and one.ann.account.lots(0) == one.bob.account.lots(0) == 0
        assert wallets + clearing.fees + clearing.funding + clearing.insurance + sum(clearing.cash) == clearing.deposits


async def test_orders_off_the_grid_are_bad_input_and_nothing_happens() -> None:
    played = await trading()
    ann = played.floor.open_member("ann")
    faults = Faults(played.floor)
    base = {"kind": "manual_order", "member": "ann", "symbol": "BTCUSDT", "side": "buy"}
    for order, told in (({**base, "size": "0.0015"}, "multiple of 0.001"), ({**base, "size": "0.1", "price": "60000.05"}, "multiple of tick"),
                        ({"kind": "gap_through_stop", "symbol": "BTCUSDT", "price": "1.23"}, "multiple of tick"),
                        ({"kind": "adl", "member": "ann", "symbol": "BTCUSDT", "size": "0.0001"}, "less than one lot"),
                        ({"kind": "key_revoked", "member": "ann"}, "has no key"),
                        ({"kind": "permission_reduced", "member": "ann", "permissions": ["fly"]}, "no permission fly")):
        with pytest.raises(BadInput, match=told):
            await faults.add(order)
    with pytest.raises(Refusal):
        await faults.add({**base, "size": "100"})
    assert not faults.faults and not [one for one in ann.orders.values() if isinstance(one, OrderRecord)]
