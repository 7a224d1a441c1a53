"""What any honest exchange does with an account's orders, whichever adapter stands between."""

from __future__ import annotations

from decimal import Decimal

import pytest
from exchange_bench import Exchanged

from haechi.exchanges.port import Accepted, Bar, Fill, Gone, Liquidated, Paid, Rejected

D = Decimal
OTHER = {"buy": "sell", "sell": "buy"}
SIGN = {"buy": 1, "sell": -1}

# name, (side, quantity, kind), further fields
WRONG = [
    ("unknown symbol", ("buy", "0.01", "market"), {"symbol": "NOPEUSDT"}), ("off the price grid", ("buy", "0.01", "limit"), {"price": "59000.05"}),
    ("off the size grid", ("buy", "0.0105", "market"), {}), ("nothing", ("buy", "0", "market"), {}), ("negative", ("buy", "-0.01", "market"), {}),
    ("worth too little", ("buy", "0.01", "limit"), {"price": "2900", "symbol": "ETHUSDT", "reduce_only": True}),
    ("limit without price", ("buy", "0.01", "limit"), {}), ("stop without trigger", ("sell", "0.01", "stop"), {}),
    ("stop limit without price", ("buy", "0.01", "stop_limit"), {"trigger": "61000"}), ("a kind nobody knows", ("buy", "0.01", "iceberg"), {}),
    ("a side nobody knows", ("up", "0.01", "market"), {}), ("reduces nothing", ("sell", "0.01", "market"), {"reduce_only": True}),
    ("reduces nothing, resting", ("sell", "0.01", "limit"), {"reduce_only": True, "price": "61000"})]


@pytest.mark.parametrize(("what", "given", "named"), WRONG, ids=[one[0] for one in WRONG])
async def test_an_order_that_makes_no_sense_is_rejected_and_leaves_no_trace(at: Exchanged, what: str, given: tuple[str, ...],
                                                                          named: dict[str, object]) -> None:
    before = await at.port.balance()
    _, outcome = await at.order(*given, **named)
    assert isinstance(outcome, Rejected) and outcome.reason
    assert await at.port.open_orders() == [] and await at.port.positions() == [] and await at.port.balance() == before


async def test_an_order_beyond_the_money_opens_nothing(at: Exchanged) -> None:
    name, outcome = await at.order("buy", "10", "market")
    await at.quiet()
    assert isinstance(outcome, Rejected) or [one.client_id for one in at.heard.of(Gone)] == [name]
    assert await at.port.positions() == [] and not at.heard.of(Fill)


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("quantity", ["0.001", "0.01", "0.5"])
async def test_a_market_order_fills_whole_at_the_market_and_pays_the_taker_fee(at: Exchanged, side: str, quantity: str) -> None:
    name = await at.done(side, quantity)
    fill = (await at.fills(1, name))[0]
    assert (fill.side, fill.quantity, fill.price, fill.maker) == (side, D(quantity), D(60_000), False)
    assert fill.fee == D(60_000) * D(quantity) * D("0.0006") and fill.realized == 0
    held = await at.position()
    assert held is not None and (held.quantity, held.entry) == (SIGN[side] * D(quantity), D(60_000))
    assert (await at.port.balance()).wallet == D(10_000) - fill.fee and await at.port.open_orders() == []


LIMITS = [("buy", "59000", "59000.1", "58999.9"), ("sell", "61000", "60999.9", "61000.1")]


@pytest.mark.parametrize("kind", ["limit", "post_only"])
@pytest.mark.parametrize(("side", "price", "before", "beyond"), LIMITS, ids=["buy", "sell"])
async def test_a_resting_order_fills_when_its_price_is_reached_not_before(at: Exchanged, kind: str, side: str, price: str, before: str,
                                                                      beyond: str) -> None:
    name = await at.done(side, "0.01", kind, price=price)
    await at.move(before)
    await at.quiet()
    assert await at.open_ids() == [name] and not at.heard.of(Fill)
    await at.move(beyond)
    fill = (await at.fills(1))[0]
    assert (fill.client_id, fill.price, fill.maker, fill.fee) == (name, D(price), True, D(price) * D("0.01") * D("0.0002"))
    assert await at.open_ids() == [] and await at.quantity() == SIGN[side] * D("0.01")


