"""A desk over an exchange that does what the test says: answers, silences, held answers, fills that are told late or never.

The exchange keeps the truth (what rests, what filled, the position, the wallet); the desk hears only what a test hands to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from haechi.bots.models import Bot
from haechi.bots.runner import Runner
from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.risk import Limits
from haechi.core.units import scaled
from haechi.exchanges.port import Accepted, Balance, Bar, Event, Fill, Moved, NewOrder, OpenOrder, Paid, Position, Rejected, Seen, Unknown
from haechi.identity.models import User
from haechi.platform.clock import SetClock
from haechi.platform.db import Base, Database
from haechi.tables import TABLES
from haechi.trading.desk import Desk
from haechi.trading.desks import Desks
from haechi.trading.gate import Gate
from haechi.trading.journal import Journal
from haechi.trading.lease import Lease
from haechi.trading.models import Account
from haechi.trading.owner import Owner
from haechi.trading.reserve import Reserve
from haechi.trading.working import Ticket

assert TABLES, "all tables are known"
START = datetime(2026, 1, 1, tzinfo=UTC)
SYMBOL = "BTCUSDT"
BTC = Instrument(SYMBOL, tick=D("0.1"), lot=D("0.001"))
WIDE = Limits(order_value_max=D(10_000_000), orders_second_max=10**6, orders_minute_max=10**6, orders_minute_user_max=10**6, children_max=10**6)
B1, B2, MANUAL = Owner("u1", "a1", "b1"), Owner("u1", "a1", "b2"), Owner("u1", "a1", "")
LOST_AFTER = Unknown("timeout"), True  # the answer is lost, the order is there
LOST_BEFORE = Unknown("timeout"), False
Hook = Callable[[NewOrder], Awaitable[None]]


def entry(quantity: str = "1", **given: Any) -> Ticket:
    return Ticket(**{"role": "entry", "symbol": SYMBOL, "side": "buy", "quantity": D(quantity)} | given)


def stop(quantity: str = "1", trigger: str = "58000", **given: Any) -> Ticket:
    return Ticket(**{"role": "stop", "symbol": SYMBOL, "side": "sell", "quantity": D(quantity), "kind": "stop", "trigger": D(trigger),
                     "reduce_only": True} | given)


def target(quantity: str = "1", price: str = "63000") -> Ticket:
    return Ticket("target1", SYMBOL, "sell", D(quantity), "limit", D(price), None, True)


def leave(quantity: str = "1", **given: Any) -> Ticket:
    return Ticket(**{"role": "exit", "symbol": SYMBOL, "side": "sell", "quantity": D(quantity), "reduce_only": True} | given)


class Scripted:
    """Traceable (exchanges/port.py). answers: for the next orders, (outcome or error, whether it is there all the same)."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self.placed: list[NewOrder] = []
        self.answers: list[tuple[Any, bool]] = []
        self.cancels: list[Any] = []
        self.on_place: Hook | None = None
        self.resting: dict[str, NewOrder] = {}
        self.done: dict[str, D] = {}  # how far each order filled
        self.looks: dict[str, Seen | Rejected | Unknown] = {}  # said instead of the truth
        self.looked: list[str] = []
        self.fills: list[Any] = []
        self.paid: list[Paid] = []
        self.moved: list[Moved] = []
        self.hidden: set[str] = set()  # trades that are not shown yet
        self.listening: dict[str, bool] = {}
        self.position, self.average, self.wallet = D(0), D(0), D(10_000_000)
        self.shows_positions = True
        self.error: Exception | None = None  # of every read
        self.sight = ""

    # ---- orders

    async def place(self, order: NewOrder, *, still: Any = None) -> Any:
        self.placed.append(order)
        self.still = still
        self.calls.append(f"{order.kind} {order.side} {order.quantity:f}{' reducing' if order.reduce_only else ''}")
        answer, there = self.answers.pop(0) if self.answers else (Accepted(f"x{order.client_id}"), True)
        if there:
            self.resting[order.client_id] = order
        if self.on_place is not None:
            hook, self.on_place = self.on_place, None
            await hook(order)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def cancel(self, client_id: str) -> Any:
        self.calls.append(f"cancel {client_id}")
        answer = self.cancels.pop(0) if self.cancels else Accepted("x") if client_id in self.resting else Rejected("no_order")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Accepted):
            self.resting.pop(client_id, None)
        return answer

    def fill(self, client_id: str, quantity: str, price: str = "60000", *, fee: str = "0") -> Fill:
        """It happens; who is to hear of it is told by the test."""
        order = self.resting.get(client_id) or next(one for one in self.placed if one.client_id == client_id)
        self.done[client_id] = self.done.get(client_id, D(0)) + D(quantity)
        if self.done[client_id] >= order.quantity:
            self.resting.pop(client_id, None)
        return self.trade(client_id, order.side, quantity, price, fee)

    def trade(self, client_id: str, side: str, quantity: str, price: str = "60000", fee: str = "0") -> Fill:
        signed = D(quantity) if side == "buy" else -D(quantity)
        closed = min(abs(signed), abs(self.position)) if self.position * signed < 0 else D(0)
        gained = closed * (D(price) - self.average) * (1 if self.position > 0 else -1)
        opened = abs(signed) - closed
        if opened:
            held = abs(self.position) if not closed else D(0)
            self.average = (self.average * held + D(price) * opened) / (held + opened)
        self.position += signed
        self.wallet += gained - D(fee)
        made = Fill(f"t{len(self.fills) + 1}", client_id, SYMBOL, side, D(quantity), D(price), D(fee), gained, False, D(price),
                    self.clock.now_ms())
        self.fills.append(made)
        return made

    # ---- what can be asked

    async def _ask(self) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error

    async def look(self, order: NewOrder, sent_ms: int) -> Seen | Rejected | Unknown:
        await self._ask()
        self.looked.append(order.client_id)
        done = self.done.get(order.client_id, D(0))
        if order.client_id in self.looks:
            return self.looks[order.client_id]
        if order.client_id in self.resting:
            return Seen(f"x{order.client_id}", "open", done)
        return Seen(f"x{order.client_id}", "filled", done) if done >= order.quantity else Unknown("nowhere, and it may still come")

    async def fills_since(self, time_ms: int, *, known: Any = None) -> list[Any]:
        await self._ask()
        return [one for one in self.fills if one.time_ms >= time_ms and one.trade_id not in self.hidden]

    async def payments_since(self, time_ms: int) -> list[Paid]:
        await self._ask()
        return [one for one in self.paid if one.time_ms >= time_ms]

    async def movements_since(self, time_ms: int) -> list[Moved]:
        await self._ask()
        return [one for one in self.moved if one.time_ms >= time_ms]

    async def open_orders(self) -> list[OpenOrder]:
        await self._ask()
        return [OpenOrder(one, f"x{name}", self.done.get(name, D(0))) for name, one in self.resting.items()]

    async def positions(self) -> list[Position]:
        await self._ask()
        return [Position(SYMBOL, self.position, self.average, None)] if self.position and self.shows_positions else []

    async def balance(self) -> Balance:
        await self._ask()
        return Balance(self.wallet, self.wallet, self.wallet)

    async def bars(self, symbol: str, most: int, timeframe_ms: int | None = None) -> list[Bar]:
        return []

    async def instrument(self, symbol: str) -> Instrument:
        return BTC

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Any:
        return Accepted("")

    def blind(self) -> str:
        return self.sight

    def listen(self, listener: Any, *, symbol: str, prices: bool) -> None:
        self.listening[symbol] = prices

    def unlisten(self, listener: Any) -> None:
        self.listening.pop(listener.symbol, None)


