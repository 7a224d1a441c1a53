"""What a faulty exchange answers with: html pages of proxies, envelopes with a code, half an answer, or nothing at all."""

from __future__ import annotations

from typing import NoReturn

import orjson
from aiohttp import web

PAGES = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


class Dropped(ConnectionResetError):
    """The connection is gone on purpose; nothing is to be answered or logged."""


def drop(request: web.BaseRequest) -> NoReturn:
    """Cut the connection under the client's feet."""
    if request.transport is not None:
        request.transport.abort()
    raise Dropped("a fault dropped the connection")


def page(status: int) -> web.Response:
    """What a proxy in front of the exchange shows."""
    title = f"{status} {PAGES.get(status, 'Error')}"
    body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    return web.Response(status=status, text=body, content_type="text/html")


def envelope(code: str, sentence: str, now_ms: int, *, status: int = 400, data: object = None,
             headers: dict[str, str] | None = None) -> web.Response:
    body = orjson.dumps({"code": code, "msg": sentence, "requestTime": now_ms, "data": data})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def half(response: web.StreamResponse, at: int) -> web.Response:
    """The first `at` bytes of an answer, as if they were all."""
    body = content(response)
    return web.Response(status=response.status, body=body[:at], content_type=response.content_type)


def content(response: web.StreamResponse) -> bytes:
    body = response.body if isinstance(response, web.Response) else None
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""
