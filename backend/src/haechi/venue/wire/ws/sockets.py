"""One connection: what it says, what it listens to, and what is sent to it.

Frames are written to the transport as they are; a client that reads too slowly is cut off before it costs memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import WSMsgType, web

from haechi.venue.refusal import Refusal
from haechi.venue.wire import orders
from haechi.venue.wire.codes import message
from haechi.venue.wire.inputs import Call
from haechi.venue.wire.signing import check_holder, check_time, known, verify_login
from haechi.venue.wire.ws import frames

if TYPE_CHECKING:
    from haechi.venue.member import Member
    from haechi.venue.records import ApiKey
    from haechi.venue.wire.ws.streams import Streams

MESSAGE_MAX = 4096
CHANNELS_MAX = 1000
MESSAGES_A_SECOND = 10
SILENCE_S = 120.0
BUFFER_MAX = 4 << 20
ERRORS_MAX = 50
Arg = dict[str, str]
LOGIN_CODES = {"40037": 30011, "40006": 30011, "40012": 30012, "40005": 30013, "40008": 30014, "40009": 30015}


class Wrong(Exception):
    """A message that cannot be followed: code and sentence."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(code, msg)
        self.code, self.msg = code, msg


class Socket:
    """`topics` are the channels it listens to, with the arg as it was asked."""

    def __init__(self, streams: Streams, request: web.Request, *, private: bool) -> None:
        self.streams, self.private = streams, private
        self.ip = request.remote or ""
        self.ws = web.WebSocketResponse(compress=False, max_msg_size=64 * 1024, autoping=True)
        self.request = request
        self.member: Member | None = None
        self.key: ApiKey | None = None
        self.topics: dict[tuple[str, str], Arg] = {}
        self._times: deque[int] = deque()
        self._errors = 0

    # ---- out

    def send(self, channel: str, payload: bytes) -> None:
        """Through the faults, if there are any, to the client."""
        name = self.member.name if self.member is not None else None
        for delay, part in self.streams.passed(name, channel, payload):
            if delay:
                self.streams.later(delay, partial(self.write, frames.framed(part)))
            else:
                self.write(frames.framed(part))

    def write(self, frame: bytes) -> None:
        transport = self.request.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > BUFFER_MAX:  # type: ignore[attr-defined]
            self.streams.cut += 1
            transport.abort()  # type: ignore[attr-defined]
            return
        transport.write(frame)  # type: ignore[attr-defined]

    def drop(self) -> None:
        transport = self.request.transport
        if transport is not None:
            transport.abort()  # type: ignore[attr-defined]

    # ---- in

    async def run(self) -> web.WebSocketResponse:
        await self.ws.prepare(self.request)
        while not self.ws.closed:
            try:
                got = await self.ws.receive(timeout=SILENCE_S)
            except TimeoutError:
                break
            if got.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            if not self.hear(got.data if isinstance(got.data, str) else got.data.decode("utf-8", "replace")):
                break
        await self.ws.close()
        return self.ws

    def hear(self, text: str) -> bool:
        """Follow one message; False ends the connection."""
        try:
            self._count()
            if text == "ping":
                self.send("pong", b"pong")
                return True
            return self._follow(self._read(text))
        except Wrong as no:
            self.send("error", frames.error(no.code, no.msg))
            self._errors += 1
            return no.code not in (30007, 30005, 30011, 30012, 30013, 30014, 30015) and self._errors < ERRORS_MAX

    def _count(self) -> None:
        if not self.streams.limits:
            return
        now = self.streams.floor.wall_ms()
        self._times.append(now)
        while self._times and self._times[0] <= now - 1000:
            self._times.popleft()
        if len(self._times) > MESSAGES_A_SECOND:
            raise Wrong(30007, "request over limit, connection closed")

    def _read(self, text: str) -> dict[str, Any]:
        if len(text) > MESSAGE_MAX:
            raise Wrong(30002, "illegal request: longer than 4096 bytes")
        try:
            said = orjson.loads(text)
        except ValueError:
            raise Wrong(30002, "illegal request: no JSON") from None
        if not isinstance(said, dict) or not isinstance(said.get("args"), list) or not said["args"]:
            raise Wrong(30002, "illegal request: op and args are needed")
        if not all(isinstance(arg, dict) for arg in said["args"]):
            raise Wrong(30016, "param error: args must be objects")
        return said

    def _follow(self, said: dict[str, Any]) -> bool:
        acts: dict[str, Callable[[dict[str, Any]], None]] = {
            "login": self._login, "subscribe": self._subscribe, "unsubscribe": self._unsubscribe, "trade": self._trade}
        act = acts.get(str(said.get("op", "")).lower())
        if act is None:
            raise Wrong(30003, f"invalid op: {str(said.get('op'))[:50]}")
        for arg in said["args"]:
            try:
                act(arg)
            except Wrong as no:
                if act == self._login:
                    raise
                self.send("error", frames.error(no.code, no.msg))
                self._errors += 1
        return self._errors < ERRORS_MAX

    def _login(self, arg: dict[str, Any]) -> None:
        if not self.private:
            raise Wrong(30002, "illegal request: login belongs to the private socket")
        floor = self.streams.floor
        given = {name: str(arg.get(name) or "") for name in ("apiKey", "passphrase", "timestamp", "sign")}
        try:
            key = known(floor.keys, given["apiKey"])
            check_time(given["timestamp"], floor.wall_ms() + self.streams.clock_offset_ms())
            check_holder(key, given["passphrase"], self.ip)
            if not verify_login(key, given["timestamp"], given["sign"]):
                raise Refusal("40009")
            if key.member not in floor.members:
                raise Refusal("40013")
        except Refusal as no:
            raise Wrong(LOGIN_CODES.get(no.code, 30005), message(no.code, no.values)) from None
        self.key, self.member = key, floor.members[key.member]
        self.send("login", orjson.dumps({"event": "login", "code": 0, "msg": ""}))

    def _subscribe(self, arg: dict[str, Any]) -> None:
        topic, canonical = self.streams.topic(arg, private=self.private)
        if self.private and self.member is None:
            raise Wrong(30004, "User needs to log in")
        if len(self.topics) >= CHANNELS_MAX:
            raise Wrong(30006, "too many channels on one connection")
        self.send("subscribe", orjson.dumps({"event": "subscribe", "arg": arg}))
        self.topics[topic] = canonical
        self.streams.subscribed(self, topic, canonical)

    def _unsubscribe(self, arg: dict[str, Any]) -> None:
        topic, _ = self.streams.topic(arg, private=self.private)
        self.topics.pop(topic, None)
        self.streams.unsubscribed(self, topic)
        self.send("unsubscribe", orjson.dumps({"event": "unsubscribe", "arg": arg}))

    def _trade(self, arg: dict[str, Any]) -> None:
        """Orders over the socket: the same endpoints as over REST."""
        if self.member is None or self.key is None:
            raise Wrong(30004, "User needs to log in")
        channel, params = str(arg.get("channel", "")), arg.get("params")
        act = {"place-order": orders.place_order, "cancel-order": orders.cancel_order}.get(channel)
        if act is None or not isinstance(params, dict):
            raise Wrong(30001, f"channel:{channel[:50]} doesn't exist")
        call = Call(self.streams.floor, {**params, "symbol": arg.get("instId"), "productType": arg.get("instType")}, self.ip, self.key,
                    self.member)
        said: dict[str, Any] = {"event": "trade", "arg": [{**{name: arg.get(name) for name in ("id", "instType", "channel", "instId")}}]}
        try:
            if "trade" not in self.key.permissions:
                raise Refusal("40014", "trade")
            said["arg"][0]["params"] = act(call)
            said |= {"code": 0, "msg": "Success"}
        except Refusal as no:
            said |= {"event": "error", "code": int(no.code), "msg": message(no.code, no.values)}
        self.streams.floor.commit()
        self.send("trade", orjson.dumps(said))
