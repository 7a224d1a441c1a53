"""Faults on demand: what was ordered, drawn and counted, and the places where the faces ask whether something goes wrong now.

Order for a request: before (refuse, prepare) → signature → route → commit → after (world and acts, then the answer).
The kinds are in fault_kinds; what they do is in fault_requests, fault_pushes, fault_orders and fault_acts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from aiohttp import web

from haechi.errors import BadInput, NotFound
from haechi.venue import fault_orders
from haechi.venue.fault_acts import ACTS
from haechi.venue.fault_draws import Call, Fault, Undo
from haechi.venue.fault_kinds import Wanted, wanted
from haechi.venue.fault_pushes import PUSHES, Sends
from haechi.venue.fault_requests import ANSWER, PLACES, PREPARE, REFUSE, call_of, fits
from haechi.venue.fault_views import Views
from haechi.venue.refusal import Refusal

if TYPE_CHECKING:
    from haechi.venue.floor import Floor
    from haechi.venue.member import Member

FAULTS_MAX = 1000
CALL = web.RequestKey("fault_call", Call)
HEARTBEATS = (b"ping", b"pong")
Execute = Callable[[web.Request, bytes, int], web.StreamResponse]
CutStreams = Callable[[str | None, str | None], int]


class Faults:
    """`clock` (ms) and `sleep` (seconds) are the time faults live in. The faces set how they are reached. `execute`: what answers a request
    with this body that came at this wall time, ms. `streams`: cuts the connections of a member (None: anybody's) that listen to a channel
    (None: any) and says how many."""

    def __init__(self, floor: Floor, *, enabled: bool = True, seed: int = 0, clock: Callable[[], int] | None = None,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.floor, self.enabled, self.seed, self.sleep = floor, enabled, seed, sleep
        self.now = clock or floor.wall_ms
        self.streams: CutStreams | None = None
        self.execute: Execute | None = None
        self._late: set[asyncio.Task[None]] = set()
        self.faults: dict[str, Fault] = {}
        self._waiting: dict[str, list[Fault]] = {}
        self.views = Views()
        self._policy: str | None = None
        self._number = 0
        if enabled:
            floor.listen(fault_orders.TriggerEar(self))

    # ---- ordering

    async def add(self, order: object) -> Fault:
        """A new fault. BadInput or Refusal when it cannot be; then nothing is kept."""
        if not self.enabled:
            raise NotFound("this venue was started without --faults")
        made = wanted(order)
        self._check(made)
        self._number += 1
        fault = Fault(self._number, made, self._seed_of(made))
        if made.at_once:
            await self._act_now(fault)
        else:
            self._begin(fault)
            self._waiting.setdefault(made.kind.when, []).append(fault)
        self.faults[fault.id] = fault
        return fault

    def _seed_of(self, made: Wanted) -> str:
        return str(made.seed) if made.seed is not None else f"{self.seed}/{self._number}"

    def _check(self, made: Wanted) -> None:
        if len(self.faults) >= FAULTS_MAX:
            raise BadInput(f"{FAULTS_MAX} faults are kept: delete some first")
        if made.member is not None:
            self.member(made.member)
        if made.symbol is not None:
            self.market(made.symbol)
        if made.name == "dropped_stream" and self.streams is None:
            raise BadInput("no streams are served here: there is nothing to drop")
        if made.name == "late_execution" and self.execute is None:
            raise BadInput("no REST face is served here: nothing can be executed late")

    def remove(self, fault_id: str | None = None) -> int:
        """End one fault, or all; what can be taken back is. NotFound when there is none of this id."""
        if fault_id is not None and fault_id not in self.faults:
            raise NotFound(f"there is no fault {fault_id!r}")
        gone = list(self.faults.values()) if fault_id is None else [self.faults[fault_id]]
        for fault in reversed(gone):
            fault.undone()
            del self.faults[fault.id]
            for waiting in self._waiting.values():
                if fault in waiting:
                    waiting.remove(fault)
        if any(fault.name == "read_lag" for fault in gone):
            self.views.clear()
        return len(gone)

    def close(self) -> None:
        """The venue ends: what was changed is given back, what waits to be executed is given up."""
        self.remove()
        for task in list(self._late):
            task.cancel()

    def shown(self) -> list[dict[str, object]]:
        self._sweep()
        return [fault.shown(self.now()) for fault in self.faults.values()]

    def member(self, name: str | None) -> Member:
        if name is None or name not in self.floor.members:
            raise BadInput(f"there is no member {name!r}; there are {', '.join(self.floor.members)}")
        return self.floor.members[name]

    def market(self, symbol: str | None) -> int:
        if symbol is None or symbol not in self.floor.market:
            raise BadInput(f"there is no symbol {symbol!r}; there are {', '.join(self.floor.market)}")
        return self.floor.market[symbol]

    # ---- what the REST face asks

    async def before(self, request: web.Request, body: bytes) -> web.StreamResponse | None:
        """None: the request goes on. Else its answer. Raises Dropped (a ConnectionResetError) when the connection was cut."""
        if not self._waiting or not request.path.startswith("/api/"):
            return None
        self._sweep()
        call = request[CALL] = call_of(self.floor, request, body)
        for fault in self._due("refuse", call):
            answer = await REFUSE[fault.name](self, fault, request, call)
            if answer is not None:
                return answer
        self._prepare(call)
        return None

    def _prepare(self, call: Call) -> None:
        self._restore_policy()
        for fault in self._due("prepare", call):
            PREPARE[fault.name](self, fault, call)

    async def after(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """What really is answered. Raises Dropped when nothing is."""
        call = request.get(CALL)
        if call is None:
            return response
        self._restore_policy()
        await self._world(call, response)
        for fault in self._due("answer", call):
            response = await ANSWER[fault.name](self, fault, request, response)
        return response

    async def _world(self, call: Call, response: web.StreamResponse) -> None:
        for fault in list(self._waiting.get("world", ())):
            made = fault_orders.made_by(self, call, response) if call.path in PLACES and fault.concerns(call) else []
            if any(fault_orders.has_room(record, fault["dust_lots"]) for record in made) and fault.take(self.now()):
                fault_orders.partial_fill(self, fault, call, response)
                self.floor.commit()
        for fault in self._due("act", call):
            try:
                await self._act(fault)
            except Refusal as no:
                fault.failure = f"the exchange refuses: {no.code} {', '.join(no.values)}".rstrip()
            except BadInput as no:
                fault.failure = no.message

    def seen(self, member: Member) -> Member:
        """The member as reads see it now: itself, or as it was before a write that is not seen yet."""
        return self.views.seen(member, self.now())

    def lag(self, member: str) -> int:
        """ms until the member's last write is seen; 0: all are."""
        return self.views.lag(member, self.now())

    def clock_offset_ms(self) -> int:
        """What to add to the wall clock, in answers and when timestamps are checked."""
        total = 0
        for fault in list(self._waiting.get("clock", ())):
            if fault.take(self.now()):
                total += fault["offset_ms"]
        return total

    # ---- what the stream face asks

    def push(self, member: str | None, channel: str, frame: bytes) -> Sends:
        """What is sent of a frame, and in how many seconds; [] when it is lost."""
        sends: Sends = [(0, frame)]
        if frame in HEARTBEATS:
            return sends
        for fault in list(self._waiting.get("push", ())):
            if sends and fault.concerns_push(member, channel, frame) and fault.take(self.now()):
                sends = PUSHES[fault.name](self, fault, member, channel, sends)
        return sends

    def cut_streams(self, member: str | None, channel: str | None) -> int:
        return self.streams(member, channel) if self.streams is not None else 0

    # ---- what the kinds use

    def execute_later(self, request: web.Request, call: Call, delay_ms: int) -> None:
        task = asyncio.create_task(self._execute(request, call, delay_ms, self.floor.wall_ms()))
        self._late.add(task)  # a task nobody holds may be collected before it is done
        task.add_done_callback(self._late.discard)

    async def _execute(self, request: web.Request, call: Call, delay_ms: int, came_ms: int) -> None:
        await self.wait(delay_ms)
        if self.execute is not None:
            self._prepare(call)
            response = self.execute(request, call.body, came_ms)
            self._restore_policy()
            await self._world(call, response)

    async def wait(self, ms: int) -> None:
        if ms > 0:
            await self.sleep(ms / 1000)

    def set_policy(self, policy: str) -> None:
        if self._policy is None:
            self._policy = self.floor.duplicate_policy
        self.floor.duplicate_policy = policy

    def _restore_policy(self) -> None:
        if self._policy is not None:
            self.floor.duplicate_policy, self._policy = self._policy, None

    def due_trigger(self, member: str) -> Iterator[Fault]:
        """The first fault that lets a triggered plan of this member fail."""
        for fault in list(self._waiting.get("trigger", ())):
            if fault.wanted.member == member and fault.take(self.now()):
                yield fault
                return

    # ---- drawing

    def _due(self, when: str, call: Call) -> Iterator[Fault]:
        """Asked one by one: a fault after one that answers is not asked."""
        for fault in list(self._waiting.get(when, ())):
            if fault.concerns(call) and fits(self, fault, call) and fault.take(self.now()):
                self._begin(fault)
                yield fault

    def _begin(self, fault: Fault) -> None:
        """A maintained symbol shows it from the beginning, not only when somebody trades."""
        if fault.name != "maintenance" or fault["code"] != "41114" or fault.undo or (fault.wanted.after and not fault.drawn):
            return
        contract = self.floor.contracts[self.market(fault.wanted.symbol)]
        before, contract.status = contract.status, "maintain"
        fault.started = self.now()

        def undo() -> None:
            contract.status = before

        fault.undo.append(undo)

    async def _act_now(self, fault: Fault) -> None:
        for _ in range(fault.wanted.count or 1):
            if fault.take(self.now()):
                await self._act(fault)

    async def _act(self, fault: Fault) -> None:
        undo: Undo | None = await ACTS[fault.name](self, fault)
        if undo is not None:
            fault.undo.append(undo)
        self.floor.commit()

    def _sweep(self) -> None:
        """Faults whose time is over take back what they changed; done ones are asked no more, and stay to be looked at."""
        now = self.now()
        for fault in self.faults.values():
            ends = fault.ends
            if fault.undo and ends is not None and now >= ends:
                fault.undone()
        for waiting in self._waiting.values():
            waiting[:] = [fault for fault in waiting if not fault.over(now)]
