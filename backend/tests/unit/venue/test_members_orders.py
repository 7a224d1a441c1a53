"""What a member's orders do on the floor, and what is refused at its door."""

from __future__ import annotations

from decimal import Decimal

import pytest
from trading_floor import trading

from haechi.venue.member import Member
from haechi.venue.moments import Book
from haechi.venue.records import Preset
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest, PlanRequest

BUY, SELL = 1, -1


async def member_of(**given: object) -> tuple[object, Member]:
    played = await trading(**given)
    return played, played.floor.open_member("ann")


async def test_a_market_order_fills_at_once_and_leaves_order_fill_bill_and_position() -> None:
    _, ann = await member_of()
    order = ann.place(OrderRequest(0, BUY, 100, "market"))
    assert (order.status, order.filled, order.quote, order.fee) == ("filled", 100, 60_000_000, 360_000_000)
    assert [(fill.order_id, fill.price, fill.maker) for fill in ann.fills] == [(order.order_id, 600_000, False)]
    assert ann.bills[-1].balance == 10_000 * 10**8 - 360_000_000
    position = ann.positions()[0]
    assert (position.side, position.lots, position.entry, position.leverage) == (1, 100, Decimal(60_000), 10)


async def test_a_limit_beyond_the_market_takes_and_one_before_it_rests_until_met() -> None:
    played, ann = await member_of()
    assert ann.place(OrderRequest(0, BUY, 10, "limit", 600_100)).quote == 10 * 600_000
    resting = ann.place(OrderRequest(0, BUY, 10, "limit", 599_000))
    assert resting.status == "live"
    await played.move(598_000)
    assert (resting.status, resting.quote) == ("filled", 10 * 599_000) and ann.fills[-1].maker


async def test_a_gap_fills_a_resting_limit_at_the_gap() -> None:
    played, ann = await member_of()
    resting = ann.place(OrderRequest(0, BUY, 10, "limit", 599_000))
    await played.floor.jump(0, 590_000)
    assert resting.quote == 10 * 590_000


@pytest.mark.parametrize(("force", "price", "status", "reason"), [
    ("ioc", 599_000, "canceled", "ioc"), ("ioc", 600_100, "filled", ""), ("fok", 599_000, "canceled", "fok"),
    ("fok", 600_000, "filled", ""), ("post_only", 600_000, "canceled", "post_only"), ("post_only", 599_999, "live", "")])
async def test_forces(force: str, price: int, status: str, reason: str) -> None:
    _, ann = await member_of()
    order = ann.place(OrderRequest(0, BUY, 10, "limit", price, force))
    assert (order.status, order.reason) == (status, reason)


REFUSED = [
    (OrderRequest(0, BUY, 0, "market"), "40808"), (OrderRequest(0, BUY, -5, "market"), "40808"), (OrderRequest(0, BUY, 10, "limit", 0), "40706"),
    (OrderRequest(1, BUY, 1, "limit", 29_900), "45110"), (OrderRequest(0, BUY, 2_000_000, "limit", 590_000), "45112"),
    (OrderRequest(0, BUY, 10, "limit", 700_000), "40815"), (OrderRequest(0, SELL, 10, "limit", 500_000), "40816"),
    (OrderRequest(0, BUY, 10_000, "market"), "40762"), (OrderRequest(0, SELL, 10, "market", closes=True), "22002"),
    (OrderRequest(0, BUY, 10, "limit", 590_000, client_oid="x" * 51), "40304")]


@pytest.mark.parametrize(("request_", "code"), REFUSED, ids=[f"{code} {i}" for i, (_, code) in enumerate(REFUSED)])
async def test_what_is_refused_at_the_door_changes_nothing(request_: OrderRequest, code: str) -> None:
    _, ann = await member_of()
    before = ann.balance()
    with pytest.raises(Refusal) as no:
        ann.place(request_)
    assert no.value.code == code
    assert not ann.orders and ann.balance() == before


async def test_resting_orders_lock_margin_and_the_next_that_needs_it_is_refused() -> None:
    _, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 1600, "limit", 590_000))  # 94,400 quote: 9,440 of margin
    assert ann.balance().locked > Decimal(9_400)
    with pytest.raises(Refusal, match="40762"):
        ann.place(OrderRequest(0, BUY, 100, "limit", 590_000))


