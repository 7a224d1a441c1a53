"""Every combination of a grid through the engine, in this process or in several, and the ranking that comes out."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from haechi.core.definitions import DEFINITIONS
from haechi.core.performance import Figure, summary
from haechi.core.units import scaled
from haechi.errors import BadInput
from haechi.research.compiling import announce_compile
from haechi.research.grid import Grid, grid_of
from haechi.research.progress import tracked

if TYPE_CHECKING:
    import polars as pl

    from haechi.core.outcome import Statistics
    from haechi.research.result import Result
    from haechi.research.task import Task

RANKS = ("pnl", "roi", "final_balance", "cagr", "sharpe", "sortino", "calmar", "max_drawdown", "trades", "win_rate", "profit_factor",
         "expectancy", "exposure", "fees", "funding", "liquidations")
LESS_IS_BETTER = frozenset({"max_drawdown", "fees", "funding", "liquidations"})
WORKERS_MAX = 64
CHUNKS_PER_WORKER = 16  # small enough that the last worker is not waited for, large enough that neighbours share signals
SHOWN = 20


@dataclass(frozen=True, eq=False)
class Sweep:
    """What every combination amounted to. `figures` are in the order of the grid, `order` lists them best first."""

    task: Task
    grid: Grid
    rank: str
    params: Mapping[str, Any]
    settings: Mapping[str, Any]
    figures: list[dict[str, Figure]]

    def __len__(self) -> int:
        return len(self.figures)

    @cached_property
    def order(self) -> list[int]:
        """Best first; a combination whose figure is not defined comes last; equals in the order of the grid."""
        sign = 1 if self.rank in LESS_IS_BETTER else -1

        def key(number: int) -> tuple[bool, Any]:
            figure = self.figures[number][self.rank]
            return figure is None, 0 if figure is None else figure * sign

        return sorted(range(len(self.figures)), key=key)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row for each combination, best first: the axes of the grid, then the figures."""
        import polars as pl

        places = self.order
        columns: dict[str, Any] = {axis.name: _column([self.grid.values(number)[place] for number in places])
                                   for place, axis in enumerate(self.grid.axes)}
        for key in RANKS:
            columns[key] = pl.Series([self.figures[number][key] for number in places], dtype=_dtype(key))
        return pl.DataFrame(columns)

    @cached_property
    def best(self) -> Result:
        """The first of the ranking as a whole result."""
        return self.result(self.order[0])

    def result(self, number: int) -> Result:
        """The number-th combination of the grid as a whole result."""
        params, settings = self.grid.split(number)
        return self.task.result({**self.params, **params}, {**self.settings, **settings})

    def rows(self, top: int | None = None) -> list[dict[str, Any]]:
        """Plain values, best first: the combination and its figures, money as text."""
        from haechi.research.result_json import plain, plain_metrics

        names = [axis.name for axis in self.grid.axes]
        return [{"params": dict(zip(names, map(plain, self.grid.values(number)), strict=True)),
                 "metrics": plain_metrics(self.figures[number])} for number in self.order[:top]]

    def __repr__(self) -> str:
        return f"<Sweep {self.task.strategy.name}: {len(self)} combinations by {self.rank}>\n{self.frame.head(SHOWN)}"

    def _repr_html_(self) -> str:
        found: str = self.frame.head(SHOWN)._repr_html_()
        return found


def run_sweep(task: Task, wanted: Mapping[str, Any], *, rank: str, workers: int, params: Mapping[str, Any],  # noqa: PLR0913
              settings: Mapping[str, Any], progress: bool | None) -> Sweep:
    """Raises BadInput before the first run for what can be known before it."""
    if rank not in RANKS:
        raise BadInput(f"rank must be one of {', '.join(RANKS)}, got {rank!r}")
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= WORKERS_MAX:
        raise BadInput(f"workers must be a whole number from 1 to {WORKERS_MAX}, got {workers}")
    grid = grid_of(wanted, task.strategy.params())
    for name in grid.split(0)[0].keys() & params.keys() | grid.split(0)[1].keys() & settings.keys():
        raise BadInput(f"{name} is given as a fixed value and as an axis of the grid; give one of them")
    task.check(grid, params, settings)
    announce_compile("run_one" if len(task.bars) == 1 else "run_many")
    sums = tracked(_all(task, grid, params, settings, workers), total=grid.size, label=f"{task.strategy.name}", shown=progress)
    span, capital = task.span(), scaled(task.costs.capital)
    return Sweep(task, grid, rank, dict(params), dict(settings), [summary(one, span, capital=capital) for one in sums])


def _all(task: Task, grid: Grid, params: Mapping[str, Any], settings: Mapping[str, Any], workers: int) -> Iterator[Statistics]:
    if workers == 1 or grid.size < 2 * workers:
        return task.statistics(grid, range(grid.size), params, settings)
    return _in_processes(task, grid, params, settings, workers)


def _in_processes(task: Task, grid: Grid, params: Mapping[str, Any], settings: Mapping[str, Any], workers: int) -> Iterator[Statistics]:
    # spawn: a forked copy of a process with the threads of Polars may hang on a lock nobody holds.
    context = multiprocessing.get_context("spawn")
    length = max(1, grid.size // (workers * CHUNKS_PER_WORKER))
    chunks = [range(start, min(start + length, grid.size)) for start in range(0, grid.size, length)]
    with context.Pool(workers, _begin, (task.spec, grid, dict(params), dict(settings))) as pool:  # leaving it kills the workers
        for outcome in pool.imap(_chunk, chunks):
            if isinstance(outcome, str):
                raise BadInput(outcome)
            yield from outcome


_job: dict[str, Any] = {}  # of a worker process: what all of its chunks share


def _begin(task: Any, grid: Grid, params: dict[str, Any], settings: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business; it ends us
    os.nice(1)
    from haechi.research.task import Task

    _job.update(task=Task.of(task), grid=grid, params=params, settings=settings)


def _chunk(numbers: range) -> list[Statistics] | str:
    """The statistics, or the sentence that says why not: exceptions of ours need not survive pickling."""
    try:
        return list(_job["task"].statistics(_job["grid"], numbers, _job["params"], _job["settings"]))
    except (BadInput, ValueError) as error:
        return str(error)


def _column(values: list[Any]) -> Any:
    import polars as pl

    if all(isinstance(value, Decimal) for value in values):
        whole = all(value == value.to_integral_value() for value in values)
        return pl.Series([int(value) if whole else float(value) for value in values])
    return pl.Series([str(value) for value in values], dtype=pl.String)


def _dtype(key: str) -> Any:
    import polars as pl

    unit = DEFINITIONS[key].unit
    return pl.Decimal(38, 8) if unit == "quote" else pl.Int64 if unit == "count" else pl.Float64