class Listening:
    """Face (trading/desk.py) that writes down what it is told."""

    watches_price = False
    protected = True
    allocated = D(10_000_000)

    def __init__(self, owner: Owner, symbol: str = SYMBOL) -> None:
        self.owner, self.symbol = owner, symbol
        self.heard: list[tuple[Event, str]] = []
        self.pokes = 0
        self.may_act: asyncio.Event | None = None  # it acts when this is set; None: at once

    def take(self, event: Event, role: str = "") -> Awaitable[None]:
        self.heard.append((event, role))
        return self._act()

    async def _act(self) -> None:
        if self.may_act is not None:
            await self.may_act.wait()

    async def poke(self) -> None:
        self.pokes += 1


class Puppet:
    """A mind that wishes what the test says, and wants a stop at `stop` ticks under all it holds."""

    leverage, cross, watches_price, protected, equity, name, ended_by = 1, False, False, True, scaled("10000000"), "puppet", ""
    excess = 0
    stop = 580_000

    def __init__(self, position: int = 0, entry_ts: int = 0) -> None:
        self.spec = SimpleNamespace(instrument=BTC)
        self.position, self.entry_ts = position, entry_ts
        self.next: list[Wanted] = []
        self.rests: dict[str, Wanted] = {}
        self.refusals: list[tuple[str, str]] = []

    def heard(self, event: Any, role: str = "", signal: Any = None) -> list[Wanted]:
        if isinstance(event, Fill):
            self.position += BTC.lots(event.quantity) * (1 if event.side == "buy" else -1)
        if not isinstance(event, Bar):
            return []
        self.entry_ts = event.ts
        wishes, self.next = self.next, []
        return wishes

    def resting(self) -> dict[str, Wanted]:
        held = self.position
        kept = {"stop": Wanted("stop", -1, held, "stop", trigger=self.stop, reduce_only=True)} if held > 0 else {}
        return kept | self.rests

    def wish_key(self, wanted: Wanted) -> str:
        return f"{wanted.role}@{self.entry_ts}"

    def refused(self, role: str, reason: str) -> None:
        self.refusals.append((role, reason))

    def snapshot(self) -> str:
        return str(self.position)

    def shown(self) -> dict[str, Any]:
        return {"position": self.position}


