"""The WebSocket face: logins, channels, pushes equal to REST, checksums by other code, and frames that make no sense."""

from __future__ import annotations

import json
import random
import zlib
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse
from signed_wire import KEY, ORDER, PT, Wire, wired

from haechi.venue.requests import OrderRequest
from haechi.venue.wire.server import STREAMS
from haechi.venue.wire.signing import sign

INST = "USDT-FUTURES"
ORDERS = "/api/v2/mix/order/"


class Ear:
    """One connection. `wait` gives the next push of a channel, keeping the rest in order."""

    def __init__(self, wire: Wire, ws: ClientWebSocketResponse) -> None:
        self.wire, self.ws = wire, ws
        self.kept: list[Any] = []

    async def say(self, **message: Any) -> None:
        await self.ws.send_str(json.dumps(message))

    async def next(self) -> Any:
        if self.kept:
            return self.kept.pop(0)
        got = await self.ws.receive(timeout=10)
        return json.loads(got.data) if isinstance(got.data, str) and got.data != "pong" else got.data

    async def event(self) -> Any:
        """The next message that is no push."""
        while "action" in (said := await self.next()):
            pass
        return said

    async def push(self, channel: str) -> Any:
        while not isinstance(said := await self.next(), dict) or said.get("arg", {}).get("channel") != channel or "action" not in said:
            pass
        return said

    async def subscribe(self, channel: str, inst: str = "BTCUSDT", **arg: Any) -> Any:
        await self.say(op="subscribe", args=[{"instType": INST, "channel": channel, **(arg or {"instId": inst})}])
        assert (said := await self.next())["event"] == "subscribe", said
        return await self.push(channel)

    async def login(self, stamp: Any = None, **change: Any) -> Any:
        stamp = stamp if stamp is not None else str(self.wire.floor.wall_ms() // 1000)
        arg = {"apiKey": KEY.key, "passphrase": KEY.passphrase, "timestamp": stamp, "sign": sign(KEY.secret, str(stamp), "GET", "/user/verify")}
        await self.say(op="login", args=[{**arg, **change, "url": "x"}], url="y")
        return await self.next()


@asynccontextmanager
async def hearing(path: str = "public"):
    async with wired() as wire, wire.session.ws_connect(wire.server.make_url(f"/v2/ws/{path}")) as ws:
        yield Ear(wire, ws)


@asynccontextmanager
async def signed_in():
    async with hearing("private") as ear:
        assert (await ear.login())["code"] == 0
        yield ear


@pytest.mark.parametrize("stamp", ["1700000000", 1700000000, "1700000000000", 1700000000000])
async def test_login_takes_seconds_and_milliseconds_text_and_number(stamp: Any) -> None:
    async with hearing("private") as ear:
        assert await ear.login(stamp) == {"event": "login", "code": 0, "msg": ""}


@pytest.mark.parametrize(("change", "code"), [({"apiKey": "x"}, 30011), ({"passphrase": "x"}, 30012), ({"sign": "x"}, 30015),
                                              ({"timestamp": "x"}, 30013), ({"timestamp": "1600000000"}, 30014), ({"apiKey": [1]}, 30011)])
async def test_a_wrong_login_is_refused_and_the_connection_ends(change: dict[str, Any], code: int) -> None:
    async with hearing("private") as ear:
        assert (await ear.login(**change))["code"] == code
        await ear.ws.receive(timeout=10)
        assert ear.ws.closed


@pytest.mark.parametrize(("message", "code"), [
    ({"op": "subscribe", "args": [{"instType": INST, "channel": "nothing", "instId": "BTCUSDT"}]}, 30001),
    ({"op": "subscribe", "args": [{"instType": "sp", "channel": "ticker", "instId": "BTCUSDT"}]}, 30001),
    ({"op": "subscribe", "args": [{"instType": INST, "channel": "ticker", "instId": "NOPE"}]}, 30001),
    ({"op": "subscribe", "args": [{"instType": INST, "channel": "candle7m", "instId": "BTCUSDT"}]}, 30001),
    ({"op": "dance", "args": [{}]}, 30003), ({"op": "subscribe"}, 30002), ({"op": "subscribe", "args": [5]}, 30016), ([], 30002),
    ({"op": "login", "args": [{}]}, 30002)])
async def test_wrong_messages_get_an_error_and_the_connection_stays(message: Any, code: int) -> None:
    async with hearing() as ear:
        await ear.ws.send_str(json.dumps(message))
        assert (await ear.next())["code"] == code
        await ear.ws.send_str("ping")
        assert await ear.next() == "pong"


async def test_a_private_channel_needs_a_login() -> None:
    async with hearing("private") as ear:
        await ear.say(op="subscribe", args=[{"instType": INST, "channel": "orders", "instId": "default"}])
        assert (await ear.next())["code"] == 30004


async def test_ticker_trade_and_candles_follow_the_market() -> None:
    async with hearing() as ear:
        first = await ear.subscribe("ticker")
        assert first["action"] == "snapshot" and first["data"][0]["lastPr"] == "60000"
        await ear.subscribe("trade")
        assert (await ear.subscribe("candle1m"))["data"][-1][1:5] == ["60000"] * 4
        await ear.wire.played.move(601_000, volume=2.0)
        assert (await ear.push("ticker"))["data"][0]["lastPr"] == "60100"
        await ear.wire.played.move(602_000, volume=1.0)
        assert (await ear.push("trade"))["data"][0]["side"] == "buy"
        assert (await ear.push("candle1m"))["action"] == "update"


def told_apart(bids: dict[str, str], asks: dict[str, str]) -> int:
    """The checksum by code that shares nothing with the venue's."""
    sides = [sorted(bids.items(), key=lambda row: -float(row[0]))[:25], sorted(asks.items(), key=lambda row: float(row[0]))[:25]]
    joined = ":".join(":".join(side[k]) for k in range(25) for side in sides if k < len(side))
    return int.from_bytes(zlib.crc32(joined.encode()).to_bytes(4, "big"), "big", signed=True)


def test_the_checksum_vectors_of_the_documentation() -> None:
    from haechi.venue.wire.ws.frames import checksum

    assert checksum([("43231.1", "4"), ("43231", "6")], [("43232.8", "9"), ("43232.9", "8")]) == -1504501796
    assert checksum([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")]) == 831078360


async def test_a_book_kept_from_updates_is_the_venues_book() -> None:
    async with hearing() as ear:
        first = (await ear.subscribe("books"))["data"][0]
        sides = {name: dict(first[name]) for name in ("bids", "asks")}
        seq = first["seq"]
        for price in (600_010, 599_950, 600_500, 600_400):
            await ear.wire.played.move(price)
            update = (await ear.push("books"))
            told = update["data"][0]
            assert update["action"] == "update" and told["seq"] > seq
            seq = told["seq"]
            for name, book in sides.items():
                for row_price, size in told[name]:
                    if float(size) == 0:
                        book.pop(row_price)
                    else:
                        book[row_price] = size
            assert told_apart(sides["bids"], sides["asks"]) == told["checksum"]
            assert max(map(float, sides["bids"])) < price / 10 < min(map(float, sides["asks"]))


@pytest.mark.parametrize(("channel", "levels"), [("books1", 1), ("books5", 5), ("books15", 15)])
async def test_short_books_are_whole_each_time(channel: str, levels: int) -> None:
    async with hearing() as ear:
        first = await ear.subscribe(channel)
        await ear.wire.played.move(601_000)
        second = await ear.push(channel)
        assert first["action"] == second["action"] == "snapshot"
        assert len(second["data"][0]["bids"]) == len(second["data"][0]["asks"]) == levels


async def test_an_order_is_told_as_rest_shows_it() -> None:
    async with signed_in() as ear:
        await ear.subscribe("account", coin="default")
        await ear.subscribe("positions", instId="default")
        for channel in ("orders", "fill", "orders-algo", "positions-history"):
            await ear.say(op="subscribe", args=[{"instType": INST, "channel": channel, "instId": "default"}])
            assert (await ear.event())["event"] == "subscribe"
        made = await ear.wire.done(ORDERS + "place-order", **ORDER, presetStopLossPrice="50000")
        live, filled = await ear.push("orders"), None
        assert live["data"][0]["status"] == "live"
        fill = (await ear.push("fill"))["data"][0]
        filled = (await ear.push("orders"))["data"][0]
        detail = await ear.wire.data(ORDERS + "detail", symbol="BTCUSDT", **PT, orderId=made["orderId"])
        assert (filled["status"], filled["tradeId"], filled["accBaseVolume"]) == ("filled", fill["tradeId"], detail["baseVolume"])
        assert (await ear.push("orders-algo"))["data"][0]["planType"] == "sl"
        assert (await ear.push("account"))["data"][0]["equity"] == (await ear.wire.data("/api/v2/mix/account/accounts", **PT))[0]["accountEquity"]
        position = (await ear.push("positions"))["data"][0]
        shown = (await ear.wire.data("/api/v2/mix/position/all-position", **PT))[0]
        assert (position["total"], position["openPriceAvg"], position["liquidationPrice"]) == (
            shown["total"], shown["openPriceAvg"], shown["liquidationPrice"])
        await ear.wire.done(ORDERS + "close-positions", **PT)
        assert (await ear.push("positions-history"))["data"][0]["closeSize"] == "0.01"
        assert (await ear.push("positions"))["data"] == []


async def test_nobody_hears_another_members_orders() -> None:
    async with signed_in() as ear:
        await ear.say(op="subscribe", args=[{"instType": INST, "channel": "orders", "instId": "default"}])
        await ear.next()
        ear.wire.floor.members["bob"].place(OrderRequest(0, 1, 10, "market"))
        ear.wire.ann.place(OrderRequest(0, 1, 20, "market"))
        assert (await ear.push("orders"))["data"][0]["size"] == "0.02"


async def test_orders_over_the_socket() -> None:
    async with signed_in() as ear:
        params = {**ORDER, "orderType": "limit", "price": "59000"}
        await ear.say(op="trade", args=[{"id": "1", "instType": INST, "instId": "BTCUSDT", "channel": "place-order", "params": params}])
        said = await ear.event()
        assert said["code"] == 0 and (order := ear.wire.ann.find(order_id=said["arg"][0]["params"]["orderId"])) is not None and order.open
        await ear.say(op="trade", args=[{"id": "2", "instType": INST, "instId": "BTCUSDT", "channel": "cancel-order", "params": {"orderId": order.order_id}}])
        assert (await ear.event())["code"] == 0 and not order.open


async def test_unsubscribed_is_silent() -> None:
    async with hearing() as ear:
        await ear.subscribe("ticker")
        await ear.say(op="unsubscribe", args=[{"instType": INST, "channel": "ticker", "instId": "BTCUSDT"}])
        assert (await ear.event())["event"] == "unsubscribe"
        await ear.wire.played.move(601_000)
        await ear.subscribe("books1")
        assert not ear.wire.server.app[STREAMS].listeners.get(("ticker", "BTCUSDT"))


async def test_ten_thousand_senseless_frames_harm_nobody() -> None:
    draw = random.Random(7)
    words = ["op", "args", "subscribe", "login", INST, "ticker", "BTCUSDT", "instId", "channel", "instType", None, 5, -1, 1e308, [], {}, "\ud7ff", "ping"]

    def thing(depth: int = 0) -> Any:
        kind = draw.random()
        if depth > 3 or kind < 0.4:
            return draw.choice(words)
        if kind < 0.7:
            return [thing(depth + 1) for _ in range(draw.randrange(4))]
        return {str(draw.choice(words)): thing(depth + 1) for _ in range(draw.randrange(4))}

    answered = 0
    async with wired() as wire:
        for number in range(200):
            async with wire.session.ws_connect(wire.server.make_url("/v2/ws/private")) as ws:
                if number % 2:
                    assert (await Ear(wire, ws).login())["code"] == 0
                for _ in range(50):
                    text = json.dumps(thing())
                    cut = text[: draw.randrange(len(text) + 1)]
                    await (ws.send_str(text if draw.random() < 0.8 else cut) if draw.random() < 0.9 else ws.send_bytes(cut.encode()))
                await ws.send_str("ping")
                async for said in ws:  # until the last frame was read
                    answered += 1
                    if said.data == "pong":
                        break
                await ws.close()
        assert answered > 9_000
        assert (await wire.data("/api/v2/public/time"))["serverTime"] and not wire.ann.orders
