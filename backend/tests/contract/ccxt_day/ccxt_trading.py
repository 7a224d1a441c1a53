"""A day of orders with ccxt, in one-way mode: markets are moved by hand, so every figure is known."""

from __future__ import annotations

import ccxt
from ccxt_steps import BTC, ETH, Steps, close_to, same

TAKER, MAKER = 0.0006, 0.0002


async def money(day: Steps) -> None:
    balance = await day.do("fetch_balance")
    for name in ("free", "total"):
        close_to(balance["USDT"][name], 10_000, name)
    close_to(balance["USDT"]["used"], 0, "used")


async def leverage_and_margin_mode(day: Steps) -> None:
    await day.do("set_margin_mode", "isolated", BTC)
    same((await day.do("fetch_margin_mode", BTC))["marginMode"], "isolated")
    await day.do("set_margin_mode", "cross", BTC)
    same((await day.do("fetch_margin_mode", BTC))["marginMode"], "cross")
    await day.do("set_leverage", 20, BTC)
    told = await day.do("fetch_leverage", BTC)
    same((told["longLeverage"], told["shortLeverage"], told["marginMode"]), (20, 20, "cross"))


async def position_mode(day: Steps) -> None:
    await day.do("set_position_mode", True, BTC)
    await day.do("set_position_mode", False, BTC)


async def a_limit_order_waits_and_is_canceled(day: Steps) -> None:
    made = await day.do("create_order", BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "haechi-limit"})
    seen = await day.do("fetch_order", made["id"], BTC)
    same((seen["status"], seen["clientOrderId"], seen["side"], seen["type"], seen["filled"]), ("open", "haechi-limit", "buy", "limit", 0))
    close_to(seen["price"], 59_000)
    close_to(seen["amount"], 0.01)
    same([one["id"] for one in await day.do("fetch_open_orders", BTC)], [made["id"]])
    money = (await day.do("fetch_balance"))["USDT"]
    assert 29.5 <= money["used"] <= 29.5 * 1.02, f"a twentieth of the order's value, and its fee: {money}"
    close_to(money["total"], 10_000, "total")
    await day.do("cancel_order", made["id"], BTC)
    same((await day.do("fetch_order", made["id"], BTC))["status"], "canceled")
    same(await day.do("fetch_open_orders", BTC), [])
    assert made["id"] in [one["id"] for one in await day.do("fetch_canceled_orders", BTC)]


async def an_order_is_changed(day: Steps) -> None:
    made = await day.do("create_order", BTC, "limit", "buy", 0.01, 59_000)
    await day.do("edit_order", made["id"], BTC, "limit", "buy", 0.02, 58_500)
    (left,) = await day.do("fetch_open_orders", BTC)
    close_to(left["price"], 58_500)
    close_to(left["amount"], 0.02)
    await day.do("cancel_order", left["id"], BTC)


async def post_only_that_would_take_is_canceled(day: Steps) -> None:
    """Bitget cancels it and does not trade."""
    made = await day.do("create_order", BTC, "limit", "buy", 0.01, 60_500, {"postOnly": True})
    same((await day.do("fetch_order", made["id"], BTC))["status"], "canceled")
    rests = await day.do("create_order", BTC, "limit", "buy", 0.01, 59_500, {"postOnly": True})
    same((await day.do("fetch_order", rests["id"], BTC))["status"], "open")
    await day.do("cancel_order", rests["id"], BTC)


async def immediate_or_cancel(day: Steps) -> None:
    for force in ("IOC", "FOK"):
        made = await day.do("create_order", BTC, "limit", "buy", 0.01, 59_000, {"timeInForce": force})
        same((await day.do("fetch_order", made["id"], BTC))["status"], "canceled", force)


async def a_market_order_opens(day: Steps) -> None:
    made = await day.do("create_order", BTC, "market", "buy", 0.1)
    seen = await day.do("fetch_order", made["id"], BTC)
    same((seen["status"], seen["filled"], seen["remaining"]), ("closed", 0.1, 0))
    close_to(seen["fee"]["cost"], seen["average"] * 0.1 * TAKER, "fee")
    (held,) = await day.do("fetch_positions", [BTC])
    same((held["side"], held["contracts"], held["marginMode"], held["leverage"], held["hedged"]), ("long", 0.1, "cross", 20, False))
    close_to(held["entryPrice"], seen["average"])
    same(held["liquidationPrice"], None, "10,000 of equity outlast any fall of 0.1 BTC")
    (trade,) = await day.do("fetch_my_trades", BTC)
    same((trade["order"], trade["side"], trade["takerOrMaker"], trade["amount"]), (made["id"], "buy", "taker", 0.1))
    close_to(trade["fee"]["cost"], trade["cost"] * TAKER, "fee of the trade")


