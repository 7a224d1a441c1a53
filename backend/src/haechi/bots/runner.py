"""A bot at work: its inbox, its journal, its mind, its part of a desk. Acts on one event after the other, in the order they came.

Entries are wishes, sent once. What should rest, and an exit that was wished, are a state: they are sent until they are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from haechi.bots.ending import Ending
from haechi.bots.grid_mind import START, GridMind
from haechi.bots.hearing import Hearing
from haechi.bots.mind import Mind
from haechi.bots.states import Saved, saving
from haechi.bots.why import Whys
from haechi.core import risk
from haechi.core.live import Wanted
from haechi.core.risk import Refused
from haechi.core.units import unscaled
from haechi.exchanges.port import Accepted, Bar, Event, Fill, Gone, Liquidated, Paid, Price, Rejected
from haechi.platform.clock import Clock
from haechi.platform.db import Session
from haechi.platform.points import reached
from haechi.trading.desk import Desk
from haechi.trading.desk_door import Answer, Sent
from haechi.trading.journal import Journal
from haechi.trading.owner import Owner
from haechi.trading.scribe import Unwritten
from haechi.trading.working import Ticket

SAVED_EVERY_BARS = 50  # a restart has at most so many bars to think over again
EXIT, ENTRY = "exit", "entry"
ONCE = frozenset({ENTRY, START})  # sent once, for one moment: the plan hears of every refusal
# Refusals that pass by themselves: what should rest is tried again, the plan does not hear of them.
PASSING = risk.PASSING | frozenset({
    "doubt", "killed", "stale_data", "clock_skew", "unknown", "reduces_at_most", "rate", "maintenance",
    "busy", "clock", "unreachable", "closed", "deleveraging", "journal", "lease", "mode", "key", "no_position",
    "never_arrived", "not_sent"})

log = structlog.get_logger(__name__)
Say = Callable[..., Awaitable[None]]


class Stop(msgspec.Struct, frozen=True):
    """The user's wish to end; flatten: close what is held first."""

    flatten: bool = True


class Poke(msgspec.Struct, frozen=True):
    """Look again at what should rest."""


Heard = Event | Stop | Poke


