"""Where limits count: moving windows in the memory of this process, or in Redis for several.

A window allows `times` within any `seconds`; a try that is refused does not count.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from haechi.platform.clock import Clock

KEYS_MAX = 100_000
KEYS_LEFT = 90_000  # when there are too many, this many stay: making room for each new one would cost a sweep each
SWEEP_KEYS = 1_000  # below this many nothing is swept
REDIS_TIMEOUT_S = 0.25
REDIS_REST_S = 1.0  # after a failure Redis is left alone this long: nobody waits for it meanwhile
REDIS_LOG_S = 60.0
REDIS_CONNECTIONS = 32

log = structlog.get_logger(__name__)


class Gone(Exception):
    """Nobody can say how many there were."""


@dataclass(frozen=True)
class Verdict:
    """`remaining`: tries left in the window; `reset_s`: whole seconds until one more is free."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int


class Windows(Protocol):
    async def take(self, key: str, times: int, seconds: int, *, within_s: float) -> Verdict:
        """Count one try, in at most `within_s` seconds. Raises Gone."""
        ...

    async def close(self) -> None: ...


class MemoryWindows:
    """Not the memory storage of `limits`: after every hit that one visits each key in a thread, 110 ms at 1,000 keys."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tries: dict[str, deque[float]] = {}  # most recently used last
        self.ends: dict[str, float] = {}
        self.sweep_at = SWEEP_KEYS

    async def take(self, key: str, times: int, seconds: int, *, within_s: float = REDIS_TIMEOUT_S) -> Verdict:
        now = self.clock.monotonic()
        window = self.tries[key] = self.tries.pop(key, deque())
        while window and window[0] <= now - seconds:
            window.popleft()
        allowed = len(window) < times
        if allowed:
            window.append(now)
            self.ends[key] = now + seconds
        self._make_room(now)
        return verdict(allowed, times, times - len(window), window[0] + seconds - now)

    def _make_room(self, now: float) -> None:
        """Ended windows go whenever their number has doubled; beyond KEYS_MAX the longest unused ones too."""
        if len(self.tries) < self.sweep_at:
            return
        for key in [key for key, end in self.ends.items() if end <= now]:
            del self.tries[key], self.ends[key]
        if len(self.tries) >= KEYS_MAX:
            for key in list(self.tries)[:-KEYS_LEFT]:
                del self.tries[key], self.ends[key]
        self.sweep_at = min(KEYS_MAX, max(SWEEP_KEYS, 2 * len(self.tries)))

    async def close(self) -> None: ...


class RedisWindows:
    """The windows of `limits` in Redis, right for any number of workers. Its time is the machine's clock, as the library's."""

    def __init__(self, url: str, password: str, clock: Clock) -> None:
        self.clock = clock
        self.pool = BlockingConnectionPool.from_url(
            url, password=password or None, max_connections=REDIS_CONNECTIONS, timeout=REDIS_TIMEOUT_S,
            socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, retry=Retry(NoBackoff(), 0))
        options: dict[str, Any] = {"connection_pool": self.pool}
        self.storage = RedisStorage(f"async+{url}", implementation="redispy", key_prefix="haechi", **options)
        self.windows = MovingWindowRateLimiter(self.storage)
        self.rest_until = -math.inf
        self.log_at = -math.inf

    async def take(self, key: str, times: int, seconds: int, *, within_s: float = REDIS_TIMEOUT_S) -> Verdict:
        now = self.clock.monotonic()
        if now < self.rest_until:
            raise Gone
        if self.rest_until > -math.inf:
            self.rest_until = now + REDIS_REST_S  # one asks whether it is back; the others go on without it
        try:
            async with asyncio.timeout(within_s):
                found = await self._ask(RateLimitItemPerSecond(times, seconds, namespace="limit"), key)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(now, error)
            raise Gone from error
        self.rest_until = -math.inf
        return found

    async def _ask(self, item: RateLimitItemPerSecond, key: str) -> Verdict:
        allowed = await self.windows.hit(item, key)
        start, count = await self.storage.get_moving_window(item.key_for(key), item.amount, item.get_expiry())
        left_s = start + item.get_expiry() - self.clock.now_ms() / 1000
        return verdict(allowed, item.amount, item.amount - count, min(left_s, item.get_expiry()))

    def _failed(self, now: float, error: Exception) -> None:
        self.rest_until = now + REDIS_REST_S
        if now >= self.log_at:
            self.log_at = now + REDIS_LOG_S
            log.error("redis_gone", why=type(error).__name__, meaning="nothing is counted; closed rules refuse")

    async def close(self) -> None:
        await self.pool.disconnect()


def verdict(allowed: bool, limit: int, remaining: int, reset_s: float) -> Verdict:
    return Verdict(allowed, limit, max(0, remaining) if allowed else 0, max(1, math.ceil(reset_s)))
