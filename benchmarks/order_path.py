"""How long an order takes from a bar that is told to the desk until its bytes are written to the exchange's socket.

    .venv/bin/python benchmarks/order_path.py [--orders 600] [--folder DIR] [--no-fsync]

One bot on the Bitget adapter; the venue runs in another process, over HTTP on loopback. The strategy is evaluated at every bar and its
mind is asked; what it wishes is then replaced by an entry or an exit, so that every bar is an order. On the way: gate, the intent with
the bot's snapshot committed to SQLite (synchronous=FULL), signature, request. --no-fsync shows what the disk takes of it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import aiohttp
import structlog
import uvloop
from aiohttp.http_writer import StreamWriter
from bots_scale import filled, quantile
from haechi.bots.models import Bot
from haechi.bots.service import Bots
from haechi.bots.starting import warm
from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.risk import Limits
from haechi.exchanges.bitget import budget
from haechi.exchanges.bitget.adapter import Bitget
from haechi.exchanges.bitget.sign import ApiKey
from haechi.exchanges.port import Bar
from haechi.platform import db
from haechi.platform.clock import SystemClock
from haechi.platform.db import Database
from haechi.platform.migrate import upgrade
from haechi.trading.desks import Desks
from haechi.trading.gate import Gate
from haechi.trading.lease import FileGuard, Lease
from haechi.trading.models import Account
from haechi.trading.reserve import Reserve
from venue_load import KEY, PASSPHRASE, SECRET, serve

MINUTE_MS = 60_000
BIG = Decimal("1e15")
WIDE = Limits(positions_max=50, daily_loss_max=BIG, exposure_max=Decimal(1000), order_value_max=BIG, orders_second_max=10**6,
              orders_minute_max=10**6, orders_minute_user_max=10**6, distance_percent=Decimal(1_000), collar_percent=Decimal(100))
ONE = Instrument("BTCUSDT")


class Wire:
    """When the last place-order request had been handed to the system: by the end of that round of the loop its bytes are written."""

    def __init__(self) -> None:
        self.at = 0.0
        for name in ("_write", "_writelines"):
            setattr(StreamWriter, name, self._noting(getattr(StreamWriter, name)))

    def _noting(self, send: Any) -> Any:
        def sending(writer: StreamWriter, data: Any) -> None:
            send(writer, data)
            if b"place-order HTTP" in (data[:200] if isinstance(data, bytes | bytearray | memoryview) else b"".join(data)[:200]):
                writer.loop.call_soon(self._note)

        return sending

    def _note(self) -> None:
        self.at = time.perf_counter()


class BarClock(SystemClock):
    """The house's clock: at every bar it jumps to that bar's close, or each of them would be refused as stale. The wire has the true one."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms

    def closes(self, ts: int) -> None:
        self.ahead_ms += ts + MINUTE_MS - self.now_ms()


class OnWire:
    """Connections of the one account, at the venue on loopback."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self.http, self.port = http, port
        self.made: Bitget | None = None

    async def exchange_of(self, _account: Account) -> Any:
        self.made = Bitget(self.http, ApiKey(KEY, SECRET, PASSPHRASE), SystemClock(), timeframe_ms=MINUTE_MS,
                           address=f"http://127.0.0.1:{self.port}", public=f"ws://127.0.0.1:{self.port}/v2/ws/public",
                           private=f"ws://127.0.0.1:{self.port}/v2/ws/private", demo=True)
        await self.made.start()
        return self.made

    async def close_of(self, _account_id: str) -> None:
        if self.made is not None:
            await self.made.close()


def always(mind: Any) -> None:
    """Every bar is an order: in, then out. The mind thinks as ever; fills are the desk's alone."""
    heard, inside = mind.heard, [False]

    def hearing(event: Any, *given: Any, **named: Any) -> list[Wanted]:
        if not isinstance(event, Bar):
            return []
        heard(event, *given, **named)
        mind.engine.forget_entry()
        mind.entry_ts = event.ts
        inside[0] = not inside[0]
        return [Wanted("entry", 1, 10, "market") if inside[0] else Wanted("exit", -1, 10, "market", reduce_only=True)]

    mind.heard = hearing


async def quiet(desk: Any) -> None:
    while desk.orders.working:
        await asyncio.sleep(0.005)
    await desk.scribe.settled()


