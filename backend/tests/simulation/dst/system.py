"""The house as it runs in production, put together for a run: real database, kill switches, gate, desks, bots and supervisor; only time,
chance, the driver of the database and the wire are the simulation's. `fall` lets it go as a kill would: nothing is closed or said.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from haechi.bots.service import Bots
from haechi.bots.supervisor import Supervisor
from haechi.platform import ids
from haechi.platform.db import Database
from haechi.trading.desks import Desks
from haechi.trading.gate import Gate
from haechi.trading.kill_switch import Kills
from haechi.trading.lease import Lease
from haechi.trading.limits import RiskBook
from haechi.trading.models import Account
from haechi.trading.reserve import Reserve
from haechi.trading.standing import Standing

from . import inline_sqlite
from .faults import Faults
from .faulty_exchange import FaultyExchange
from .history import Request
from .patience import Patience, whose
from .virtual_loop import VirtualClock
from .world import World

RESERVE_BYTES = 64 * 1024
DOUBT_MS = 1_000  # an order that went out beside the one whose answer was lost is no fault
FALLS_MAX = 100  # how often a task may refuse to end


class Connections:
    """What desks ask for exchanges (trading/connections.py): here the faulty ones. members: account id -> name at the venue."""

    def __init__(self, world: World, members: dict[str, str], faults: dict[str, Faults], seed: str, asked: Any) -> None:
        self.world, self.members, self.faults, self.seed, self.asked = world, members, faults, seed, asked
        self.open: dict[str, FaultyExchange] = {}

    async def exchange_of(self, account: Account) -> FaultyExchange:
        name = self.members[account.id]
        whose.set(name)  # the desk's loops begin in this context
        if account.id not in self.open:
            self.open[account.id] = FaultyExchange(self.world, name, self.faults[name], self.seed, self.asked)
        return self.open[account.id]

    async def close_of(self, account_id: str) -> None:
        made = self.open.pop(account_id, None)
        if made is not None:
            made.close()


class Market:
    """Bots ask the market only for the one-bot form, which no run uses."""

    def __init__(self, world: World) -> None:
        self.venue = world.venue


class System:
    """One house; it rises and falls on one database file and folder."""

    def __init__(self, world: World, clock: VirtualClock, path: Path, file: inline_sqlite.File, members: dict[str, str],
                 faults: dict[str, Faults], seed: str, patience: Patience) -> None:
        self.world, self.clock, self.path, self.file, self.members = world, clock, path, file, members
        self.sleep = patience.sleep
        self.faults, self.seed = faults, seed
        self.folder = path.with_suffix(".d")
        self.users: dict[str, str] = {}  # member -> user id
        self.doubts: Callable[[str, int], int] = lambda member, before_ms: 0  # orders of unknown outcome since before that, by the table
        self.tasks: list[asyncio.Task[Any]] = []
        self.up = False

    async def rise(self) -> None:
        """Start. What cannot start yet is tried again by the supervisor, as in production."""
        self.database: Database = inline_sqlite.opened(self.path, self.file)
        self.kills = Kills(self.folder / "kill", self.clock)
        self.gate = Gate(RiskBook().of, self.kills.on, started_ms=self.clock.now_ms())
        self.connections = Connections(self.world, self.members, self.faults, self.seed, self._asked)
        self.reserve = Reserve(self.folder / "reserve.jsonl", room=RESERVE_BYTES)
        lease = Lease(self.database, self.clock, f"run-{len(self.world.history.starts)}", guard=lambda: True)
        self.desks = Desks(self.database, self.clock, self.connections, self.gate, self.reserve, lease, sleep=self.sleep)
        self.kills.listeners.append(self.desks.killed)
        self.bots = Bots(self.database, self.clock, Market(self.world), self.desks, self.folder / "journals", kills=self.kills)  # type: ignore[arg-type]
        chance = Random(f"{self.seed}/supervisor/{len(self.world.history.starts)}")
        self.bots.supervisor = Supervisor(self.database, self.clock, self.bots, leads=lambda: lease.held, ring=self.desks.alarms.ring,
                                          sleep=self.sleep, random=chance.random)
        self.world.history.starts.append(self.clock.now_ms())
        self.up = True
        await self.desks.lead()
        self.tasks = [asyncio.create_task(self.desks.keep_leading(), name="lease"),
                      asyncio.create_task(self.bots.supervisor.run(), name="supervisor"),
                      asyncio.create_task(Standing(self.database, self.desks, sleep=self.sleep).run(), name="standing"),
                      asyncio.create_task(self.kills.watch(self._glance), name="kills")]

    async def fall(self, ours: set[asyncio.Task[Any]]) -> None:
        """As kill -9: every task but `ours` is gone, and none of them writes or sends anything more."""
        self.up = False
        self.world.history.stops.append(self.clock.now_ms())
        cut, self.file.cut_until = self.file.cut_until, float("inf")
        for port in list(self.connections.open.values()):
            port.close()
        for _ in range(FALLS_MAX):
            left = [task for task in asyncio.all_tasks() if task not in ours]
            if not left:
                break
            for task in sorted(left, key=lambda one: one.get_name()):
                task.cancel()
            await asyncio.sleep(0)
        self.reserve.close()
        self.file.cut_until = 0.0
        await self.database.close()
        self.file.cut_until = cut
        if self.file.turn.locked():
            self.file.turn = asyncio.Lock()

    async def _glance(self, _seconds: float) -> None:
        """Nobody lays a kill file from outside; those of this process count at once."""
        await self.sleep(1.0)

    def _asked(self, one: Request) -> None:
        """Completes what the wire wrote down, by what lies in the files: never by asking the house."""
        switch = next((self.kills.switches[key] for key in (("platform", ""), ("user", self.users.get(one.member, "")))
                       if key in self.kills.switches), None)
        one.killed_ms = -1 if switch is None else one.ms - switch.since_ms
        one.doubts = self.doubts(one.member, one.ms - DOUBT_MS)

    def clean(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        inline_sqlite.forget(self.path)


@contextmanager
def seeded_ids(rng: Random) -> Iterator[None]:
    """Ids of new rows come from this chance while the block runs."""
    before = ids.new_id.__defaults__
    ids.new_id.__defaults__ = (lambda count: f"{rng.getrandbits(count * 8):0{count * 2}x}",)
    try:
        yield
    finally:
        ids.new_id.__defaults__ = before