BUY, SELL = Wanted("entry", 1, 1000, "market"), Wanted("exit", -1, 1000, "market", reduce_only=True)


async def until(true: Callable[[], bool]) -> None:
    """What other tasks do (and the database's thread) is waited for, not for ever."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(0.001)


class Naps:
    """Sleep for timers that a test lets pass one by one."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def __call__(self, seconds: float) -> None:
        ends: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((seconds, ends))
        await ends

    def has(self, seconds: float) -> bool:
        return any(length == seconds and not ends.done() for length, ends in self.waiting)

    async def over(self, seconds: float) -> None:
        """The first nap of that length ends, once there is one."""
        await until(lambda: self.has(seconds))
        next(ends for length, ends in self.waiting if length == seconds and not ends.done()).set_result(None)


class Stage:
    """One account's desk, opened as the house opens it. `again`: the process ends, another begins on the same tables."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder, self.clock = database, folder, SetClock(START)
        self.exchange, self.naps = Scripted(self.clock), Naps()
        self.killed, self.leads = "", True
        self.reserve = Reserve(folder / "reserve", room=1 << 14)
        self.desks: Desks
        self.desk: Desk

    async def exchange_of(self, _account: Account) -> Scripted:
        return self.exchange

    async def close_of(self, _account_id: str) -> None:
        return

    async def open(self) -> Desk:
        gate = Gate(lambda _owner: WIDE, lambda _user, _bot: self.killed, started_ms=self.clock.now_ms())
        lease = Lease(self.database, self.clock, "stage", guard=lambda: True)
        self.desks = Desks(self.database, self.clock, self, gate, self.reserve, lease, sleep=self.naps)
        self.desks.office.leads = lambda: self.leads
        assert await self.desks.lead()
        self.desk = await self.desks.desk_of("a1")
        self.priced()
        return self.desk

    async def again(self) -> Desk:
        await self.desks.scribe.settled()
        await self.desks.close()
        return await self.open()

    def priced(self, price: str = "60000") -> None:
        """A price that has just been heard."""
        self.desk.prices[SYMBOL] = D(price), self.clock.now_ms()

    def later(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.priced(str(self.desk.price(SYMBOL)))

    async def sent(self, ticket: Ticket, owner: Owner = B1) -> str:
        """The client id it left under."""
        answer = (await self.desk.send(owner, [ticket]))[0]
        return str(getattr(answer, "client_id", answer))

    async def held(self, quantity: str = "1", owner: Owner = B1) -> str:
        """Bought and told."""
        name = await self.sent(entry(quantity), owner)
        await self.desk.hear(self.exchange.fill(name, quantity))
        return name

    async def rows(self, kind: Any) -> list[Any]:
        await self.desk.scribe.settled()
        async with self.database.reading() as session:
            return list((await session.execute(select(kind))).scalars())

    async def status(self, client_id: str) -> str:
        from haechi.trading.models import Order

        return next(one.status for one in await self.rows(Order) if one.id == client_id)

    def alarms(self) -> set[str]:
        return {name.split(":")[1] for name in self.desks.alarms.ringing}

    async def works(self, mind: Puppet, bot_id: str = "b1") -> Runner:
        """A bot at work on the desk."""
        async def say(_code: str, **_facts: str) -> None:
            return

        runner = Runner(self.desk.owner(bot_id), mind, Journal(self.folder / f"{bot_id}.jsonl"), self.desk, self.clock, say)  # type: ignore[arg-type]
        runner.start()
        await runner.poke()
        return runner

    async def bar(self, price: str = "60000") -> None:
        """A minute closes there."""
        self.clock.advance(timedelta(minutes=1))
        at = D(price)
        await self.desk.hear(Bar(SYMBOL, 60_000, self.clock.now_ms() - 60_000, at, at, at, at, 1.0))

    async def round(self, seconds: float = 10) -> None:
        """Time passes, and the reconciliation comes round."""
        self.later(seconds)
        await self.desk.check.once()


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    database = Database(f"sqlite+aiosqlite:///{folder}/desk.db")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with database.writing() as session:
        session.add(User(id="u1", email="u1@example.com", password_hash="x", role="user", created_at=START, suspended_at=None))
        await session.flush()
        session.add(Account(id="a1", user_id="u1", mode="live", capital=D(10_000_000), created_at=START))
        await session.flush()
        for name in ("b1", "b2"):
            session.add(Bot(id=name, user_id="u1", account_id="a1", strategy="x", symbol=SYMBOL, timeframe="1m", spec={}, capital=D(1),
                            desired="running", observed="running", reason="", created_at=START, ended_at=None))
    stage = Stage(database, folder)
    await stage.open()
    yield stage
    await stage.desks.close()
    stage.reserve.close()
    await database.close()


__all__ = ["B1", "B2", "BTC", "BUY", "LOST_AFTER", "LOST_BEFORE", "MANUAL", "SELL", "START", "SYMBOL", "Listening", "Puppet", "Scripted",
           "Stage", "entry", "leave", "staged", "stop", "target", "until"]
