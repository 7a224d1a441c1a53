"""freqtrade: the same RSI rules as an IStrategy through its Backtesting class, offline, with the statistics of its report.

The candles are loaded outside the measured time; measured is what a second back-test in the same process costs: indicators, the
loop, the statistics. freqtrade needs an exchange's markets: one contract is handed to it, nothing is fetched. Stop and target are
leveraged profits in its settings (2 % of price at leverage 3 is 6 %); the target is chosen so that its price is 4 % away after
fees. It has no slippage.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import market
import numpy as np
import pandas as pd
import worker
from freqtrade import __version__
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.exchange.binance import Binance
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.optimize.optimize_reports import generate_backtest_stats

PAIR, FEE, LEVERAGE = "BTC/USDT:USDT", 0.0006, 3
TARGET = LEVERAGE * (1.04 * (1 - FEE) / (1 + FEE) - 1)
COLUMNS = ["date", "open", "high", "low", "close", "volume"]
CONTRACT = {
    "id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "settle": "USDT", "type": "swap", "active": True, "spot": False,
    "margin": False, "swap": True, "future": False, "option": False, "contract": True, "linear": True, "inverse": False,
    "contractSize": 1.0, "maker": FEE, "taker": FEE, "info": {}, "precision": {"price": 0.1, "amount": 0.001},
    "limits": {"amount": {"min": 0.001, "max": 1e6}, "cost": {"min": 5, "max": None}, "price": {"min": 0.1, "max": 1e7},
               "leverage": {"min": 1, "max": 125}}}
STRATEGY = f'''
import talib
from freqtrade.strategy import IStrategy

class Rsi(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    stoploss = -0.06
    minimal_roi = {{"0": {TARGET}}}
    startup_candle_count = 0

    def leverage(self, *args, **kwargs):
        return {LEVERAGE}.0

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = talib.RSI(dataframe["close"].to_numpy(), 14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        before, now = dataframe["rsi"].shift(1), dataframe["rsi"]
        dataframe.loc[(before <= 30) & (now > 30), "enter_long"] = 1
        dataframe.loc[(before >= 70) & (now < 70), "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
'''


def config(folder: Path) -> dict[str, Any]:
    pricing = {"price_side": "same", "use_order_book": False, "order_book_top": 1}
    return {
        "user_data_dir": folder, "datadir": folder / "data", "exportfilename": folder / "out.json", "export": "none", "strategy": "Rsi",
        "strategy_path": str(folder), "timeframe": "1m", "max_open_trades": 1, "stake_currency": "USDT", "stake_amount": "unlimited",
        "tradable_balance_ratio": 0.25, "dry_run_wallet": 10_000, "dry_run": True, "fee": FEE, "trading_mode": "futures",
        "margin_mode": "isolated", "dataformat_ohlcv": "feather", "runmode": RunMode.BACKTEST, "timerange": None, "verbosity": 0,
        "internals": {}, "pairlists": [{"method": "StaticPairList"}], "recursive_strategy_search": False, "backtest_cache": "none",
        "exchange": {"name": "binance", "key": "", "secret": "", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "entry_pricing": pricing, "exit_pricing": pricing, "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
        "order_types": {"entry": "limit", "exit": "limit", "stoploss": "limit", "stoploss_on_exchange": False}}


def save(rows: np.ndarray, file: Path) -> None:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["date"] = pd.to_datetime(frame["date"].astype(np.int64), unit="ms", utc=True).astype("datetime64[ms, UTC]")
    frame.to_feather(file)


def folder_of(rows: np.ndarray) -> Path:
    """The folders freqtrade reads: strategy, candles, mark prices and funding rates of 0."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "rsi.py").write_text(STRATEGY)
    futures = folder / "data" / "futures"
    futures.mkdir(parents=True)
    rates = rows[::480].copy()
    rates[:, 1:] = 0.0
    save(rows, futures / "BTC_USDT_USDT-1m-futures.feather")
    for hours, part in ((1, rows[::60]), (8, rows[::480])):
        save(part, futures / f"BTC_USDT_USDT-{hours}h-mark.feather")
        save(rates, futures / f"BTC_USDT_USDT-{hours}h-funding_rate.feather")
    return folder


def offline() -> None:
    """The exchange object without its network: the one contract is its market list."""
    def markets(self: Any, *_args: Any, **_more: Any) -> None:  # noqa: ANN401
        self._markets = {PAIR: CONTRACT}
        self._api.set_markets({PAIR: CONTRACT})
        self._last_markets_refresh = int(time.time() * 1000)

    patch.object(Exchange, "reload_markets", markets).start()
    patch.object(Exchange, "validate_config", lambda *_args, **_more: None).start()
    for owner in (Exchange, Binance):
        if "additional_exchange_init" in vars(owner):
            patch.object(owner, "additional_exchange_init", lambda _self: None).start()


def single(bars: int) -> dict[str, Any]:
    if bars not in READY:
        READY[bars] = prepared(bars)
    test, data, span = READY[bars]
    test.all_bt_content = {}
    with worker.timed() as took:
        (strategy,) = test.strategylist
        first, last = test.backtest_one_strategy(strategy, data, span)
        stats = generate_backtest_stats(data, test.all_bt_content, min_date=first, max_date=last)
    found = stats["strategy"]["Rsi"]
    return {"trades": int(found["total_trades"]), "equity": float(found["final_balance"]), **took}


READY: dict[int, Any] = {}


def prepared(bars: int) -> tuple[Any, Any, Any]:
    test = Backtesting(config(folder_of(market.year()[:bars])))
    data, span = test.load_bt_data()
    test._load_bt_data_detail()
    return test, data, span


if __name__ == "__main__":
    offline()
    logging.disable(logging.WARNING)
    worker.serve({"single": single}, version=__version__)