async def the_position_follows_the_market(day: Steps) -> None:
    held = await day.do("fetch_position", BTC)
    day.moves(60_100)
    later = await day.do("fetch_position", BTC)
    close_to(later["markPrice"], 60_100)
    close_to(later["unrealizedPnl"], (60_100 - held["entryPrice"]) * 0.1, "unrealised")
    balance = await day.do("fetch_balance")
    close_to(balance["USDT"]["total"], 10_000 - held["entryPrice"] * 0.1 * TAKER + later["unrealizedPnl"], "equity")


async def a_maker_is_filled_by_the_market(day: Steps) -> None:
    made = await day.do("create_order", BTC, "limit", "sell", 0.04, 60_200, {"reduceOnly": True})
    same((await day.do("fetch_order", made["id"], BTC))["reduceOnly"], True)
    day.moves(60_250)
    seen = await day.do("fetch_order", made["id"], BTC)
    same((seen["status"], seen["filled"], seen["average"]), ("closed", 0.04, 60_200))
    close_to(seen["fee"]["cost"], 60_200 * 0.04 * MAKER, "fee of a maker")
    trade = [one for one in await day.do("fetch_my_trades", BTC) if one["order"] == made["id"]]
    same([one["takerOrMaker"] for one in trade], ["maker"])
    close_to((await day.do("fetch_position", BTC))["contracts"], 0.06)


async def funding_is_paid(day: Steps) -> None:
    day.market(fund=10_000)
    (paid,) = await day.do("fetch_funding_history", BTC)
    close_to(paid["amount"], -60_250 * 0.06 * 0.0001, "funding")


async def a_stop_and_a_target_on_the_position(day: Steps) -> None:
    stop = await day.do("create_order", BTC, "market", "sell", 0.06, None, {"stopLossPrice": 59_500})
    target = await day.do("create_order", BTC, "market", "sell", 0.06, None, {"takeProfitPrice": 62_000})
    waiting = await day.do("fetch_open_orders", BTC, None, None, {"planType": "profit_loss", "trigger": True})
    same({one["id"] for one in waiting}, {stop["id"], target["id"]}, "waiting")
    prices = {one["id"]: one for one in waiting}
    close_to(prices[stop["id"]]["triggerPrice"], 59_500, "trigger")
    held = (await day.do("fetch_position", BTC))["info"]
    close_to(held["stopLoss"], 59_500, "stop of the position")
    close_to(held["takeProfit"], 62_000, "target of the position")
    same((held["stopLossId"], held["takeProfitId"]), (stop["id"], target["id"]))
    await day.do("edit_order", stop["id"], BTC, "market", "sell", 0.06, None, {"stopLossPrice": 59_600})
    day.moves(59_590)
    same(await day.do("fetch_positions", [BTC]), [], "the stop closes the position")
    same(await day.do("fetch_open_orders", BTC, None, None, {"planType": "profit_loss", "trigger": True}), [], "and the target goes")
    day.moves(60_000)


async def attached_stop_and_target(day: Steps) -> None:
    made = await day.do("create_order", BTC, "limit", "buy", 0.05, 59_900, {
        "stopLoss": {"triggerPrice": 59_000}, "takeProfit": {"triggerPrice": 61_000}})
    seen = await day.do("fetch_order", made["id"], BTC)
    close_to(seen["stopLossPrice"], 59_000, "stop of the order")
    close_to(seen["takeProfitPrice"], 61_000, "target of the order")
    day.moves(59_850)
    close_to((await day.do("fetch_position", BTC))["contracts"], 0.05)
    same(len(await day.do("fetch_open_orders", BTC, None, None, {"planType": "profit_loss", "trigger": True})), 2, "attached")
    day.moves(61_050)
    same(await day.do("fetch_positions", [BTC]), [], "the target closes the position")
    day.moves(60_000)


async def trigger_orders(day: Steps) -> None:
    made = await day.do("create_order", BTC, "market", "buy", 0.02, None, {"triggerPrice": 60_300})
    (waiting,) = await day.do("fetch_open_orders", BTC, None, None, {"trigger": True})
    same((waiting["id"], waiting["side"]), (made["id"], "buy"))
    close_to(waiting["triggerPrice"], 60_300)
    await day.do("edit_order", made["id"], BTC, "market", "buy", 0.03, None, {"triggerPrice": 60_400})
    day.moves(60_350)
    same(await day.do("fetch_positions", [BTC]), [], "the trigger was moved")
    day.moves(60_400)
    close_to((await day.do("fetch_position", BTC))["contracts"], 0.03)
    past = await day.do("fetch_closed_orders", BTC, None, None, {"trigger": True})
    assert made["id"] in [one["id"] for one in past], past
    other = await day.do("create_order", BTC, "limit", "buy", 0.02, 58_000, {"triggerPrice": 58_100})
    await day.do("cancel_order", other["id"], BTC, {"trigger": True})
    same(await day.do("fetch_open_orders", BTC, None, None, {"trigger": True}), [])


