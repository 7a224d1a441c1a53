"""NautilusTrader: the same RSI rules as an event-driven Strategy, one bracket order an entry.

Bars are turned into its objects outside the measured time; measured are the engine's run and its portfolio statistics. Its matching
of bars has no slippage in percent; the entry fills at the close of the signal bar, from which stop and target are set.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import market
import nautilus_trader
import numpy as np
import pandas as pd
import worker
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import TraderId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

PERIOD = 14
FEES = {"maker_fee": "0.0006", "taker_fee": "0.0006"}
PERPETUAL = CryptoPerpetual.from_dict({**CryptoPerpetual.to_dict(TestInstrumentProvider.btcusdt_perp_binance()), **FEES})
BAR_TYPE = BarType.from_str(f"{PERPETUAL.id}-1-MINUTE-LAST-EXTERNAL")
MADE: dict[int, list[Any]] = {}


class Settings(StrategyConfig, frozen=True):
    bar_type: BarType


class Rsi(Strategy):
    """75 % of the equity as notional value; stop 2 %, target 4 %. Wilder's RSI, carried on from bar to bar."""

    def __init__(self, config: Settings) -> None:
        super().__init__(config)
        self.heard, self.last, self.gain, self.loss, self.rsi = 0, 0.0, 0.0, 0.0, 50.0
        self.closed = 0

    def on_start(self) -> None:
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Any) -> None:
        close = bar.close.as_double()
        if self.heard:
            change = close - self.last
            weight = 1.0 / min(self.heard, PERIOD)
            self.gain += weight * (max(change, 0.0) - self.gain)
            self.loss += weight * (max(-change, 0.0) - self.loss)
            total = self.gain + self.loss
            now = 100.0 * self.gain / total if total else 0.0
            if self.heard > PERIOD:
                if self.rsi <= 30 < now:
                    self.enter(OrderSide.BUY, close, 1)
                elif self.rsi >= 70 > now:
                    self.enter(OrderSide.SELL, close, -1)
            self.rsi = now
        self.last = close
        self.heard += 1

    def on_position_closed(self, _event: Any) -> None:
        self.closed += 1

    def enter(self, side: OrderSide, close: float, sign: int) -> None:
        if not self.portfolio.is_flat(PERPETUAL.id):
            return
        equity = self.portfolio.account(PERPETUAL.id.venue).balance_total(USDT).as_double()
        self.submit_order_list(self.order_factory.bracket(
            instrument_id=PERPETUAL.id, order_side=side, quantity=PERPETUAL.make_qty(0.75 * equity / close),
            sl_trigger_price=PERPETUAL.make_price(close * (1 - 0.02 * sign)), tp_price=PERPETUAL.make_price(close * (1 + 0.04 * sign))))


def single(bars: int) -> dict[str, Any]:
    engine = BacktestEngine(BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=LoggingConfig(bypass_logging=True),
                                                 risk_engine=RiskEngineConfig(bypass=True), run_analysis=False))
    engine.add_venue(venue=Venue("BINANCE"), oms_type=OmsType.NETTING, account_type=AccountType.MARGIN, base_currency=None,
                     starting_balances=[Money(10_000, USDT)], default_leverage=Decimal(3), bar_execution=True)
    engine.add_instrument(PERPETUAL)
    engine.add_data(made(bars))
    strategy = Rsi(Settings(bar_type=BAR_TYPE))
    engine.add_strategy(strategy)
    with worker.timed() as took:
        engine.run()
        result = engine.get_result()
    equity = strategy.portfolio.account(PERPETUAL.id.venue).balance_total(USDT).as_double()
    engine.dispose()
    return {"trades": strategy.closed, "orders": int(result.total_orders), "equity": equity, **took}


def made(bars: int) -> list[Any]:
    if bars not in MADE:
        rows = market.year()[:bars]
        frame = pd.DataFrame(rows[:, 1:], columns=["open", "high", "low", "close", "volume"],
                             index=pd.to_datetime(rows[:, 0].astype(np.int64), unit="ms", utc=True))
        MADE[bars] = BarDataWrangler(BAR_TYPE, PERPETUAL).process(frame)
    return MADE[bars]


if __name__ == "__main__":
    worker.serve({"single": single}, version=nautilus_trader.__version__)
