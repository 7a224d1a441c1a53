"""The hub of the WebSocket face: hears the floor, and tells the connections what they listen to.

Public news are gathered and sent at most ten times a second, one encoded frame for all; private news at once and in order,
holdings once when a burst is over.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from haechi.venue.exchange import TickBar
from haechi.venue.floor import Floor
from haechi.venue.records import ClosedPosition, FillRecord, OrderRecord, PlanRecord, PublicTrade
from haechi.venue.refusal import Refusal
from haechi.venue.wire import formats
from haechi.venue.wire.public import GRANULARITIES
from haechi.venue.wire.ws import frames
from haechi.venue.wire.ws.books import BOOKS, BookFeed
from haechi.venue.wire.ws.sockets import Arg, Socket, Wrong

if TYPE_CHECKING:
    from haechi.venue.faults import Faults
    from haechi.venue.member import Member

PUBLIC, PRIVATE = "/v2/ws/public", "/v2/ws/private"
PRIVATE_CHANNELS = ("account", "positions", "orders", "orders-algo", "fill", "positions-history", "equity", "adl-noti")
INTERVAL_S = 0.09  # so that ten a second arrive, timers being late
CANDLES_FIRST, TRADES_FIRST = 500, 50
DEFAULT = "default"
Topic = tuple[str, str]


class Streams:
    """A Sink of the floor. `limits`: whether message rates are kept. `cut`: connections ended because they read too slowly."""

    def __init__(self, floor: Floor, *, faults: Faults | None = None, limits: bool = True,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.floor, self.faults, self.limits, self._sleep = floor, faults, limits, sleep
        self.cut = 0
        self.sockets: set[Socket] = set()
        self.listeners: defaultdict[Topic, dict[Socket, Arg]] = defaultdict(dict)
        self._moved: set[int] = set()
        self._trades: defaultdict[int, list[PublicTrade]] = defaultdict(list)
        self._holdings: dict[str, set[str]] = {}
        self._fills: dict[str, FillRecord] = {}
        self._books = {m: BookFeed(floor, m) for m in range(len(floor.instruments))}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        if faults is not None:
            faults.streams = self.cut_off
        floor.listen(self)

    # ---- the life of the hub

    def routes(self) -> list[web.RouteDef]:
        return [web.get(PUBLIC, self._public), web.get(PRIVATE, self._private)]

    async def _public(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(Socket(self, request, private=False))

    async def _private(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(Socket(self, request, private=True))

    async def _serve(self, socket: Socket) -> web.StreamResponse:
        self.sockets.add(socket)
        try:
            return await socket.run()
        finally:
            self.sockets.discard(socket)
            for topic in list(socket.topics):
                self.unsubscribed(socket, topic)

    async def context(self, app: web.Application) -> Any:
        """A cleanup context of the application: the flusher lives as long as it does."""
        flusher = asyncio.create_task(self._flush_for_ever())
        yield
        flusher.cancel()
        self.floor.unlisten(self)
        for task in list(self._tasks):
            task.cancel()
        for socket in list(self.sockets):
            socket.drop()
        await asyncio.gather(flusher, return_exceptions=True)

    async def _flush_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._news.wait()
            self._news.clear()
            begun = loop.time()
            self.flush()
            await self._sleep(max(0.0, INTERVAL_S - (loop.time() - begun)))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        async def wait() -> None:
            await self._sleep(seconds)
            act()

        task = asyncio.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def passed(self, member: str | None, channel: str, payload: bytes) -> list[tuple[float, bytes]]:
        return list(self.faults.push(member, channel, payload)) if self.faults is not None else [(0, payload)]

    def clock_offset_ms(self) -> int:
        return self.faults.clock_offset_ms() if self.faults is not None else 0

    def cut_off(self, member: str | None, channel: str | None) -> int:
        """End the connections of a member that listen to a channel; how many."""
        ended = 0
        for socket in list(self.sockets):
            name = socket.member.name if socket.member is not None else None
            if member in (None, name) and (channel is None or any(topic[0] == channel for topic in socket.topics)):
                socket.drop()
                ended += 1
        return ended

    # ---- topics

    def topic(self, arg: dict[str, Any], *, private: bool) -> tuple[Topic, Arg]:
        """What an arg means, and how pushes name it; Wrong when there is no such channel."""
        inst_type, channel = str(arg.get("instType", "")), str(arg.get("channel", ""))
        inst = str(arg.get("instId") or arg.get("coin") or (DEFAULT if private else ""))
        described = f"instType:{inst_type[:30]},channel:{channel[:30]},instId:{inst[:30]} doesn't exist"
        if inst_type.upper() != frames.INST:
            raise Wrong(30001, described)
        if private:
            return self._private_topic(arg, channel, inst, described)
        known = channel in ("ticker", "trade", *BOOKS) or (channel.startswith("candle") and channel[6:].lower() in GRANULARITIES
                                                            and channel != "candle1M")
        if not known or inst.upper() not in self.floor.market:
            raise Wrong(30001, described)
        return (channel, inst.upper()), {"instType": frames.INST, "channel": channel, "instId": inst.upper()}

    def _private_topic(self, arg: dict[str, Any], channel: str, inst: str, described: str) -> tuple[Topic, Arg]:
        if channel not in PRIVATE_CHANNELS:
            raise Wrong(30001, described)
        if channel == "equity":
            return (channel, DEFAULT), {"instType": frames.INST, "channel": channel}
        name = "coin" if channel == "account" or ("coin" in arg and "instId" not in arg) else "instId"
        if inst.lower() == DEFAULT or (channel == "account" and inst.upper() == "USDT"):
            return (channel, DEFAULT), {"instType": frames.INST, "channel": channel, name: str(arg.get(name) or DEFAULT)}
        if inst.upper() not in self.floor.market:
            raise Wrong(30001, described)
        return (channel, inst.upper()), {"instType": frames.INST, "channel": channel, name: inst.upper()}

    def subscribed(self, socket: Socket, topic: Topic, arg: Arg) -> None:
        """From now on; first how things stand."""
        self.listeners[topic][socket] = arg
        channel, inst = topic
        first = self._first(socket, channel, inst)
        if first is not None:
            socket.send(channel, frames.push(arg, first, self.floor.wall_ms()))

    def unsubscribed(self, socket: Socket, topic: Topic) -> None:
        self.listeners[topic].pop(socket, None)
        if not self.listeners[topic]:
            del self.listeners[topic]

    def _first(self, socket: Socket, channel: str, inst: str) -> list[Any] | None:
        if socket.private:
            return self._holding(socket.member, channel) if socket.member is not None else None
        m = self.floor.market[inst]
        if not self.floor.markets[m].point:
            return None
        if channel == "ticker":
            return [frames.ticker(self.floor.quote(m), inst)]
        if channel == "trade":
            return [self._trade_row(trade) for trade in list(self.floor.trades(m))[:-TRADES_FIRST - 1:-1]]
        if channel in BOOKS:
            return [self._books[m].snapshot(channel)]
        return self._candles(m, channel, CANDLES_FIRST)

    # ---- what the floor tells

    def market(self, m: int) -> None:
        self._moved.add(m)
        self._news.set()

    def traded(self, trade: PublicTrade) -> None:
        if ("trade", self.floor.instruments[trade.m].symbol) in self.listeners:
            self._trades[trade.m].append(trade)

    def barred(self, m: int, bar: TickBar) -> None:
        self.market(m)

    def member(self, member: Member, what: str, record: object) -> None:
        if any(socket.member is member for socket in self.sockets):
            self._tell(member, what, record)

    def _tell(self, member: Member, what: str, record: object) -> None:
        one = self.floor.instruments[record.m] if hasattr(record, "m") else None
        if isinstance(record, FillRecord) and one is not None:
            if what == "fill":
                self._fills[record.order_id] = record
                self._private_push(member, "fill", one.symbol, frames.fill(record, one))
            else:
                self._private_push(member, "adl-noti", one.symbol, frames.adl(record, one), "update")
        elif isinstance(record, OrderRecord) and one is not None:
            self._private_push(member, "orders", one.symbol, frames.order(record, one, self._fills.pop(record.order_id, None)))
            self._hold(member, "positions")
        elif isinstance(record, PlanRecord) and one is not None:
            self._private_push(member, "orders-algo", one.symbol, frames.plan(record, one))
        elif isinstance(record, ClosedPosition) and one is not None:
            self._private_push(member, "positions-history", one.symbol, frames.closed(record, one))
        self._hold(member, "positions" if what == "position" else "account")

    def _private_push(self, member: Member, channel: str, symbol: str, item: dict[str, Any], action: str = "snapshot") -> None:
        for topic in ((channel, DEFAULT), (channel, symbol)):
            for socket, arg in list(self.listeners.get(topic, {}).items()):
                if socket.member is member:
                    socket.send(channel, frames.push(arg, [item], self.floor.wall_ms(), action))

    def _hold(self, member: Member, channel: str) -> None:
        """Holdings are told once, when what is going on is over."""
        waiting = self._holdings.setdefault(member.name, set())
        if not waiting:
            asyncio.get_running_loop().call_soon(self._tell_holdings, member)
        waiting.update((channel, "equity") if channel == "account" else (channel,))

    def _tell_holdings(self, member: Member) -> None:
        for channel in sorted(self._holdings.pop(member.name, ())):
            for (name, inst), sockets in list(self.listeners.items()):
                if name != channel:
                    continue
                for socket, arg in list(sockets.items()):
                    if socket.member is member:
                        held = self._holding(member, channel, inst) or []
                        socket.send(channel, frames.push(arg, held, self.floor.wall_ms()))

    def _holding(self, member: Member, channel: str, inst: str = DEFAULT) -> list[Any] | None:
        if channel == "account":
            return [frames.account(member.balance())]
        if channel == "equity":
            return [frames.equity(member.balance())]
        if channel == "positions":
            return [frames.position(view, self.floor.instruments[view.m]) for view in member.positions()
                    if inst in (DEFAULT, self.floor.instruments[view.m].symbol)]
        return None

    # ---- public news

    def flush(self) -> None:
        """Tell what moved since the last time."""
        moved, self._moved = self._moved, set()
        for m in moved:
            try:
                self._flush_market(m, self.floor.instruments[m].symbol)
            except Refusal:
                continue  # a market without a price has nothing to tell

    def _flush_market(self, m: int, symbol: str) -> None:
        trades, self._trades[m] = self._trades[m], []
        for topic in [topic for topic in list(self.listeners) if topic[1] == symbol]:
            channel, action = topic[0], "snapshot"
            if channel == "ticker":
                data: list[Any] = [frames.ticker(self.floor.quote(m), symbol)]
            elif channel == "trade":
                data, action = [self._trade_row(trade) for trade in reversed(trades)], "update"
            elif channel == "books":
                change = self._books[m].update()
                data, action = [change] if change is not None else [], "update"
            elif channel in BOOKS:
                data = [self._books[m].snapshot(channel)]
            elif channel.startswith("candle"):
                data, action = self._candles(m, channel, 2), "update"
            else:
                continue
            if data:
                self._broadcast(topic, data, action)

    def _broadcast(self, topic: Topic, data: list[Any], action: str) -> None:
        sockets = self.listeners.get(topic)
        if not sockets:
            return
        arg = {"instType": frames.INST, "channel": topic[0], "instId": topic[1]}
        payload = frames.push(arg, data, self.floor.wall_ms(), action)
        if self.faults is not None:
            for socket in list(sockets):
                socket.send(topic[0], payload)
            return
        frame = frames.framed(payload)
        for socket in list(sockets):
            socket.write(frame)

    def _trade_row(self, trade: PublicTrade) -> dict[str, str]:
        shown = formats.public_trade(trade, self.floor.instruments[trade.m])
        return {name: shown[name] for name in ("ts", "price", "size", "side", "tradeId")}

    def _candles(self, m: int, channel: str, most: int) -> list[Any]:
        length, shift = GRANULARITIES[channel[6:].lower()]
        bars = self.floor.candles(m, length, offset_ms=shift % length, most=most)
        rows = [formats.candle(bar, self.floor.instruments[m]) for bar in bars]
        return [[*row, row[-1]] for row in rows]
