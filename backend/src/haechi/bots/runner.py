"""A bot at work: its inbox, its journal, its mind, its desk. Acts on one event after the other, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from haechi.bots.grid_mind import GridMind
from haechi.bots.mind import Mind
from haechi.core.live import Wanted
from haechi.core.risk import View
from haechi.core.units import unscaled
from haechi.exchanges.port import Bar, Event, Exchange, Fill, Gone, Liquidated, Paid, Price
from haechi.platform.clock import Clock
from haechi.trading.desk import Desk
from haechi.trading.journal import Journal


class Stop(msgspec.Struct, frozen=True):
    """The user's wish to end: close what is held, then stop."""


INBOX_EVENTS_MAX = 1000  # some minutes of the busiest market seen; a fuller one makes the sender wait

log = structlog.get_logger(__name__)
Say = Callable[..., Awaitable[None]]


class Runner:
    """Listener (exchanges/port.py) of one bot. `say` writes its log; `ended` is set when it has stopped, `fault` says why if it fell."""

    def __init__(self, mind: Mind | GridMind, journal: Journal, exchange: Exchange, clock: Clock, say: Say) -> None:
        self.mind, self.journal, self.exchange, self.clock, self.say = mind, journal, exchange, clock, say
        self.desk: Desk | None = None
        self.inbox: asyncio.Queue[Event | Stop] = asyncio.Queue(maxsize=INBOX_EVENTS_MAX)
        self.ended = asyncio.Event()
        self.stopping = False
        self.halted = ""
        self.fault: BaseException | None = None
        self.finished: Callable[[], Awaitable[None]] | None = None
        self.heard_ms = clock.now_ms()
        self._task: asyncio.Task[None] | None = None
        self._rested: dict[str, Wanted] = {}

    def start(self, desk: Desk) -> None:
        self.desk = desk
        self._task = asyncio.create_task(self._work())

    async def hear(self, event: Event | Stop) -> None:
        """Returns when the event has been acted on: a simulated market waits for its bots."""
        if self.ended.is_set():
            return
        await self.inbox.put(event)
        await self.inbox.join()

    async def _work(self) -> None:
        try:
            while not self.ended.is_set():
                event = await self.inbox.get()
                try:
                    await self._act(event)
                finally:
                    self.inbox.task_done()
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            self.fault = fault
            log.exception("bot_failed", bot_id=self.the_desk.owner.bot_id)
        finally:
            self._end()
        if self.finished is not None:
            await self.finished()

    def _end(self) -> None:
        self.ended.set()
        self.exchange.unlisten(self)
        while not self.inbox.empty():
            self.inbox.get_nowait()
            self.inbox.task_done()
        self.journal.close()

    @property
    def the_desk(self) -> Desk:
        if self.desk is None:
            raise RuntimeError("a runner works only after start(desk)")
        return self.desk

    async def _act(self, event: Event | Stop) -> None:
        """Journal first, then mind, then desk."""
        self.heard_ms = self.clock.now_ms()
        wishes = await self._thought(event)
        desk = self.the_desk
        if wishes and not self.stopping:
            self.journal.write("wish", orders=wishes)
            await desk.clear({wish.role for wish in wishes})
            for wish in wishes:
                await desk.submit(wish, self.mind.market)
        await self._converge()
        if self.stopping:
            await self._leave()

    async def _thought(self, event: Event | Stop) -> list[Wanted]:
        desk, mind = self.the_desk, self.mind
        match event:
            case Fill():
                role = desk.roles.get(event.client_id, "")
                self.journal.write("fill", role=role, event=event)
                self.journal.sync()
                if not await desk.booked(event):
                    self.journal.write("again", exchange_id=event.trade_id)
                    return []
                await self.say("fill", role=role, side=event.side, quantity=str(event.quantity), price=str(event.price), fee=str(event.fee))
                return mind.heard(event, role)
            case Gone():
                role = desk.roles.get(event.client_id, "")
                await desk.gone(event)
                await self.refused(role, event.reason)
            case Paid() | Liquidated():
                self.journal.write("paid" if isinstance(event, Paid) else "liquidated", event=event)
                if await desk.booked(event):
                    await self.say("funding" if isinstance(event, Paid) else "liquidation", symbol=event.symbol)
                    return mind.heard(event)
            case Stop():
                self.journal.write("stop")
                self.stopping = True
            case Price():
                self.journal.write("price", event=event)
                return mind.heard(event)
            case Bar():
                self.journal.write("bar", event=event)
                return mind.heard(event)
        return []

    async def refused(self, role: str, reason: str) -> None:
        """By the exchange or by the gate."""
        self.journal.write("refused", role=role, reason=reason)
        self.mind.refused(role, reason)
        await self.say("refused", role=role, reason=reason)

    async def _converge(self) -> None:
        wanted = self.mind.resting()
        if self.stopping:
            wanted = {role: one for role, one in wanted.items() if one.reduce_only}
        if wanted != self._rested:
            self.journal.write("rest", orders=list(wanted.values()))
            self._rested = wanted
        desk = self.the_desk
        if wanted or desk.resting:
            await desk.converge(wanted, self.mind.market)

    # ---- stopping

    async def stop(self) -> None:
        """Take entries away, close what is held at the next price, then end. Ends at once when nothing is held."""
        await self.hear(Stop())

    async def _leave(self) -> None:
        held = self.mind.position
        desk = self.the_desk
        if held == 0:
            for client_id in list(desk.resting):
                await desk.cancel(client_id)
            self.ended.set()
        elif "exit" not in {there.role for there in desk.resting.values()}:
            wish = Wanted("exit", -1 if held > 0 else 1, abs(held), "market", reduce_only=True)
            self.journal.write("wish", orders=[wish])
            await desk.submit(wish, self.mind.market)

    async def close(self) -> None:
        """At the end of the process: nothing more is heard, nothing is sent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not self.ended.is_set():
            self._end()

    # ---- what the gate sees

    def view(self, orders_minute: int) -> View:
        held = self.mind.spec.instrument.quantity(abs(self.mind.position))
        return View(equity=unscaled(self.mind.equity), position_notional=held * self.mind.market, positions=int(held > 0),
                    age_ms=self.clock.now_ms() - self.heard_ms, orders_minute=orders_minute,
                    loss_today=unscaled(self.mind.loss_today), halted=self.halted)
