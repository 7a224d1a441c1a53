"""A process that trades, to be killed: the house without HTTP, its desks over real HTTP and WebSocket at an exchange that outlives it.

Started as a program it loads everything once, then forks a trader for each line of JSON it reads, so that a start costs milliseconds.
It answers with lines: `forked PID`, `ready PID` (all bots that should run are at work), `ended PID STATUS`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sqlite3
import sys
import traceback
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from types import FrameType, SimpleNamespace
from typing import Any

import aiohttp
import structlog
from crash_bots import MARKETS, spec_of
from crash_clock import SharedClock
from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.exc import OperationalError

from haechi.bots import instances, starting
from haechi.bots.mind import Spec
from haechi.bots.models import RUNNING, Bot
from haechi.bots.service import Bots
from haechi.bots.signals import SignalHub
from haechi.bots.supervisor import Supervisor
from haechi.core.risk import Limits
from haechi.exchanges.bitget import budget
from haechi.exchanges.bitget.adapter import Bitget
from haechi.exchanges.bitget.budget import Address
from haechi.exchanges.bitget.examine import Examined
from haechi.exchanges.bitget.sign import ApiKey
from haechi.exchanges.port import Bar, NewOrder, Outcome, Still
from haechi.identity.models import User
from haechi.platform import points
from haechi.platform.clock import SystemClock
from haechi.platform.db import Database
from haechi.platform.migrate import upgrade
from haechi.trading.desks import Desks
from haechi.trading.gate import Gate
from haechi.trading.lease import FileGuard, Lease
from haechi.trading.models import Account
from haechi.trading.reserve import Reserve

BIG = Decimal("1e15")
WIDE = Limits(leverage_max=125, positions_max=50, daily_loss_max=BIG, exposure_max=Decimal(1000), order_value_max=BIG, orders_second_max=10**9,
              orders_minute_max=10**9, orders_minute_user_max=10**9, distance_percent=Decimal(1_000), collar_percent=Decimal(100))
ROOM = 1 << 16
FIND_S = 0.002
CUT_OFF, MANY_PAGES = 0.2, 1 << 30


def key_of(account_id: str) -> ApiKey:
    return ApiKey(f"bg_{account_id}_0123456789", f"secret_of_{account_id}_0123456789", "passphrase1")


class Counted(Bitget):
    """Says when something is on its way."""

    said: SharedClock

    async def start(self) -> Examined:
        """The exchange's clock is this one; time that passed while it was asked for would look like a difference of minutes."""
        self.said.sending += 1
        try:
            await self.rest.measure()
        finally:
            self.said.sending -= 1
        return await super().start()

    async def place(self, order: NewOrder, *, still: Still | None = None) -> Outcome:
        self.said.sending += 1
        try:
            return await super().place(order, still=still)
        finally:
            self.said.sending -= 1

    async def cancel(self, client_id: str) -> Outcome:
        self.said.sending += 1
        try:
            return await super().cancel(client_id)
        finally:
            self.said.sending -= 1


class Connections:
    """What desks ask for exchanges (trading/connections.py), with keys that need no vault."""

    def __init__(self, address: str, clock: SharedClock, session: aiohttp.ClientSession) -> None:
        self.address, self.clock, self.session = address, clock, session
        self.shared = Address(lambda: int(clock.monotonic() * 1000))
        self.open: dict[str, Bitget] = {}

    async def exchange_of(self, account: Account) -> Bitget:
        if account.id not in self.open:
            sockets: dict[str, Any] = {name: f"{self.address}/v2/ws/{name}".replace("http", "ws", 1) for name in ("public", "private")}
            made = Counted(self.session, key_of(account.id), self.clock, timeframe_ms=60_000, address=self.address, shared=self.shared, **sockets)
            made.said = self.clock
            await made.start()
            self.open[account.id] = made
        return self.open[account.id]

    async def close_of(self, account_id: str) -> None:
        made = self.open.pop(account_id, None)
        if made is not None:
            await made.close()


