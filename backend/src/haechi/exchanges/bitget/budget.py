"""How many requests may go out: per endpoint and key, per address, with a part that only exits, stops and cancels may use.

A token comes back 1.1 s after it was taken (one minute and a bit for the address), not at a steady rate: so no window of a second can
hold more than the limit however the server counts, and a burst may still use the whole of it. 0.1 s is for the jitter of the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from haechi.exchanges.bitget.endpoints import Endpoint

SECOND_MS = 1_100
MINUTE_MS = 61_000
ADDRESS_MINUTE_MAX = 6_000
RESERVED_PERCENT = 30  # of every budget, for what makes a position smaller or an order go away
WAIT_MS_MAX = 5_000  # who would wait longer is told so: nothing was sent

Monotonic = Callable[[], int]  # ms that never jump back
Sleep = Callable[[int], Awaitable[None]]  # ms


class Bucket:
    """`size` tokens; each comes back `back_ms` after it was taken."""

    def __init__(self, size: int, back_ms: int) -> None:
        self.size, self.back_ms = size, back_ms
        self.taken: deque[int] = deque()
        self.closed_until = 0

    def wait_ms(self, now: int, *, urgent: bool) -> int:
        """How long until a token may be taken; 0: now."""
        while self.taken and self.taken[0] + self.back_ms <= now:
            self.taken.popleft()
        usable = self.size if urgent else max(self.size - self.size * RESERVED_PERCENT // 100, 1)
        wait = self.closed_until - now
        if len(self.taken) >= usable:
            wait = max(wait, self.taken[len(self.taken) - usable] + self.back_ms - now)
        return max(wait, 0)

    def take(self, now: int) -> None:
        self.taken.append(now)

    def close(self, until: int) -> None:
        """Nothing before `until`: the exchange said so."""
        self.closed_until = max(self.closed_until, until)


class Address:
    """What all clients of one process share: Bitget counts 6,000 requests a minute per address."""

    def __init__(self, monotonic: Monotonic) -> None:
        self.monotonic = monotonic
        self.bucket = Bucket(ADDRESS_MINUTE_MAX, MINUTE_MS)
        self.public: dict[str, Bucket] = {}


class Budget:
    """Of one key, on a shared address."""

    def __init__(self, address: Address, sleep: Sleep) -> None:
        self.address, self.sleep = address, sleep
        self.private: dict[str, Bucket] = {}
        self.waited_ms = 0
        self.sent = 0

    def bucket(self, endpoint: Endpoint) -> Bucket:
        buckets = self.private if endpoint.signed else self.address.public
        if endpoint.path not in buckets:
            buckets[endpoint.path] = Bucket(endpoint.per_second, SECOND_MS)
        return buckets[endpoint.path]

    async def take(self, endpoint: Endpoint, *, urgent: bool) -> bool:
        """Wait for a token of the endpoint and one of the address. False: it would take too long, nothing may be sent."""
        waited = 0
        while True:
            now = self.address.monotonic()
            mine, common = self.bucket(endpoint), self.address.bucket
            wait = max(mine.wait_ms(now, urgent=urgent), common.wait_ms(now, urgent=urgent))
            if wait == 0:
                mine.take(now)
                common.take(now)
                self.sent += 1
                return True
            if waited + wait > WAIT_MS_MAX:
                return False
            waited += wait
            self.waited_ms += wait
            await self.sleep(wait)

    def too_many(self, endpoint: Endpoint, wait_ms: int) -> None:
        """The exchange counted more than we did: this endpoint rests; when a second one is refused meanwhile, all do."""
        now, mine = self.address.monotonic(), self.bucket(endpoint)
        if any(one.closed_until > now for one in [*self.private.values(), *self.address.public.values()] if one is not mine):
            self.banned(max(wait_ms, SECOND_MS))
        mine.close(now + max(wait_ms, SECOND_MS))

    def banned(self, wait_ms: int) -> None:
        """The address is shut out: nothing goes anywhere until it is over."""
        self.address.bucket.close(self.address.monotonic() + wait_ms)
