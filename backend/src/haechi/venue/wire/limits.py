"""How often one may ask: each endpoint's calls a second by user or address, and 6,000 a minute from an address in all."""

from __future__ import annotations

from haechi.venue.refusal import Refusal
from haechi.venue.wire.codes import RATE

MINUTE_CALLS = 6000
WAIT_MS = 300_000


class Limits:
    """Fixed windows of the wall clock. `off` lets everything through: for load tests and simulations."""

    def __init__(self, *, off: bool = False) -> None:
        self.off = off
        self._second, self._calls = 0, dict[tuple[str, str], int]()
        self._minute, self._by_ip = 0, dict[str, int]()
        self._banned: dict[str, int] = {}

    def call(self, who: str, endpoint: str, most: int, now_ms: int) -> int:
        """Count one call of an endpoint; how many are left this second. Refusal 429 when there were too many."""
        if self.off:
            return most
        second = now_ms // 1000
        if second != self._second:
            self._second = second
            self._calls.clear()
        done = self._calls.get((who, endpoint), 0) + 1
        if done > most:
            raise Refusal(RATE)
        self._calls[who, endpoint] = done
        return most - done

    def arrive(self, ip: str, now_ms: int) -> None:
        """Count one request of an address; who asks too much in a minute waits five."""
        if self.off:
            return
        minute = now_ms // 60_000
        if minute != self._minute:
            self._minute = minute
            self._by_ip.clear()
            self._banned = {one: until for one, until in self._banned.items() if until > now_ms}
        if now_ms < self._banned.get(ip, 0):
            raise Refusal(RATE)
        done = self._by_ip.get(ip, 0) + 1
        if done > MINUTE_CALLS:
            self._banned[ip] = now_ms + WAIT_MS
            raise Refusal(RATE)
        self._by_ip[ip] = done
