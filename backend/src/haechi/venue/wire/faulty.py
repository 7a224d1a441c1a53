"""The control of faults: POST, GET and DELETE /_venue/faults. There only when the venue was started with --faults; else 40404."""

from __future__ import annotations

import orjson
from aiohttp import web

from haechi.errors import BadInput, NotFound
from haechi.venue.fault_answers import envelope
from haechi.venue.faults import Faults
from haechi.venue.refusal import Refusal

PATH = "/_venue/faults"
BODY_MAX = 10_000


async def control(faults: Faults | None, request: web.Request, body: bytes) -> web.Response:
    """The answer to a request whose path is PATH or begins with PATH + '/'."""
    if faults is None or not faults.enabled:
        return envelope("40404", "Request URL NOT FOUND", wall_ms(faults), status=404)
    try:
        return envelope("00000", "success", faults.floor.wall_ms(), status=200, data=await done(faults, request, body))
    except NotFound as no:
        return envelope("40404", no.message, faults.floor.wall_ms(), status=404)
    except BadInput as no:
        return envelope("40020", no.message, faults.floor.wall_ms())
    except Refusal as no:
        told = f"the exchange refuses this: {no.code} {', '.join(no.values)}".rstrip()
        return envelope(no.code, told, faults.floor.wall_ms())


async def done(faults: Faults, request: web.Request, body: bytes) -> object:
    fault_id = request.path[len(PATH):].strip("/") or request.query.get("id")
    if request.method == "POST" and not fault_id:
        fault = await faults.add(order_of(body))
        return {"id": fault.id, "asked": fault.asked, "drawn": fault.drawn}
    if request.method == "GET":
        shown = faults.shown()
        if fault_id and fault_id not in faults.faults:
            raise NotFound(f"there is no fault {fault_id!r}")
        return [one for one in shown if fault_id in (None, one["id"])]
    if request.method == "DELETE":
        return {"removed": faults.remove(fault_id)}
    raise BadInput(f"{request.method} {request.path} is not a way to order faults: POST {PATH}, GET or DELETE {PATH} or {PATH}/id")


def order_of(body: bytes) -> object:
    if len(body) > BODY_MAX:
        raise BadInput(f"an order for a fault has at most {BODY_MAX} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise BadInput(f"the body is not JSON: {wrong}") from None


def wall_ms(faults: Faults | None) -> int:
    """0 where there are no faults to ask for the time: the server that has none answers unknown paths itself."""
    return faults.floor.wall_ms() if faults is not None else 0


def control_routes(faults: Faults | None) -> list[web.RouteDef]:
    """For an application without a catch-all of its own."""

    async def handle(request: web.Request) -> web.Response:
        return await control(faults, request, await request.read())

    return [web.route("*", PATH, handle), web.route("*", PATH + "/{id}", handle)]
