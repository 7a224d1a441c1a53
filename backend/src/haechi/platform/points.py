"""Named points at which the tests end this process as `kill -9` would: the moments between two steps that must not come apart.

HAECHI_CRASH_AT=name[:n] ends it when it comes to that point for the n-th time. Without it a point is one look at an empty text.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "before_intent", "in_intent", "after_intent", "before_place", "after_place", "in_outcome", "after_outcome",
    "before_commit", "after_commit", "before_fill", "before_booking", "in_booking", "after_heard", "before_stop", "after_stop",
    "before_cancel", "after_cancel", "lease_claimed", "lease_renewed", "reserve_kept", "reserve_emptied", "snapshot_written",
    "allocated", "migrated", "reconciled", "launched")


class Armed:
    """The one point of this process, and how often it may still be passed. '' for none."""

    def __init__(self, at: str = "") -> None:
        self.at(at)

    def at(self, point: str) -> None:
        """Raises ValueError for a point that does not exist."""
        self.name, _, count = point.partition(":")
        self.left = int(count or 1)
        if self.name and (self.name not in POINTS or self.left < 1):
            raise ValueError(f"HAECHI_CRASH_AT is {point!r}: no such point; there are {', '.join(POINTS)}")


armed = Armed(os.environ.get("HAECHI_CRASH_AT", ""))


def reached(name: str) -> None:
    """Nothing, but for the point that is armed."""
    if armed.name and armed.name == name:
        armed.left -= 1
        if armed.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
