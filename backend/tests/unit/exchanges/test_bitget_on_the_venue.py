"""The adapter trades on the simulated exchange over real HTTP: orders, stops, cancels, fills, bars, settings."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bitget_bench import Heard, an_order, bench

from haechi.exchanges.errors import Refused
from haechi.exchanges.port import Accepted, Bar, Fill, Gone, Liquidated, Paid, Rejected


async def test_a_market_order_is_accepted_and_its_fill_told_once() -> None:
    async with bench(offset_ms=5_000) as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        outcome = await b.bitget.place(an_order("o-1"))
        assert isinstance(outcome, Accepted)
        assert outcome.exchange_id == b.member.find(client_oid="o-1").order_id
        await b.bitget.reconciliation.fills()
        await b.bitget.reconciliation.fills()
        (fill,) = await heard.until(1, Fill)
        assert (fill.client_id, fill.side, fill.quantity, fill.price) == ("o-1", "buy", Decimal("0.01"), Decimal(60000))
        assert fill.fee == Decimal("0.36")
        await b.settled()
        assert len(heard.events) == 1
        assert b.bitget.book.find("o-1").ended


async def test_positions_and_balance_are_the_members() -> None:
    async with bench() as b:
        await b.bitget.place(an_order(side="sell"))
        await b.played.move(599_000)
        (held,) = await b.bitget.positions()
        assert (held.symbol, held.quantity, held.entry) == ("BTCUSDT", Decimal("-0.01"), Decimal(60000))
        balance = await b.bitget.balance()
        assert balance.wallet == Decimal("10000") - Decimal("0.36")
        assert balance.equity == balance.wallet + Decimal(1)
        assert 0 < balance.available < balance.equity


@pytest.mark.parametrize(("order", "reason"), [
    (an_order(quantity="0.0105"), "precision"), (an_order(kind="limit", price="60000.05"), "precision"),
    (an_order(kind="limit"), "price"), (an_order(quantity="0"), "below_minimum"), (an_order(side="up"), "side"),
    (an_order(kind="iceberg"), "kind"), (an_order("a b"), "client_id"), (an_order("x" * 50), "client_id"), (an_order(symbol="NOPE"), "symbol"),
    (an_order(quantity="NaN"), "precision")])
async def test_what_no_exchange_would_take_is_never_sent(order: object, reason: str) -> None:
    async with bench() as b:
        before = b.bitget.rest.budget.sent
        assert (await b.bitget.place(order)).reason == reason  # type: ignore[union-attr,arg-type]
        assert b.bitget.rest.budget.sent - before <= 3  # contracts and tiers only
        assert not b.member.orders


@pytest.mark.parametrize(("order", "reason"), [
    (an_order(quantity="100"), "margin"), (an_order(quantity="0.001", reduce_only=True), "no_position"),
    (an_order(kind="limit", price="90000"), "price"),
    (an_order(side="sell", kind="stop", trigger="59000", reduce_only=True), "no_position"),
    (an_order(quantity="1000000"), "too_large")])
async def test_a_no_of_the_exchange_is_a_rejection_with_its_code(order: object, reason: str) -> None:
    async with bench() as b:
        outcome = await b.bitget.place(order)  # type: ignore[arg-type]
        assert isinstance(outcome, Rejected)
        assert outcome.reason == reason
        assert outcome.code.isdigit()
        assert b.bitget.book.find("o-1") is None


async def test_every_kind_rests_and_is_shown_as_it_was_placed() -> None:
    async with bench() as b:
        await b.bitget.place(an_order("in", quantity="0.02"))
        orders = [an_order("lim", kind="limit", price="59000.5"), an_order("post", kind="post_only", price="58000"),
                  an_order("st", kind="stop", trigger="61000"), an_order("stl", kind="stop_limit", trigger="61000", price="61100"),
                  an_order("sl", side="sell", kind="stop", trigger="57000", reduce_only=True),
                  an_order("sll", side="sell", kind="stop_limit", trigger="57000.1", price="56900", reduce_only=True),
                  an_order("tp", side="sell", kind="limit", price="65000", reduce_only=True, quantity="0.02")]
        for order in orders:
            assert isinstance(await b.bitget.place(order), Accepted), order
        shown = {one.order.client_id: one.order for one in await b.bitget.open_orders()}
        assert shown == {order.client_id: order for order in orders}
        for order in orders:
            assert isinstance(await b.bitget.cancel(order.client_id), Accepted)
        assert await b.bitget.open_orders() == []
        assert await b.bitget.cancel("lim") == Rejected("no_order", "22001") or isinstance(await b.bitget.cancel("lim"), Rejected)


async def test_a_stop_on_the_position_fills_under_its_own_client_id() -> None:
    async with bench() as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order("in"))
        await b.bitget.place(an_order("stop", side="sell", kind="stop", trigger="59000", reduce_only=True))
        await b.played.move(589_000)
        await b.bitget.reconciliation.once()
        entry, stop = await heard.until(2, Fill)
        assert (entry.client_id, stop.client_id) == ("in", "stop")
        assert stop.realized == Decimal("-10")
        assert b.bitget.book.open() == []
        assert await b.bitget.positions() == []


async def test_an_order_cancelled_by_hand_is_told_as_gone_and_our_own_cancel_is_not() -> None:
    async with bench() as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        for name in ("mine", "hand"):
            await b.bitget.place(an_order(name, kind="limit", price="59000"))
        await b.bitget.cancel("mine")
        b.member.cancel(b.member.find(client_oid="hand"))
        b.later(3_000)
        await b.bitget.reconciliation.once()
        (gone,) = await heard.until(1, Gone)
        assert (gone.client_id, gone.reason) == ("hand", "canceled")
        await b.bitget.reconciliation.once()
        await b.settled()
        assert len(heard.events) == 1


async def test_a_stop_that_ends_with_its_position_is_told_as_gone() -> None:
    async with bench() as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order("in"))
        await b.bitget.place(an_order("stop", side="sell", kind="stop", trigger="59000", reduce_only=True))
        await b.bitget.place(an_order("out", side="sell", reduce_only=True))
        b.later(3_000)
        await b.bitget.reconciliation.once()
        assert [gone.client_id for gone in await heard.until(1, Gone)] == ["stop"]


async def test_leverage_and_margin_mode_are_set_and_read_back() -> None:
    async with bench() as b:
        assert isinstance(await b.bitget.set_leverage("BTCUSDT", 7, cross=False), Accepted)
        assert not b.member.cross(0)
        assert b.member.leverage(0) == 7
        assert isinstance(await b.bitget.set_leverage("BTCUSDT", 9, cross=True), Accepted)
        assert b.member.cross(0)
        await b.bitget.place(an_order())
        outcome = await b.bitget.set_leverage("BTCUSDT", 9, cross=False)
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "position_open"
        too_much = await b.bitget.set_leverage("ETHUSDT", 5000, cross=True)
        assert isinstance(too_much, Rejected)
        assert too_much.reason == "leverage"


async def test_hedge_mode_is_left_when_flat_and_refused_when_not() -> None:
    async with bench() as b:
        b.member.set_position_mode("hedge_mode")
        assert isinstance(await b.bitget.place(an_order()), Accepted)
        assert b.member.pos_mode == "one_way_mode"
    async with bench() as b:
        b.member.set_position_mode("hedge_mode")
        b.member.place(held_by_hand())
        outcome = await b.bitget.place(an_order())
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "mode"
        assert len(b.member.orders) == 1


def held_by_hand() -> object:
    from haechi.venue.requests import OrderRequest
    return OrderRequest(0, 1, 10, "market")


async def test_a_margin_mode_changed_by_hand_stops_the_next_order() -> None:
    async with bench() as b:
        await b.bitget.set_leverage("BTCUSDT", 5, cross=True)
        b.member.set_margin_mode(0, False)
        b.bitget.terms.forget("BTCUSDT")
        outcome = await b.bitget.place(an_order())
        assert outcome == Rejected("mode")
        assert not b.member.orders


async def test_funding_is_told_once_with_the_houses_sign() -> None:
    async with bench() as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order(quantity="0.1"))
        await b.played.close()
        await b.played.open(600_000, rates=(10_000,))
        await b.bitget.reconciliation.payments()
        await b.bitget.reconciliation.payments()
        (paid,) = await heard.until(1, Paid)
        assert paid.amount == Decimal("0.6")  # 0.1 × 60,000 × 0.01 %: a long pays when the rate is positive
        await b.settled()
        assert len(heard.events) == 1


async def test_a_liquidation_is_told_as_one() -> None:
    async with bench() as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.set_leverage("BTCUSDT", 100, cross=False)
        await b.bitget.place(an_order(quantity="0.1"))
        await b.played.move(500_000)
        await b.bitget.reconciliation.fills()
        (lost,) = await heard.until(1, Liquidated)
        assert (lost.side, lost.quantity) == ("sell", Decimal("0.1"))
        assert lost.loss > 0
        assert (await b.bitget.balance()).wallet == Decimal(10000) - Decimal("3.6") - lost.loss


async def test_bars_are_closed_ones_in_order_and_new_ones_are_told_once() -> None:
    async with bench() as b:
        for price in (600_100, 600_200, 600_300):
            await b.played.move(price)
            await b.played.close()
            await b.played.open(price)
        heard = Heard()
        bars = await b.bitget.bars("BTCUSDT", 10)
        assert len(bars) == 3
        assert [bar.close for bar in bars] == [Decimal(60010), Decimal(60020), Decimal(60030)]
        assert [bar.ts for bar in bars] == sorted(bar.ts for bar in bars)
        assert await b.bitget.bars("BTCUSDT", 2) == bars[-2:]
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.played.move(600_400)
        await b.bitget.feed.closed("BTCUSDT")
        assert heard.of(Bar) == []
        await b.played.close()
        await b.played.open(600_500)
        await b.bitget.feed.closed("BTCUSDT")
        await b.bitget.feed.closed("BTCUSDT")
        (bar,) = await heard.until(1, Bar)
        assert (bar.ts, bar.close) == (bars[-1].ts + 60_000, Decimal(60040))


async def test_the_instrument_is_the_contract_with_its_tiers() -> None:
    async with bench() as b:
        one = await b.bitget.instrument("BTCUSDT")
        assert one is not None
        assert (one.tick, one.lot, one.min_value, one.maker, one.taker) == (
            Decimal("0.1"), Decimal("0.001"), Decimal(5), Decimal("0.0002"), Decimal("0.0006"))
        assert one.tiers == b.floor.instruments[0].tiers
        assert await b.bitget.instrument("NOPE") is None


async def test_the_examination_takes_a_classic_account_and_measures_the_clock() -> None:
    async with bench(offset_ms=-90_000) as b:
        from haechi.exchanges.bitget.examine import examine
        found = await examine(b.bitget.rest)
        assert found.offset_ms == 90_000
        assert found.permissions


async def test_a_key_that_may_withdraw_and_a_wrong_key_are_refused_with_a_sentence() -> None:
    from haechi.exchanges.bitget.examine import examine
    async with bench() as b:
        key = next(iter(b.floor.keys.values()))
        key.permissions = ("read", "trade", "withdraw")
        with pytest.raises(Refused, match="may withdraw"):
            await examine(b.bitget.rest)
        key.permissions, key.revoked = ("read", "trade"), True
        with pytest.raises(Refused, match="refuses the key"):
            await examine(b.bitget.rest)


async def test_what_rests_before_the_start_is_ours_again_after_a_restart() -> None:
    async with bench() as b:
        await b.bitget.place(an_order("old", kind="limit", price="59000"))
        b.bitget.book.orders.clear()
        b.bitget.book.by_exchange.clear()
        assert isinstance(await b.bitget.cancel("old"), Accepted)
        assert b.member.open_orders() == []


async def test_fills_and_payments_of_the_past_can_be_asked_for() -> None:
    async with bench() as b:
        await b.bitget.place(an_order("a"))
        await b.bitget.place(an_order("b", side="sell"))
        assert [fill.client_id for fill in await b.bitget.fills_since(0)] == ["a", "b"]
        assert await b.bitget.payments_since(0) == []


async def test_an_order_is_changed_and_lives_on_under_the_new_id() -> None:
    async with bench() as b:
        heard = Heard()
        b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order("one", kind="limit", price="59000"))
        outcome = await b.bitget.modify("one", new_client_id="two", price=Decimal(58000), quantity=Decimal("0.02"))
        assert isinstance(outcome, Accepted)
        (rests,) = await b.bitget.open_orders()
        assert (rests.order.client_id, rests.order.price, rests.order.quantity) == ("two", Decimal(58000), Decimal("0.02"))
        b.later(3_000)
        await b.bitget.reconciliation.once()
        await b.settled()
        assert heard.events == []
        assert [one.id for one in b.bitget.book.open()] == ["two"]
        await b.played.move(579_000)
        await b.bitget.reconciliation.once()
        assert [fill.client_id for fill in await heard.until(1, Fill)] == ["two"]


async def test_a_stop_is_changed_in_place() -> None:
    async with bench() as b:
        await b.bitget.place(an_order("in"))
        await b.bitget.place(an_order("sl", side="sell", kind="stop", trigger="59000", reduce_only=True))
        outcome = await b.bitget.modify("sl", new_client_id="unused", trigger=Decimal(58000), quantity=Decimal("0.005"))
        assert isinstance(outcome, Accepted)
        (rests,) = await b.bitget.open_orders()
        assert (rests.order.client_id, rests.order.trigger, rests.order.quantity) == ("sl", Decimal(58000), Decimal("0.005"))


async def test_a_burst_of_orders_keeps_the_exchanges_limits() -> None:
    async with bench(limits=True) as b:
        orders = [an_order(f"o-{n}", kind="limit", price="59000", quantity="0.001") for n in range(25)]
        outcomes = [await b.bitget.place(order) for order in orders]
        assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes
        assert sum(b.slept) < 5_000
