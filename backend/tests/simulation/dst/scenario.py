"""One run from one seed: markets, users, bots, faults, restarts, a person's own hand; judged after every step and at the end."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from haechi.bots.grid_memory import GridSpec
from haechi.bots.grid_mind import GridMind
from haechi.bots.mind import Spec
from haechi.bots.models import GRID, RUNNING, STARTING, STRATEGY, Bot
from haechi.core.grid_plan import GridPlan
from haechi.core.plan import Costs
from haechi.identity.models import User
from haechi.trading.kill_switch import Kills
from haechi.trading.models import DEMO, Account
from haechi.venue.refusal import Refusal

from . import inline_sqlite
from .faults import MINUTE, Fault, Faults, draw
from .history import History
from .invariants import Judge, Watched
from .patience import Patience
from .person import Person
from .system import System, seeded_ids
from .virtual_loop import VirtualClock, VirtualLoop, run
from .world import BAR_MS, World

START_MS = 1_767_225_600_000 + 9 * BAR_MS  # 2026-01-01, some minutes after a funding
HOUR_BARS, SETTLE_MS, QUIET_MS = 60, 120_000, 45_000
LAST_FAULT_MS = 55 * MINUTE
USERS = ("anna", "ben", "carl")
DEPOSIT = Decimal(10_000)
DOWN_MS = (500, 40_000)
BLINDING = frozenset({"events_lost", "events_silent", "late_fills", "reconnects", "read_lag", "reads_fail", "key_revoked", "banned",
                      "maintenance", "clock_skew", "rate_limited"})
WISHES = frozenset({"bot_stopped", "grid_edited"})  # nothing goes wrong in these: no limit is wider for them
UNWRITABLE = frozenset({"database_locked", "database_full", "database_cut"})


@dataclass
class Outcome:
    """What a run gives: the trace's hash, and the figures."""

    seed: int
    digest: str
    faults: list[Fault]
    hits: Counter[str]
    orders: int
    fills: int
    naked_ms: list[int]
    seconds: float
    deeds: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    text: str = ""


class Failed(AssertionError):
    """A run that broke: its seed, its faults, and what broke."""

    def __init__(self, seed: int, faults: list[Fault], why: str) -> None:
        super().__init__(f"seed={seed}: {why}\nfaults drawn: " + ("; ".join(map(str, faults)) or "none"))


def simulate(seed: int, *, faults: list[Fault] | None = None, minutes: int = HOUR_BARS, kinds: list[str] | None = None) -> Outcome:
    """Run it. Raises Failed. faults: these instead of those drawn; kinds: draw from these alone."""
    drawn = faults if faults is not None else draw(Random(f"{seed}/faults"), list(USERS), min(LAST_FAULT_MS, (minutes - 2) * MINUTE), kinds=kinds)
    migrated = inline_sqlite.template(VirtualLoop)
    began = time.process_time()

    async def whole() -> Outcome:
        return await _Run(seed, drawn, migrated).whole(minutes)

    collecting = gc.isenabled()
    gc.disable()  # a fifth of the time, and a run is over soon
    with seeded_ids(Random(f"{seed}/ids")):
        try:
            outcome = run(whole)
        except Exception as broken:
            raise Failed(seed, drawn, f"{type(broken).__name__}: {broken}") from broken
        finally:
            if collecting:
                gc.enable()
    outcome.seconds = time.process_time() - began
    return outcome


