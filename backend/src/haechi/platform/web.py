"""The outer door of HTTP: a request id, safe headers, limits on bodies and on time, one log line, and no internals when all else fails."""

from __future__ import annotations

import asyncio
import re
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haechi.platform.answers import envelope, fault
from haechi.platform.clock import Clock
from haechi.platform.limits import limit_headers
from haechi.platform.paths import never_limited

BODY_BYTES_MAX = 4 * 1024 * 1024  # 20,000 uploaded bars with six long numbers each
SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
HSTS = {"strict-transport-security": "max-age=31536000; includeSubDomains"}  # a year; only in production, which stands behind TLS
ROW_ID = re.compile("[0-9a-f]{32}")
TOO_LARGE = f"The body is larger than {BODY_BYTES_MAX // 1024 // 1024} MB; send less."
TOO_SLOW = "This took longer than {seconds:g} s and was given up; see what came of it before you try again."

log = structlog.get_logger(__name__)


class Door:
    """Wraps the whole application. Answers that set a header of their own keep it.

    `seconds_max`: until an answer begins, None for ever. Exits and panic have no such limit: half a panic helps nobody.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, body_bytes_max: int = BODY_BYTES_MAX, seconds_max: float | None = None,
                 production: bool = False) -> None:
        self.app = app
        self.clock = clock
        self.body_bytes_max = body_bytes_max
        self.seconds_max = seconds_max
        self.headers = SAFE_HEADERS | HSTS if production else SAFE_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})  # made here, so that what is noted inside is read outside
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await Visit(self, scope, receive, send, request_id).through()


class Visit:
    """One request on its way in and its answer on the way out."""

    def __init__(self, door: Door, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.door = door
        self.scope = scope
        self._receive = receive
        self._send = send
        self.request_id = request_id
        self.status: int | None = None
        self.bytes_in = 0
        self.time = asyncio.timeout(None if never_limited(scope["path"]) else door.seconds_max)

    async def through(self) -> None:
        start = self.door.clock.monotonic()
        try:
            if self.announced_bytes() > self.door.body_bytes_max:
                await envelope(413, "body_too_large", TOO_LARGE)(self.scope, self._receive, self.send)
            else:
                async with self.time:
                    await self.door.app(self.scope, self.receive, self.send_in_time)
        except Exception as error:
            if isinstance(error, TimeoutError) and self.time.expired() and self.status is None:
                await envelope(503, "timeout", TOO_SLOW.format(seconds=self.door.seconds_max))(self.scope, self._receive, self.send)
                return
            log.exception("fault", method=self.scope["method"], path=shown_path(self.scope))
            if self.status is not None:  # the answer has begun: all that is left is to break it off
                raise
            await fault()(self.scope, self._receive, self.send)
        finally:
            log.info("request", method=self.scope["method"], path=shown_path(self.scope), status=self.status,
                     who=self.scope["state"].get("user_id", ""), network=self.scope["state"].get("network", ""),
                     ms=round((self.door.clock.monotonic() - start) * 1000, 1))

    def announced_bytes(self) -> int:
        length = Headers(scope=self.scope).get("content-length", "0")
        return int(length) if length.isdecimal() else 0

    async def receive(self) -> Message:
        """Counts what really comes: a chunked body announces no length."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        if self.bytes_in > self.door.body_bytes_max:
            raise HTTPException(413, TOO_LARGE)
        return message

    async def send_in_time(self, message: Message) -> None:
        """What the application sends: once its answer has begun, it may take its time."""
        if not self.time.expired():
            self.time.reschedule(None)
        await self.send(message)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.add_headers(MutableHeaders(scope=message))
        await self._send(message)

    def add_headers(self, headers: MutableHeaders) -> None:
        headers["x-request-id"] = self.request_id
        limit = self.scope["state"].get("limit")
        for name, value in {**self.door.headers, **(limit_headers(limit) if limit else {})}.items():
            headers.setdefault(name, value)


def shown_path(scope: Scope) -> str:
    """The route's own spelling with the ids that are ours: what else stands in an address may be anything, a secret too."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return "(no such path)"
    for name, value in scope.get("path_params", {}).items():
        if ROW_ID.fullmatch(str(value)):
            path = path.replace(f"{{{name}}}", str(value))
    return path
