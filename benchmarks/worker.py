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
from collections.abc import Callable, Mapping
from typing import Any

Task = Callable[..., dict[str, Any]]


def serve(tasks: Mapping[str, Task], *, version: str) -> None:
    """Answer `{"task": name, ...arguments}` lines until stdin ends. A task returns what it found (trades, equity...)."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(json.dumps({"version": version, "import_mb": peak_mb()}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(measured(tasks[request.pop("task")], request)), file=answers)


def measured(task: Task, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the task returned, with its wall and CPU seconds and this process's peak memory so far.

    A task may time its own inner part by returning `seconds` (and `cpu_seconds`) itself.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    found = task(**arguments)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"seconds": wall, "cpu_seconds": cpu, "peak_mb": peak_mb(), **found}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
