"""The bots of the crash tests: restless ones, so that orders are on their way at every bar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading_floor import BTC, ETH

from haechi.bots.grid_memory import GridSpec
from haechi.bots.mind import Spec
from haechi.core.grid_plan import GridPlan
from haechi.core.plan import Costs

MARKETS = (BTC, ETH)
DEPOSIT = Decimal(10_000)
RESTLESS: dict[str, Any] = {
    "name": "restless", "timeframe": "1m", "indicators": {"r": {"kind": "rsi", "source": "close", "period": 2}},
    "enter_long": "r > 51", "enter_short": "r < 49", "size": {"kind": "equity_fraction", "fraction": 0.2}, "leverage": 3,
    "stop_loss": {"percent": 0.4}, "take_profit": [{"percent": 0.15, "share": 50}, {"percent": 0.5, "share": 50}], "on_opposite": "reverse"}
# account, bot, market, the rest of the spec; the last one is started by its owner, with what is left of the account
BOTS = (("anna", "anna0", 0), ("anna", "anna1", 1), ("ben", "ben0", 1), ("ben", "ben1", 0))


def spec_of(bot_id: str, m: int) -> Spec | GridSpec:
    one = MARKETS[m]
    if bot_id == "anna1":
        middle = 3_000
        plan = GridPlan(lower=Decimal(middle - 60), upper=Decimal(middle + 60), cells=12, investment=Decimal(2_000), leverage=3)
        return GridSpec(plan, one, Costs(capital=DEPOSIT), 60_000)
    return Spec(RESTLESS, {}, {}, one, Costs(capital=DEPOSIT), 60_000)
