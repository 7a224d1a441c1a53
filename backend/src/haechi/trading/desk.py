"""One account's desk: its orders, what its owners hold, what comes back from the exchange. The only way to an exchange.

Orders leave through desk_door, desk_rests makes what rests what should rest, and what the exchange tells goes through desk_books to
its owner: a bot's runner, or nobody for orders made by hand. What really is there is compared in desk_check, and desk_watch looks that
nothing stands without a stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

import structlog

from haechi.core.holdings import Holdings
from haechi.core.instrument import Instrument
from haechi.core.risk import Intent, View
from haechi.exchanges.port import Accepted, Bar, Event, Moved, Price, Traceable
from haechi.platform.clock import Clock
from haechi.trading.alarms import Alarms
from haechi.trading.desk_books import Books
from haechi.trading.desk_check import Check
from haechi.trading.desk_door import Answer, Door
from haechi.trading.desk_over import Over
from haechi.trading.desk_rests import Rests
from haechi.trading.desk_watch import Watch
from haechi.trading.gate import Gate
from haechi.trading.lease import LeaseLost
from haechi.trading.manual import ManualFace
from haechi.trading.models import PAPER, UNKNOWN
from haechi.trading.owner import Owner
from haechi.trading.reserve import Reserve
from haechi.trading.scribe import Scribe, Unwritten, Work
from haechi.trading.working import Orders, Ticket

ZERO = Decimal(0)
DAY_MS = 86_400_000

log = structlog.get_logger(__name__)


class Face(Protocol):
    """An owner's runner, as the desk sees it. symbol '': it follows what it needs itself."""

    owner: Owner
    symbol: str

    @property
    def watches_price(self) -> bool: ...

    @property
    def protected(self) -> bool:
        """Whether its plan rests a stop while it holds something."""
        ...

    @property
    def allocated(self) -> Decimal:
        """The equity it may use."""
        ...

    def take(self, event: Event, role: str = "") -> Awaitable[None]:
        """Taken in at once; what comes back ends when it has been acted on. role: of the order an event belongs to."""
        ...

    async def poke(self) -> None:
        """Look again at what should rest."""
        ...


@dataclass
class Office:
    """What all desks of a process share. leads: whether this process may trade at all."""

    scribe: Scribe
    gate: Gate
    alarms: Alarms
    clock: Clock
    reserve: Reserve
    leads: Callable[[], bool]
    unbeaten: Callable[[], bool] = lambda: True  # no other process is known to trade
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    key_refused: Callable[[str, str, Exception], None] = lambda _user_id, _account_id, _why: None  # all bots of that account must know


@dataclass(eq=False)
class Ear:
    """Listener (exchanges/port.py) of one symbol."""

    desk: Desk
    symbol: str
    prices: bool | None = None  # None: it does not listen yet

    async def hear(self, event: Event) -> None:
        await self.desk.hear(event)