class _Run:
    def __init__(self, seed: int, drawn: list[Fault], migrated: Any) -> None:
        self.seed, self.drawn, self.name = seed, drawn, str(seed)
        self.rng = Random(f"{seed}/scenario")
        self.loop = asyncio.get_running_loop()
        self.clock = VirtualClock(self.loop, START_MS)
        self.history = History()
        self.world = World(self.name, self.clock, self.history)
        self.path = inline_sqlite.fresh(f"seed-{seed}", migrated)
        self.file = inline_sqlite.File(str(self.path), Random(f"{seed}/commits"))
        self.faults = {name: Faults(drawn, name, Random(f"{seed}/faults/{name}"), self.run_ms) for name in USERS}
        self.patience = Patience(self.clock.now_ms, self._busy)
        self.history.stirs = self.patience.stir
        self.ours: set[asyncio.Task[Any]] = set()
        self.acts: list[asyncio.Task[None]] = []

    def run_ms(self) -> int:
        return self.clock.now_ms() - START_MS

    # ---- the whole of it

    async def whole(self, minutes: int) -> Outcome:
        self.ours.add(asyncio.current_task())  # type: ignore[arg-type]
        await self.world.warm()
        self.members = {name: self.world.join(name, DEPOSIT) for name in USERS}
        self.system = System(self.world, self.clock, self.path, self.file, {f"acc{name}": name for name in USERS}, self.faults, self.name,
                             self.patience)
        self.system.users = {name: f"user{name}" for name in USERS}
        watched = [Watched(self.members[name], f"acc{name}", since_ms=self.clock.now_ms() + 1, bot_id=f"bot{name}") for name in USERS]
        await asyncio.sleep(1)
        await self._rows(watched)
        self.judge = Judge(self.world.floor, self.history, self.path, watched, self.clock.now_ms, self._trouble)
        self.system.doubts = self.judge.doubts
        self.world.after_move.append(self._moved)
        try:
            await self.system.rise()
            return await self._played(minutes)
        finally:
            await self._end()

    async def _played(self, minutes: int) -> Outcome:
        self.acts = [self._task(self._act(one)) for one in self.drawn]
        last = max((one.end_ms for one in self.drawn), default=0)
        await self.world.play(minutes)
        for act in self.acts:
            await act
        await asyncio.sleep(max(0, last + SETTLE_MS - self.run_ms()) / 1000)
        await self._looked_at()
        await asyncio.sleep(QUIET_MS / 1000)
        await self.system.desks.scribe.settled()
        self.judge.rest(START_MS + last)
        state = "\n".join(map(str, self.judge.rows("SELECT id, status, filled, intent FROM orders ORDER BY id")
                              + self.judge.rows("SELECT account_id, exchange_id, bot_id, held FROM bookings ORDER BY id")))
        hits = sum((one.hits for one in self.faults.values()), Counter(self.history.hits))
        return Outcome(self.seed, self.history.digest(state), self.drawn, hits, len(self.history.requests),
                       sum(len(member.fills) for member in self.members.values()), self.judge.naked_ms, 0.0,
                       {name: self.history.deeds(name) for name in USERS}, self.history.text())

    async def _looked_at(self) -> None:
        """Everybody looks at their account. One without a bot, that held nothing at the last start, is not followed until then: what its
        owner has done at the exchange since must be found."""
        for name in USERS:
            await self.system.desks.desk_of(f"acc{name}")

    async def _end(self) -> None:
        if self.system.up:
            await self.system.fall(self.ours)
        for task in self.ours - {asyncio.current_task()}:
            task.cancel()
        if hasattr(self, "judge"):
            self.judge.close()
        self.system.clean()

    def _task(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.ours.add(task)
        return task

    def _moved(self, m: int) -> None:
        for port in list(self.world.ports.values()):
            port.counter.moved(m)
        self.judge.step()

    def _busy(self, name: str) -> bool:
        """What no stir tells of: a position without a stop, an order of unknown outcome, a database that fails, a fresh start. What
        serves all has nothing to do with the orders of one."""
        now, whom = self.clock.now_ms(), [name] if name else []
        failing = now / 1000 < max(self.file.locked_until, self.file.full_until, self.file.cut_until) + START_MS / 1000 + 10
        unknown = any(port.unknown_ms + 130_000 > now for who, port in self.world.ports.items() if who in whom)
        naked = any(key[0] in whom for key in self.judge.naked)
        fresh = bool(self.history.starts) and now - self.history.starts[-1] < 30_000
        return failing or unknown or naked or fresh

    def _trouble(self, name: str, since: int) -> tuple[bool, bool, int]:
        """Faults of this member or of all, from a minute before `since` on."""
        since_run = since - START_MS
        met = [one for one in self.drawn if one.who in ("", name) and one.kind not in WISHES and one.start_ms <= self.run_ms() and one.end_ms + MINUTE >= since_run]
        until = max((one.end_ms for one in met if one.kind in UNWRITABLE), default=0)
        return bool(met), any(one.kind in BLINDING for one in met), START_MS + until + 5_000 if until else 0

    # ---- who is there

    async def _rows(self, watched: list[Watched]) -> None:
        """Users, their accounts, and three bots that want to run."""
        now = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        database = inline_sqlite.opened(self.path, self.file)
        async with database.writing() as session:
            for name in USERS:
                session.add(User(id=f"user{name}", email=f"{name}@example.com", password_hash="x", role="user", created_at=now, suspended_at=None))
            await session.flush()
            for name in USERS:
                session.add(Account(id=f"acc{name}", user_id=f"user{name}", mode=DEMO, capital=DEPOSIT, created_at=now))
            await session.flush()
            for k, name in enumerate(USERS):
                self._bot(session, k, name, watched[k], now)
        await database.close()

    def _bot(self, session: AsyncSession, k: int, name: str, watched: Watched, now: datetime) -> None:
        rng = Random(f"{self.seed}/bot/{name}")
        m = rng.randrange(len(self.world.instruments))
        one, costs = self.world.instruments[m], Costs(capital=DEPOSIT)
        spec: Spec | GridSpec
        if k == len(USERS) - 1:
            spec = GridSpec(self._grid(rng, m), one, costs, BAR_MS)
            if GridMind(spec).protected:
                watched.stopped.add(m)
        else:
            spec = Spec(document(rng), {}, {}, one, costs, BAR_MS)
            watched.stopped.add(m)
        session.add(Bot(id=f"bot{name}", user_id=f"user{name}", account_id=f"acc{name}", strategy="dst", symbol=one.symbol, timeframe="1m",
                        spec=msgspec.to_builtins(spec), capital=DEPOSIT, desired=RUNNING, observed=STARTING, reason="", name=name,
                        kind=GRID if isinstance(spec, GridSpec) else STRATEGY, origin="instance", allocation=Decimal(90), created_at=now,
                        started_at=now, ended_at=None))

    def _grid(self, rng: Random, m: int) -> GridPlan:
        """Six of ten have stops; some a trigger, a goal, or a range that follows the price."""
        one, point = self.world.instruments[m], self.world.points[m]
        half = int(point * rng.uniform(0.01, 0.03))
        lower, upper, beyond = point - half, point + half, int(half * rng.uniform(0.02, 0.3))
        direction, stops = rng.choice(("long", "short", "neutral")), rng.random() < 0.6
        more: dict[str, Any] = {}
        if stops and direction != "short":
            more["stop_lower"] = one.price(lower - beyond)
        if stops and direction != "long":
            more["stop_upper"] = one.price(upper + beyond)
        if rng.random() < 0.2:
            more["trigger"] = one.price(point + int(half * rng.uniform(-0.3, 0.3)))
        if rng.random() < 0.2:
            more["take_profit"] = Decimal(rng.randint(2, 20))
        if rng.random() < 0.3:
            more |= {"trail_up": 3, "trail_down": 3}
        return GridPlan(lower=one.price(lower), upper=one.price(upper), cells=rng.randint(4, 12), direction=direction,
                        investment=Decimal(2_000), leverage=3, **more)

    # ---- what happens at a moment

    async def _act(self, one: Fault) -> None:
        await asyncio.sleep(max(0, one.start_ms - self.run_ms()) / 1000)
        self.patience.stir()
        act = getattr(self, f"_{one.kind}", None)
        if act is not None:
            await act(one)
            self.history.hits[one.kind] += 1
        await asyncio.sleep(max(0, one.end_ms - self.run_ms()) / 1000)
        self.patience.stir()

    async def _restart(self, one: Fault) -> None:
        if self.system.up:
            await self.system.fall(self.ours)
            low, high = DOWN_MS
            await asyncio.sleep((low + (high - low) * one.size ** 2) / 1000)
            await self.system.rise()

    async def _kill_switch(self, one: Fault) -> None:
        """The person stops everything, and some minutes later allows it again; the house may fall and rise meanwhile."""
        if self.system.up:
            self.system.kills.turn_on("user", self.system.users[one.who], by="person")
        await asyncio.sleep((one.end_ms - one.start_ms) / 1000)
        kills = self.system.kills if self.system.up else Kills(self.system.folder / "kill", self.clock)  # a house that is down has the file
        kills.turn_off("user", self.system.users[one.who])

    async def _bot_stopped(self, one: Fault) -> None:
        """With or without closing what it holds, and some minutes later it is started again."""
        person = self._person(one.who)
        await person.stops(flatten=one.size < 0.6)
        self.patience.stir(one.who)
        await asyncio.sleep(max(0, one.end_ms - self.run_ms()) / 1000)
        await person.starts()

    async def _grid_edited(self, one: Fault) -> None:
        await self._person(one.who).edits(one.size)

    def _person(self, name: str) -> Person:
        return Person(self.system, self.system.users[name], f"bot{name}")

    async def _database_locked(self, one: Fault) -> None:
        self.file.locked_until = self.loop.time() + (one.end_ms - one.start_ms) / 1000

    async def _database_full(self, one: Fault) -> None:
        self.file.full_until = self.loop.time() + (one.end_ms - one.start_ms) / 1000

    async def _database_cut(self, one: Fault) -> None:
        self.file.cut_until = self.loop.time() + (one.end_ms - one.start_ms) / 1000

    async def _commit_lost_before(self, one: Fault) -> None:
        self.file.commits_lost, self.file.lost_after = 1 + int(one.size * 3), False

    async def _commit_lost_after(self, one: Fault) -> None:
        self.file.commits_lost, self.file.lost_after = 1 + int(one.size * 3), True

    async def _gap(self, one: Fault) -> None:
        m = int(one.size * 1_000) % len(self.world.points)
        await self.world.jump(m, (0.01 + 0.29 * one.size ** 3) * (1 if int(one.size * 10_000) % 2 else -1))

    async def _rules_changed(self, one: Fault) -> None:
        self.world.change_rules(0, 10)
        await asyncio.sleep((one.end_ms - one.start_ms) / 1000)
        self.world.change_rules(0, 1)

    async def _symbol_suspended(self, one: Fault) -> None:
        contract = self.world.floor.contracts[int(one.size * 1_000) % len(self.world.points)]
        contract.status = ("maintain", "limit_open", "restrictedAPI")[int(one.size * 100) % 3]
        await asyncio.sleep((one.end_ms - one.start_ms) / 1000)
        contract.status = "normal"

    async def _liquidation(self, one: Fault) -> None:
        self._forced(one, 1.0)

    async def _liquidation_partial(self, one: Fault) -> None:
        self._forced(one, 0.1 + 0.8 * one.size)

    def _forced(self, one: Fault, share: float) -> None:
        counter = self._counter(one.who)
        for m in range(len(self.world.points)):
            counter.forced(m, share)

    async def _manual_transfers(self, one: Fault) -> None:
        self.world.touch()
        with suppress(Refusal):  # not so much is free
            self.members[one.who].transfer(Decimal(round(50 + one.size * 900)) * (1 if one.size > 0.5 else -1))

    async def _manual_orders(self, one: Fault) -> None:
        """Some market orders, and a limit order that rests; in the end the person closes nothing."""
        counter, rng = self._counter(one.who), Random(f"{self.seed}/hand/{one.start_ms}")
        while self.run_ms() < one.end_ms:
            m = rng.randrange(len(self.world.points))
            price = 0 if rng.random() < 0.6 else round(self.world.points[m] * rng.uniform(0.97, 0.99))
            counter.by_hand(m, 1 if price else rng.choice((1, -1)), rng.randint(10, 40), price)
            await asyncio.sleep(rng.uniform(20, 120))

    def _counter(self, name: str) -> Any:
        from .counter import Counter as Desk

        return Desk(self.world, self.members[name], self.faults[name], Random(f"{self.seed}/counter/{name}/{self.run_ms()}"))


def document(rng: Random) -> dict[str, Any]:
    """A strategy that trades often: an oscillator or two averages, always with a stop; sometimes with targets, trailing or steps."""
    made: dict[str, Any] = {"name": "dst", "timeframe": "1m", "size": {"kind": "equity_fraction", "fraction": 0.2}, "leverage": rng.choice((1, 3, 5))}
    if rng.random() < 0.5:
        made |= {"indicators": {"r": {"kind": "rsi", "source": "close", "period": rng.randint(2, 3)}},
                 "enter_long": "crosses_above(r, 45)", "enter_short": "crosses_below(r, 55)", "on_opposite": rng.choice(("reverse", "close"))}
    else:
        made |= {"indicators": {"f": {"kind": "ema", "source": "close", "period": rng.randint(2, 3)},
                                "s": {"kind": "ema", "source": "close", "period": rng.randint(4, 6)}},
                 "enter_long": "crosses_above(f, s)", "enter_short": "crosses_below(f, s)", "on_opposite": rng.choice(("reverse", "close", "ignore"))}
    made["stop_loss"] = {"percent": rng.choice((0.3, 0.6, 1.5))}
    if rng.random() < 0.5:
        made["take_profit"] = [{"percent": 0.3, "share": 50}, {"percent": 0.8, "share": 50}]
    if rng.random() < 0.4:
        made["trailing"] = {"distance": 0.4, "activation": 0.2}
    return made

