"""One WebSocket, kept open: login, subscriptions, pings, staleness clocks, reconnecting with back-off. What it says goes to `heard`.

A pong is not data: a stream whose channels should speak and do not is cut and made anew, however well it answers pings. After every
new connection `opened` is called, because what happened meanwhile is only known to REST.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiohttp
import structlog

from haechi.errors import HaechiError
from haechi.exchanges.bitget.answers import Unreadable, decoded
from haechi.exchanges.bitget.clock import ServerClock
from haechi.exchanges.bitget.codes import Kind, meaning
from haechi.exchanges.bitget.feed import Topic
from haechi.exchanges.bitget.requests import PRODUCT
from haechi.exchanges.bitget.sign import ApiKey, login

PUBLIC, PRIVATE = "wss://ws.bitget.com/v2/ws/public", "wss://ws.bitget.com/v2/ws/private"
DEMO_PUBLIC, DEMO_PRIVATE = "wss://wspap.bitget.com/v2/ws/public", "wss://wspap.bitget.com/v2/ws/private"
PING_MS = 25_000  # the server cuts after 2 minutes without
LOOK_MS = 5_000
DEAD_MS = 60_000  # two pings without any frame
ANSWER_MS = 10_000  # for login and subscriptions
BACK_OFF_MS = (1_000, 2_000, 4_000, 8_000, 16_000, 30_000)
STEADY_MS = 60_000  # a connection that held so long starts the back-off anew
KEY_REFUSED_MS = 60_000
ARGS_PER_MESSAGE = 20  # far below 4,096 bytes
BETWEEN_MESSAGES_MS = 150  # at most 10 a second are allowed
FRAME_BYTES_MAX = 4_000_000

Heard = Callable[[Mapping[str, Any], Any], Awaitable[None]]  # arg, data
log = structlog.get_logger(__name__)


class Stream:
    """state: `ready` while connected, logged in and with every channel acknowledged. idle_ms: silence of data that is no good; None:
    this stream may rightly be silent (nothing happens to an account), so only REST can tell whether it lies."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, name: str, clock: ServerClock, sleep: Callable[[int], Awaitable[None]],
                 heard: Heard, opened: Callable[[], None], measure: Callable[[], Awaitable[None]], alarm: Callable[[str, str], None],
                 key: ApiKey | None = None, idle_ms: int | None = None, demo: bool = False) -> None:
        self.session, self.url, self.name, self.clock, self.sleep = session, url, name, clock, sleep
        self.heard, self.opened, self.measure, self.alarm = heard, opened, measure, alarm
        self.key, self.idle_ms, self.demo = key, idle_ms, demo
        self.topics: set[Topic] = set()
        self.acknowledged: set[Topic] = set()
        self.ready, self.logged_in = False, key is None
        self.connections = 0
        self.frame_ms = self.data_ms = self.asked_ms = 0
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[bool] | None = None
        self._failures, self._refused = 0, False
        self._sending = asyncio.Lock()
        self._wanted = asyncio.Event()  # nobody needs a stream without a channel

    @property
    def refused(self) -> bool:
        """The last connection was not let in with this key."""
        return self._refused

    def _now(self) -> int:
        return int(self.clock.clock.monotonic() * 1000)

    # ---- life

    def start(self) -> None:
        if self.topics:
            self._wanted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._live())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _live(self) -> None:
        while True:
            await self._wanted.wait()
            began = self._now()
            why = "closed by the other side"
            try:
                await self._connection()
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, HaechiError) as error:
                why = f"{type(error).__name__} {error}".strip()[:200]
            self.ready, self._ws = False, None
            self._failures = 1 if self._now() - began >= STEADY_MS else self._failures + 1
            wait = BACK_OFF_MS[min(self._failures, len(BACK_OFF_MS)) - 1]
            log.warning("bitget_stream_down", stream=self.name, why=why, again_ms=wait)
            await self.sleep(KEY_REFUSED_MS if self._refused else wait)

    async def _connection(self) -> None:
        head = {"paptrading": "1"} if self.demo else None
        async with self.session.ws_connect(self.url, headers=head, max_msg_size=FRAME_BYTES_MAX,
                                           timeout=aiohttp.ClientWSTimeout(ws_close=2)) as ws:
            self._ws = ws
            self.connections += 1
            self.acknowledged, self._refused, self.logged_in = set(), False, self.key is None
            self.frame_ms = self.data_ms = self.asked_ms = self._now()
            watch = asyncio.create_task(self._watch(ws))
            try:
                if self.key is not None:
                    await ws.send_str(login(self.key, self.clock.now_ms()))
                else:
                    await self._subscribe(self.topics)
                async for message in ws:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await self._text(message.data)
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Pings, and cuts what is dead or only seems alive."""
        pinged = self._now()
        while True:
            await self.sleep(LOOK_MS)
            now = self._now()
            why = self._stale(now)
            if why:
                log.warning("bitget_stream_stale", stream=self.name, why=why)
                self.alarm("stream_stale", f"The {self.name} stream of Bitget {why}; it is connected anew.")
                await ws.close()
                return
            if now - pinged >= PING_MS:
                pinged = now
                with contextlib.suppress(ConnectionError):
                    await ws.send_str("ping")

    def _stale(self, now: int) -> str:
        if now - self.frame_ms >= DEAD_MS:
            return "does not even answer pings"
        if not self.ready:
            return "has not taken its login or subscriptions" if self.topics and now - self.asked_ms >= ANSWER_MS else ""
        if self.idle_ms is not None and self.topics and now - self.data_ms >= self.idle_ms:
            return f"brings no data for {now - self.data_ms} ms"
        return ""

    def distrust(self, why: str) -> None:
        """REST knows something that this stream should have told: make it anew."""
        log.warning("bitget_stream_distrusted", stream=self.name, why=why)
        if self._ws is not None:
            self._closing = asyncio.create_task(self._ws.close())

    # ---- topics

    async def want(self, topics: Iterable[Topic]) -> None:
        """From now on these, at once when connected."""
        wanted = set(topics)
        gone, new = self.topics - wanted, wanted - self.topics
        self.topics = wanted
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()
        if self._ws is not None and self.logged_in:
            with contextlib.suppress(ConnectionError):
                await self._send("unsubscribe", gone)
                await self._subscribe(new)

    async def _subscribe(self, topics: set[Topic]) -> None:
        if topics:
            self.ready, self.asked_ms = False, self._now()
            await self._send("subscribe", topics)

    async def _send(self, op: str, topics: set[Topic]) -> None:
        args = [{"instType": PRODUCT, "channel": channel, "instId": name} for channel, name in sorted(topics)]
        async with self._sending:
            for first in range(0, len(args), ARGS_PER_MESSAGE):
                if self._ws is None:
                    return
                if first:
                    await self.sleep(BETWEEN_MESSAGES_MS)
                await self._ws.send_str(json.dumps({"op": op, "args": args[first:first + ARGS_PER_MESSAGE]}))

    # ---- frames

    async def _text(self, text: str) -> None:
        self.frame_ms = self._now()
        if text == "pong":
            return
        try:
            frame = decoded(text)
            if not isinstance(frame, dict):
                raise Unreadable("a frame is no object")
            if "event" in frame:
                await self._event(frame)
            elif isinstance(frame.get("arg"), dict) and "data" in frame:
                self.data_ms = self.frame_ms
                await self.heard(frame["arg"], frame["data"])
        except Unreadable as error:
            log.error("bitget_frame_unreadable", stream=self.name, why=str(error))

    async def _event(self, frame: Mapping[str, Any]) -> None:
        arg, event, code = frame.get("arg"), str(frame.get("event")), str(frame.get("code", ""))
        if event == "login" and code in ("0", "00000"):
            self.logged_in = True
            await self._subscribe(self.topics)
        elif event == "subscribe" and isinstance(arg, dict):
            self._acknowledged(arg)
        elif event in ("error", "login"):
            await self._error(code, str(frame.get("msg", ""))[:200], arg)

    def _acknowledged(self, arg: Mapping[str, Any]) -> None:
        self.acknowledged.add((str(arg.get("channel")), str(arg.get("instId"))))
        if not self.ready and self.topics <= self.acknowledged:
            self.ready = True
            self.data_ms = self._now()
            log.info("bitget_stream_ready", stream=self.name, channels=len(self.topics))
            self.opened()

    async def _error(self, code: str, words: str, arg: Any) -> None:
        kind = meaning(code).kind
        log.error("bitget_stream_error", stream=self.name, code=code, words=words)
        if kind is Kind.KEY:
            self._refused = True
            self.alarm("key", f"Bitget refuses the key at the {self.name} stream: {words} (code {code}).")
        elif kind is Kind.CLOCK:
            await self.measure()
        elif isinstance(arg, dict) and kind not in (Kind.RATE, Kind.RETRY):  # these pass: who is not subscribed is connected anew
            self.alarm("channel", f"Bitget has no channel {arg.get('channel')} of {arg.get('instId')}: {words} (code {code}).")
            self._acknowledged(arg)  # asking again would not make it exist
