"""vectorbt: RSI crossings through Portfolio.from_signals, one run with its stats, and a sweep in chunks of columns.

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
    longs[2:] = (rsi[:-2] <= 30) & (rsi[1:-1] > 30)
    shorts[2:] = (rsi[:-2] >= 70) & (rsi[1:-1] < 70)
    return longs, shorts


def portfolio(longs: np.ndarray, shorts: np.ndarray, stop: Any) -> vbt.Portfolio:
    """stop: a fraction, or one for each column."""
    columns = longs.shape[1]
    close = CLOSE if columns == 1 else pd.DataFrame(np.broadcast_to(BARS[:, 4:5], longs.shape), index=INDEX)
    if columns == 1:
        longs, shorts = longs[:, 0], shorts[:, 0]
    return vbt.Portfolio.from_signals(
        close, entries=longs, exits=False, short_entries=shorts, short_exits=False, open=OPEN, high=HIGH, low=LOW, price=OPEN,
        size=0.75, size_type="percent", sl_stop=stop, tp_stop=0.04, stop_entry_price="fillprice", stop_exit_price="stopmarket",
        upon_opposite_entry="ignore", accumulate=False, fees=0.0006, slippage=0.0001, init_cash=10_000.0, freq="1min")


def single() -> dict[str, Any]:
    found = portfolio(*crossings([14]), 0.02)
    stats = found.stats()
    return {"trades": int(stats["Total Trades"]), "equity": float(stats["End Value"])}


def sweep(periods: list[int], stops: list[float], chunk: int, whole: bool) -> dict[str, Any]:
    """Every (period, stop), `chunk` columns at a time; `whole`: the figures haechi ranks by, else three of them."""
    pairs = [(period, stop) for period in periods for stop in stops]
    rows = [row for first in range(0, len(pairs), chunk) for row in figures(pairs[first:first + chunk], whole)]
    return {"combinations": len(rows), "trades": int(sum(row[1] for row in rows)), "equity": float(np.mean([row[0] for row in rows]))}


def figures(pairs: list[tuple[int, float]], whole: bool) -> list[tuple[float, ...]]:
    """One row a combination: final value, trades, maximum drawdown, and the others if `whole`."""
    heard = sorted({period for period, _ in pairs})
    longs, shorts = crossings(heard)
    which = [heard.index(period) for period, _ in pairs]
    stops = np.array([stop for _, stop in pairs]) if len(pairs) > 1 else pairs[0][1]
    found = portfolio(longs[:, which], shorts[:, which], stops)
    columns = [found.final_value(), found.trades.count(), found.max_drawdown()]
    if whole:
        columns += [found.total_return(), found.sharpe_ratio(), found.sortino_ratio(), found.calmar_ratio(), found.trades.win_rate(),
                    found.trades.profit_factor(), found.trades.expectancy(), found.position_coverage(), found.orders.fees.sum()]
    return list(zip(*(np.ravel(column).tolist() for column in columns), strict=True))


if __name__ == "__main__":
    worker.serve({"single": single, "sweep": sweep}, version=vbt.__version__)
