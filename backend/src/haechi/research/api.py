"""The Python face: `import haechi as hc`, then hc.bars, hc.funding, hc.backtest, hc.sweep. The command line calls the same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.errors import BadInput
from haechi.markets.load import load_funding
from haechi.research import inputs
from haechi.research.invented import noted
from haechi.research.numbers import positive
from haechi.research.result import Result
from haechi.research.task import Task

if TYPE_CHECKING:
    from haechi.core.run import Funding
    from haechi.research.sweeping import Sweep

Anything = Any  # a number in whatever form people have it: text, int, float, Decimal


def bars(path: str | Path, *, symbol: str | None = None, timeframe: str | None = None, tick: Anything = inputs.TICK,  # noqa: PLR0913
         start: int | str | None = None, end: int | str | None = None) -> Bars:
    """Candles of a Parquet, CSV, Feather or JSON file, start <= time < end (ISO text or ms, UTC).

    tick: the contract's price step. timeframe: that of the file; a longer one is made of it. Raises BadInput.
    """
    from haechi.research.timeframe import as_timeframe

    found = as_timeframe(Path(path), symbol=symbol, timeframe=timeframe, tick=positive(tick, "tick"), start=start, end=end)
    inputs.check_tick(found)
    return noted(found, Path(path))


def funding(path: str | Path) -> Funding:
    """Funding settlements of a file: `ts`, `rate` (a fraction for each settlement, positive: longs pay). Raises BadInput."""
    return load_funding(path)


def backtest(bars: Bars | Sequence[Bars], strategy: Any, *, params: Mapping[str, Any] | None = None,  # noqa: PLR0913
             settings: Mapping[str, Any] | None = None, funding: Any = None, detail: Any = None, capital: Anything = 10_000,
             reading: str = "adverse", slippage: Anything = "0.0001", maker: Anything = "0.0002", taker: Anything = "0.0006",
             lot: Anything = inputs.LOT, min_value: Anything = inputs.MIN_VALUE, instruments: Mapping[str, Instrument] | None = None,
             **more: Any) -> Result:
    """What the strategy would have earned on one symbol, or on several that share a wallet.

    strategy: a library name ("rsi"), a file of a document, or a document as a mapping. Its parameters: by name, or in `params`.
    settings: parts of its plan by path, {"stop_loss.percent": 1.5}. reading: adverse | benign | path | both (docs/engine.md).
    funding, detail (finer bars): one, a list as long as `bars`, or a mapping by symbol. capital in the quote currency; fees and
    slippage as fractions. instruments: by symbol, where lot, minimum and fees are not the same for all. Raises BadInput.
    """
    task = Task(bars, strategy, funding=funding, detail=detail, capital=capital, reading=reading, slippage=slippage, maker=maker,
                taker=taker, lot=lot, min_value=min_value, instruments=instruments)
    return task.result({**(params or {}), **more}, settings or {})


def sweep(bars: Bars | Sequence[Bars], strategy: Any, grid: Mapping[str, Iterable[Any]], *, rank: str = "sharpe",  # noqa: PLR0913
          workers: int = 1, funding: Any = None, detail: Any = None, settings: Mapping[str, Any] | None = None, capital: Anything = 10_000,
          reading: str = "adverse", slippage: Anything = "0.0001", maker: Anything = "0.0002", taker: Anything = "0.0006",
          lot: Anything = inputs.LOT, min_value: Anything = inputs.MIN_VALUE, instruments: Mapping[str, Instrument] | None = None,
          progress: bool | None = None, params: Mapping[str, Any] | None = None, **more: Any) -> Sweep:
    """Every combination of the grid: parameters by name, parts of the plan by path ({"period": range(5, 55), "stop_loss.percent": [1, 2]}).

    `.frame` ranks them (Polars), `.best` is the first as a whole result. rank: a figure of `metrics`. The other arguments are those
    of `backtest`, equal for all. progress: a bar on the terminal (default: where there is one). Raises BadInput.
    """
    from haechi.research.sweeping import run_sweep

    if reading == "both":
        raise BadInput("a sweep takes one reading: adverse, benign or path; test the best of it with reading both")
    task = Task(bars, strategy, funding=funding, detail=detail, capital=capital, reading=reading, slippage=slippage, maker=maker,
                taker=taker, lot=lot, min_value=min_value, instruments=instruments)
    return run_sweep(task, grid, rank=rank, workers=workers, params={**(params or {}), **more}, settings=settings or {}, progress=progress)
