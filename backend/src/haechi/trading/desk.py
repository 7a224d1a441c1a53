"""One account's desk: its orders, what its owners hold, what comes back from the exchange. The only way to an exchange.

Orders leave through desk_door, what really is there is compared in desk_check, and desk_watch looks that nothing stands without a
stop. What the exchange tells is booked once and handed to its owner: a bot's runner, or nobody for orders made by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Protocol

import structlog
from sqlalchemy import bindparam, select, update

from haechi.core.holdings import FEES, REALIZED, WALLET, Holdings, Piece
from haechi.core.instrument import Instrument
from haechi.core.risk import PASSING, Intent, Refused, View
from haechi.exchanges.port import Accepted, Bar, Event, Fill, Gone, Liquidated, Moved, Paid, Price, Rejected, Traceable
from haechi.platform.clock import Clock
from haechi.platform.db import Session
from haechi.platform.points import reached
from haechi.trading import ledger
from haechi.trading.alarms import Alarms
from haechi.trading.desk_check import Check
from haechi.trading.desk_door import ORDERS, Answer, Door, Sent, moved
from haechi.trading.desk_over import Over
from haechi.trading.desk_watch import Watch
from haechi.trading.gate import Gate
from haechi.trading.lease import LeaseLost
from haechi.trading.manual import ManualFace
from haechi.trading.models import CANCELED, EXTERNAL, FILLED, REJECTED, UNKNOWN, Order
from haechi.trading.owner import EXTERNAL_OWNER, MANUAL_OWNER, Owner
from haechi.trading.reserve import Reserve
from haechi.trading.scribe import Scribe, Unwritten, Work
from haechi.trading.working import Orders, Ticket, Working, working_of

ZERO = Decimal(0)
DAY_MS = 86_400_000
SEEN_KEPT = 100_000
BACK_OFF_MS = (1_000, 2_000, 5_000, 15_000, 60_000)
STOP_BACK_OFF_MS = (1_000, 1_000, 2_000, 5_000)  # protection is tried more eagerly
DOUBT_MS = 2_000  # a stop that may or may not be there is placed again after this
STOP = "stop"
THROUGH = frozenset({"trigger", "price"})  # the market is beyond the stop already

FILLED_SO_FAR = (update(ORDERS).where(ORDERS.c.user_id == bindparam("of_user"), ORDERS.c.id == bindparam("of_id"))
                 .values(filled=bindparam("so_far"), updated_ms=bindparam("now")))

log = structlog.get_logger(__name__)


def is_stop(role: str) -> bool:
    """That of a bracket carries its entry's number."""
    return role.partition(":")[0] == STOP


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

    async def take(self, event: Event, role: str = "") -> None:
        """Returns when it has been acted on. role: of the order an event belongs to."""
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


@dataclass
class Backing:
    """How often a role was refused in a row, and when it may be tried again."""

    tries: int = 0
    next_ms: int = 0


