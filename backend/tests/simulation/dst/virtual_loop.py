"""An event loop whose time is a number: when nothing is ready, time jumps to the next timer. No sockets, no threads.

What would wait for ever raises `WaitsForEver` and names who waits. Work for threads runs at once, in its turn.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import base_events
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

from haechi.platform.clock import instant

Value = TypeVar("Value")
TURNS_MAX = 50_000


class WaitsForEver(RuntimeError):
    """Nothing is ready and no timer is set: the tasks named would never go on."""


class NeverRests(RuntimeError):
    """Something goes round and round, and no time passes."""


class _Timers:
    """Stands where the loop looks for sockets: there are none, so it only lets time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.turns = 0  # of the loop since time last moved

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise WaitsForEver("waiting for ever: " + "; ".join(self.loop.waiting()))
        if timeout > 0:
            self.loop.jump()
            self.turns = 0
        self.turns += 1
        if self.turns > TURNS_MAX:
            raise NeverRests("busy without end in one moment: " + "; ".join(self.loop.waiting()))
        return []

    def close(self) -> None:
        """Nothing was open."""


class VirtualLoop(base_events.BaseEventLoop):
    """`time()` in seconds from 0. Use `run`, or `asyncio.Runner(loop_factory=VirtualLoop)`."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = _Timers(self)
        self.jumps = 0

    def time(self) -> float:
        return self._now

    def jump(self) -> None:
        """To the next timer that still counts."""
        self._now = max(self._now, self._scheduled[0].when())
        self.jumps += 1

    def waiting(self) -> list[str]:
        return sorted(f"{task.get_name()} in {_place(task)}" for task in asyncio.all_tasks(self) if not task.done())

    def _process_events(self, event_list: list[Any]) -> None:
        """No sockets, no events."""

    def _write_to_self(self) -> None:
        """Nobody else could have woken this loop: there are no other threads."""

    def run_in_executor(self, executor: Any, func: Callable[..., Value], *args: Any) -> asyncio.Future[Value]:
        """At once, in this thread, in a copy of the context as a thread would have."""
        done: asyncio.Future[Value] = self.create_future()
        try:
            done.set_result(contextvars.copy_context().run(func, *args))
        except Exception as error:
            done.set_exception(error)
        return done

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the loop's own signature
        """There never was one."""


def _place(task: asyncio.Task[Any]) -> str:
    stack = task.get_stack(limit=1)
    return f"{stack[0].f_code.co_qualname}:{stack[0].f_lineno}" if stack else "nothing"


class VirtualClock:
    """Clock (platform/clock.py) on a virtual loop: the loop's time 0 is `start_ms`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ms: int) -> None:
        self.loop, self.start_ms = loop, start_ms

    def now_ms(self) -> int:
        return self.start_ms + int(self.loop.time() * 1000 + 1e-6)

    def now(self) -> datetime:
        return instant(self.now_ms())

    def monotonic(self) -> float:
        return self.loop.time()


def run(main: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
    """Run to the end on a fresh virtual loop; what was left behind is cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
