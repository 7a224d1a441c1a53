"""The REST face: one handler for all addresses, in this order: limits, faults, signature, endpoint, commit, faults again.

A failure of ours is code 45001 with status 500 and a line in the log; everything a caller can do wrong has its own code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
import structlog
from aiohttp import web

from haechi.errors import BadInput
from haechi.venue.faults import Faults
from haechi.venue.floor import Floor
from haechi.venue.member import Member
from haechi.venue.records import ApiKey
from haechi.venue.refusal import Refusal
from haechi.venue.wire import account, orders, plans, positions, public
from haechi.venue.wire.envelope import LEFT, answer, refused
from haechi.venue.wire.faulty import PATH as FAULTS_PATH
from haechi.venue.wire.faulty import control
from haechi.venue.wire.inputs import Call
from haechi.venue.wire.limits import Limits
from haechi.venue.wire.routing import ROUTES
from haechi.venue.wire.signing import identify
from haechi.venue.wire.ws.streams import Streams

BODY_MAX = 1 << 20
STREAMS = web.AppKey("streams", Streams)
FACES = (account, orders, plans, positions, public)  # imported: they enter their endpoints into ROUTES
Control = Callable[[web.Request, bytes], Awaitable[Any]]

log = structlog.get_logger(__name__)


class Rest:
    """`controls` are the venue's own addresses (/_venue/…), by method and path."""

    def __init__(self, floor: Floor, *, limits: Limits, faults: Faults | None = None,
                 controls: dict[tuple[str, str], Control] | None = None) -> None:
        self.floor, self.limits, self.faults, self.controls = floor, limits, faults, controls or {}
        if faults is not None:
            faults.execute = self.respond
        self._writing: asyncio.Future[None] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Never raises but for a connection that is gone."""
        try:
            return await self._handle(request)
        except ConnectionResetError:
            raise
        except Exception:  # the edge of the exchange: a fault of ours is its 45001
            log.exception("venue_request_failed", method=request.method, path=request.path)
            return refused(Refusal("45001"), self.floor.wall_ms())

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        now = self.floor.wall_ms()
        try:
            self.limits.arrive(request.remote or "", now)
            body = await request.read() if request.body_exists else b""
            if request.path.startswith("/_venue/"):
                return await self._control(request, body)
            if self.faults is not None:
                early = await self.faults.before(request, body)
                if early is not None:
                    return early
            response = self.respond(request, body, now)
            await self._committed()
        except Refusal as no:
            response = refused(no, now)
        except web.HTTPRequestEntityTooLarge:
            return refused(Refusal("40020", "body"), now)
        if self.faults is not None:
            return await self.faults.after(request, response)
        return response

    def respond(self, request: web.Request, body: bytes, now: int) -> web.Response:
        """The answer to a request that nothing came between; `now` is when it arrived."""
        told = now + (self.faults.clock_offset_ms() if self.faults is not None else 0)
        try:
            return self._respond(request, body, now, told)
        except Refusal as no:
            return refused(no, told)
        except Exception:  # here the told time is known, which may be off on purpose
            log.exception("venue_endpoint_failed", method=request.method, path=request.path)
            return refused(Refusal("45001"), told)

    async def _committed(self) -> None:
        """What changed is on disk when this returns; requests that came together share one transaction."""
        if self.floor.store is None or self.faults is not None or not self.floor.changed:
            self.floor.commit()
            return
        if self._writing is None:
            loop = asyncio.get_running_loop()
            self._writing = loop.create_future()
            loop.call_soon(self._write, self._writing)
        await asyncio.shield(self._writing)  # one client that goes away does not end the others' wait

    def _write(self, written: asyncio.Future[None]) -> None:
        self._writing = None
        try:
            self.floor.commit()
            written.set_result(None)
        except Exception as failure:  # each request that waits says so
            written.set_exception(failure)

    def _respond(self, request: web.Request, body: bytes, now: int, told: int) -> web.Response:
        route = ROUTES.get((request.method, request.path))
        if route is None:
            raise Refusal("40404")
        ip = request.remote or ""
        key = self._key(request, body, told, ip) if route.needs else None
        left = self.limits.call(key.member if key else ip, request.path, route.limit, now)
        call = Call(self.floor, given(request, body), ip, key, self._member(key, request.method), told)
        made = answer(route.handler(call), told)
        made.headers[LEFT] = str(left)
        return made

    def _key(self, request: web.Request, body: bytes, now: int, ip: str) -> ApiKey:
        key = identify(self.floor.keys, request.headers, request.method, request.raw_path, body, now, ip)
        needs = ROUTES[request.method, request.path].needs
        if needs not in key.permissions:
            raise Refusal("40014", needs)
        return key

    def _member(self, key: ApiKey | None, method: str) -> Member | None:
        if key is None:
            return None
        member = self.floor.members.get(key.member)
        if member is None:
            raise Refusal("40013")
        return self.faults.seen(member) if self.faults is not None and method == "GET" else member

    async def _control(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """The venue's own addresses."""
        if request.path == FAULTS_PATH or request.path.startswith(FAULTS_PATH + "/"):
            return await control(self.faults, request, body)
        act = self.controls.get((request.method, request.path))
        if act is None:
            return refused(Refusal("40404"), self.floor.wall_ms())
        try:
            return answer(await act(request, body), self.floor.wall_ms())
        except Refusal as no:
            return refused(no, self.floor.wall_ms())
        except BadInput as wrong:
            return refused(Refusal("40017", wrong.message), self.floor.wall_ms())


def given(request: web.Request, body: bytes) -> dict[str, Any]:
    """Parameters: the query of a GET, the JSON object of a POST."""
    if request.method == "GET":
        return dict(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))
    if not body:
        return {}
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal("40409") from None
    if not isinstance(read, dict):
        raise Refusal("40409")
    return read


def make_app(floor: Floor, *, faults: Faults | None = None, limits: bool = True,
             controls: dict[tuple[str, str], Control] | None = None) -> web.Application:
    """The venue's web application: REST, WebSockets, and its own addresses under /_venue."""
    rest = Rest(floor, limits=Limits(off=not limits), faults=faults, controls=controls)
    streams = Streams(floor, faults=faults, limits=limits)
    app = web.Application(client_max_size=BODY_MAX)
    app[STREAMS] = streams
    app.add_routes(streams.routes())
    app.cleanup_ctx.append(streams.context)
    app.router.add_route("*", "/{tail:.*}", rest.handle)
    return app