@pytest.mark.parametrize(("side", "price"), [("buy", "59000"), ("sell", "61000")])
async def test_a_gap_fills_a_resting_order_no_worse_than_its_price(at: Exchanged, side: str, price: str) -> None:
    await at.done(side, "0.01", "limit", price=price)
    await at.gap("58000" if side == "buy" else "62000")
    fill = (await at.fills(1))[0]
    assert fill.price <= D(price) if side == "buy" else fill.price >= D(price)


@pytest.mark.parametrize(("side", "price"), [("buy", "60500"), ("sell", "59500")])
async def test_a_limit_beyond_the_market_fills_no_worse_than_its_price(at: Exchanged, side: str, price: str) -> None:
    name = await at.done(side, "0.01", "limit", price=price)
    await at.move("60000.1", "60000")
    fill = (await at.fills(1, name))[0]
    assert fill.price <= D(price) if side == "buy" else fill.price >= D(price)


STOPS = [("buy", "61000", "60999.9", "61500"), ("sell", "59000", "59000.1", "58500")]


@pytest.mark.parametrize(("side", "trigger", "before", "beyond"), STOPS, ids=["buy", "sell"])
async def test_a_stop_fires_at_its_trigger_not_before(at: Exchanged, side: str, trigger: str, before: str, beyond: str) -> None:
    name = await at.done(side, "0.01", "stop", trigger=trigger)
    await at.move(before)
    await at.quiet()
    assert await at.open_ids() == [name] and not at.heard.of(Fill)
    await at.move(beyond)
    fill = (await at.fills(1))[0]
    assert (fill.client_id, fill.price, fill.maker) == (name, D(trigger), False) and await at.open_ids() == []


@pytest.mark.parametrize(("side", "trigger", "to"), [("buy", "61000", "63000"), ("sell", "59000", "57000")])
async def test_a_gap_through_a_stop_fills_where_it_lands(at: Exchanged, side: str, trigger: str, to: str) -> None:
    await at.done(side, "0.01", "stop", trigger=trigger)
    await at.gap(to)
    assert (await at.fills(1))[0].price == D(to)


@pytest.mark.parametrize(("side", "trigger", "price", "to"), [("buy", "61000", "61100", "61500"), ("sell", "59000", "58900", "58500")])
async def test_a_stop_limit_fires_within_its_limit(at: Exchanged, side: str, trigger: str, price: str, to: str) -> None:
    name = await at.done(side, "0.01", "stop_limit", price=price, trigger=trigger)
    await at.move(to)
    fill = (await at.fills(1))[0]
    assert fill.client_id == name and (fill.price <= D(price) if side == "buy" else fill.price >= D(price))


