"""backtesting.py: the same RSI rules in its Strategy class, statistics included (Backtest.run always makes them).

It trades whole units only, so prices are given in thousandths of a coin: one unit is one lot of 0.001. It has
half the slippage: `spread` moves market entries, stops fill at their trigger. Stop and target are set from the signal bar's close.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Any

import market
import numpy as np
import pandas as pd
import talib
import worker
from backtesting import Backtest, Strategy

warnings.filterwarnings("ignore")
LOT = 0.001


class Rsi(Strategy):
    """Enters on the bar after a crossing when flat; size: 25 % of the equity at leverage 3."""

    def init(self) -> None:
        self.rsi = self.I(lambda close: talib.RSI(np.asarray(close, dtype=np.float64), 14), self.data.Close)

    def next(self) -> None:
        if self.position or len(self.rsi) < 2:
            return
        before, now = self.rsi[-2], self.rsi[-1]
        if before <= 30 < now:
            close = self.data.Close[-1]
            self.buy(size=0.25, sl=close * 0.98, tp=close * 1.04)
        elif before >= 70 > now:
            close = self.data.Close[-1]
            self.sell(size=0.25, sl=close * 1.02, tp=close * 0.96)


def single(bars: int) -> dict[str, Any]:
    rows = market.year()[:bars]
    frame = pd.DataFrame(rows[:, 1:5] * LOT, columns=["Open", "High", "Low", "Close"],
                         index=pd.to_datetime(rows[:, 0].astype(np.int64), unit="ms"))
    frame["Volume"] = rows[:, 5]
    with worker.timed() as took:
        test = Backtest(frame, Rsi, cash=10_000, commission=0.0006, spread=0.0001, margin=1 / 3, finalize_trades=True)
        stats = test.run()
    return {"trades": int(stats["# Trades"]), "equity": float(stats["Equity Final [$]"]), **took}


if __name__ == "__main__":
    worker.serve({"single": single}, version=version("backtesting"))