async def a_trailing_stop(day: Steps) -> None:
    made = await day.do("create_order", BTC, "market", "sell", 0.03, None, {
        "trailingPercent": "1", "trailingTriggerPrice": 60_600, "reduceOnly": True})
    same([one["id"] for one in await day.do("fetch_open_orders", BTC, None, None, {"trailing": True})], [made["id"]])
    day.moves(61_000, 60_450)
    close_to((await day.do("fetch_position", BTC))["contracts"], 0.03)
    day.moves(60_380)
    same(await day.do("fetch_positions", [BTC]), [], "one percent below the highest")
    day.moves(60_000)
    second = await day.do("create_order", BTC, "market", "buy", 0.03, None, {"trailingPercent": "1", "trailingTriggerPrice": 59_000})
    await day.do("cancel_order", second["id"], BTC, {"trailing": True})
    same(await day.do("fetch_open_orders", BTC, None, None, {"trailing": True}), [])


async def batches(day: Steps) -> None:
    given = [{"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": 58_000 + n * 100, "params": {}} for n in range(4)]
    made = await day.do("create_orders", given)
    same(len(made), 4)
    ids = {one["id"] for one in made}
    same({one["id"] for one in await day.do("fetch_open_orders", BTC)}, ids)
    first = sorted(ids)[:2]
    await day.do("cancel_orders", first, BTC)
    same({one["id"] for one in await day.do("fetch_open_orders", BTC)}, ids - set(first))
    await day.do("cancel_all_orders", BTC)
    same(await day.do("fetch_open_orders", BTC), [])


async def all_waiting_plans_are_canceled(day: Steps) -> None:
    for price in (65_000, 66_000):
        await day.do("create_order", BTC, "market", "buy", 0.01, None, {"triggerPrice": price})
    await day.do("cancel_all_orders", BTC, {"trigger": True})
    same(await day.do("fetch_open_orders", BTC, None, None, {"trigger": True}), [])


async def positions_are_closed(day: Steps) -> None:
    await day.do("create_order", BTC, "market", "sell", 0.02)
    same((await day.do("fetch_position", BTC))["side"], "short")
    await day.do("close_position", BTC)
    same(await day.do("fetch_positions", [BTC]), [])
    await day.do("create_order", BTC, "market", "buy", 0.02)
    await day.do("create_order", ETH, "market", "buy", 0.5)
    same({one["symbol"] for one in await day.do("fetch_positions")}, {BTC, ETH})
    await day.do("close_all_positions", {"productType": "USDT-FUTURES"})
    same(await day.do("fetch_positions"), [])


async def margin_of_an_isolated_position(day: Steps) -> None:
    await day.do("set_margin_mode", "isolated", ETH)
    await day.do("set_leverage", 10, ETH, {"holdSide": "long"})
    await day.do("create_order", ETH, "market", "buy", 1, None, {"marginMode": "isolated"})
    before = await day.do("fetch_position", ETH)
    same(before["marginMode"], "isolated")
    await day.do("add_margin", ETH, 50, {"holdSide": "long"})
    close_to((await day.do("fetch_position", ETH))["collateral"], before["collateral"] + 50, "margin")
    await day.do("reduce_margin", ETH, -50, {"holdSide": "long"})
    close_to((await day.do("fetch_position", ETH))["collateral"], before["collateral"], "margin again")
    await day.do("close_position", ETH)


async def refusals_have_ccxts_names(day: Steps) -> None:
    await refused(day, ccxt.InsufficientFunds, "create_order", BTC, "market", "buy", 50)
    await refused(day, ccxt.OrderNotFound, "cancel_order", "1", BTC)
    await refused(day, ccxt.OrderNotFound, "fetch_order", "1", BTC)
    await refused(day, ccxt.BaseError, "create_order", BTC, "market", "sell", 0.01, None, {"reduceOnly": True})


async def refused(day: Steps, kind: type[Exception], *call: object) -> None:
    try:
        await day.do(*call)
    except kind:
        return
    raise AssertionError(f"{call}: nothing was refused")


STEPS = (money, leverage_and_margin_mode, position_mode, a_limit_order_waits_and_is_canceled, an_order_is_changed,
         post_only_that_would_take_is_canceled, immediate_or_cancel, a_market_order_opens, the_position_follows_the_market,
         a_maker_is_filled_by_the_market, funding_is_paid, a_stop_and_a_target_on_the_position, attached_stop_and_target, trigger_orders,
         a_trailing_stop, batches, all_waiting_plans_are_canceled, positions_are_closed, margin_of_an_isolated_position,
         refusals_have_ccxts_names)
