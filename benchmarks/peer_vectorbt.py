"""vectorbt: RSI crossings through Portfolio.from_signals, one run with its stats and a sweep in chunks of columns.

vectorbt knows no leverage: 75 % of cash at leverage 1 is the same notional as 25 % at leverage 3. Its RSI is asked of TA-Lib,
the fastest way it has; signals are shifted by one bar and filled at the open.
"""

from __future__ import annotations

import warnings
from typing import Any

import market
import numpy as np
import pandas as pd
import vectorbt as vbt
import worker

warnings.filterwarnings("ignore")
BARS = market.year()
INDEX = pd.to_datetime(BARS[:, 0].astype(np.int64), unit="ms")
OPEN, HIGH, LOW, CLOSE = (pd.Series(BARS[:, column], index=INDEX) for column in range(1, 5))
RSI = vbt.talib("RSI")


def crossings(periods: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Entries long and short, bool[bars, periods], at the bar whose open they are filled at."""
    rsi = RSI.run(CLOSE, timeperiod=periods, per_column=False).real.to_numpy().reshape(len(BARS), -1)
    longs, shorts = (np.zeros(rsi.shape, dtype=np.bool_) for _ in range(2))
    longs[2:] = (rsi[:-2] < 30) & (rsi[1:-1] >= 30)
    shorts[2:] = (rsi[:-2] > 70) & (rsi[1:-1] <= 70)
    return longs, shorts


def portfolio(longs: np.ndarray, shorts: np.ndarray, stop: Any) -> vbt.Portfolio:  # noqa: ANN401
    columns = longs.shape[1]
    close = CLOSE if columns == 1 else pd.DataFrame(np.broadcast_to(BARS[:, 4:5], longs.shape), index=INDEX)
    if columns == 1:
        longs, shorts = longs[:, 0], shorts[:, 0]
    return vbt.Portfolio.from_signals(
        close, entries=longs, exits=False, short_entries=shorts, short_exits=False, open=OPEN, high=HIGH, low=LOW, price=OPEN,
        size=0.75, size_type="percent", sl_stop=stop, tp_stop=2 * stop, stop_entry_price="fillprice", stop_exit_price="stopmarket",
        upon_opposite_entry="ignore", accumulate=False, fees=0.0006, slippage=0.0001, init_cash=10_000.0, freq="1min")


def single() -> dict[str, Any]:
    found = portfolio(*crossings([14]), 0.02)
    stats = found.stats()
    return {"trades": int(stats["Total Trades"]), "equity": float(stats["End Value"])}


def sweep(pairs: list[tuple[int, float]], chunk: int) -> dict[str, Any]:
    """Final equity, maximum drawdown and trade count of each (period, stop), `chunk` columns at a time."""
    finals: list[float] = []
    trades = 0
    for first in range(0, len(pairs), chunk):
        part = pairs[first:first + chunk]
        periods = sorted({period for period, _ in part})
        longs, shorts = crossings(periods)
        which = [periods.index(period) for period, _ in part]
        found = portfolio(longs[:, which], shorts[:, which], np.array([stop for _, stop in part]) if len(part) > 1 else part[0][1])
        finals += np.ravel(found.final_value()).tolist()
        found.max_drawdown()
        trades += int(np.sum(found.trades.count()))
    return {"combinations": len(pairs), "trades": trades, "equity": float(np.mean(finals))}


if __name__ == "__main__":
    worker.serve({"single": single, "sweep": sweep}, version=vbt.__version__)