@pytest.mark.parametrize(("policy", "known"), [("reject", None), ("same", True), ("new", False)])
async def test_a_client_id_that_is_known(policy: str, known: bool | None) -> None:
    played, ann = await member_of()
    played.floor.duplicate_policy = policy
    first = ann.place(OrderRequest(0, BUY, 10, "limit", 590_000, client_oid="a"))
    if known is None:
        with pytest.raises(Refusal, match="45034"):
            ann.place(OrderRequest(0, BUY, 10, "limit", 590_000, client_oid="a"))
    else:
        assert (ann.place(OrderRequest(0, BUY, 10, "limit", 590_000, client_oid="a")) is first) is known
    assert len(ann.open_orders()) == (2 if known is False else 1)


async def test_cancel_twice_is_refused_the_second_time() -> None:
    played, ann = await member_of()
    order = ann.place(OrderRequest(0, BUY, 10, "limit", 590_000))
    ann.cancel(order)
    with pytest.raises(Refusal, match="22001"):
        ann.cancel(order)
    await played.move(580_000)
    assert order.status == "canceled" and not ann.fills


async def test_modify_makes_a_new_order_and_a_refused_one_leaves_the_old() -> None:
    played, ann = await member_of()
    old = ann.place(OrderRequest(0, BUY, 10, "limit", 590_000, client_oid="a"))
    new = ann.modify(old, new_client_oid="b", lots=20, price=591_000)
    assert (old.status, new.status, new.lots, new.price) == ("canceled", "live", 20, 591_000)
    with pytest.raises(Refusal, match="40762"):
        ann.modify(new, new_client_oid="c", lots=100_000, price=591_000)
    assert new.open and ann.open_orders() == [new]
    await played.move(590_500)
    assert new.status == "filled" and len(ann.fills) == 1


async def test_an_order_that_turns_the_position_closes_and_opens() -> None:
    _, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 100, "market"))
    order = ann.place(OrderRequest(0, SELL, 150, "market"))
    assert order.status == "filled" and [fill.lots for fill in ann.fills] == [100, 100, 50]
    assert ann.positions()[0].side == -1 and len(ann.closed) == 1


async def test_reduce_only_takes_no_more_than_is_held_and_older_ones_make_room() -> None:
    _, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 100, "market"))
    first = ann.place(OrderRequest(0, SELL, 80, "limit", 610_000, closes=True))
    second = ann.place(OrderRequest(0, SELL, 200, "limit", 620_000, closes=True))
    assert first.status == "canceled" and second.lots == 100


async def test_hedge_mode_holds_both_sides_and_closes_each() -> None:
    _, ann = await member_of()
    ann.set_position_mode("hedge_mode")
    ann.place(OrderRequest(0, BUY, 100, "market", leg=0))
    ann.place(OrderRequest(0, SELL, 60, "market", leg=1))
    assert [(one.leg, one.side, one.lots) for one in ann.positions()] == [(0, 1, 100), (1, -1, 60)]
    with pytest.raises(Refusal, match="40920"):
        ann.set_position_mode("one_way_mode")
    done, failed = ann.flash_close(0, 1)
    assert len(done) == 1 and not failed and [one.leg for one in ann.positions()] == [0]


async def test_presets_become_plans_and_the_stop_closes_the_position_and_ends_the_other() -> None:
    played, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 100, "market", preset=Preset(profit=620_000, loss=590_000)))
    assert sorted(plan.plan_type for plan in ann.open_plans()) == ["loss_plan", "profit_plan"]
    await played.move(580_000)
    assert not ann.positions() and not ann.open_plans() and ann.fills[-1].price == 590_000
    assert sorted(plan.status for plan in ann.plans.values()) == ["cancelled", "executed"]


async def test_a_position_stop_follows_the_size_of_the_position() -> None:
    played, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 100, "market"))
    ann.place_plan(PlanRequest(0, SELL, "pos_loss", 0, 590_000, closes=True))
    ann.place(OrderRequest(0, BUY, 50, "market"))
    await played.move(585_000)
    assert not ann.positions() and ann.fills[-1].lots == 150


