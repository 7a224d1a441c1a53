"""The measured side of a benchmark: a process that waits on stdin and answers each request with one line of JSON.

A peer script ends with `serve({...})`. It stays alive between requests, so that run.py can let peers and haechi take turns on
one CPU. Whatever a library prints goes to stderr; only answers go to stdout. Imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Task = Callable[..., dict[str, Any]]


def serve(tasks: Mapping[str, Task], *, version: str) -> None:
    """Answer `{"task": name, ...arguments}` lines until stdin ends. A task returns what it found (trades, equity...)."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(json.dumps({"version": version, "python": sys.version.split()[0], "peak_mb": peak_mb()}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(measured(tasks[request.pop("task")], request)), file=answers)


def measured(task: Task, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the task returned, with its wall and CPU seconds and this process's peak memory so far.

    A task may time its own inner part (`timed`) and return those `seconds` and `cpu_seconds` itself.
    """
    with timed() as took:
        found = task(**arguments)
    return {**took, "peak_mb": peak_mb(), **found}


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Wall and CPU seconds (all threads) of its body, in the mapping it gives."""
    took: dict[str, float] = {}
    cpu, wall = time.process_time(), time.perf_counter()
    yield took
    took.update(seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu)


def peak_mb() -> float:
    """Most memory this process ever had resident, MiB (Linux reports KiB, macOS bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)