@dataclass(eq=False)
class Desk:
    """Of one account at one exchange. `ready` from the first whole reconciliation on."""

    user_id: str
    account_id: str
    mode: str
    isolation: str
    exchange: Traceable
    office: Office
    holdings: Holdings
    orders: Orders = field(default_factory=Orders)
    known: dict[str, None] = field(default_factory=dict)  # exchange ids that are booked, newest last
    known_from_ms: int = 0  # an event older than this may be booked though it is not in `known`
    newest_ms: int = 0
    taken_over_ms: int = -1  # the newest event of before the account was ours
    counters: dict[str, int] = field(default_factory=dict)
    bots: set[str] = field(default_factory=set)  # every bot that ever had an order here
    wallet: Decimal = ZERO
    day: int = 0
    lost_today: Decimal = ZERO  # realised, with fees and funding; negative is a gain
    ready: bool = False
    mismatch: str = ""
    unbooked: str = ""  # what the ledger could not take, and why

    def __post_init__(self) -> None:
        self.clock, self.gate, self.scribe, self.reserve = (self.office.clock, self.office.gate, self.office.scribe, self.office.reserve)
        self.faces: dict[str, Face] = {}
        self.at: dict[str, list[Face]] = {}  # the same by symbol
        self.prices: dict[str, tuple[Decimal, int]] = {}
        self.leverages: dict[str, int] = {}
        self.instruments: dict[str, Instrument] = {}
        self.intents: dict[str, str | None] = {}
        self.ears: dict[str, Ear] = {}
        self.unheard: set[str] = set()  # of whom something was booked while they were not at work: who comes reads it in the books
        self.door, self.rests, self.books = Door(self), Rests(self), Books(self)
        self.check, self.watch, self.over = Check(self), Watch(self), Over(self)
        self.manual = ManualFace(self)
        self._tasks: list[asyncio.Task[None]] = []
        self.closed = False

    # ---- life

    async def open(self) -> None:
        """Reconcile; until that is done nothing is sent. Raises Unreachable or Refused.

        What fills or is paid while we ask must not fall between the asking and the listening, so the listening comes first.
        """
        for symbol in sorted({one.order.symbol for one in self.orders.working.values()} | set(self.holdings.symbols())):
            self.follow(symbol)
        await self.check.begin()
        self._tasks = [asyncio.create_task(self.check.live()), asyncio.create_task(self.watch.live())]

    async def close(self) -> None:
        """Nothing more is heard or sent; what rests stays where it is."""
        self.closed = True
        for ear in self.ears.values():
            self.exchange.unlisten(ear)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def attach(self, face: Face) -> None:
        """A bot comes to work, or who looks after what is done by hand."""
        self._leaves(face.owner.bot_id)
        self.faces[face.owner.bot_id] = face
        if face.owner.bot_id:
            self.calm(face.owner.bot_id, "bot_failed", key=face.owner.bot_id)
            self.bots.add(face.owner.bot_id)
        if face.symbol:
            self.at.setdefault(face.symbol, []).append(face)
            self.follow(face.symbol)

    def detach(self, face: Face) -> None:
        """It goes. Where another has come in its place meanwhile, that one stays."""
        if self.faces.get(face.owner.bot_id) is not face:
            return
        self._leaves(face.owner.bot_id)
        if face.symbol and not self.closed:
            self._unfollow(face.symbol)

    def _leaves(self, bot_id: str) -> None:
        face = self.faces.pop(bot_id, None)
        if face is not None and face.symbol:
            self.at[face.symbol].remove(face)

    def follow(self, symbol: str) -> None:
        """Hear this symbol's events."""
        prices = any(face.watches_price for face in self.at.get(symbol, ()))
        ear = self.ears.setdefault(symbol, Ear(self, symbol))
        if ear.prices != prices:
            ear.prices = prices
            self.exchange.listen(ear, symbol=symbol, prices=prices)

    def _unfollow(self, symbol: str) -> None:
        """What is held or rests there is followed on."""
        if self.at.get(symbol):
            self.follow(symbol)
        elif symbol in self.ears and not self.holdings.owners(symbol) and not any(
                one.order.symbol == symbol for one in self.orders.working.values()):
            self.exchange.unlisten(self.ears.pop(symbol))

    # ---- what the gate sees

    def intent(self, ticket: Ticket) -> Intent:
        price = ticket.price or ticket.trigger or self.price(ticket.symbol)
        trigger = ticket.trigger if ticket.kind == "stop_limit" and ticket.trigger else ZERO
        return Intent(ticket.symbol, ticket.side, ticket.quantity, price, ticket.quantity * price, ticket.leverage,
                      ticket.reduce_only or ticket.repairs, ticket.kind, trigger, ticket.intent or "")

    def price(self, symbol: str) -> Decimal:
        """The last one heard, 0 when none was."""
        return self.prices.get(symbol, (ZERO, 0))[0]

    def reducible(self, symbol: str, side: str) -> Decimal:
        """By the books, how much the account as a whole holds on the side that an order of this side takes from; negative: on the other."""
        total = self.holdings.total(symbol)
        return total if side == "sell" else -total

    def view(self, owner: Owner, symbol: str) -> View:
        now = self.clock.now_ms()
        price, heard_ms = self.prices.get(symbol, (ZERO, 0))
        equity, holds = self.equity, self._worse_sides(lambda worth, _leverage: worth)
        margin = sum(self._worse_sides(lambda worth, leverage: worth / leverage).values(), ZERO)
        short, long = self._others(owner, symbol)
        face = self.faces.get(owner.bot_id)
        mine = self.holdings.quantity(owner.bot_id, symbol)
        total = self.holdings.total(symbol)
        return View(equity=equity, available=equity - margin, allocated=face.allocated if face else equity, position=mine,
                    position_notional=holds.get(symbol, ZERO), positions=len(holds), market=price, age_ms=now - heard_ms,
                    loss_today=self.loss_today(now), others=total - mine, doubts=self.doubts(), others_short=short, others_long=long)

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.unrealised

    @property
    def unrealised(self) -> Decimal:
        holdings = self.holdings
        return sum((self.unrealised_of(owner, symbol) for symbol in holdings.symbols() for owner in holdings.owners(symbol)), ZERO)

    def unrealised_of(self, owner: str, symbol: str) -> Decimal:
        """At the last price heard."""
        price = self.price(symbol)
        return self.holdings.quantity(owner, symbol) * (price - self.holdings.entry(owner, symbol)) if price else ZERO

    def _worse_sides(self, weigh: Callable[[Decimal, int], Decimal]) -> dict[str, Decimal]:
        """Of each symbol that is held, or that what rests or is on its way may open: the worse side, for both can never be held at once.
        weigh: worth and leverage -> what counts of it."""
        holdings = self.holdings
        sides = {symbol: (ZERO, ZERO) for symbol in holdings.symbols() if holdings.total(symbol)}
        for one in self.orders.adding():
            price = one.order.price or one.order.trigger or self.price(one.order.symbol)
            adds, (buys, sells) = weigh(one.left * price, max(one.leverage, 1)), sides.get(one.order.symbol, (ZERO, ZERO))
            sides[one.order.symbol] = (buys + adds, sells) if one.order.side == "buy" else (buys, sells + adds)
        held = {symbol: weigh(holdings.total(symbol) * self.price(symbol), self.leverages.get(symbol, 1)) for symbol in sides}
        return {symbol: max(abs(now), abs(now + sides[symbol][0]), abs(now - sides[symbol][1])) for symbol, now in held.items()}

    def _others(self, owner: Owner, symbol: str) -> tuple[Decimal, Decimal]:
        """How far short (negative) and long the account's other owners may come to be on a symbol, each when all it has ordered fills."""
        low = {name: self.holdings.quantity(name, symbol) for name in self.holdings.owners(symbol)}
        high = dict(low)
        for one in self.orders.adding():
            if one.order.symbol == symbol:
                side, change = (high, one.left) if one.order.side == "buy" else (low, -one.left)
                side[one.owner] = side.get(one.owner, ZERO) + change
        return (sum((min(amount, ZERO) for name, amount in low.items() if name != owner.bot_id), ZERO),
                sum((max(amount, ZERO) for name, amount in high.items() if name != owner.bot_id), ZERO))

    def loss_today(self, now: int) -> Decimal:
        if now // DAY_MS != self.day:
            self.day, self.lost_today = now // DAY_MS, ZERO
        return max(self.lost_today - self.unrealised, ZERO)

    def doubts(self) -> tuple[str, ...]:
        """Why no new risk may be taken, all of them."""
        found = []
        if not self.ready:
            found.append("reconciling")
        if not self.office.leads():
            found.append("lease")
        if any(one.status == UNKNOWN for one in self.orders.working.values()):
            found.append("unknown_order")
        if self.mismatch:
            found.append("mismatch")
        if self.over.found:
            found.append("over_closed")
        if self.unbooked:
            found.append("unbooked")
        blind = self.exchange.blind()
        return (*found, f"blind: {blind}") if blind else tuple(found)

    # ---- orders

    def next_id(self, owner: Owner) -> str:
        """The next client id: the same after every restart, for ids are only counted on when a row or a reserve line has them."""
        made = self.coming_id(owner)
        self.counters[owner.prefix] = self.counters.get(owner.prefix, 0) + 1
        return made

    def coming_id(self, owner: Owner) -> str:
        """What `next_id` will give: who sends before anything else is awaited knows its order's id beforehand."""
        return f"{owner.prefix}-{self.counters.get(owner.prefix, 0) + 1:06d}"

    async def send(self, owner: Owner, tickets: list[Ticket], *, also: Work | None = None) -> list[Answer]:
        """Orders through the gate and out, each with its answer."""
        return await self.door.send(owner, tickets, also=also)

    async def cancel(self, owner: Owner, client_id: str) -> bool:
        """Take an order of this owner away. False: it is not there (any more)."""
        one = self.orders.working.get(client_id)
        if one is None or one.owner != owner.bot_id or one.foreign:
            return False
        return isinstance(await self.door.cancel(one), Accepted)

    async def withdraw(self, *, bot_id: str | None = None) -> int:
        """Cancel what could take on risk, of one bot or of all: what a kill switch does. How many were asked."""
        asked = [one for one in self.orders.adding() if bot_id in (None, one.owner) and self.rests.cancelable(one)]
        await asyncio.gather(*(self.door.cancel(one) for one in asked))
        return len(asked)

    # ---- what comes back

    async def hear(self, event: Event | Moved) -> None:
        """One event of the exchange, booked once, handed to whom it concerns. Returns when they have acted."""
        if self.closed:
            return
        match event:
            case Bar():
                self.prices[event.symbol] = event.close, self._closed_ms(event)
                await self._tell_all(event.symbol, event)
            case Price():
                self.prices[event.symbol] = event.price, self.clock.now_ms()
                await self._tell_all(event.symbol, event)
            case _:
                await self.books.hear(event)

    def _closed_ms(self, bar: Bar) -> int:
        """When its price was the market's: at its close, however late it is told. A paper market goes by a clock of its own: now."""
        return self.clock.now_ms() if self.mode == PAPER else bar.ts + bar.timeframe_ms

    async def _tell_all(self, symbol: str, event: Bar | Price) -> None:
        faces = [face for face in self.at.get(symbol, ()) if face.watches_price or not isinstance(event, Price)]
        if len(faces) == 1:
            await faces[0].take(event)
        elif faces:
            await asyncio.gather(*(face.take(event) for face in faces))

    # ---- small things

    @property
    def idle(self) -> bool:
        """Nobody works here, nothing rests, nothing is held: it may be closed."""
        return not self.faces and not self.orders.working and not self.holdings.symbols()

    def owner(self, bot_id: str) -> Owner:
        return Owner(self.user_id, self.account_id, bot_id)

    def later(self, work: Work, *, or_else: Callable[[BaseException], None] | None = None) -> None:
        """Written in its turn. or_else: hears why it never will be, while this desk is open and this process the one that trades; what
        has one is no line that may be lost, however much waits."""
        try:
            written = self.scribe.later(work, always=or_else is not None)
        except Unwritten:
            log.exception("line_lost", account_id=self.account_id)
            return
        if or_else is not None:
            written.add_done_callback(lambda done: self._heard_why(done, or_else))

    def _heard_why(self, done: asyncio.Future[object], or_else: Callable[[BaseException], None]) -> None:
        fault = None if done.cancelled() else done.exception()
        if fault is not None and not self.closed and not isinstance(fault, Unwritten | LeaseLost):
            or_else(fault)

    def alarm(self, bot_id: str, code: str, *, key: str, **facts: object) -> None:
        self.office.alarms.ring(self.owner(bot_id), code, key=key, **facts)

    def calm(self, bot_id: str, code: str, *, key: str) -> None:
        self.office.alarms.clear(self.owner(bot_id), code, key=key)