async def test_a_trigger_order_opens_on_the_way_and_a_trailing_one_follows_the_extreme() -> None:
    played, ann = await member_of()
    entry = ann.place_plan(PlanRequest(0, BUY, "normal_plan", 10, 605_000))
    await played.move(606_000)
    assert entry.status == "executed" and ann.fills[-1].price == 605_000
    ann.place_plan(PlanRequest(0, SELL, "moving_plan", 10, 607_000, callback=10**6, closes=True))  # 1 %
    await played.move(610_000, 620_000, 610_000)
    assert ann.fills[-1].price == 613_800 and not ann.positions()


@pytest.mark.parametrize(("kind", "trigger", "code"), [("profit_plan", 599_000, "40830"), ("loss_plan", 601_000, "40834"),
                                                       ("loss_plan", 0, "45052")])
async def test_a_take_profit_or_stop_on_the_wrong_side_is_refused(kind: str, trigger: int, code: str) -> None:
    _, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 100, "market"))
    with pytest.raises(Refusal, match=code):
        ann.place_plan(PlanRequest(0, SELL, kind, 100, trigger, closes=True))


async def test_a_triggered_order_without_margin_fails_and_says_so() -> None:
    played, ann = await member_of()
    plan = ann.place_plan(PlanRequest(0, BUY, "normal_plan", 9_000, 605_000))
    await played.move(606_000)
    assert (plan.status, plan.reason) == ("fail_execute", "margin") and not ann.fills


async def test_margin_can_be_added_taken_back_and_moves_the_liquidation() -> None:
    _, ann = await member_of()
    ann.set_margin_mode(0, cross=False)
    ann.place(OrderRequest(0, BUY, 100, "market"))
    before = ann.positions()[0].liquidation
    ann.add_margin(0, 0, Decimal(100))
    assert before is not None and ann.positions()[0].liquidation < before
    ann.add_margin(0, 0, Decimal(-100))
    assert ann.positions()[0].liquidation == before
    with pytest.raises(Refusal, match="40800"):
        ann.add_margin(0, 0, Decimal(-1))


async def test_a_liquidation_takes_the_margin_and_the_insurance_gets_the_rest() -> None:
    played, ann = await member_of()
    ann.set_margin_mode(0, cross=False)
    ann.place(OrderRequest(0, BUY, 100, "market"))
    wallet = ann.balance().wallet
    await played.move(500_000)
    assert not ann.positions() and ann.balance().wallet == wallet - 600 and ann.fills[-1].trade_side == "burst_sell_single"
    assert played.floor.clearing.insurance > 0 and ann.orders[ann.fills[-1].order_id].source == "liquidation"


async def test_funding_is_billed_by_leg() -> None:
    played, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 100, "market"))
    await played.close()
    await played.open(600_000, rates=(10_000,))
    assert (ann.bills[-1].business, ann.bills[-1].amount) == ("contract_settle_fee", -60_000_000)
    assert ann.positions()[0].fees == Decimal("4.2")


async def test_a_real_book_fills_as_far_as_it_goes() -> None:
    played, ann = await member_of()
    await played.floor.play(Book(0, played.ts, ((599_990, 50),), ((600_010, 30), (600_020, 40)), True))
    order = ann.place(OrderRequest(0, BUY, 50, "limit", 600_015))
    assert (order.status, order.filled) == ("partially_filled", 30)
    market = ann.place(OrderRequest(0, BUY, 100, "market"))
    assert (market.status, market.filled, market.reason) == ("canceled", 40, "no_liquidity")
    assert ann.place(OrderRequest(0, BUY, 100, "limit", 600_020, "fok")).filled == 0
    await played.floor.play(Book(0, played.ts, (), ((600_012, 15),)))
    assert order.filled == 45 and ann.fills[-1].price == 600_015 and ann.fills[-1].maker


async def test_a_stop_sent_between_two_bars_goes_with_the_position_that_ends_before_it_arrives() -> None:
    played, ann = await member_of()
    ann.place(OrderRequest(0, BUY, 10, "market"))
    await played.close()
    ann.place(OrderRequest(0, SELL, 10, "market", closes=True))
    plan = ann.place_plan(PlanRequest(0, SELL, "loss_plan", 10, 590_000, closes=True))
    await played.open(600_000)
    assert (plan.status, plan.reason, ann.positions()) == ("cancelled", "position_closed", [])
    ann.place(OrderRequest(0, BUY, 10, "market"))
    await played.move(580_000)
    assert [fill.side for fill in ann.fills] == [BUY, SELL, BUY] and not ann.account.orders[0]