async def measured(given: argparse.Namespace, folder: Path, port: int) -> None:
    database, clock, wire = Database(f"sqlite+aiosqlite:///{folder}/haechi.db"), BarClock(), Wire()
    await upgrade(database)
    await filled(database, 1, 1, [ONE])
    if given.each_alone:
        database._together = None
    gate = Gate(lambda _owner: WIDE, lambda _user, _bot: "", started_ms=clock.now_ms())
    lease = Lease(database, clock, "path", guard=FileGuard(folder / "lock"))
    async with aiohttp.ClientSession() as http:
        desks = Desks(database, clock, OnWire(http, port), gate, Reserve(folder / "reserve", room=1 << 20), lease)
        await desks.lead()
        bots = Bots(database, clock, None, desks, folder / "journals")  # type: ignore[arg-type]
        await asyncio.to_thread(warm)
        async with database.reading() as session:
            bot = await session.get_one(Bot, "b000000")
            (await session.get_one(Account, bot.account_id)).mode = "demo"
        async with database.writing() as session:
            (await session.get_one(Account, bot.account_id)).mode = "demo"
        await bots.launch(bot)
        runner = bots.runners[bot.id]
        always(runner.mind)
        taken, cpu, refused = [], [], 0
        ts, commits = clock.now_ms() // MINUTE_MS * MINUTE_MS, desks.scribe.commits
        for number in range(given.orders):
            ts += MINUTE_MS
            price = Decimal(60_000 + number % 7)
            await quiet(runner.desk)
            clock.closes(ts)
            wire.at, begun, used = 0.0, time.perf_counter(), time.process_time()
            await runner.desk.hear(Bar("BTCUSDT", MINUTE_MS, ts, price, price, price, price, 1.0))
            if not wire.at:
                refused += 1
                continue
            taken.append(wire.at - begun)
            cpu.append(time.process_time() - used)
        await quiet(runner.desk)
        if not taken:
            raise SystemExit(f"no bar became an order: {dict(gate.refused)}")
        print(f"{len(taken)} orders ({refused} bars without one, {dict(gate.refused)}), {desks.scribe.commits - commits} commits")
        print(f"bar told → bytes of its order written: p50 {quantile(taken, 0.5) * 1e3:.2f}  p90 {quantile(taken, 0.9) * 1e3:.2f}  "
              f"p99 {quantile(taken, 0.99) * 1e3:.2f}  max {max(taken) * 1e3:.2f} ms; CPU until the answer p50 "
              f"{quantile(cpu, 0.5) * 1e3:.2f} ms")
        await bots.close()
        await desks.close()
    await database.close()


def fsync_ms(folder: Path, synchronous: str) -> float:
    """One small transaction of SQLite in WAL mode on this disk, the median of 200."""
    made = sqlite3.connect(folder / "probe.db", isolation_level=None)
    made.execute("PRAGMA journal_mode=WAL")
    made.execute(f"PRAGMA synchronous={synchronous}")
    made.execute("CREATE TABLE IF NOT EXISTS t (n)")
    taken = []
    for n in range(200):
        begun = time.perf_counter()
        made.execute("INSERT INTO t VALUES (?)", (n,))
        taken.append(time.perf_counter() - begun)
    made.close()
    return quantile(taken, 0.5) * 1e3


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--orders", type=int, default=600)
    asked.add_argument("--folder", type=Path, default=None)
    asked.add_argument("--no-fsync", action="store_true")
    asked.add_argument("--each-alone", action="store_true", help="every statement handed to the driver's thread by itself, as it was before")
    given = asked.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40), logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if given.no_fsync:
        db.PRAGMAS["synchronous"] = "off"
    budget.SECOND_MS = budget.MINUTE_MS = 0  # Bitget's ten orders a second would make most of them wait
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, 3600.0, True, False))
    server.start()
    try:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; synchronous={db.PRAGMAS['synchronous']}; a commit of one row alone: "
                  f"{fsync_ms(Path(folder), 'FULL'):.2f} ms (FULL), {fsync_ms(Path(folder), 'OFF'):.2f} ms (OFF)")
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # that of the application's server
                runner.run(measured(given, Path(folder), ours.recv()))
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