async def trade(given: dict[str, Any], tell: int) -> None:
    """Until it is killed. given: database, folder, clock, address, busy_ms, row_lease, upgrade, faults, start (a bot to be started first)."""
    budget.SECOND_MS = budget.MINUTE_MS = 0  # minutes are played in milliseconds: as many requests as it takes
    folder, clock = Path(given["folder"]), SharedClock(Path(given["clock"]))
    clock.sending = 0
    if given.get("faults"):
        database_faults(folder / "fault")
    database = Database(given["database"], busy_timeout_ms=given.get("busy_ms", 5_000))
    if given.get("upgrade"):
        await upgrade(database)
    gate = Gate(lambda _owner: WIDE, lambda _user, _bot: "", started_ms=clock.now_ms())
    guard = None if given.get("row_lease") else FileGuard(folder / "trading")
    lease = Lease(database, SystemClock(), str(os.getpid()), guard=guard)
    async with aiohttp.ClientSession(headers={"x-process": str(os.getpid())}) as session:
        connections = Connections(given["address"], clock, session)
        desks = Desks(database, clock, connections, gate, Reserve(folder / "reserve", room=ROOM), lease)
        bots = Bots(database, clock, None, desks, folder / "journals")  # type: ignore[arg-type]
        bots.supervisor = Supervisor(database, clock, bots, leads=lambda: lease.held, ring=desks.alarms.ring)
        if given.get("start"):
            await start(database, bots, clock, given["start"])
        await desks.lead()
        tasks = [asyncio.create_task(desks.keep_leading()), asyncio.create_task(bots.supervisor.run())]
        await at_work(database, bots)
        os.write(tell, f"ready {os.getpid()}\n".encode())
        await asyncio.gather(*tasks)


def database_faults(wish: Path) -> None:
    """While the file says `full`, the database may not grow; `before` or `after`: some commits are cut off on this or that side of it."""
    rng = Random(os.getpid())

    def begins(connection: Connection) -> None:
        pages = 1 if said(wish) == "full" else MANY_PAGES  # fewer than there are means: no more
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def commits(connection: Connection) -> None:
        word = said(wish)
        if word in ("before", "after") and rng.random() < CUT_OFF:
            connection.exec_driver_sql("COMMIT" if word == "after" else "ROLLBACK")
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(Engine, "begin", begins)
    event.listen(Engine, "commit", commits)


def said(wish: Path) -> str:
    try:
        return wish.read_text()
    except FileNotFoundError:
        return ""


async def at_work(database: Database, bots: Bots) -> None:
    """Returns when everything that should run does."""
    async with database.reading() as session:
        wanted = (await session.execute(select(Bot.id).where(Bot.desired == RUNNING))).scalars().all()
    while not all(one in bots.runners for one in wanted):  # noqa: ASYNC110 - somebody else's work, looked at from outside
        await asyncio.sleep(FIND_S)


async def start(database: Database, bots: Bots, clock: SharedClock, bot_id: str) -> None:
    """As its owner would, unless that was done before."""
    async with database.reading() as session:
        bot = await session.get_one(Bot, bot_id)
        user = await session.get_one(User, bot.user_id)
    if bot.desired != RUNNING:
        house: Any = SimpleNamespace(database=database, clock=clock, part=lambda _kind: bots)
        await instances.start(house, instances.Asked(user, "127.0.0.1"), bot_id)


def child(given: dict[str, Any], tell: int) -> None:
    """Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    log = os.open(Path(given["folder"]) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    points.armed.at(given.get("crash_at", ""))
    try:
        asyncio.run(trade(given, tell))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)  # a trader has no end of its own


def reap(tell: int) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            os.write(tell, f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())


def warm() -> None:
    """What every trader would load and compile first."""
    starting.warm()
    spec, hub, price = spec_of("ben0", 1), SignalHub(), Decimal(3_000)
    assert isinstance(spec, Spec)
    key = hub.open(spec, [Bar(MARKETS[1].symbol, 60_000, k * 60_000, price, price + k % 3, price, price, 1.0) for k in range(30)])
    assert hub.since(key, 60_000)


def main() -> None:
    """The one that forks: a single thread that only reads lines."""
    warm()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), processors=[
        structlog.processors.add_log_level, structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer(["level", "event"])])
    tell = os.dup(1)

    def ended(_signal: int, _frame: FrameType | None) -> None:
        reap(tell)

    signal.signal(signal.SIGCHLD, ended)
    os.write(tell, b"loaded 0\n")
    for line in sys.stdin:
        given = json.loads(line)
        pid = os.fork()
        if not pid:
            child(given, tell)
        os.write(tell, f"forked {pid}\n".encode())
        reap(tell)


if __name__ == "__main__":
    main()