@pytest.mark.parametrize(("side", "trigger", "price", "to"), [("buy", "61000", "60500", "61500"), ("sell", "59000", "59500", "58500")])
async def test_a_stop_limit_beyond_its_limit_rests_there(at: Exchanged, side: str, trigger: str, price: str, to: str) -> None:
    name = await at.done(side, "0.01", "stop_limit", price=price, trigger=trigger)
    await at.move(to)
    await at.quiet()
    assert not at.heard.of(Fill) and await at.open_ids() == [name]
    await at.move(price)
    assert (await at.fills(1))[0].price == D(price)


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_a_reducing_stop_closes_the_position_and_no_more(at: Exchanged, side: str) -> None:
    opened = await at.done(side, "0.01")
    await at.fills(1, opened)
    trigger, to = ("59000", "58000") if side == "buy" else ("61000", "62000")
    name = await at.done(OTHER[side], "0.01", "stop", trigger=trigger, reduce_only=True)
    await at.move(to)
    fill = (await at.fills(1, name))[0]
    assert fill.realized == D(-10) and await at.quantity() == 0 and await at.open_ids() == []


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_a_reducing_limit_takes_the_profit(at: Exchanged, side: str) -> None:
    await at.fills(1, await at.done(side, "0.01"))
    price = "61000" if side == "buy" else "59000"
    name = await at.done(OTHER[side], "0.004", "limit", price=price, reduce_only=True)
    await at.move(price)
    fill = (await at.fills(1, name))[0]
    assert fill.realized == D(4) and await at.quantity() == SIGN[side] * D("0.006")


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("kind", ["market", "limit"])
async def test_a_reducing_order_never_turns_the_position(at: Exchanged, side: str, kind: str) -> None:
    await at.fills(1, await at.done(side, "0.01"))
    price = None if kind == "market" else ("60100" if side == "buy" else "59900")
    _, outcome = await at.order(OTHER[side], "0.03", kind, price=price, reduce_only=True)
    await at.move("60100" if side == "buy" else "59900")
    await at.quiet()
    left = await at.quantity()
    assert left == 0 or (isinstance(outcome, Rejected) and left == SIGN[side] * D("0.01"))


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_an_opposite_order_turns_a_net_position(at: Exchanged, side: str) -> None:
    await at.fills(1, await at.done(side, "0.01"))
    name = await at.done(OTHER[side], "0.03")
    await at.until(lambda: sum(one.quantity for one in at.heard.of(Fill) if one.client_id == name) == D("0.03"))
    assert await at.quantity() == -SIGN[side] * D("0.02")


@pytest.mark.parametrize(("kind", "fields"), [("limit", {"price": "59000"}), ("post_only", {"price": "59000"}), ("stop", {"trigger": "61000"}),
                                              ("stop_limit", {"trigger": "61000", "price": "61100"})])
async def test_a_canceled_order_is_gone_for_good(at: Exchanged, kind: str, fields: dict[str, str]) -> None:
    name = await at.done("buy", "0.01", kind, **fields)
    shown = (await at.port.open_orders())[0]
    assert (shown.order.client_id, shown.order.side, shown.order.quantity, shown.filled) == (name, "buy", D("0.01"), 0)
    assert shown.order.kind in (kind, "limit") and isinstance(await at.port.cancel(name), Accepted)
    await at.move("58000", "62000")
    await at.quiet()
    assert await at.open_ids() == [] and not at.heard.of(Fill)
    assert isinstance(await at.port.cancel(name), Rejected)


async def test_what_is_filled_or_was_never_there_cannot_be_canceled(at: Exchanged) -> None:
    name = await at.done("buy")
    await at.fills(1, name)
    assert isinstance(await at.port.cancel(name), Rejected) and isinstance(await at.port.cancel("nobody"), Rejected)
    assert await at.quantity() == D("0.01")


async def test_a_post_only_order_that_would_take_takes_nothing_at_that_moment(at: Exchanged) -> None:
    await at.order("buy", "0.01", "post_only", price="60500")
    await at.quiet()
    assert all(one.maker for one in at.heard.of(Fill))


async def test_many_orders_rest_side_by_side_and_fill_by_price(at: Exchanged) -> None:
    names = [await at.done("buy", "0.001", "limit", price=str(59_000 - 100 * k)) for k in range(8)]
    assert await at.open_ids() == sorted(names)
    await at.move("58650")
    assert [one.client_id for one in await at.fills(4)] == names[:4] and await at.open_ids() == sorted(names[4:])


@pytest.mark.parametrize("leverage", [1, 5, 20])
@pytest.mark.parametrize("cross", [True, False])
async def test_leverage_sets_the_margin(at: Exchanged, leverage: int, cross: bool) -> None:
    assert isinstance(await at.port.set_leverage("BTCUSDT", leverage, cross=cross), Accepted)
    await at.fills(1, await at.done("buy", "0.01"))
    balance = await at.port.balance()
    assert balance.wallet - balance.available == pytest.approx(D(600) / leverage)


