"""Where long computing happens: an interface, and a small pool of processes of our own behind it.

The standard library's pool cannot stop a running task; here a cancelled task's process is killed and replaced.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, Protocol

from haechi.errors import BadInput, HaechiError

Progress = Callable[[float], None]
NICENESS = 5  # back-tests give way to the server and the bots


class WorkFailed(Exception):
    """The task fell over; the text is its traceback, for the log."""


class Executor(Protocol):
    """Runs `function(*given, progress)` elsewhere, `workers` at once; cancelling the waiting task stops the work."""

    workers: int

    async def run(self, function: Callable[..., Any], *given: Any, progress: Progress) -> Any: ...

    async def close(self) -> None: ...


class ProcessExecutor:
    """At most `workers` processes, begun when first needed and kept: the engine is loaded once in each."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._free: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="job-pipe")
        self._all = [Worker() for _ in range(workers)]
        for worker in self._all:
            self._free.put_nowait(worker)

    async def run(self, function: Callable[..., Any], *given: Any, progress: Progress) -> Any:
        """Waits for a free process. Raises BadInput for wrong input, WorkFailed for a fault or a process that died."""
        worker = await self._free.get()
        try:
            return await self._on(worker, function, given, progress)
        except asyncio.CancelledError:
            worker.kill()
            raise
        finally:
            self._free.put_nowait(worker)

    async def _on(self, worker: Worker, function: Callable[..., Any], given: tuple[Any, ...], progress: Progress) -> Any:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, worker.begin, function, given)
        while True:
            kind, value = await loop.run_in_executor(self._threads, worker.hear)
            if kind == "progress":
                progress(value)
            elif kind == "done":
                return value
            elif kind == "refused":
                raise BadInput(value)
            else:
                raise WorkFailed(value)

    async def close(self) -> None:
        for worker in self._all:
            worker.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)


class Worker:
    """One process and the pipe to it. `begin` and `hear` wait in a thread, `kill` comes from the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # nobody kills a process that is half begun
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def begin(self, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
        """Hand over the task. Raises WorkFailed when the process dies while taking it."""
        with self._lock:
            if self._process is None or not self._process.is_alive():
                self._start()
            pipe = self._pipe
        assert pipe is not None
        try:
            pipe.send((function, given))
        except OSError:
            raise WorkFailed("the worker process ended while its task was handed over") from None

    def hear(self) -> tuple[str, Any]:
        """The next message; the death of the process is one too."""
        pipe = self._pipe
        assert pipe is not None
        try:
            kind, value = pipe.recv()
        except (EOFError, OSError):
            self.bury(pipe)
            return "died", "the worker process ended without an answer (killed, or out of memory)"
        return kind, value

    def _start(self) -> None:
        # spawn: a forked copy of a process with threads and an event loop may hang on a lock nobody holds.
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(target=serve, args=(far_end,), daemon=True, name="haechi-job")
        self._process.start()
        far_end.close()

    def bury(self, pipe: Connection) -> None:
        """A process whose pipe broke still counts as alive for a moment; no task may be handed to it."""
        with self._lock:
            if self._pipe is pipe:  # otherwise it was killed meanwhile, and a new one lives here
                self._end()

    def kill(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(timeout=5)
            self._process = None


def serve(pipe: Connection) -> None:
    """Life of a worker process: one task after the other, until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's business; it ends us in good order
    os.nice(NICENESS)
    while True:
        try:
            function, given = pipe.recv()
        except EOFError:
            return
        pipe.send(answer(function, given, lambda share: pipe.send(("progress", share))))


def answer(function: Callable[..., Any], given: tuple[Any, ...], progress: Progress) -> tuple[str, Any]:
    try:
        return "done", function(*given, progress)
    except HaechiError as error:
        return "refused", error.message
    except Exception:
        return "fault", traceback.format_exc()
