"""How far long work with candles is: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int, str], None]  # done, in all, where it is


@contextmanager
def shown(label: str, *, terminal: bool | None = None) -> Iterator[Advance]:
    """A function to call with each step. terminal: default is whether stderr is one."""
    if not (sys.stderr.isatty() if terminal is None else terminal):
        yield lambda _done, _total, _where: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("{task.fields[where]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None, where="")
        yield lambda done, total, where: progress.update(task, completed=done, total=total, where=where)
