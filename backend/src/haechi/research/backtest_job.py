"""What a worker process does for one back-test: candles, engine, result files. The only place of the server that loads the engine."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haechi.research.executor import Progress

if TYPE_CHECKING:
    from haechi.research.result import Result

HAVE_BARS, HAVE_RESULT, HAVE_REPORT = 0.2, 0.7, 0.9  # shares of the time, seen with a year of minutes


def run_backtest(request: dict[str, Any], folder: str, data: str, progress: Progress) -> dict[str, Any]:
    """`request`: a BacktestBody as JSON; `folder`: where the result goes; `data`: the candle store. Returns the figures, money as text.

    Raises BadInput for what cannot be run.
    """
    from haechi.research.candles import candles
    from haechi.research.result_json import plain_metrics
    from haechi.research.task import Task

    bars, funding = candles(request["data"], Decimal(request["tick"]), Path(data))
    progress(HAVE_BARS)
    fees = request["costs"]
    task = Task(bars, request["strategy"], funding=funding, detail=None, capital=request["capital"], reading=request["reading"],
                slippage=fees["slippage"], maker=fees["maker"], taker=fees["taker"], lot=request["lot"], min_value=MIN_VALUE,
                instruments=None)
    result = task.result(request["params"], request["overrides"])
    figures = plain_metrics(result.metrics)
    progress(HAVE_RESULT)
    keep(result, Path(folder), progress)
    return figures


MIN_VALUE = 5  # Bitget's smallest order in USDT


def keep(result: Result, folder: Path, progress: Progress) -> None:
    """Trades, equity and report as the files of the job."""
    from haechi.research import results
    from haechi.research.result_json import plain_trades
    from haechi.research.trades import text

    values = result.outcome.equity.tolist()
    times = result.outcome.ts.tolist()
    points = [{"time": iso(times[place]), "equity": text(values[place])} for place in results.thinned(values)]
    trades = [{**trade, "entry_time": iso(trade["entry_time"]), "exit_time": iso(trade["exit_time"])} for trade in plain_trades(result)]
    page = result.html()
    progress(HAVE_REPORT)
    results.keep(folder, trades=trades, equity=points, report=page)


def iso(time_ms: int) -> str:
    """1640995200000 -> 2022-01-01T00:00:00Z"""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
