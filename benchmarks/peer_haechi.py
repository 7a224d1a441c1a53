"""haechi on the same work as the peers, and its own figures: one bar at a time, grids, the file for the command line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import haechi as hc
import market
import numpy as np
import worker
from haechi.core import engine
from haechi.core.bars import Bars
from haechi.core.encode import encode, pack
from haechi.core.grid import GridMarket, run_grid
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs, Plan, Target
from haechi.core.run import Machine, Market, bar_columns
from haechi.core.signals import Signals
from haechi.core.strategies import find
from haechi.core.sweep import sweep as core_sweep

TICK, FEE = Decimal("0.1"), Decimal("0.0006")
COSTS = Costs(slippage=Decimal("0.0001"), capital=Decimal(10_000))
INSTRUMENT = Instrument("BTCUSDT", tick=TICK, maker=FEE, taker=FEE)
STEP_PLAN = Plan(leverage=3, stop_loss=Decimal("0.02"), targets=(Target(Decimal("0.04")),), on_opposite="ignore")


def bars_of(rows: np.ndarray) -> Bars:
    ts, open_, high, low, close, volume = rows.T
    return Bars.of(symbol="BTCUSDT", timeframe_ms=market.MINUTE_MS, tick=TICK, ts=ts.astype(np.int64), open=open_, high=high, low=low,
                   close=close, volume=volume)


YEAR = bars_of(market.year())


def single(fresh: bool = False) -> dict[str, Any]:
    """The library strategy through the Python face, every figure of `metrics` computed. fresh: on bars nothing has been derived from."""
    bars = YEAR.slice(0, len(YEAR)) if fresh else YEAR
    with worker.timed() as took:
        result = hc.backtest(bars, "rsi", period=14, maker=FEE)
        metrics = result.metrics
    return {"trades": metrics["trades"], "equity": float(metrics["final_balance"]), **took}


def frames() -> dict[str, Any]:
    """The same with the trades and the equity curve as Polars frames."""
    with worker.timed() as took:
        result = hc.backtest(YEAR, "rsi", period=14, maker=FEE)
        rows = len(result.trades), len(result.equity), result.metrics["trades"]
    return {"trades": rows[2], "equity": float(result.metrics["final_balance"]), **took}


def sweep(periods: list[int], stops: list[str]) -> dict[str, Any]:
    """Every combination through `hc.sweep`, figures and ranking included."""
    with worker.timed() as took:
        found = hc.sweep(YEAR, "rsi", {"period": periods, "stop_loss.percent": stops}, maker=FEE, progress=False)
        frame = found.frame
    return {"combinations": len(frame), "trades": int(frame["trades"].sum()), "equity": 10_000 + float(frame["pnl"].mean()), **took}


def core_only(periods: list[int], stops: list[str]) -> dict[str, Any]:
    """The same combinations through `haechi.core.sweep` alone: signals and statistics, no figures made of them."""
    plans = [Plan(leverage=3, stop_loss=Decimal(stop) / 100, targets=(Target(Decimal("0.04")),), on_opposite="ignore") for stop in stops]
    with worker.timed() as took:
        over = find("rsi").over(YEAR)
        jobs = ((signals, plan) for signals in (over.signals({"period": period}) for period in periods) for plan in plans)
        blank = Signals(np.zeros(len(YEAR), dtype=np.uint8))
        found = list(core_sweep(Market(INSTRUMENT, YEAR, blank), jobs, COSTS))
    return {"combinations": len(found), "trades": sum(one.trades for one in found),
            "equity": float(np.mean([one.final_equity for one in found])) / 1e8, **took}


def step(calls: int) -> dict[str, Any]:
    """One bar a call from plain Python, with the signals of the RSI strategy: trades happen on the way. Seconds are a call's."""
    plans, machine = pack([encode(STEP_PLAN, INSTRUMENT, COSTS, "path")]), Machine.fresh(1, COSTS, 4096)
    rows, bits = bar_columns(YEAR), find("rsi").over(YEAR).signals({"period": 14}).bits.tolist()
    state, stats, trades, push = machine.state, machine.stats, machine.trades, engine.step
    push(state.copy(), stats.copy(), plans, trades.copy(), rows, 0, 0, 0, 0, 0)
    with worker.timed() as took:
        for i in range(calls):
            worth = push(state, stats, plans, trades, rows, i, i, bits[i], 0, 0)
    return {"equity": worth / 1e8, "calls": calls, **{name: value / calls for name, value in took.items()}}


def grid(lower: int, upper: int, lines: int, dense: bool = False) -> dict[str, Any]:
    """A neutral arithmetic grid over the year. `lines`: N cells have N + 1."""
    plan = GridPlan(lower=Decimal(lower), upper=Decimal(upper), cells=lines - 1, quantity=Decimal("0.001"), leverage=3)
    contract = Instrument("BTCUSDT", tick=TICK, maker=Decimal("0.0002"), taker=FEE)
    with worker.timed() as took:
        found = run_grid(GridMarket(contract, YEAR), plan, Costs(slippage=Decimal("0.0001"), capital=Decimal(1_000_000)), dense=dense)
    return {"trades": len(found.table), "equity": found.final_equity / 1e8, **took}


def parquet(path: str) -> dict[str, Any]:
    """The year as a file for the command line."""
    import polars as pl

    names = ("ts", "open", "high", "low", "close", "volume")
    frame = pl.DataFrame(dict(zip(names, market.year().T, strict=True))).with_columns(pl.col("ts").cast(pl.Int64))
    frame.write_parquet(Path(path), compression="zstd")
    return {"rows": len(frame)}


if __name__ == "__main__":
    tasks = {"single": single, "frames": frames, "sweep": sweep, "core_only": core_only, "step": step, "grid": grid, "parquet": parquet}
    worker.serve(tasks, version=hc.__version__)
