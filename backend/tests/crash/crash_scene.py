"""What the crash tests share: a database with bots that should run, the one that forks traders, and the judge of what is left."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from crash_bots import BOTS, DEPOSIT, MARKETS, spec_of
from crash_exchange import Exchange, exchange
from dst.history import History
from dst.invariants import Broken, Judge, Watched

from haechi.bots.grid_memory import GridSpec
from haechi.bots.models import GRID, RUNNING, STARTING, STOPPED, STRATEGY, Bot
from haechi.identity.models import User
from haechi.platform.db import Database
from haechi.platform.migrate import upgrade
from haechi.trading.models import DEMO, Account

HERE = Path(__file__).parent
SRC = HERE.parents[1] / "src"
PATIENCE_S = 60.0  # of a fault; a start takes a tenth of a second
BARS_MAX = 400
SETTLE_TRIES, LOOKS, LOOK_S, SETTLE_BARS = 4, 300, 0.05, 3  # a round of the reconciliation is due every ten seconds
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def people(database: Database) -> None:
    """Two users with an account and two bots each, all wished to run but the last."""
    async with database.writing() as session:
        for name in ("anna", "ben"):
            session.add(User(id=f"u{name}", email=f"{name}@example.com", password_hash="x", role="user", created_at=NOW, suspended_at=None))
            await session.flush()
            session.add(Account(id=name, user_id=f"u{name}", mode=DEMO, capital=DEPOSIT, created_at=NOW))
        await session.flush()
        for account, bot_id, m in BOTS:
            spec, last = spec_of(bot_id, m), bot_id == BOTS[-1][1]
            session.add(Bot(id=bot_id, user_id=f"u{account}", account_id=account, strategy="restless", symbol=MARKETS[m].symbol, timeframe="1m",
                            spec=msgspec.to_builtins(spec), capital=DEPOSIT, desired=STOPPED if last else RUNNING,
                            observed=STOPPED if last else STARTING, reason="", name=bot_id, origin="instance",
                            kind=GRID if isinstance(spec, GridSpec) else STRATEGY, allocation=Decimal(40), created_at=NOW, started_at=NOW,
                            ended_at=None))


async def migrated(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await upgrade(database)
    await people(database)
    await database.close()


class Forker:
    """The program that forks traders, and its words."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ended: dict[int, int] = {}
        self.ready: set[int] = set()
        self.forked: list[int] = []
        self.loaded = False
        self.on_end: Callable[[], None] = lambda: None
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            word, pid, *rest = line.decode().split()
            async with self._changed:
                if word == "ended":
                    self.ended[int(pid)] = int(rest[0])
                    self.on_end()
                elif word == "ready":
                    self.ready.add(int(pid))
                elif word == "forked":
                    self.forked.append(int(pid))
                else:
                    self.loaded = True
                self._changed.notify_all()

    async def until(self, holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(holds)

    async def fork(self, given: dict[str, Any]) -> int:
        before = len(self.forked)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(given).encode() + b"\n")
        await self.until(lambda: len(self.forked) > before)
        return self.forked[-1]

    async def close(self) -> None:
        for pid in set(self.forked) - set(self.ended):
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        await self.process.wait()
        await self._reader


@asynccontextmanager
async def forker(log: Path) -> AsyncIterator[Forker]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SRC), str(HERE), str(HERE.parent / "unit" / "venue")])}
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(sys.executable, str(HERE / "crash_trader.py"), stdin=asyncio.subprocess.PIPE,
                                                       stdout=asyncio.subprocess.PIPE, stderr=errors, env=environment)
    made = Forker(process)
    try:
        await made.until(lambda: made.loaded, 120)
        yield made
    finally:
        await made.close()