class Runner:
    """Face (trading/desk.py) of one bot. `say` writes its log; `ended` is set when it has stopped, `fault` says why if it fell."""

    def __init__(self, owner: Owner, mind: Mind | GridMind, journal: Journal, desk: Desk, clock: Clock, say: Say, *,
                 heard: int = 0) -> None:
        self.owner, self.mind, self.journal, self.desk, self.clock, self.say = owner, mind, journal, desk, clock, say
        self.symbol, self.booked = mind.spec.instrument.symbol, heard
        self.hearing = Hearing(self)
        self.whys = Whys()
        self.inbox: asyncio.Queue[tuple[Heard, str, asyncio.Future[None]]] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.stopping: Stop | None = None
        self.exiting = False
        self.fault: BaseException | None = None
        self.finished: Callable[[], Awaitable[None]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._rested: dict[str, Wanted] = {}
        self._unsaved_bars = 0
        self._fills_waiting = 0  # of its inbox: their orders are over, and its mind does not know
        self._told: set[tuple[str, str]] = set()  # refusals of what rests that the log has
        self._ending = Ending(self)

    # ---- the desk's side

    @property
    def watches_price(self) -> bool:
        return self.mind.watches_price

    @property
    def protected(self) -> bool:
        return bool(self.mind.protected)

    @property
    def allocated(self) -> Any:
        return unscaled(self.mind.equity)

    def take(self, event: Heard, role: str = "") -> asyncio.Future[None]:
        """In its inbox at once. What comes back is done when the event has been acted on: a simulated market waits for its bots."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.ended.is_set() or self._task is None or (isinstance(event, Price) and not self._heeds_prices):
            done.set_result(None)
            return done
        self._fills_waiting += isinstance(event, Fill)
        self.inbox.put_nowait((event, role, done))
        if asyncio.current_task() is not self._task:
            return done
        later: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # what it causes itself is acted on afterwards
        later.set_result(None)
        return later

    @property
    def _heeds_prices(self) -> bool:
        """A strategy that holds nothing waits for its bars; what it has not yet acted on may change that."""
        return self.mind.position != 0 or not self.inbox.empty() or isinstance(self.mind, GridMind)

    async def poke(self) -> None:
        if self.inbox.empty():
            await self.take(Poke())

    # ---- life

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())
        self.desk.attach(self)

    def begin(self) -> None:
        """At work; the first it does is to look at what should rest. Nobody waits for that."""
        self.start()
        self.inbox.put_nowait((Poke(), "", asyncio.get_running_loop().create_future()))

    async def _work(self) -> None:
        try:
            while not self.ended.is_set():
                event, role, done = await self.inbox.get()
                self._fills_waiting -= isinstance(event, Fill)
                try:
                    await self._act(event, role)
                finally:
                    if not done.done():
                        done.set_result(None)
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            self.fault = fault
            log.exception("bot_failed", bot_id=self.owner.bot_id)
        finally:
            self._end()
        if self.finished is not None:
            await self.finished()

    def _end(self) -> None:
        self.ended.set()
        self.journal.close()
        self.desk.detach(self)
        self.hearing.close()
        while not self.inbox.empty():
            _, _, done = self.inbox.get_nowait()
            if not done.done():
                done.set_result(None)

    async def close(self) -> None:
        """At the end of the process: nothing more is heard, nothing is sent."""
        tasks = [task for task in (self._task, self._ending.task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not self.ended.is_set():
            self._end()

    # ---- one event

    async def _act(self, event: Heard, role: str) -> None:
        """Mind first, then one transaction with its state and the intents, then out."""
        if self.journal.overfull:
            self._journal_anew()
        wishes = await self._thought(event, role)
        reached("after_heard")
        if wishes and (self.stopping is None or not self.stopping.flatten):
            wishes = wishes if self.stopping is None else [wish for wish in wishes if wish.reduce_only]
            await self._wish(wishes)
        if self.mind.position == 0:
            self.exiting = False
        if getattr(self.mind, "finished", False) and self.stopping is None:
            self.stopping = Stop()  # its plan is over: a grid that met its stop or its target
        if self._fills_waiting:
            return  # an order whose fill is not thought of yet would be missing, and be sent again
        await self._converge()
        if self.stopping is not None and not self._fills_waiting:
            await self._leave(self.stopping)

    async def _thought(self, event: Heard, role: str) -> list[Wanted]:
        mind = self.mind
        match event:
            case Fill():
                self.journal.write("fill", role=role, event=event)
                self.booked += 1
                await self.say("fill", role=role, side=event.side, quantity=str(event.quantity), price=str(event.price), fee=str(event.fee))
                wishes = mind.heard(event, role)
                self._save_later()
                return wishes
            case Gone():
                await self.refused(role, event.reason)
            case Paid() | Liquidated():
                paid = isinstance(event, Paid)
                self.journal.write("paid" if paid else "liquidated", event=event)
                self.booked += 1
                await self.say("funding" if paid else "liquidation", symbol=event.symbol)
                wishes = mind.heard(event)
                self._save_later()
                return wishes
            case Stop():
                self.journal.write("stop")
                self.stopping = event
            case Price():
                self.journal.write("price", event=event)
                return mind.heard(event)
            case Bar():
                return await self._bar(event)
        return []

    async def _bar(self, bar: Bar) -> list[Wanted]:
        signal = await self.hearing.signal(bar)
        if isinstance(self.mind, Mind):
            self.journal.write("bar", event=bar, signal=signal)
            wishes = self.mind.heard(bar, signal=signal)
            if signal is not None:
                self.whys.bar(signal, wishes, self.mind.position, self.mind.against)
        else:
            self.journal.write("bar", event=bar)
            wishes = self.mind.heard(bar)
        self._unsaved_bars += 1
        if self._unsaved_bars >= SAVED_EVERY_BARS:
            self._save_later()
        return wishes

    # ---- wishes

    async def _wish(self, wishes: list[Wanted]) -> None:
        """Each once. An entry whose bars are over makes room for the next; an exit goes on until it is done."""
        self.journal.write("wish", orders=wishes)
        roles = {wish.role for wish in wishes}
        for one in [one for one in self.desk.orders.of(self.owner.bot_id) if one.role in roles and one.order.kind != "market"]:
            await self.desk.door.cancel(one)
        self.exiting = self.exiting or EXIT in roles
        wishes = [wish for wish in wishes if not self._under_way(wish.role)]
        tickets = [self._ticket(wish, intent=self._intent(wish)) for wish in wishes]
        saving, kept = self._saving(), [wish.role for wish in wishes if not wish.reduce_only and self.journal.stuck]
        if kept:  # nothing that adds risk leaves before its line is in the file
            wishes, tickets = [one for one in wishes if one.reduce_only], [one for one in tickets if one.reduce_only]
        for wish, answer in zip(wishes, await self.desk.send(self.owner, tickets, also=saving), strict=True):
            await self._answered(wish.role, answer, once=wish.role != EXIT)
        for role in kept:
            await self._answered(role, Refused("journal", role, "a disk that takes lines"), once=True)

    def _under_way(self, role: str) -> bool:
        """An exit that is being sent already; an entry of which nobody knows whether it is still there."""
        return any(one.role == role for one in self.desk.orders.of(self.owner.bot_id))

    def _intent(self, wish: Wanted) -> str | None:
        key = getattr(self.mind, "wish_key", None)
        return f"{self.owner.bot_id}:{key(wish)}"[:80] if key is not None else None

    def _ticket(self, wish: Wanted, intent: str | None = None) -> Ticket:
        one = self.mind.spec.instrument
        return Ticket(wish.role, one.symbol, "buy" if wish.side > 0 else "sell", one.quantity(wish.lots), wish.kind,
                      one.price(wish.price) if wish.price else None, one.price(wish.trigger) if wish.trigger else None, wish.reduce_only,
                      self.mind.leverage, intent)

    async def _answered(self, role: str, answer: Answer, *, once: bool) -> None:
        """once: a wish that is not repeated, so that every refusal is its end."""
        rule, asked, allowed = "", "", ""
        if isinstance(answer, Refused):
            rule, asked, allowed = answer.rule, answer.asked, answer.allowed
        elif isinstance(answer, Sent) and isinstance(answer.outcome, Rejected):
            rule, asked = answer.outcome.reason, answer.outcome.code
        elif isinstance(answer, Sent) and isinstance(answer.outcome, Accepted):
            self._told = {pair for pair in self._told if pair[0] != role}
        if not rule:
            return
        self.whys.refused(role, rule, asked, allowed)
        if once or rule not in PASSING:
            await self.refused(role, rule)
        elif (role, rule) not in self._told:
            self._told.add((role, rule))
            await self.say("refused", role=role, reason=rule)

    async def refused(self, role: str, reason: str) -> None:
        """By the exchange or by the gate, or it is gone without having filled."""
        await self.say("refused", role=role, reason=reason)
        if role and (role in ONCE or reason not in PASSING) and role != EXIT:
            self.journal.write("refused", role=role, reason=reason)
            try:
                self.mind.refused(role, reason)
            finally:  # the plan may end here: the next start must not take what was refused for what was sent
                self._save_later()

    # ---- what should rest

    def _wanted(self) -> dict[str, Wanted]:
        wanted = self.mind.resting()
        if self.stopping is not None:
            wanted = {role: one for role, one in wanted.items() if one.reduce_only}
        return wanted

    async def _converge(self) -> None:
        wanted = self._wanted()
        if wanted != self._rested:
            self.journal.write("rest", orders=list(wanted.values()))
            self._rested = wanted
        tickets = {role: ticket for role, ticket in ((role, self._ticket(one)) for role, one in wanted.items())
                   if role != ENTRY or self._entry_there(ticket)}
        held = self.mind.position
        if self.exiting and held:
            # Targets beside it would take its quantity away: Bitget cancels older reduce-only orders for newer ones.
            tickets = {role: one for role, one in tickets.items() if not one.reduce_only or one.trigger is not None}
            tickets[EXIT] = self._ticket(Wanted(EXIT, -1 if held > 0 else 1, abs(held), "market", reduce_only=True))
        if not tickets and not self.desk.orders.of(self.owner.bot_id):
            return
        self.desk.rests.settle_roles(self.owner, tickets)
        for ticket, answer in await self.desk.rests.converge(self.owner, tickets, also=self._saving,
                                                             may_add=lambda: not self.journal.stuck):
            await self._answered(ticket.role, answer, once=False)

    def _entry_there(self, ticket: Ticket) -> bool:
        """This very entry rests or is on its way. None is sent from here: it would have no name, and could be sent a second time."""
        return any(one.role == ENTRY and one.rests_as(ticket) for one in self.desk.orders.of(self.owner.bot_id))

    # ---- its state

    def _journal_anew(self) -> None:
        """A disk has taken nothing for so long that lines are left out."""
        self.journal.anew(self.mind.snapshot())
        if self.stopping is not None:
            self.journal.write("stop")

    def _saving(self) -> Callable[[Session], Awaitable[None]]:
        """Beside it goes what leaves: the journal comes before both."""
        self.journal.close()
        self._unsaved_bars = 0
        return saving(self.owner, Saved(self.booked, self.mind.snapshot(), self.exiting), self.clock.now_ms())

    def _save_later(self) -> None:
        try:
            self.desk.scribe.later(self._saving())
        except Unwritten:
            log.exception("state_unwritten", bot_id=self.owner.bot_id)

    # ---- stopping

    async def stop(self, *, flatten: bool = True) -> None:
        """Take entries away; with flatten close what is held, then end. Without, its protection stays at the exchange."""
        await self.take(Stop(flatten))

    async def _leave(self, stop: Stop) -> None:
        desk = self.desk
        if stop.flatten and self.mind.position:
            if not self.exiting:
                self.exiting = True
                held = self.mind.position
                self.journal.write("wish", orders=[Wanted(EXIT, -1 if held > 0 else 1, abs(held), "market", reduce_only=True)])
                await self._converge()
            return
        if self.mind.excess:
            return  # what exits closed too much is its own until the desk has taken it back
        for one in desk.orders.of(self.owner.bot_id):
            if stop.flatten or not one.order.reduce_only:
                await desk.door.cancel(one)
        adding = [one for one in desk.orders.of(self.owner.bot_id) if stop.flatten or not one.order.reduce_only]
        if not adding and not self._fills_waiting and self._ending.may_come():
            self._save_later()
            self.ended.set()
