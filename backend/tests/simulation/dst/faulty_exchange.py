"""The port (exchanges/port.py, Traceable) of one member of the floor, over a wire that fails by plan. One object a run of the house:
it is dropped at a restart, the member is not. What it reads may be late or missing; it is never untrue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import TypeVar

import msgspec

from haechi.core.instrument import Instrument
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import (
    Accepted,
    Balance,
    Bar,
    Fill,
    Known,
    Liquidated,
    Listener,
    Moved,
    NewOrder,
    OpenOrder,
    Outcome,
    Paid,
    Position,
    Price,
    Rejected,
    Seen,
    Still,
    Unknown,
)
from haechi.venue.refusal import Refusal

from .counter import Counter, word_of
from .deliveries import LATENCY_MS, Deliveries
from .faults import Faults
from .history import Request
from .world import World

Value = TypeVar("Value")
TIMEOUT_S = 8.0
LATE_MS_MAX, LAG_MS_MAX = 60_000, 30_000
NEVER_AFTER_MS = LATE_MS_MAX + LAG_MS_MAX + 5_000  # then a "not found" proves that nothing will come
LOST = ("timeout_after", "ambiguous_after", "unreadable_after")
REFUSING = {"key_revoked": "key", "clock_skew": "clock", "maintenance": "maintenance", "banned": "rate", "rate_limited": "rate"}


class FaultyExchange:
    """`asked` is told of every order as it is sent: whoever knows more about the house (killed? doubts?) completes the record."""

    def __init__(self, world: World, name: str, faults: Faults, seed: str, asked: Callable[[Request], None] = lambda one: None) -> None:
        self.world, self.name, self.faults, self.asked = world, name, faults, asked
        self.truth, self.member = world.truths[name], world.truths[name].member
        self.rng = Random(f"{seed}/wire/{name}/{len(world.history.starts)}")
        self.told = Deliveries(faults, Random(f"{seed}/told/{name}/{len(world.history.starts)}"), lambda: world.now)
        self.counter = Counter(world, self.member, faults, self.rng)
        self.reads: set[str] = set()
        self.blind_since: int | None = None
        self.unknown_ms = 0  # when an outcome was last unknown
        world.ports[name] = self

    def close(self) -> None:
        """The house fell or let go: nothing more is told. What was sent arrives all the same."""
        self.told.close()
        if self.world.ports.get(self.name) is self:
            del self.world.ports[self.name]

    # ---- the wire

    async def _travel(self) -> None:
        await asyncio.sleep(self.rng.randint(*LATENCY_MS) / 1000)

    def _refusing(self) -> Rejected | None:
        """What is refused at the door, before anything can happen."""
        kind = self.faults.hit(*REFUSING)
        return Rejected(REFUSING[kind], kind) if kind else None

    async def _read(self, what: str, answer: Callable[[int], Value]) -> Value:
        """answer: of the moment it is to be read at. Raises Unreachable or Refused."""
        await self._travel()
        refused = self._refusing()
        if refused is not None and refused.reason in ("key", "clock"):
            raise Refused(f"the exchange refuses: {refused.reason}", details={"word": refused.reason})
        if refused is not None or self.faults.hit("reads_fail"):
            raise Unreachable("no answer")
        self.reads.add(what)
        return answer(self._then())

    def _then(self) -> int:
        """Reads show this moment: now, or up to LAG_MS_MAX earlier."""
        lagging = self.faults.on("read_lag")
        return self.world.now - (int(lagging.size * LAG_MS_MAX) if lagging else 0)

    # ---- orders

    async def place(self, order: NewOrder, *, still: Still | None = None) -> Outcome:
        request = self._request(order)
        self.asked(request)
        self.world.history.requests.append(request)
        self.world.history.stirs(self.name)
        outcome = await self._placed(order, request)
        if isinstance(outcome, Unknown):
            self.unknown_ms = self.world.now
        return outcome

    async def _placed(self, order: NewOrder, request: Request) -> Outcome:
        await self._travel()
        refused = self._refusing() or self.counter.refuses(order)
        if refused is not None:
            await self._travel()
            return refused
        if self.faults.hit("timeout_before"):
            await asyncio.sleep(TIMEOUT_S)
            return Unknown("timeout")
        if self.faults.hit("late_execution"):
            self._later(order, request)
            await asyncio.sleep(TIMEOUT_S)
            return Unknown("timeout")
        return await self._answered(order, request, self._carry_out(order, request))

    async def _answered(self, order: NewOrder, request: Request, outcome: Outcome) -> Outcome:
        kind = self.faults.hit(*LOST)
        if kind:
            await asyncio.sleep(TIMEOUT_S if kind == "timeout_after" else 0.05)
            return Unknown(kind)
        if self.faults.hit("event_before_reply"):
            await asyncio.sleep(self.rng.uniform(0.3, 2.5))
        await self._travel()
        return outcome

    def _later(self, order: NewOrder, request: Request) -> None:
        """It is carried out 1–60 s from now, whoever still waits for it."""
        delay = self.rng.randint(1_000, LATE_MS_MAX) / 1000
        asyncio.get_running_loop().call_later(delay, self._carry_out, order, request)

    def _carry_out(self, order: NewOrder, request: Request) -> Outcome:
        self.world.touch()
        request.opens = self.counter.opens(order)
        known = self.truth.seen(order.client_id, self.world.now)
        try:
            record = self.counter.place(order)
        except Refusal as no:
            if known is not None and word_of(no) == "duplicate":
                return Accepted(known.exchange_id)  # our ids are unique: that this one is taken proves that the order is there
            return Rejected(word_of(no), no.code)
        request.accepted = True
        return Accepted("" if self.faults.on("reduce_only_replaced") and order.reduce_only else record)

    def _request(self, order: NewOrder) -> Request:
        now = self.world.now
        self.blind()
        heard = self.told.heard_ms.get(order.symbol, 0)
        return Request(now, self.name, order.client_id, order.symbol, order.side, order.kind, order.quantity, order.price, order.trigger,
                       order.reduce_only, blind_ms=-1 if self.blind_since is None else now - self.blind_since,
                       stale_ms=now - heard, reads=frozenset(self.reads))

    async def cancel(self, client_id: str) -> Outcome:
        self.world.history.cancels.append((self.name, client_id))
        self.world.history.stirs(self.name)
        await self._travel()
        refused = self._refusing()
        if refused is not None:
            await self._travel()
            return refused
        if self.faults.hit("timeout_before"):
            await asyncio.sleep(TIMEOUT_S)
            return Unknown("timeout")
        self.world.touch()
        outcome = self.counter.cancel(client_id)
        if self.faults.hit(*LOST):
            return Unknown("lost")
        await self._travel()
        return outcome

    async def modify(self, client_id: str, *, new_client_id: str, quantity: Decimal | None = None, price: Decimal | None = None,
                     trigger: Decimal | None = None) -> Outcome:
        await self._travel()
        refused = self._refusing()
        if refused is None:
            self.world.touch()
            refused = self.counter.modify(client_id, new_client_id, quantity, price, trigger)
            if self.faults.hit(*LOST):
                return Unknown("lost")
        await self._travel()
        return refused

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome:
        await self._travel()
        refused = self._refusing()
        if refused is not None:
            return refused
        if self.faults.hit("timeout_before", *LOST):
            return Unknown("lost")
        self.world.touch()
        return self.counter.set_leverage(symbol, leverage, cross=cross)

    # ---- evidence

    async def look(self, order: NewOrder, sent_ms: int) -> Seen | Rejected | Unknown:
        try:
            found = await self._read("look", lambda then: self.truth.seen(order.client_id, then))
        except (Unreachable, Refused) as error:
            return Unknown(error.message)
        if found is not None:
            return found
        left = sent_ms + NEVER_AFTER_MS - self.world.now
        return Unknown(f"not there; it may still arrive for {left} ms") if left > 0 else Rejected("never_arrived")

    async def resolve(self, client_id: str, *, order: NewOrder | None = None, sent_ms: int | None = None) -> Outcome:
        sought = order or NewOrder(client_id, "", "buy", Decimal(0), "market")
        found = await self.look(sought, self.world.now if sent_ms is None else sent_ms)
        return Accepted(found.exchange_id) if isinstance(found, Seen) else found

    async def fills_since(self, time_ms: int, *, known: Known | None = None) -> list[Fill | Liquidated]:
        return await self._read("fills", lambda then: self.truth.fills(time_ms, then))

    async def payments_since(self, time_ms: int) -> list[Paid]:
        return await self._read("payments", lambda then: self.truth.payments(time_ms, then))

    async def movements_since(self, time_ms: int) -> list[Moved]:
        return await self._read("movements", lambda then: self.truth.movements(time_ms, then))

    async def open_orders(self) -> list[OpenOrder]:
        return await self._read("orders", self.truth.open_orders)

    async def positions(self) -> list[Position]:
        return await self._read("positions", self.truth.positions)

    async def balance(self) -> Balance:
        return await self._read("balance", self.truth.balance)

    async def instrument(self, symbol: str) -> Instrument | None:
        return await self._read("instrument", lambda then: self.world.rules.get(symbol))

    async def bars(self, symbol: str, most: int, timeframe_ms: int | None = None) -> list[Bar]:
        """A stale reading side has not got the newest yet."""
        def newest(then: int) -> list[Bar]:
            venue = self.world.venue
            wanted = timeframe_ms or venue.timeframe_ms
            found = [venue.told(symbol, bar, length) for length, bar in venue.past[symbol].joined(wanted, most + 3)]
            if self.faults.on("bars_stale"):
                found = found[:-3]
            over = [bar for bar in found if bar.ts + bar.timeframe_ms <= then + 1]
            return over[-most:] if wanted == venue.timeframe_ms else over

        found = await self._read("bars", newest)
        for bar in found:
            self.told.market(bar)
        return found

    def blind(self) -> str:
        one = self.faults.on("events_silent")
        why = ""
        if self.told.down:
            why = "stream"
        elif one is not None and self.faults.now() - one.start_ms > 15_000:
            why = "silent"
        else:
            why = next((REFUSING[kind] for kind in ("key_revoked", "clock_skew", "banned", "maintenance") if self.faults.on(kind)), "")
        if not why:
            self.blind_since = None
        elif self.blind_since is None:
            self.blind_since = self.world.now
        return why

    # ---- events

    def listen(self, listener: Listener, *, symbol: str, prices: bool) -> None:
        self.told.listen(listener, symbol, prices=prices)

    def unlisten(self, listener: Listener) -> None:
        self.told.unlisten(listener)

    def happened(self, event: Fill | Liquidated | Paid) -> None:
        self.told.account(event)

    def priced(self, symbol: str, price: Decimal, ms: int) -> None:
        if self._deaf():
            return
        self.told.send(Price(symbol, price, ms))

    def barred(self, bar: Bar) -> None:
        if self._deaf() or self.faults.hit("bars_missing"):
            return
        if self.faults.hit("bars_stale"):
            self.told.send(bar, more_ms=self.rng.randint(5_000, 200_000))
            return
        self.told.send(bar)
        if self.faults.hit("bars_repeated"):
            self.told.send(bar, more_ms=self.rng.randint(100, 90_000))
        if self.faults.hit("bars_future"):
            self.told.send(msgspec.structs.replace(bar, ts=bar.ts + 30 * bar.timeframe_ms))

    def _deaf(self) -> bool:
        return bool(self.told.closed or self.told.down or self.faults.on("events_silent") or self.faults.on("key_revoked"))
