"""Two processes on one database: one trades. The one that was only stopped for a while sends nothing when it goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

from crash_scene import forker, scene

TRIALS = int(os.environ.get("HAECHI_TRIALS", "1"))
SOCKETS = 4  # two accounts, a public and a private one each


async def test_of_two_that_start_at_once_exactly_one_trades(tmp_path: Path, template: Path, told: Any) -> None:
    rng = Random("two at once")
    async with forker(tmp_path / "forker") as forked, scene(tmp_path, forked, "two", template) as one:
        await one.exchange.goes()
        for _ in range(TRIALS):
            pair = [await one.begins(wait=False), await one.begins(wait=False)]
            await forked.until(lambda pair=pair: bool(forked.ready & set(pair)))
            since = len(one.exchange.asked)
            await one.exchange.goes(4)
            leader = next(pid for pid in pair if pid in forked.ready)
            assert forked.ready & set(pair) == {leader}
            assert {pid for _, pid, _ in one.exchange.asked[since:]} <= {leader}
            assert len(one.exchange.streams.sockets) == SOCKETS
            await asyncio.sleep(rng.random() * 0.05)  # the moment is the case
            await one.kill(leader)
            other, = set(pair) - {leader}
            await one.at_work(other)
            await one.exchange.goes(2)
            await one.rests()
            await one.exchange.goes()
            await one.kill(other)
        one.whole()
        told(one)


async def test_a_stopped_leader_goes_on_as_one(tmp_path: Path, template: Path, told: Any) -> None:
    """On one machine the system's lock is kept by a process that only stands still: the other waits, however long."""
    async with forker(tmp_path / "forker") as forked, scene(tmp_path, forked, "stopped", template) as one:
        await one.exchange.goes()
        leader = await one.begins()
        other = await one.begins(wait=False)
        await one.exchange.goes(2)
        os.kill(leader, signal.SIGSTOP)
        one.exchange.clock.sending = 0
        began, since = time.monotonic(), len(one.exchange.asked)
        while time.monotonic() < began + 2.5:  # longer than a claim is tried again after
            await one.exchange.goes(1)
        assert other not in forked.ready
        assert {pid for _, pid, _ in one.exchange.asked[since:]} <= {leader}  # what it had sent before it stood still
        os.kill(leader, signal.SIGCONT)
        await one.exchange.goes(4)
        await one.rests()
        assert other not in forked.ready
        told(one)
