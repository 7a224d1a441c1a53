"""The envelope every answer comes in."""

from __future__ import annotations

import json
from typing import Any

import orjson
from aiohttp import web

from haechi.venue.refusal import Refusal
from haechi.venue.wire.codes import RATE, message

JSON = "application/json"
LEFT = "x-mbx-used-remain-limit"  # calls left this second


def answer(data: Any, now_ms: int) -> web.Response:
    body = orjson.dumps({"code": "00000", "msg": "success", "requestTime": now_ms, "data": data})
    return web.Response(body=body, content_type=JSON)


def refused(no: Refusal, now_ms: int) -> web.Response:
    """400 for what the caller can mend, 404 for an unknown address, 429 when he asks too much."""
    status = {RATE: 429, "40404": 404, "45001": 500}.get(no.code, 400)
    headers = {LEFT: "0"} if no.code == RATE else None
    return web.Response(body=refusal_body(no, now_ms), status=status, content_type=JSON, headers=headers)


def refusal_body(no: Refusal, now_ms: int) -> bytes:
    said = {"code": no.code, "msg": message(no.code, no.values), "requestTime": now_ms, "data": None}
    try:
        return orjson.dumps(said)
    except orjson.JSONEncodeError:  # half a character from a malformed request
        return json.dumps(said).encode()
