"""Rules about paths that must not depend on how a path is written: which ones no limit may hold up."""

from __future__ import annotations

import re

API = "/api/v1"

# Ways out, and whether the server lives. They ask no counter either: a panic does not wait for Redis.
NEVER_LIMITED: tuple[str, ...] = (
    "/order/panic",
    "/order/close/{}",
    "/bot/stop",
    "/bot/stop-all",
    "/bot-instances/{}/stop",
    "/bot-instances/stop-all",
    "/admin/kill-switch",
    "/admin/bots/{}/stop",
    "/health/live",
)
NEVER = re.compile("|".join(re.escape(path).replace(r"\{\}", "[^/]+") for path in NEVER_LIMITED))


def plain(path: str) -> str:
    """Lower case, single slashes, none at the end, without the /api/v1 in front. The server has undone percent signs."""
    path = "/" + re.sub("/+", "/", path.lower()).strip("/")
    return path.removeprefix(API) if path.startswith(API + "/") else path


def never_limited(path: str) -> bool:
    return NEVER.fullmatch(plain(path)) is not None
