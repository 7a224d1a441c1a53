"""The exchange's clock, as far as it can be known from here: our clock plus an offset measured from /api/v2/public/time.

A request is refused when its timestamp is 30 s off, and WebSocket logins likewise; so the offset is measured before the first signed
request, again whenever the exchange says the timestamp is wrong, and every few minutes.
"""

from __future__ import annotations

from haechi.platform.clock import Clock

MEASURE_EVERY_SECONDS = 600
PROBES = 3  # the quickest answer of so many says most


class ServerClock:
    """offset_ms: theirs less ours; None until it was measured. uncertainty_ms: half the round trip it was measured with."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.offset_ms: int | None = None
        self.uncertainty_ms = 0
        self._measured_at = clock.monotonic()
        self._best_ms: int | None = None

    def now_ms(self) -> int:
        """Their time; ours before the first measurement."""
        return self.clock.now_ms() + (self.offset_ms or 0)

    @property
    def due(self) -> bool:
        """Whether it is time to measure (again)."""
        return self.offset_ms is None or self.clock.monotonic() - self._measured_at >= MEASURE_EVERY_SECONDS

    def begin(self) -> None:
        """A new measurement: earlier probes no longer count."""
        self._best_ms = None

    def probed(self, sent_ms: int, received_ms: int, server_ms: int) -> None:
        """One probe: asked and answered by our clock, and what they said in between. The quickest of a measurement wins."""
        took = max(received_ms - sent_ms, 0)
        if self._best_ms is not None and took >= self._best_ms:
            return
        self._best_ms = took
        self.offset_ms = server_ms - (sent_ms + received_ms) // 2
        self.uncertainty_ms = (took + 1) // 2
        self._measured_at = self.clock.monotonic()
