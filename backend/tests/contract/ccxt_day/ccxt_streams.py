"""What ccxt.pro hears over its WebSockets, beside what its REST calls read at the same moment."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

from ccxt_steps import BTC, ETH, Steps, close_to, same

PATIENCE_S = 10


class Follow:
    """A watch that goes on; `until` gives the first news of which something holds."""

    def __init__(self, day: Steps, name: str, *given: Any) -> None:
        self.day, self.call, self.seen, self.news = day, (name, given), list[Any](), asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        name, given = self.call
        while True:
            self.seen.append(copy.deepcopy(await getattr(self.day.client, name)(*given)))
            self.news.set()

    async def until(self, holds: Callable[[Any], bool], about: str) -> Any:
        checked, loop = 0, asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while True:
            self.news.clear()
            while checked < len(self.seen):
                checked += 1
                if holds(self.seen[checked - 1]):
                    return self.seen[checked - 1]
            waiting = asyncio.ensure_future(self.news.wait())
            await asyncio.wait({waiting, self.task}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and checked == len(self.seen):
                waiting.cancel()
                raise AssertionError(f"{self.call[0]}: never {about}; last {self.seen[-1:]}"
                                     f" {self.task.exception() if self.task.done() else ''}")

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def ticker_is_the_same(day: Steps) -> None:
    follow = Follow(day, "watch_ticker", BTC)
    await follow.until(bool, "a first ticker")
    day.moves(60_150)
    heard = await follow.until(lambda one: one["last"] == 60_150, "at 60,150")
    read = await day.do("fetch_ticker", BTC)
    for name in ("last", "bid", "ask", "bidVolume", "askVolume", "high", "low", "open", "change", "baseVolume"):
        same(heard[name], read[name], name)
    for name in ("markPrice", "indexPrice", "fundingRate", "holdingAmount"):  # ccxt does not read these from the stream
        same(heard["info"][name], read["info"][name], name)
    await follow.stop()
    several = Follow(day, "watch_tickers", [BTC, ETH])
    await several.until(lambda one: ETH in one, "ETH")
    await several.stop()


async def book_is_the_same(day: Steps) -> None:
    """ccxt checks the sum of every update itself and fails on a wrong one."""
    day.client.options.setdefault("watchOrderBook", {})["checksum"] = True
    for limit in (None, 1, 5, 15):
        follow = Follow(day, "watch_order_book", BTC, *([limit] if limit else []))
        await follow.until(lambda one: bool(one["bids"]), "a first book")
        for price in (60_160 + (limit or 0), 60_140 + (limit or 0), 60_155 + (limit or 0)):
            day.moves(price)
            read = await day.do("fetch_order_book", BTC, limit or 100)
            many = min(limit or 15, 15)
            wanted = [read[side][:many] for side in ("bids", "asks")]
            await follow.until(lambda one, many=many, wanted=wanted: [[row[:2] for row in one[side][:many]] for side in ("bids", "asks")]
                               == wanted, f"the book at {price}, limit {limit}")
        await follow.stop()
        # ccxt keeps one subscription a symbol, whatever the limit: the old one must go before the next.
        await asyncio.wait_for(day.client.un_watch_order_book(BTC, {"limit": limit} if limit else {}), PATIENCE_S)


async def candles_are_the_same(day: Steps) -> None:
    follow = Follow(day, "watch_ohlcv", BTC, "1m")
    await follow.until(bool, "first bars")
    day.moves(60_321)
    heard = await follow.until(lambda rows: rows[-1][4] == 60_321, "a close at 60,321")
    same(heard[-1], (await day.do("fetch_ohlcv", BTC, "1m", None, 2))[-1], "the last bar")
    await follow.stop()


async def public_trades_are_the_same(day: Steps) -> None:
    follow = Follow(day, "watch_trades", BTC)
    await follow.until(bool, "first trades")
    day.moves(60_222)
    heard = (await follow.until(lambda rows: rows[-1]["price"] == 60_222, "a trade at 60,222"))[-1]
    read = (await day.do("fetch_trades", BTC, None, 5))[-1]
    for name in ("id", "price", "amount", "side", "timestamp"):
        same(heard[name], read[name], name)
    await follow.stop()


async def an_order_is_heard(day: Steps) -> None:
    """Of a market order: the order, its fill, the position and the money, each as REST tells it."""
    follows = {name: Follow(day, name) for name in ("watch_orders", "watch_my_trades", "watch_positions", "watch_balance")}
    await follows["watch_balance"].until(bool, "a first balance")
    made = await day.do("create_order", BTC, "market", "buy", 0.02)
    order = (await follows["watch_orders"].until(lambda rows: rows[-1]["id"] == made["id"] and rows[-1]["status"] == "closed", "filled"))[-1]
    read = await day.do("fetch_order", made["id"], BTC)
    for name in ("id", "clientOrderId", "symbol", "type", "side", "amount", "filled", "average", "status"):
        same(order[name], read[name], name)
    same(order["info"]["reduceOnly"].lower(), read["info"]["reduceOnly"].lower(), "reduceOnly")
    close_to(order["fee"]["cost"], read["fee"]["cost"], "fee")
    fill = (await follows["watch_my_trades"].until(lambda rows: rows[-1]["order"] == made["id"], "its fill"))[-1]
    bought = [one for one in await day.do("fetch_my_trades", BTC) if one["order"] == made["id"]]
    for name in ("id", "order", "symbol", "side", "price", "amount", "takerOrMaker", "timestamp"):
        same(fill[name], bought[0][name], name)
    close_to(fill["fee"]["cost"], bought[0]["fee"]["cost"], "fee of the fill")
    held = (await follows["watch_positions"].until(lambda rows: bool(rows) and rows[-1]["contracts"] == 0.02, "the position"))[-1]
    position = await day.do("fetch_position", BTC)
    for name in ("symbol", "side", "contracts", "marginMode", "hedged"):
        same(held[name], position[name], name)
    close_to(held["entryPrice"], position["entryPrice"], "entry")
    money = (await day.do("fetch_balance"))["USDT"]
    await follows["watch_balance"].until(
        lambda one: all(abs(one["USDT"][name] - money[name]) < 1e-6 for name in ("free", "total")), f"the balance {money}")
    for follow in follows.values():
        await follow.stop()


async def waiting_and_cancel_are_heard(day: Steps) -> None:
    follow = Follow(day, "watch_orders", BTC)
    made = await day.do("create_order", BTC, "limit", "buy", 0.01, 58_000)
    await follow.until(lambda rows: (rows[-1]["id"], rows[-1]["status"]) == (made["id"], "open"), "waiting")
    await day.do("cancel_order", made["id"], BTC)
    await follow.until(lambda rows: (rows[-1]["id"], rows[-1]["status"]) == (made["id"], "canceled"), "canceled")
    await follow.stop()


async def trigger_orders_are_heard(day: Steps) -> None:
    follow = Follow(day, "watch_orders", BTC, None, None, {"trigger": True})
    # The first call subscribes while the first order is on its way: what is heard of the second is certain.
    first = await day.do("create_order", BTC, "market", "buy", 0.01, None, {"triggerPrice": 65_000})
    await day.do("cancel_order", first["id"], BTC, {"trigger": True})
    made = await day.do("create_order", BTC, "market", "buy", 0.01, None, {"triggerPrice": 65_000})
    heard = (await follow.until(lambda rows: (rows[-1]["id"], rows[-1]["status"]) == (made["id"], "open"), "waiting"))[-1]
    close_to(heard["triggerPrice"], 65_000, "trigger")
    await day.do("cancel_order", made["id"], BTC, {"trigger": True})
    await follow.until(lambda rows: (rows[-1]["id"], rows[-1]["status"]) == (made["id"], "canceled"), "canceled")
    await follow.stop()


async def a_closed_position_drops_out(day: Steps) -> None:
    follow = Follow(day, "watch_positions")
    await day.do("close_position", BTC)
    await follow.until(lambda rows: all(one["symbol"] != BTC for one in rows), "without BTC")
    same(await day.do("fetch_positions", [BTC]), [])
    await follow.stop()


async def channels_are_left(day: Steps) -> None:
    await asyncio.wait_for(day.client.un_watch_ticker(BTC), PATIENCE_S)
    await asyncio.wait_for(day.client.un_watch_trades(BTC), PATIENCE_S)


STEPS = (ticker_is_the_same, book_is_the_same, candles_are_the_same, public_trades_are_the_same, an_order_is_heard,
         waiting_and_cancel_are_heard, trigger_orders_are_heard, a_closed_position_drops_out, channels_are_left)