async def test_leverage_beyond_the_contract_is_rejected(at: Exchanged) -> None:
    _, outcome = "", await at.port.set_leverage("BTCUSDT", 1000, cross=True)
    if isinstance(outcome, Accepted):  # judged when it would be used
        name, outcome = await at.order("buy", "0.01")
        await at.quiet()
    assert isinstance(outcome, Rejected) or at.heard.of(Gone)
    assert await at.port.positions() == []


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("rate", [10_000, -25_000])
async def test_funding_is_paid_by_one_side_and_got_by_the_other(at: Exchanged, side: str, rate: int) -> None:
    await at.fills(1, await at.done(side, "0.01"))
    wallet = (await at.port.balance()).wallet
    await at.played.close()
    await at.played.open(600_000, rates=(rate,))
    paid = D(600) * D(rate).scaleb(-8) * SIGN[side]
    assert (await at.port.balance()).wallet == wallet - paid
    assert (await at.event(Paid)).amount == paid


@pytest.mark.parametrize(("side", "to"), [("buy", "50000"), ("sell", "70000")])
async def test_a_liquidated_position_is_gone_and_costs_its_margin(at: Exchanged, side: str, to: str) -> None:
    await at.port.set_leverage("BTCUSDT", 20, cross=False)
    await at.fills(1, await at.done(side, "0.1"))
    wallet = (await at.port.balance()).wallet
    await at.move(to)
    gone = await at.event(Liquidated)
    assert gone.quantity == D("0.1") and gone.loss == D(300) and await at.port.positions() == []
    assert (await at.port.balance()).wallet == wallet - 300


async def test_the_bars_are_the_closed_ones_oldest_first(at: Exchanged) -> None:
    for price in ("60100", "60200", "60050"):
        await at.move(price)
        await at.played.close()
        await at.played.open(600_000)
    bars = await at.port.bars("BTCUSDT", 2)
    assert [bar.close for bar in bars] == [D(60_200), D(60_050)] and bars[0].ts < bars[1].ts and bars[0].high == D(60_200)
    assert all(isinstance(bar, Bar) for bar in bars)


async def test_each_fill_is_told_once_and_adds_up_to_the_position(at: Exchanged) -> None:
    for side, quantity in (("buy", "0.02"), ("sell", "0.005"), ("sell", "0.03"), ("buy", "0.001")):
        await at.done(side, quantity)
    await at.until(lambda: sum(one.quantity for one in at.heard.of(Fill)) == D("0.056"))
    await at.quiet()
    fills = at.heard.of(Fill)
    assert len({one.trade_id for one in fills}) == len(fills)
    assert sum(SIGN[one.side] * one.quantity for one in fills) == await at.quantity() == D("-0.014")
    wallet = (await at.port.balance()).wallet
    assert wallet == D(10_000) + sum(one.realized - one.fee for one in fills)


async def test_another_symbols_events_are_not_told(at: Exchanged) -> None:
    await at.done("buy", "0.1", symbol="ETHUSDT")
    await at.fills(1, await at.done("buy", "0.01"))
    assert {one.symbol for one in at.heard.of(Fill)} == {"BTCUSDT"}
    assert {one.symbol for one in await at.port.positions()} == {"BTCUSDT", "ETHUSDT"}


async def test_who_stopped_listening_hears_nothing_more(at: Exchanged) -> None:
    await at.fills(1, await at.done("buy"))
    at.port.unlisten(at.heard)
    await at.done("sell")
    await at.quiet()
    assert len(at.heard.of(Fill)) == 1 and await at.quantity() == 0


async def test_equity_follows_the_price_and_the_wallet_does_not(at: Exchanged) -> None:
    await at.fills(1, await at.done("buy", "0.1"))
    wallet = (await at.port.balance()).wallet
    await at.move("61000")
    await at.played.close()
    balance = await at.port.balance()
    assert (balance.wallet, balance.equity) == (wallet, wallet + 100)
