"""The table of endpoints: what each needs, how often it may be called, and who answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from haechi.venue.wire.inputs import Call

Handler = Callable[[Call], Any]


class Route(msgspec.Struct, frozen=True):
    """needs: '' for everybody, else the permission of the key. limit: calls a second."""

    handler: Handler
    limit: int
    needs: str


ROUTES: dict[tuple[str, str], Route] = {}


def route(method: str, path: str, *, limit: int = 10, needs: str = "read") -> Callable[[Handler], Handler]:
    """Enter a handler into the table."""

    def enter(handler: Handler) -> Handler:
        ROUTES[method, path] = Route(handler, limit, needs)
        return handler

    return enter


def public(path: str, *, limit: int = 20) -> Callable[[Handler], Handler]:
    return route("GET", path, limit=limit, needs="")