@dataclass(eq=False)
class Ear:
    """Listener (exchanges/port.py) of one symbol."""

    desk: Desk
    symbol: str
    prices: bool

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
    skew_ms: int = 0

    def __post_init__(self) -> None:
        self.clock, self.gate, self.scribe, self.reserve = (self.office.clock, self.office.gate, self.office.scribe, self.office.reserve)
        self.faces: dict[str, Face] = {}
        self.at: dict[str, list[Face]] = {}  # the same by symbol
        self.prices: dict[str, tuple[Decimal, int]] = {}
        self.leverages: dict[str, int] = {}
        self.instruments: dict[str, Instrument] = {}
        self.intents: dict[str, str | None] = {}
        self.ears: dict[str, Ear] = {}
        self.filled_ms: dict[tuple[str, str], int] = {}  # (owner, symbol) -> when it last changed
        self.unheard: set[str] = set()  # of whom something was booked while they were not at work: who comes reads it in the books
        self.door, self.check, self.watch, self.over = Door(self), Check(self), Watch(self), Over(self)
        self.manual = ManualFace(self)
        self._backing: dict[tuple[str, str], Backing] = {}
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

    def detach(self, bot_id: str) -> None:
        face = self._leaves(bot_id)
        if face is not None and face.symbol:
            self._unfollow(face.symbol)

    def _leaves(self, bot_id: str) -> Face | None:
        face = self.faces.pop(bot_id, None)
        if face is not None and face.symbol:
            self.at[face.symbol].remove(face)
        return face

    def follow(self, symbol: str) -> None:
        """Hear this symbol's events."""
        prices = any(face.watches_price for face in self.at.get(symbol, ()))
        ear = self.ears.get(symbol)
        if ear is not None and ear.prices == prices:
            return
        if ear is not None:
            self.exchange.unlisten(ear)
        self.ears[symbol] = Ear(self, symbol, prices)
        self.exchange.listen(self.ears[symbol], symbol=symbol, prices=prices)

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

    def view(self, owner: Owner, symbol: str) -> View:
        now = self.clock.now_ms()
        price, heard_ms = self.prices.get(symbol, (ZERO, 0))
        equity = self.equity
        face = self.faces.get(owner.bot_id)
        mine = self.holdings.quantity(owner.bot_id, symbol)
        total = self.holdings.total(symbol)
        held = [name for name in self.holdings.symbols() if self.holdings.total(name)]
        return View(equity=equity, available=equity - self._margin(held), allocated=face.allocated if face else equity, position=mine,
                    position_notional=abs(total) * price, positions=len(held), market=price, age_ms=now - heard_ms, skew_ms=self.skew_ms,
                    loss_today=self.loss_today(now), others=total - mine, doubts=self.doubts())

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

    def _margin(self, held: list[str]) -> Decimal:
        """Of positions and of what rests to make them larger: of each symbol the worse side, for both can never be held at once."""
        sides = {symbol: (ZERO, ZERO) for symbol in held}
        for one in self.orders.adding():
            price = one.order.price or one.order.trigger or self.price(one.order.symbol)
            needs, (buys, sells) = one.left * price / max(one.leverage, 1), sides.get(one.order.symbol, (ZERO, ZERO))
            sides[one.order.symbol] = (buys + needs, sells) if one.order.side == "buy" else (buys, sells + needs)
        used = ZERO
        for symbol, (buys, sells) in sides.items():
            holds = self.holdings.total(symbol) * self.price(symbol) / self.leverages.get(symbol, 1)
            used += max(abs(holds), abs(holds + buys), abs(holds - sells))
        return used

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

    async def converge(self, owner: Owner, wanted: Mapping[str, Ticket], *, also: Callable[[], Work],
                       among: Callable[[Working], bool] = lambda _one: True) -> list[tuple[Ticket, Answer]]:
        """Make what rests equal what should rest: the new order first, then the old one goes. Answers of what was sent.

        What protects stays until the exchange has confirmed what replaces it.

        also: makes the work that is written with what is sent. among: whose orders these are; others of the owner are left alone.
        """
        missing, wrong, kept = dict(wanted), [], set[str]()
        for one in filter(among, self.orders.of(owner.bot_id)):
            ticket = missing.get(one.role)
            if one.order.kind == "market" and ticket is None:
                continue
            right = ticket is not None and one.rests_as(ticket) and not one.canceling and not self._lost_sight(one)
            if right or (ticket is not None and self._may_be_there(one)):
                del missing[one.role]
                if not (right and one.status == "open"):
                    kept.add(one.role)
            else:
                wrong.append(one)
        now = self.clock.now_ms()
        due = [ticket for ticket in missing.values() if self._backing_of(owner, ticket.role).next_ms <= now]
        answers = list(zip(due, await self.send(owner, due, also=also()), strict=True)) if due else []
        kept |= {ticket.role for ticket in missing.values() if ticket not in due}
        for ticket, answer in answers:
            if not await self._tried(owner, ticket, answer):
                kept.add(ticket.role)
        for one in wrong:
            if one.id in self.orders.working and not (one.role in kept and one.order.reduce_only) and self._cancelable(one):
                await self.door.cancel(one)
        return answers

    def _lost_sight(self, one: Working) -> bool:
        """A stop whose sending nobody answered for so long that another one is better than none."""
        return one.status == UNKNOWN and one.order.reduce_only and self.clock.now_ms() - one.sent_ms >= DOUBT_MS

    def _may_be_there(self, one: Working) -> bool:
        """It is on its way, or may be: what adds risk gets no second one before the exchange has said."""
        return (one.status != "open" and not self._lost_sight(one)) or (one.order.kind == "market" and not self._lost_sight(one))

    def _cancelable(self, one: Working) -> bool:
        """Not asked a moment ago."""
        return not one.canceling or self.clock.now_ms() - one.asked_ms >= DOUBT_MS

    def _backing_of(self, owner: Owner, role: str) -> Backing:
        return self._backing.setdefault((owner.bot_id, role), Backing())

    async def _tried(self, owner: Owner, ticket: Ticket, answer: Answer) -> bool:
        """Count it; a stop that the market has passed is closed at the market. False: the old one stays where it is."""
        if isinstance(answer, Sent) and isinstance(answer.outcome, Accepted):
            self._backing.pop((owner.bot_id, ticket.role), None)
            return True
        backing = self._backing_of(owner, ticket.role)
        if isinstance(answer, Refused) and answer.rule in PASSING:  # too many at once, nothing is wrong with it: a large grid is laid so
            backing.tries, backing.next_ms = max(backing.tries, 1), self.clock.now_ms() + BACK_OFF_MS[0]
            return not ticket.reduce_only
        steps = STOP_BACK_OFF_MS if is_stop(ticket.role) else BACK_OFF_MS
        backing.next_ms = self.clock.now_ms() + steps[min(backing.tries, len(steps) - 1)]
        backing.tries += 1
        if is_stop(ticket.role) and isinstance(answer, Sent) and isinstance(answer.outcome, Rejected):
            return await self._stop_refused(owner, ticket, answer.outcome, backing.tries)
        return not ticket.reduce_only

    async def _stop_refused(self, owner: Owner, ticket: Ticket, refused: Rejected, tries: int) -> bool:
        if refused.reason == "no_position":
            self.check.soon()
            return False
        self.alarm(owner.bot_id, "stop_refused", key=f"{owner.bot_id}:{ticket.symbol}", reason=refused.reason, tries=tries)
        if refused.reason in THROUGH or tries >= len(STOP_BACK_OFF_MS):
            close = Ticket(ticket.role, ticket.symbol, ticket.side, ticket.quantity, "market", reduce_only=True, leverage=ticket.leverage)
            answer = (await self.send(owner, [close]))[0]
            return isinstance(answer, Sent) and isinstance(answer.outcome, Accepted)
        return False

    def due_again(self, now: int) -> set[str]:
        """Of whom something waits for another try that is due."""
        return {owner for (owner, _), backing in self._backing.items() if backing.tries and backing.next_ms <= now}

    def settle_roles(self, owner: Owner, wanted: Mapping[str, Ticket]) -> None:
        """What is no longer wished needs no other try."""
        for name, role in [key for key in self._backing if key[0] == owner.bot_id and key[1] not in wanted]:
            del self._backing[name, role]

    async def cancel(self, owner: Owner, client_id: str) -> bool:
        """Take an order of this owner away. False: it is not there (any more)."""
        one = self.orders.working.get(client_id)
        if one is None or one.owner != owner.bot_id or one.foreign:
            return False
        return isinstance(await self.door.cancel(one), Accepted)

    async def withdraw(self, *, bot_id: str | None = None) -> int:
        """Cancel what could take on risk, of one bot or of all: what a kill switch does. How many were asked."""
        asked = [one for one in self.orders.adding() if bot_id in (None, one.owner) and self._cancelable(one)]
        await asyncio.gather(*(self.door.cancel(one) for one in asked))
        return len(asked)

    # ---- what comes back

    async def hear(self, event: Event | Moved) -> None:
        """One event of the exchange, booked once, handed to whom it concerns. Returns when they have acted."""
        if self.closed:
            return
        match event:
            case Bar():
                self.prices[event.symbol] = event.close, self.clock.now_ms()
                await self._tell_all(event.symbol, event)
            case Price():
                self.prices[event.symbol] = event.price, self.clock.now_ms()
                await self._tell_all(event.symbol, event)
            case Fill():
                await self._filled(event)
            case Gone():
                await self._gone(event)
            case Paid() | Liquidated() | Moved():
                await self._shared(event)

    async def _tell_all(self, symbol: str, event: Bar | Price) -> None:
        faces = [face for face in self.at.get(symbol, ()) if face.watches_price or not isinstance(event, Price)]
        if len(faces) == 1:
            await faces[0].take(event)
        elif faces:
            await asyncio.gather(*(face.take(event) for face in faces))

    async def _filled(self, fill: Fill) -> None:
        if await self._booked_before(fill.trade_id, fill.time_ms, ours=self._owner_of(fill.client_id) != EXTERNAL_OWNER):
            return
        reached("before_fill")
        one = self.orders.find(fill.client_id) or await self._from_table(fill.client_id)
        owner = one.owner if one is not None else self._owner_of(fill.client_id)
        pieces = self.holdings.apply(fill, owner)
        role = one.role if one is not None else ""
        if one is not None:
            one.filled += fill.quantity
            if one.left <= 0:
                self.orders.end(one, FILLED)
            elif one.status == UNKNOWN:
                one.status = "open"
        reached("before_booking")
        self._book(fill, pieces, order_id=one.id if one else fill.client_id[:48], one=one)
        self.over.heard(owner, fill, one)
        for piece in pieces:
            part = fill if piece.owner == owner else part_of(fill, piece)
            self.filled_ms[piece.owner, fill.symbol] = self.clock.now_ms()
            await self._hand(piece.owner, part, role)

    async def _hand(self, owner: str, event: Event, role: str = "") -> None:
        face = self.manual if owner == MANUAL_OWNER else self.faces.get(owner)
        if face is not None:
            await face.take(event, role)
        else:
            self.unheard.add(owner)

    async def _gone(self, event: Gone) -> None:
        one = self.orders.working.get(event.client_id)
        if one is None:
            return
        self.orders.end(one, CANCELED if event.reason == "canceled" else REJECTED)
        self.later(moved(self.user_id, one.id, one.status, self.clock.now_ms(), reason=event.reason[:32]))
        if not one.canceling:
            await self._hand(one.owner, event, one.role)

    async def _shared(self, event: Paid | Liquidated | Moved) -> None:
        """An event of the whole position or of the wallet: each owner has its part of it."""
        name = event.payment_id if isinstance(event, Paid) else event.trade_id if isinstance(event, Liquidated) else event.movement_id
        if await self._booked_before(name, event.time_ms):
            return
        pieces = self.holdings.apply(event, EXTERNAL_OWNER)
        self._book(event, pieces, order_id="", one=None)
        if isinstance(event, Moved):
            return
        for piece in pieces:
            part: Event
            if isinstance(event, Paid):
                part = Paid(event.payment_id, event.symbol, -piece.amounts.get(WALLET, ZERO), event.time_ms)
            else:
                part = Liquidated(event.trade_id, event.symbol, event.side, abs(piece.quantity), event.price,
                                  -piece.amounts.get(WALLET, ZERO), event.time_ms)
            await self._hand(piece.owner, part)

    async def _booked_before(self, exchange_id: str, time_ms: int, *, ours: bool = False) -> bool:
        """Or before the account was taken over: the opening balance has it. ours: of an order of ours, so it cannot have."""
        if exchange_id in self.known or (time_ms <= self.taken_over_ms and not ours):
            return True
        self.known[exchange_id] = None  # at once: it may come twice in one moment
        if len(self.known) > SEEN_KEPT:
            del self.known[next(iter(self.known))]
        self.newest_ms = max(self.newest_ms, time_ms)
        return time_ms <= self.known_from_ms and await self.check.in_books(exchange_id)

    def _book(self, event: Fill | Paid | Liquidated | Moved, pieces: list[Piece], *, order_id: str,
              one: Working | None) -> None:
        """Order, fill and ledger entries in one transaction; with no database now, then later: the exchange has it meanwhile."""
        change = sum((piece.amounts.get(WALLET, ZERO) for piece in pieces), ZERO)
        self.wallet += change
        if not isinstance(event, Moved):
            self.loss_today(self.clock.now_ms())
            self.lost_today -= change
        user_id, account_id, now = self.user_id, self.account_id, self.clock.now_ms()
        state = None if one is None else (one.id, one.filled, one.status)

        async def work(session: Session) -> None:
            fresh = await ledger.record(session, user_id=user_id, account_id=account_id, event=event, pieces=pieces, order_id=order_id)
            if fresh and state is not None:
                client_id, filled, status = state
                await session.execute(FILLED_SO_FAR, {"of_user": user_id, "of_id": client_id, "so_far": filled, "now": now})
                if status == FILLED:
                    await moved(user_id, client_id, FILLED, now)(session)
            reached("in_booking")

        self.later(work, or_else=partial(self._unbooked, ledger.named(event)[1]))

    def _unbooked(self, exchange_id: str, fault: BaseException) -> None:
        """By a fault that is ours: the database is there and does not take it. A restart fetches it again; until then nothing is added."""
        self.unbooked = f"{exchange_id}: {type(fault).__name__}"
        self.alarm("", "unbooked", key="", event=exchange_id, fault=type(fault).__name__)

    async def _from_table(self, client_id: str) -> Working | None:
        """An order that ended long ago and fills after all."""
        if not client_id:
            return None

        async def read(session: Session) -> Order | None:
            query = select(Order).where(Order.user_id == self.user_id, Order.account_id == self.account_id, Order.id == client_id)
            return (await session.execute(query)).scalar_one_or_none()

        try:
            row = await self.scribe.write(read)
        except Unwritten:
            return None
        if row is None or row.origin == EXTERNAL:
            return None
        found = working_of(row)
        self.orders.ended[found.id] = found
        return found

    def _owner_of(self, client_id: str) -> str:
        """Of an order that no table has: its id says whose it is, when it is one of ours at all."""
        name = client_id.rpartition("-")[0]
        if name == f"m{self.account_id}":
            return MANUAL_OWNER
        return name if name in self.bots else EXTERNAL_OWNER

    # ---- small things

    @property
    def idle(self) -> bool:
        """Nobody works here, nothing rests, nothing is held: it may be closed."""
        return not self.faces and not self.orders.working and not self.holdings.symbols()

    def owner(self, bot_id: str) -> Owner:
        return Owner(self.user_id, self.account_id, bot_id)

    def later(self, work: Work, *, or_else: Callable[[BaseException], None] | None = None) -> None:
        """Written in its turn. or_else: hears why it never will be, while this desk is open and this process the one that trades."""
        try:
            written = self.scribe.later(work)
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


def part_of(fill: Fill, piece: Piece) -> Fill:
    """What somebody else's fill took from this owner's part: closed by hand at the exchange, as far as it knows."""
    return Fill(fill.trade_id, fill.client_id, fill.symbol, fill.side, abs(piece.quantity), fill.price, piece.amounts.get(FEES, ZERO),
                -piece.amounts.get(REALIZED, ZERO), fill.maker, fill.market, fill.time_ms)
