"""How far long work is: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
SECONDS_BEFORE_SHOWN = 0.5


def tracked(work: Iterable[T], *, total: int, label: str, shown: bool | None = None) -> Iterator[T]:
    """The items of `work`, with a bar on stderr while they come. shown: default is where stderr is a terminal."""
    if not (sys.stderr.isatty() if shown is None else shown):
        yield from work
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        for one in work:
            yield one
            progress.advance(task)