@dataclass
class Scene:
    """One exchange, one database, and the traders that live and die on them."""

    exchange: Exchange
    forker: Forker
    folder: Path
    database: Path
    url: str
    judge: Judge
    pid: int = 0
    crash_at: str = ""
    kills: int = 0
    settled: int = 0
    before_rest: Callable[[], Awaitable[None]] | None = None

    async def begins(self, *, wait: bool = True, **given: Any) -> int:
        """A trader; at work when this returns."""
        self.crash_at = given.get("crash_at", "")
        self.pid = await self.forker.fork({"database": self.url, "folder": str(self.folder), "clock": str(self.folder / "clock"),
                                           "address": self.exchange.address, **given})
        if wait:
            await self.at_work(self.pid)
        return self.pid

    async def at_work(self, pid: int) -> None:
        try:
            await self.forker.until(lambda: pid in self.forker.ready or pid in self.forker.ended)
        except TimeoutError:
            raise AssertionError(f"it is not at work after {PATIENCE_S} s: {self.bots()}\n{self.log()}") from None
        assert pid not in self.forker.ended, f"it ended before it was at work:\n{self.log()}"

    async def kill(self, pid: int = 0) -> None:
        pid = pid or self.pid
        os.kill(pid, signal.SIGKILL)
        await self.dead(pid)

    async def dead(self, pid: int = 0) -> None:
        """Returns when it is; by SIGKILL, and by nothing of its own."""
        pid = pid or self.pid
        try:
            await self.forker.until(lambda: pid in self.forker.ended)
        except TimeoutError:
            raise AssertionError(f"it did not come to {self.crash_at or 'its end'} in {PATIENCE_S} s:\n{self.log()}") from None
        assert self.forker.ended[pid] == -signal.SIGKILL, f"it ended by itself:\n{self.log()}"
        self.kills += 1

    @property
    def holding(self) -> bool:
        """Whether a bot whose plan has a stop holds something."""
        return any(watched.member.account.lots(m) for watched in self.judge.accounts.values() for m in watched.stopped)

    async def until(self, happened: Callable[[], bool]) -> None:
        """The market goes on until it has: when is chance, that it comes to it is the case."""
        for _ in range(BARS_MAX):
            if happened():
                return
            await self.exchange.goes(1)
        raise AssertionError(f"it did not come to it in {BARS_MAX} bars: {self.bots()}\n{self.log()}")

    def bots(self) -> list[Any]:
        return self.judge.rows("SELECT id, desired, observed, reason, attempts, retry_ms - ? FROM bots", self.exchange.clock.now_ms())

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text()[-6000:] if path.exists() else ""

    # ---- the judge

    async def rests(self) -> None:
        """Some bars later, so that what was lost can be known to be, the market stands still; everything agrees. Raises Broken with what
        does not."""
        fault: Broken | None = None
        for _ in range(SETTLE_TRIES):
            await self.exchange.goes(SETTLE_BARS)
            await self.exchange.stands()
            for _ in range(LOOKS):
                try:
                    await self._judged()
                except Broken as broken:
                    fault = broken
                    await asyncio.sleep(LOOK_S)  # another process: what it writes is all there is to look at
                else:
                    self.settled += 1
                    return
        open_here = self.judge.rows("SELECT id, role, kind, status, filled, reason, sent_ms, updated_ms FROM orders WHERE status IN ('sent', 'open', 'unknown')")
        raise Broken(f"{fault}\nby the table not over at {self.exchange.clock.now_ms()}: {open_here}\n{self.log()}")

    async def _judged(self) -> None:
        if self.before_rest is not None:
            await self.before_rest()
        self.never()
        for one in self.judge.accounts.values():
            self.judge.orders_agree(one)
            self.judge.positions_agree(one)
            self.judge.booked_once(one)
            self.judge.books_balance(one)
            self.judge.wallet_agrees(one)
            for m in one.stopped:
                if self.judge.uncovered(one.member, m):
                    raise Broken(f"I4: {one.member.name} holds {one.member.account.lots(m)} lots of market {m} without a stop")
        left = self.judge.rows("SELECT id, status FROM orders WHERE status IN ('sent', 'unknown')")
        if left:
            raise Broken(f"I10: nobody knows what became of {left}")
        self.judge.one_order_per_intent(whole=True)

    def never(self) -> None:
        """What no waiting mends."""
        for one in self.judge.accounts.values():
            names = [order.client_oid for order in one.member.orders.values() if order.entered == "API"]
            names += [plan.client_oid for plan in one.member.plans.values()]
            twice = {name for name, count in Counter(names).items() if count > 1}
            if twice:
                found = [made for made in (*one.member.orders.values(), *one.member.plans.values()) if made.client_oid in twice]
                raise AssertionError(f"more than one order at the exchange under {twice}: {found}\n{self.log()}")
        assert not self.exchange.stops.bared, self.exchange.stops.bared

    def whole(self) -> None:
        """The file itself."""
        with sqlite3.connect(self.database) as link:
            assert link.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert link.execute("PRAGMA foreign_key_check").fetchall() == []

    def figures(self) -> dict[str, Any]:
        return {"kills": self.kills, "settled": self.settled, "orders": self.orders, "fills": self.fills,
                "naked_ms": [round(one * 1000) for one in self.exchange.stops.naked_s]}

    @property
    def fills(self) -> int:
        return sum(len(one.member.fills) for one in self.judge.accounts.values())

    @property
    def orders(self) -> int:
        return sum(len(one.member.orders) + len(one.member.plans) for one in self.judge.accounts.values())


@asynccontextmanager
async def scene(folder: Path, forked: Forker, seed: str, template: Path, **given: Any) -> AsyncIterator[Scene]:
    database = folder / "trading.db"
    shutil.copy(template, database)
    async with exchange(folder, seed, **given) as there:
        members = {name: there.admit(name, DEPOSIT) for name in ("anna", "ben")}
        watched = [Watched(members["anna"], "anna", {0}, there.clock.now_ms() + 1), Watched(members["ben"], "ben", {1, 0}, there.clock.now_ms() + 1)]
        there.stops.watched = {(one.member.name, m) for one in watched for m in one.stopped}
        judge = Judge(there.floor, History(), database, watched, there.clock.now_ms, lambda _member, _since: (False, False, 0))
        made = Scene(there, forked, folder, database, f"sqlite+aiosqlite:///{database}", judge)
        forked.on_end = there.nothing_is_on_its_way
        try:
            yield made
        finally:
            judge.close()
            for pid in set(forked.forked) - set(forked.ended):
                os.kill(pid, signal.SIGKILL)
            await forked.until(lambda: set(forked.forked) <= set(forked.ended))
