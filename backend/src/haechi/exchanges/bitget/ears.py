"""Who listens to the account, and how events reach them: each listener in order, at its own speed, prices only the newest.

What the account itself did is told at once, also while the listener still acts on what it was told before: with lost answers that takes
minutes, and what is held must be known before. The market waits for a listener that is far behind.
"""

from __future__ import annotations

import asyncio
from collections import deque

import structlog

from haechi.exchanges.port import Bar, Event, Listener, Price

WAITING_MAX = 1_000  # events a listener has not taken; then whoever brings more of the market waits

log = structlog.get_logger(__name__)


class Ear:
    """One listener, what of the market waits for it, and what it is being told of the account. A price that nobody took yet gives way to
    a newer one; nothing else is ever dropped."""

    def __init__(self, listener: Listener, symbol: str, *, prices: bool) -> None:
        self.listener, self.symbol, self.prices = listener, symbol, prices
        self.waiting: deque[Bar | Price] = deque()
        self.told: set[asyncio.Task[None]] = set()
        self._some, self._room = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._deliver())

    async def put(self, event: Event) -> None:
        if not isinstance(event, Bar | Price):
            if not self.closed:
                told = asyncio.create_task(self._hear(event))  # tasks begin in the order they are made
                self.told.add(told)
                told.add_done_callback(self.told.discard)
            return
        if isinstance(event, Price):
            if not self.prices:
                return
            if self.waiting and isinstance(self.waiting[-1], Price):
                self.waiting.pop()
        while len(self.waiting) >= WAITING_MAX and not self.closed:
            self._room.clear()
            await self._room.wait()
        if not self.closed:
            self.waiting.append(event)
            self._some.set()

    async def _deliver(self) -> None:
        while not self.closed:
            if not self.waiting:
                self._some.clear()
                await self._some.wait()
                continue
            event = self.waiting.popleft()
            self._room.set()
            await self._hear(event)

    async def _hear(self, event: Event) -> None:
        try:
            await self.listener.hear(event)
        except Exception:  # a listener's fault must not end the deliveries of the others, nor its own next one
            log.exception("listener_failed", symbol=self.symbol, event_kind=type(event).__name__)

    def close(self) -> None:
        """Nothing more is delivered; what is being heard is heard to its end: half an event is worse than none. A listener may call this
        from inside `hear`."""
        self.closed = True
        self.waiting.clear()
        self._some.set()
        self._room.set()

    def stop(self) -> None:
        """At once, also in the middle."""
        self.close()
        for task in (*self.told, self._task):
            if task is not None and task is not asyncio.current_task():
                task.cancel()

    @property
    def busy(self) -> bool:
        return bool(self.told) or (self._task is not None and not self._task.done())


class Ears:
    """All listeners of one account."""

    def __init__(self) -> None:
        self.all: list[Ear] = []
        self._leaving: list[Ear] = []  # heard to the end of what they are hearing

    def add(self, listener: Listener, symbol: str, *, prices: bool) -> Ear:
        """One that is there already goes on, from now on with or without prices: nothing is missed between the two."""
        for ear in self.all:
            if ear.listener is listener and ear.symbol == symbol:
                ear.prices = prices
                return ear
        ear = Ear(listener, symbol, prices=prices)
        self.all.append(ear)
        ear.start()
        return ear

    def remove(self, listener: Listener) -> None:
        for ear in [one for one in self.all if one.listener is listener]:
            self.all.remove(ear)
            ear.close()
            self._leaving = [one for one in (*self._leaving, ear) if one.busy]

    def symbols(self) -> list[str]:
        return sorted({one.symbol for one in self.all})

    def priced(self) -> list[str]:
        """Symbols whose price somebody follows."""
        return sorted({one.symbol for one in self.all if one.prices})

    async def tell(self, event: Event) -> None:
        for ear in [one for one in self.all if one.symbol == event.symbol]:
            await ear.put(event)

    def close(self) -> None:
        for ear in (*self.all, *self._leaving):
            ear.stop()
        self.all.clear()
        self._leaving.clear()
