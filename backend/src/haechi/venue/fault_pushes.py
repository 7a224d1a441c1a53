"""What faults do to a frame of a stream: each takes what would be sent, and when (seconds from now), and says what really is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from haechi.venue.fault_draws import Fault

if TYPE_CHECKING:
    from haechi.venue.faults import Faults

Sends = list[tuple[float, bytes]]
Push = Callable[["Faults", Fault, str | None, str, Sends], Sends]


def push_duplicate(_faults: Faults, fault: Fault, _member: str | None, _channel: str, sends: Sends) -> Sends:
    return [(delay + copy * fault["gap_ms"] / 1000, frame) for delay, frame in sends for copy in range(fault["copies"])]


def push_reorder(_faults: Faults, fault: Fault, _member: str | None, _channel: str, sends: Sends) -> Sends:
    """Waiting is what lets later frames overtake it; how many do is the market's affair."""
    wait = fault.rng.randint(1, fault["window_ms"])
    return [(delay + wait / 1000, frame) for delay, frame in sends]


def push_late(_faults: Faults, fault: Fault, _member: str | None, _channel: str, sends: Sends) -> Sends:
    return [(delay + fault["delay_ms"] / 1000, frame) for delay, frame in sends]


def lost(_faults: Faults, _fault: Fault, _member: str | None, _channel: str, _sends: Sends) -> Sends:
    return []


def dropped_stream(faults: Faults, _fault: Fault, member: str | None, channel: str, _sends: Sends) -> Sends:
    faults.cut_streams(member, channel)
    return []


PUSHES: dict[str, Push] = {
    "push_duplicate": push_duplicate, "push_reorder": push_reorder, "push_late": push_late, "push_missing": lost, "silent_stream": lost,
    "dropped_stream": dropped_stream,
}
