"""Two symbols on one wallet, by hand: what one does to the other between their bars."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs, Plan, Protections, Size
from haechi.core.run import Market, run
from haechi.core.signals import ENTER_LONG, ENTER_SHORT, Signals

MINUTE = 60_000
FREE = {"maker": Decimal(0), "taker": Decimal(0), "min_value": Decimal(0)}


def a_market(symbol: str, closes: dict[int, int], signals: dict[int, int]) -> Market:
    """Flat bars at these minutes (minute: price in whole quote units); signals by minute."""
    minutes, prices = list(closes), np.array(list(closes.values()), dtype=np.float64)
    instrument = Instrument(symbol, tick=Decimal(1), lot=Decimal(1), **FREE)
    bars = Bars.of(symbol=symbol, timeframe_ms=MINUTE, tick=Decimal(1), ts=np.array(minutes) * MINUTE, open=prices, high=prices, low=prices,
                   close=prices, volume=np.ones(len(prices)))
    return Market(instrument, bars, Signals(np.array([signals.get(minute, 0) for minute in minutes], dtype=np.uint8)))


def test_a_position_closed_by_anothers_liquidation_counts_the_bar_under_way() -> None:
    plan = Plan(size=Size("fixed_quantity", Decimal(20)), leverage=10, margin="cross", on_opposite="ignore")
    falls = a_market("AUSDT", {0: 100, 1: 100, 2: 30, 3: 30}, {0: ENTER_LONG})  # 20 × 70 lost of 1,000: more than all
    stays = a_market("BUSDT", {0: 50, 1: 50, 2: 50, 3: 50}, {0: ENTER_SHORT})
    outcome = run([falls, stays], plan, Costs(slippage=Decimal(0), capital=Decimal(1_000)), "path")
    other = next(trade for trade in outcome.trades if trade.symbol == "BUSDT")
    assert (other.exit_reason, other.bars_held) == ("liquidation", 1)
    assert outcome.statistics.final_equity == 0


def test_a_flatten_drops_an_entry_that_waits_for_its_symbols_next_bar() -> None:
    rules = Protections(drawdown=Decimal("0.05"), drawdown_bars=1, drawdown_flatten=True)
    plan = Plan(size=Size("fixed_quantity", Decimal(5)), leverage=2, protections=rules, on_opposite="ignore")
    falls = a_market("AUSDT", {0: 100, 1: 100, 2: 80, 3: 80, 4: 80}, {0: ENTER_LONG})  # 100 of 1,000 lost at minute 2
    waits = a_market("BUSDT", {0: 50, 4: 50, 5: 50}, {0: ENTER_LONG})  # signal at minute 0, next bar only at 4
    outcome = run([falls, waits], plan, Costs(slippage=Decimal(0), capital=Decimal(1_000)), "path")
    assert [(trade.symbol, trade.exit_reason) for trade in outcome.trades] == [("AUSDT", "protection")]
    assert not outcome.refusals


def test_without_the_flatten_the_waiting_entry_is_made() -> None:
    plan = Plan(size=Size("fixed_quantity", Decimal(5)), leverage=2, on_opposite="ignore")
    falls = a_market("AUSDT", {0: 100, 1: 100, 2: 80, 3: 80, 4: 80}, {0: ENTER_LONG})
    waits = a_market("BUSDT", {0: 50, 4: 50, 5: 50}, {0: ENTER_LONG})
    outcome = run([falls, waits], plan, Costs(slippage=Decimal(0), capital=Decimal(1_000)), "path")
    assert sorted(trade.symbol for trade in outcome.trades) == ["AUSDT", "BUSDT"]
