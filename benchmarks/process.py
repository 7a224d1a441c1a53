"""The measuring side: worker processes that are asked one at a time, and programs that are run to their end. One core for all."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

LAST_LINES = 2000  # characters of what a worker said last


class CannotMeasureError(Exception):
    """Why there is no figure, in one sentence."""


def pin() -> str:
    """Keep this process, and every one it starts, on one core. Says in words what was done."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned: this system cannot keep a process on one core"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"every process pinned to core {core}"


class Worker:
    """A script that ends with `worker.serve`, alive until the `with` is left."""

    def __init__(self, python: Path, script: Path) -> None:
        self.name = script.stem
        self.errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")  # noqa: SIM115 - closed with the worker
        self.process = subprocess.Popen([str(python), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,  # noqa: S603
                                        text=True)
        self.hello = self._answer()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()
        self.errors.close()

    def ask(self, task: str, **arguments: Any) -> dict[str, Any]:
        """What the task returned, with seconds, cpu_seconds, peak_mb. Raises CannotMeasureError if the process ended."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"task": task, **arguments}), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        self.errors.seek(0)
        said = [part.strip() for part in self.errors.read()[-LAST_LINES:].splitlines() if part.strip()]
        raise CannotMeasureError(f"{self.name} ended: {said[-1] if said else 'it said nothing'}")


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A whole program: wall and CPU seconds, peak memory in MiB, its output. Raises CannotMeasureError where it fails."""
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8") as said:
        wall = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})  # noqa: S603
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - wall
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read()
    if process.returncode != 0:
        raise CannotMeasureError(f"{' '.join(command)} failed: {output.strip()[-LAST_LINES:]}")
    return {"seconds": wall, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024, "output": output}
