"""jesse: the same RSI rules as a Strategy through research.backtest, its metrics included, fast mode on.

The RSI is carried on from bar to bar (Wilder's smoothing in plain Python), since jesse's own indicators compute a whole window
again at each bar: this is the faster way. jesse has no slippage and enters at the close of the signal bar.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from importlib.metadata import version
from typing import Any

SCRATCH = tempfile.mkdtemp(prefix="bench-")  # jesse writes a storage folder where it is started
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
os.chdir(SCRATCH)

import market  # noqa: E402
import numpy as np  # noqa: E402
import worker  # noqa: E402
from jesse import research  # noqa: E402
from jesse.strategies import Strategy  # noqa: E402

EXCHANGE, SYMBOL = "Bybit USDT Perpetual", "BTC-USDT"
PERIOD = 14
CONFIG = {"starting_balance": 10_000, "fee": 0.0006, "type": "futures", "futures_leverage": 3, "futures_leverage_mode": "isolated",
          "exchange": EXCHANGE, "warm_up_candles": 0}


class Rsi(Strategy):
    """25 % of the balance at leverage 3; stop 2 % and target 4 % from the entry price."""

    def before(self) -> None:
        if not self.vars:
            self.vars.update(gain=0.0, loss=0.0, last=None, heard=0, rsi=(None, None))
        self.hear(self.close)

    def hear(self, close: float) -> None:
        mine = self.vars
        if mine["last"] is not None:
            change = close - mine["last"]
            mine["heard"] += 1
            weight = 1.0 / min(mine["heard"], PERIOD)  # the first fourteen changes are averaged, as TA-Lib does
            mine["gain"] += weight * (max(change, 0.0) - mine["gain"])
            mine["loss"] += weight * (max(-change, 0.0) - mine["loss"])
            if mine["heard"] >= PERIOD:
                total = mine["gain"] + mine["loss"]
                mine["rsi"] = mine["rsi"][1], 100.0 * mine["gain"] / total if total else 0.0
        mine["last"] = close

    def should_long(self) -> bool:
        before, now = self.vars["rsi"]
        return before is not None and before <= 30 < now

    def should_short(self) -> bool:
        before, now = self.vars["rsi"]
        return before is not None and before >= 70 > now

    def should_cancel_entry(self) -> bool:
        return True

    def go_long(self) -> None:
        self.buy = self.balance * 0.75 / self.price, self.price

    def go_short(self) -> None:
        self.sell = self.balance * 0.75 / self.price, self.price

    def on_open_position(self, order: Any) -> None:
        side = 1 if self.is_long else -1
        entry, quantity = self.position.entry_price, self.position.qty
        self.stop_loss = abs(quantity), entry * (1 - 0.02 * side)
        self.take_profit = abs(quantity), entry * (1 + 0.04 * side)


def single(bars: int) -> dict[str, Any]:
    candles = np.ascontiguousarray(market.year()[:bars, [0, 1, 4, 2, 3, 5]])
    key = f"{EXCHANGE}-{SYMBOL}"
    route = {"exchange": EXCHANGE, "strategy": Rsi, "symbol": SYMBOL, "timeframe": "1m"}
    history = {key: {"exchange": EXCHANGE, "symbol": SYMBOL, "candles": candles}}
    with worker.timed() as took:
        found = research.backtest(CONFIG, [route], [], history, fast_mode=True)["metrics"]
    return {"trades": int(found["total"]), "equity": float(found["finishing_balance"]), **took}


if __name__ == "__main__":
    worker.serve({"single": single}, version=version("jesse"))
