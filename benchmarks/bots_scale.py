"""How many bots one process carries: thousands of bots of hundreds of people on one simulated market, as the application runs them.

    .venv/bin/python benchmarks/bots_scale.py [--bots 3000] [--users 300] [--symbols 50] [--bars 30] [--every 5] [--profile]

Database, gate, desks, bots, supervisor, paper venue and their files are the real ones, in one process, on the disk of --folder. Bots
are started by the supervisor from their rows. Then a bar of one minute closes every --every seconds, for all symbols at once.
A candle's time runs from the moment the bars are handed to the market; what orders wait for from then on is measured at the gate.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop
from haechi.bots.mind import Spec
from haechi.bots.models import INSTANCE, RUNNING, STARTING, Bot
from haechi.bots.service import Bots
from haechi.bots.starting import SLIPPAGE, warm
from haechi.bots.supervisor import Supervisor, supervising
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.risk import Limits
from haechi.identity.models import User
from haechi.markets.feed import Market, Tape, _ticked
from haechi.markets.synthetic import SyntheticStream
from haechi.platform.clock import SystemClock
from haechi.platform.db import Database
from haechi.platform.migrate import upgrade
from haechi.trading.desks import Desks
from haechi.trading.gate import Gate
from haechi.trading.lease import FileGuard, Lease
from haechi.trading.models import PAPER, Account
from haechi.trading.reserve import Reserve
from haechi.venue.paper import Paper
from haechi.venue.store import Store
from sqlalchemy import insert, text

MINUTE_MS = 60_000
CAPITAL = Decimal(100_000)
STRATEGIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rsi", {}), ("ema", {}), ("macd", {}), ("bollinger", {}), ("proven_conservative", {}), ("proven_balanced", {}),
    ("proven_aggressive", {}), ("rsi", {"period": 7}))
START_S_MAX = 600


class PaperOnly:
    """Connections of accounts that are all at the market's own venue."""

    def __init__(self, market: Market) -> None:
        self.market = market

    async def exchange_of(self, account: Account) -> Any:
        return self.market.open_account(account.id, capital=account.capital, slippage=SLIPPAGE)

    async def close_of(self, account_id: str) -> None:
        return


# ---- what there is

def instruments(count: int) -> list[Instrument]:
    return [Instrument(f"S{k:02d}USDT", tick=Decimal("0.01"), lot=Decimal("0.001")) for k in range(count)]


def tape_of(markets: list[Instrument], start_ms: int, past: int) -> tuple[Tape, list[dict[str, Any]]]:
    """What will be played, and what was before."""
    streams = [(one, SyntheticStream(100 + k, start_ms=start_ms, price=Decimal(100 + 7 * k), tick=one.tick)) for k, one in enumerate(markets)]

    def instants() -> Iterator[dict[str, Any]]:
        while True:
            yield {one.symbol: _ticked(one, next(stream)) for one, stream in streams}

    played = instants()
    before = list(islice(played, past))
    return Tape(tuple(markets), MINUTE_MS, played, "scale", "scale", start_ms), before


