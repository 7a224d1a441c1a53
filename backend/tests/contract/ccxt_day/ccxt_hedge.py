"""The rest of the day with ccxt: two legs, and the books of what was done."""

from __future__ import annotations

from ccxt_steps import BTC, Steps, close_to, same

HEDGED = {"hedged": True}


async def both_legs_are_opened(day: Steps) -> None:
    await day.do("set_position_mode", True, BTC)
    await day.do("create_order", BTC, "market", "buy", 0.03, None, HEDGED)
    await day.do("create_order", BTC, "market", "sell", 0.02, None, HEDGED)
    held = {one["side"]: one for one in await day.do("fetch_positions", [BTC])}
    same({side: one["contracts"] for side, one in held.items()}, {"long": 0.03, "short": 0.02})
    assert all(one["hedged"] for one in held.values()), held


async def a_leg_has_stop_and_target(day: Steps) -> None:
    stop = await day.do("create_order", BTC, "market", "sell", 0.03, None, {**HEDGED, "stopLossPrice": 58_000})
    target = await day.do("create_order", BTC, "market", "buy", 0.02, None, {**HEDGED, "takeProfitPrice": 57_000})
    waiting = {one["id"]: one for one in await day.do("fetch_open_orders", BTC, None, None, {"planType": "profit_loss", "trigger": True})}
    same(set(waiting), {stop["id"], target["id"]})
    await day.do("cancel_all_orders", BTC, {"trigger": True, "planType": "profit_loss"})


async def legs_are_closed_one_by_one(day: Steps) -> None:
    await day.do("create_order", BTC, "market", "sell", 0.03, None, {**HEDGED, "reduceOnly": True})
    (left,) = await day.do("fetch_positions", [BTC])
    same((left["side"], left["contracts"]), ("short", 0.02))
    await day.do("create_order", BTC, "market", "buy", 0.02, None, {**HEDGED, "reduceOnly": True})
    same(await day.do("fetch_positions", [BTC]), [])
    await day.do("create_order", BTC, "market", "buy", 0.01, None, HEDGED)
    await day.do("close_position", BTC, "buy")
    same(await day.do("fetch_positions", [BTC]), [])
    await day.do("set_position_mode", False, BTC)


async def closed_orders(day: Steps) -> None:
    orders = await day.do("fetch_closed_orders", BTC)
    assert len(orders) >= 10 and all(one["status"] == "closed" and one["average"] for one in orders), len(orders)
    assert await day.do("fetch_canceled_and_closed_orders", BTC)


async def trades_add_up_to_orders(day: Steps) -> None:
    trades = await day.do("fetch_my_trades", BTC, None, 100)
    for order in await day.do("fetch_closed_orders", BTC):
        filled = sum(one["amount"] for one in trades if one["order"] == order["id"])
        close_to(filled, order["filled"], f"order {order['id']}")


async def the_ledger_adds_up_to_the_balance(day: Steps) -> None:
    """Every unit of money is explained: deposit, profits, fees, funding."""
    entries, until = [], None
    while True:
        page = await day.do("private_mix_get_v2_mix_account_bill", {"productType": "USDT-FUTURES", "limit": "100",
                                                                    **({"idLessThan": until} if until else {})})
        bills = page["data"]["bills"]
        entries += bills
        if len(bills) < 100:
            break
        until = page["data"]["endId"]
    total = sum(float(one["amount"]) + float(one["fee"]) for one in entries if one["businessType"] not in ("append_margin", "reduce_margin"))
    close_to((await day.do("fetch_balance"))["USDT"]["total"], total, "sum of the bills")
    ledger = await day.do("fetch_ledger", "USDT", None, 50)
    assert ledger and all(one["currency"] == "USDT" and one["timestamp"] for one in ledger), ledger[:1]


async def past_positions(day: Steps) -> None:
    past = await day.do("fetch_positions_history", [BTC])
    assert len(past) >= 5, len(past)
    for one in past:
        assert one["entryPrice"] and one["lastPrice"] and one["side"] in ("long", "short") and one["timestamp"], one
        info = one["info"]
        close_to(info["netProfit"], sum(float(info[name]) for name in ("pnl", "totalFunding", "openFee", "closeFee")), "net profit")


async def transfers(day: Steps) -> None:
    before = (await day.do("fetch_balance"))["USDT"]["total"]
    await day.do("transfer", "USDT", 100, "spot", "swap")
    close_to((await day.do("fetch_balance"))["USDT"]["total"], before + 100, "after the transfer")


STEPS = (both_legs_are_opened, a_leg_has_stop_and_target, legs_are_closed_one_by_one, closed_orders, trades_add_up_to_orders,
         the_ledger_adds_up_to_the_balance, past_positions, transfers)
