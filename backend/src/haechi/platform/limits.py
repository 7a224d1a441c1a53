"""How often somebody may ask: rules for routes, counted by address or by person, and their headers.

    @router.post("/login", dependencies=[Depends(limited("login", 5, 300, fail="closed"))])
    @router.post("/start", dependencies=[Depends(limited("bot_start", 5, 60, by="user", known=current_user))])
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from haechi.errors import HaechiError
from haechi.platform.house import House, house_of
from haechi.platform.origin import client_address, network_of
from haechi.platform.paths import plain
from haechi.platform.windows import REDIS_TIMEOUT_S, Gone, MemoryWindows, RedisWindows, Verdict, Windows


@dataclass(frozen=True)
class Rule:
    """`times` within any `seconds`. When nobody can count: "open" lets through, "closed" refuses."""

    name: str
    times: int
    seconds: int
    fail: Literal["open", "closed"] = "open"


class TooMany(HaechiError):
    """Asked too often; `verdict` says when to come again."""

    status = 429
    code = "too_many_requests"

    def __init__(self, verdict: Verdict) -> None:
        wait = f"{verdict.reset_s} second{'' if verdict.reset_s == 1 else 's'}"
        super().__init__(f"Too many requests; try again in {wait}.", details={"retry_after_s": verdict.reset_s})
        self.headers = {"Retry-After": str(verdict.reset_s)}


class Full(HaechiError):
    """All hands are taken."""

    status = 429
    code = "busy"
    headers: Mapping[str, str] = {"Retry-After": "3"}


class LimitsUnavailable(HaechiError):
    """The counter does not answer, and this rule lets nobody through uncounted."""

    status = 503
    code = "limits_unavailable"


class Limiter:
    """The part of the house that counts. `full`: paths (as `paths.plain` spells them) whose work is done by few hands, and whether all
    are taken: then whoever comes is turned away before anything of the request is looked at."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.full: dict[str, Callable[[], bool]] = {}

    def turn_away(self, path: str) -> None:
        """Raises Full."""
        full = self.full.get(plain(path))
        if full is not None and full():
            raise Full("Too many people ask for this at this moment; try again in a few seconds.")

    async def hit(self, rule: Rule, *whose: str, within_s: float = REDIS_TIMEOUT_S) -> Verdict:
        """Count one try of `whose` (an address, a person's id, an e-mail address …).

        Nobody can count: an "open" rule allows with everything remaining, a "closed" one raises LimitsUnavailable.
        """
        try:
            return await self.windows.take(key(rule, whose), rule.times, rule.seconds, within_s=within_s)
        except Gone:
            if rule.fail == "closed":
                raise LimitsUnavailable("This cannot be done safely at this moment; try again in a minute.") from None
            return Verdict(True, rule.times, rule.times, rule.seconds)

    async def check(self, connection: HTTPConnection, rule: Rule, *whose: str) -> None:
        """`hit` for a request: raises TooMany, and has the answer tell the tightest of its limits.

        All limits of one request together wait for Redis no longer than one of them may.
        """
        state: dict[str, Any] = connection.scope.setdefault("state", {})
        time = asyncio.get_running_loop().time
        begun, spent = time(), state.get("limits_s", 0.0)
        try:
            verdict = await self.hit(rule, *whose, within_s=max(0.0, REDIS_TIMEOUT_S - spent))
        finally:
            state["limits_s"] = spent + time() - begun
        told: Verdict | None = state.get("limit")
        if told is None or verdict.remaining <= told.remaining:
            state["limit"] = verdict
        if not verdict.allowed:
            raise TooMany(verdict)


def key(rule: Rule, whose: tuple[str, ...]) -> str:
    """A fixed length whatever came from outside, and no e-mail address in Redis."""
    return f"{rule.name}:{hashlib.sha256(repr(whose).encode()).hexdigest()[:32]}"


async def nobody() -> None:
    """Nothing to wait for before a limit is tested."""


def limited(name: str, times: int, seconds: int, by: Literal["address", "user"] = "address",
            fail: Literal["open", "closed"] = "open", known: Callable[..., Any] = nobody) -> Callable[..., Awaitable[None]]:
    """A dependency. `known` runs first: for by="user" the dependency that sets `request.state.user_id`.

    FastAPI runs a route's `dependencies` before its parameters: without `known` such a limit would count by address.
    """
    rule = Rule(name, times, seconds, fail)

    async def check(request: Request, _known: Any = Depends(known)) -> None:
        await house_of(request).part(Limiter).check(request, rule, *asker(request, by))

    return check


def counted(name: str, times: int, seconds: int, known: Callable[..., Any]) -> Callable[..., Awaitable[Callable[[], Awaitable[None]]]]:
    """A dependency that gives what counts one try of this person when it is called: for work that may turn out to be a repetition."""
    rule = Rule(name, times, seconds, "open")

    async def counter(request: Request, _known: Any = Depends(known)) -> Callable[[], Awaitable[None]]:
        return partial(house_of(request).part(Limiter).check, request, rule, *asker(request, "user"))

    return counter


def asker(request: Request, by: str) -> tuple[str, str]:
    """The person when that is asked for and known, otherwise the network."""
    user_id = getattr(request.state, "user_id", None) if by == "user" else None
    return ("user", user_id) if user_id else ("network", network_of(client_address(request)))


def limit_headers(verdict: Verdict) -> dict[str, str]:
    """`X-RateLimit-Reset` is in seconds from now."""
    return {"x-ratelimit-limit": str(verdict.limit), "x-ratelimit-remaining": str(verdict.remaining),
            "x-ratelimit-reset": str(verdict.reset_s)}


@asynccontextmanager
async def open_limits(house: House) -> AsyncIterator[Limiter]:
    """Redis when REDIS_URL names one, else the memory of this process. Redis may be away at the start."""
    url, password = house.settings.redis_url.get_secret_value(), house.settings.redis_password.get_secret_value()
    windows: Windows = RedisWindows(url, password, house.clock) if url else MemoryWindows(house.clock)
    try:
        yield Limiter(windows)
    finally:
        await windows.close()
