"""The outer door of HTTP: a request id, safe headers, a limit on bodies, one log line, and no internals when all else fails."""

from __future__ import annotations

import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haechi.platform.answers import envelope, fault
from haechi.platform.clock import Clock

BODY_BYTES_MAX = 4 * 1024 * 1024  # 20,000 uploaded bars with six long numbers each
SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
TOO_LARGE = f"The body is larger than {BODY_BYTES_MAX // 1024 // 1024} MB; send less."

log = structlog.get_logger(__name__)


class Door:
    """Wraps the whole application. Answers that set a header of their own keep it."""

    def __init__(self, app: ASGIApp, *, clock: Clock, body_bytes_max: int = BODY_BYTES_MAX) -> None:
        self.app = app
        self.clock = clock
        self.body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
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

    async def through(self) -> None:
        start = self.door.clock.monotonic()
        try:
            if self.announced_bytes() > self.door.body_bytes_max:
                await envelope(413, "body_too_large", TOO_LARGE)(self.scope, self._receive, self.send)
            else:
                await self.door.app(self.scope, self.receive, self.send)
        except Exception:
            log.exception("fault", method=self.scope["method"], path=self.scope["path"])
            if self.status is not None:  # the answer has begun: all that is left is to break it off
                raise
            await fault()(self.scope, self._receive, self.send)
        finally:
            log.info("request", method=self.scope["method"], path=self.scope["path"], status=self.status,
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

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            for name, value in SAFE_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