def rows_of(users: int, bots: int, markets: list[Instrument]) -> tuple[list[dict], list[dict], list[dict]]:
    """A person has one account; its bots share it in equal parts, each on a symbol of its own."""
    now, each = datetime.now(UTC), bots // users
    share = (Decimal(100) / each).quantize(Decimal("0.01"))
    people = [{"id": f"u{u:05d}", "email": f"u{u}@example.com", "password_hash": "x", "role": "user", "created_at": now} for u in range(users)]
    accounts = [{"id": f"a{u:05d}", "user_id": f"u{u:05d}", "mode": PAPER, "name": "", "capital": CAPITAL, "created_at": now}
                for u in range(users)]
    found = []
    for u in range(users):
        for k in range(each):
            n = u * each + k
            one, (strategy, params) = markets[(u + k * len(markets) // each) % len(markets)], STRATEGIES[(n + u // len(markets)) % 8]
            spec = Spec(strategy, params, {}, one, Costs(slippage=SLIPPAGE, capital=CAPITAL * share / 100), MINUTE_MS)
            found.append({"id": f"b{n:06d}", "user_id": f"u{u:05d}", "account_id": f"a{u:05d}", "strategy": strategy, "symbol": one.symbol,
                          "timeframe": "1m", "spec": msgspec.to_builtins(spec), "capital": spec.costs.capital, "desired": RUNNING,
                          "observed": STARTING, "reason": "", "origin": INSTANCE, "allocation": share, "created_at": now, "started_at": now})
    return people, accounts, found


async def filled(database: Database, users: int, bots: int, markets: list[Instrument]) -> None:
    people, accounts, found = rows_of(users, bots, markets)
    async with database.writing() as session:
        for table, rows in ((User, people), (Account, accounts), (Bot, found)):
            await session.execute(insert(table), rows)


# ---- what is measured

class Meter:
    """When the gate was asked and orders were placed, against the moment the candle closed and the moment it was told."""

    def __init__(self, gate: Gate, market: Market) -> None:
        self.begun = self.told = 0.0
        self.judged: list[float] = []
        self.placed: list[float] = []
        judge, place, tell = gate.judge, Paper.place, market.venue._tell_bars

        def judging(*given: Any, **named: Any) -> Any:
            self.judged.append(time.perf_counter())
            return judge(*given, **named)

        async def placing(paper: Paper, order: Any, **given: Any) -> Any:
            outcome = await place(paper, order, **given)
            self.placed.append(time.perf_counter())
            return outcome

        async def telling(bars: Any) -> None:
            self.told = time.perf_counter()
            await tell(bars)

        gate.judge, Paper.place, market.venue._tell_bars = judging, placing, telling  # type: ignore[method-assign]

    def begin(self) -> None:
        self.judged.clear()
        self.placed.clear()
        self.begun = time.perf_counter()


class Sampler:
    """Where the event loop's thread is at each millisecond of CPU time: shares by themselves and with what they call."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()
        self.count = 0

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _number: int, frame: Any) -> None:
        self.count += 1
        names: list[str] = []
        while frame is not None:
            code = frame.f_code
            names.append(f"{'/'.join(code.co_filename.split('/')[-2:])}:{code.co_name}")
            frame = frame.f_back
        self.own[names[0]] += 1
        self.whole.update(set(names))

    def show(self, lines: int) -> None:
        for title, found in (("with what they call", self.whole), ("by themselves", self.own)):
            print(f"--- {title}, share of {self.count} samples")
            for name, count in found.most_common(lines):
                print(f"{count / self.count:7.1%}  {name}")


def urgent(on: bool) -> None:
    """Before everything else on the machine (needs root): for figures of a machine that others use, too."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setscheduler(int(thread), os.SCHED_FIFO if on else os.SCHED_OTHER, os.sched_param(5 if on else 0))


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def quantile(figures: list[float], share: float) -> float:
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


async def started(bots: Bots, count: int) -> float:
    """Seconds until all are at work."""
    begun = time.perf_counter()
    while sum(not one.ended.is_set() for one in bots.runners.values()) < count:
        if time.perf_counter() - begun > START_S_MAX:
            raise SystemExit(f"only {len(bots.runners)} of {count} bots started in {START_S_MAX} s")
        await asyncio.sleep(0.05)
    return time.perf_counter() - begun


async def measured(given: argparse.Namespace, folder: Path) -> None:
    database, clock = Database(f"sqlite+aiosqlite:///{folder}/haechi.db"), SystemClock()
    await upgrade(database)
    markets = instruments(given.symbols)
    await filled(database, given.users, given.bots, markets)
    tape, before = tape_of(markets, (clock.now_ms() // MINUTE_MS - given.past) * MINUTE_MS, given.past)
    market = Market(tape, 1.0, clock=clock.now_ms, store=Store(folder / "paper.sqlite"))
    market.floor.remember(before)
    del before
    gate = Gate(lambda _owner: Limits(), lambda _user, _bot: "", started_ms=clock.now_ms())
    lease = Lease(database, clock, "scale", guard=FileGuard(folder / "lock"))
    desks = Desks(database, clock, PaperOnly(market), gate, Reserve(folder / "reserve", room=1 << 20), lease)
    await desks.lead()
    bots = Bots(database, clock, market, desks, folder / "journals")
    await asyncio.to_thread(warm)
    bots.supervisor = Supervisor(database, clock, bots, leads=lambda: lease.held, ring=desks.alarms.ring)
    leading = asyncio.create_task(desks.keep_leading())
    meter, profiler = Meter(gate, market), Sampler() if given.profile else None
    print(f"before the start: RSS {rss_mib():,.0f} MiB")
    cpu = time.process_time()
    if profiler and given.profile in ("start", "all"):
        profiler.start()
    async with supervising(bots.supervisor):
        seconds = await started(bots, given.bots)
        print(f"start: {given.bots} bots in {seconds:.1f} s, CPU {time.process_time() - cpu:.1f} s; RSS {rss_mib():,.0f} MiB; "
              f"commits {desks.scribe.commits}, evaluations {bots.hub.evaluations}", flush=True)
        if profiler and given.profile == "start":
            profiler.stop()
        elif profiler:
            profiler.start()
        await played(given, market, meter, bots)
        if profiler:
            profiler.stop()
            profiler.show(given.lines)
        await told(database)
        closing = time.perf_counter()
    await bots.close()
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    await desks.close()
    market.close()
    await database.close()
    print(f"end: {time.perf_counter() - closing:.1f} s, peak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


async def played(given: argparse.Namespace, market: Market, meter: Meter, bots: Bots) -> None:
    close_to_gate, tell_to_gate, close_to_order, orders, steps, cpus, told, walks, loops = [], [], [], [], [], [], [], [], []
    scribe, hub, idle = bots.desks.scribe, bots.hub, []
    await asyncio.sleep(given.every)
    for number in range(given.bars):
        commits, evaluations, cpu = scribe.commits, hub.evaluations, time.process_time()
        thread = time.thread_time()
        if given.urgent:
            urgent(on=True)
        meter.begin()
        await market.step()
        await scribe.settled()
        end = time.perf_counter()
        if given.urgent:
            urgent(on=False)
        last = max([*meter.judged, meter.told])
        steps.append(end - meter.begun)
        cpus.append(time.process_time() - cpu)
        loops.append(time.thread_time() - thread)
        walks.append(meter.told - meter.begun)
        close_to_gate.append(last - meter.begun)
        tell_to_gate.append(last - meter.told)
        close_to_order.append(max([*meter.placed, meter.told]) - meter.begun)
        orders += [moment - meter.begun for moment in meter.judged]
        told.append((len(meter.judged), len(meter.placed), scribe.commits - commits, hub.evaluations - evaluations))
        if given.verbose:
            print(f"bar {number:3d}: close→gate {close_to_gate[-1] * 1e3:7.0f} ms (walk {walks[-1] * 1e3:.0f}), all done {steps[-1] * 1e3:7.0f}"
                  f" ms, CPU {cpus[-1] * 1e3:.0f} ms, of the loop {loops[-1] * 1e3:.0f} ms, judged {told[-1][0]}, placed {told[-1][1]}, commits {told[-1][2]}, "
                  f"evaluations {told[-1][3]}", flush=True)
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.sleep(max(0.1, given.every - (wall - meter.begun)))
        idle.append((time.process_time() - cpu) / (time.perf_counter() - wall))
    for name, figures in (("candle close → last judgement at the gate", close_to_gate), ("bars told → last judgement", tell_to_gate),
                          ("candle close → bars told", walks), ("candle close → last order placed", close_to_order),
                          ("candle close → each judgement", orders), ("candle close → all done, written", steps),
                          ("CPU of a candle", cpus), ("CPU of a candle, the event loop's part", loops)):
        print(f"{name:44s} p50 {quantile(figures, 0.5) * 1e3:8,.0f}  p99 {quantile(figures, 0.99) * 1e3:8,.0f}  "
              f"max {max(figures, default=0) * 1e3:8,.0f} ms")
    for name, k in (("judgements a bar", 0), ("orders placed a bar", 1), ("commits a bar", 2), ("evaluations a bar", 3)):
        figures = [one[k] for one in told]
        print(f"{name:44s} mean {sum(figures) / len(figures):8,.1f}  max {max(figures):8,}")
    print(f"{'CPU between bars (share of one core)':44s} mean {sum(idle) / len(idle):8.2f}")
    print(f"RSS {rss_mib():,.0f} MiB; distinct (strategy, symbol): {len(hub._voices)}; bars {given.bars}; running "
          f"{sum(not one.ended.is_set() for one in bots.runners.values())}; ringing alarms {len(bots.desks.alarms.ringing)}; "
          f"refused {dict(meter_refused(bots))}")


def meter_refused(bots: Bots) -> dict[str, int]:
    return dict(bots.desks.office.gate.refused)


async def told(database: Database) -> None:
    async with database.reading() as session:
        for name, sql in (("orders", "SELECT count(*) FROM orders"), ("bookings", "SELECT count(*) FROM bookings"),
                          ("bot lines", "SELECT count(*) FROM bot_lines"), ("observed", "SELECT group_concat(o) FROM (SELECT observed || ' ' || "
                                                                            "count(*) AS o FROM bots GROUP BY observed)")):
            print(f"{name}: {(await session.execute(text(sql))).scalar_one()}", end="; ")
    print()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--bots", type=int, default=3000)
    asked.add_argument("--users", type=int, default=300)
    asked.add_argument("--symbols", type=int, default=50)
    asked.add_argument("--bars", type=int, default=30)
    asked.add_argument("--past", type=int, default=5000, help="bars of before the start")
    asked.add_argument("--every", type=float, default=5.0, help="seconds between two bars")
    asked.add_argument("--folder", type=Path, default=None)
    asked.add_argument("--profile", choices=("start", "bars", "all"), nargs="?", const="bars", default="")
    asked.add_argument("--lines", type=int, default=40)
    asked.add_argument("--urgent", action="store_true", help="let nobody else run while a candle is worked on (needs root)")
    asked.add_argument("--verbose", action="store_true")
    given = asked.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40), logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    gc.set_threshold(200_000, 20, 20)  # as cli.py does
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {given.bots} bots of {given.users} people on {given.symbols} symbols")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measured(given, Path(folder)))  # on the loop of the application's server


if __name__ == "__main__":
    main()
