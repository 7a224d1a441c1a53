"""Faults of the streams: what is sent of a frame, and when."""

from __future__ import annotations

import pytest
from faults_face import Hours
from trading_floor import trading

from haechi.errors import BadInput
from haechi.venue.faults import Faults

FRAME = b'{"arg":{"channel":"orders"},"data":[{"instId":"BTCUSDT"}]}'


async def faults_of(*orders: dict[str, object]) -> tuple[Faults, Hours]:
    played, hours = await trading(), Hours()
    played.floor.open_member("ann")
    faults = Faults(played.floor, clock=hours.clock, sleep=hours.sleep)
    faults.streams = lambda member, channel: 1
    for order in orders:
        await faults.add(order)
    return faults, hours


def counts(faults: Faults) -> list[tuple[int, int]]:
    return [(fault.asked, fault.drawn) for fault in faults.faults.values()]


KINDS = [({"kind": "push_duplicate"}, [(0, FRAME), (0, FRAME)]),
         ({"kind": "push_duplicate", "copies": 3, "gap_ms": 1500}, [(0, FRAME), (1.5, FRAME), (3, FRAME)]),
         ({"kind": "push_late", "delay_ms": 7_200_000}, [(7_200, FRAME)]),
         ({"kind": "push_missing"}, []),
         ({"kind": "silent_stream", "count": 1}, []),
         ({"kind": "push_reorder", "window_ms": 1}, [(0.001, FRAME)])]


@pytest.mark.parametrize(("order", "sent"), KINDS)
async def test_a_frame_is_doubled_late_lost_or_overtaken_once(order: dict[str, object], sent: list[tuple[float, bytes]]) -> None:
    faults, _ = await faults_of(order)
    assert faults.push("ann", "orders", FRAME) == sent
    assert faults.push("ann", "orders", FRAME) == [(0, FRAME)]
    assert counts(faults) == [(1, 1)]


async def test_reordered_frames_arrive_in_another_order_and_none_is_lost() -> None:
    faults, _ = await faults_of({"kind": "push_reorder", "count": 50, "window_ms": 500, "seed": 5})
    frames = [b'{"n":%d}' % n for n in range(50)]
    sends = [send for frame in frames for send in faults.push("ann", "orders", frame)]
    arrived = [frame for _, frame in sorted(sends, key=lambda send: send[0])]
    assert arrived != frames and sorted(arrived) == sorted(frames) and all(0 < delay <= 0.5 for delay, _ in sends)


async def test_faults_of_one_frame_add_up() -> None:
    faults, _ = await faults_of({"kind": "push_duplicate"}, {"kind": "push_late", "delay_ms": 2_000})
    assert faults.push("ann", "orders", FRAME) == [(2, FRAME), (2, FRAME)]


async def test_a_silent_stream_still_has_its_heartbeat_and_wakes_up_after_its_time() -> None:
    faults, hours = await faults_of({"kind": "silent_stream", "for_ms": 60_000, "after": 1})
    assert faults.push("ann", "orders", FRAME) == [(0, FRAME)]
    assert [faults.push("ann", "orders", FRAME) for _ in range(3)] == [[], [], []]
    assert faults.push("ann", "", b"pong") == [(0, b"pong")]
    hours.now_ms += 60_000
    assert faults.push("ann", "orders", FRAME) == [(0, FRAME)] and counts(faults) == [(4, 3)]


@pytest.mark.parametrize(("filters", "member", "channel", "lost"), [
    ({"member": "ann"}, "ann", "orders", True), ({"member": "ann"}, None, "ticker", False), ({"channel": "fill"}, "ann", "orders", False),
    ({"channel": "orders"}, "ann", "orders", True), ({"symbol": "BTCUSDT"}, "ann", "orders", True), ({"symbol": "ETHUSDT"}, "ann", "orders", False)])
async def test_only_frames_of_the_member_channel_and_symbol_are_concerned(filters: dict[str, str], member: str | None, channel: str,
                                                                        lost: bool) -> None:
    faults, _ = await faults_of({"kind": "push_missing", **filters})
    assert (faults.push(member, channel, FRAME) == []) is lost and counts(faults) == [(int(lost), int(lost))]


async def test_80_percent_of_the_fills_are_lost_by_seed() -> None:
    order = {"kind": "push_missing", "channel": "fill", "probability": 0.8, "count": 1000, "seed": 11}
    draws = []
    for _ in range(2):
        faults, _ = await faults_of(order)
        draws.append([faults.push("ann", "fill", FRAME) == [] for _ in range(500)])
    assert draws[0] == draws[1] and 360 < sum(draws[0]) < 440


async def test_a_stream_is_dropped_at_once_or_with_the_frame_that_is_due() -> None:
    faults, _ = await faults_of()
    cut: list[tuple[str | None, str | None]] = []
    faults.streams = lambda member, channel: cut.append((member, channel)) or 1  # type: ignore[func-returns-value]
    await faults.add({"kind": "dropped_stream", "member": "ann", "count": 2})
    assert cut == [("ann", None)] * 2 and counts(faults) == [(2, 2)]
    await faults.add({"kind": "dropped_stream", "channel": "fill", "after": 1})
    assert faults.push("ann", "fill", FRAME) == [(0, FRAME)] and faults.push("ann", "fill", FRAME) == []
    assert cut[2:] == [("ann", "fill")] and counts(faults) == [(2, 2), (2, 1)]


async def test_where_no_streams_are_served_none_can_be_dropped() -> None:
    faults, _ = await faults_of()
    faults.streams = None
    with pytest.raises(BadInput, match="no streams"):
        await faults.add({"kind": "dropped_stream"})
