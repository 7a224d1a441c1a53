"""Parity through all of it: started over HTTP, orders through database and desk, over Bitget's wire to a stepped exchange, and what came
back booked: each bot makes the trades of the back-test under `path`, to the last digit.

In every run of the tests some hours of an invented market and half a day of real minutes; HAECHI_WIRE_DAYS says how many real days.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wire_road import CAPITAL, Wire, wire_road

from haechi.bots.grid_mind import GridMind
from haechi.bots.mind import Mind
from haechi.bots.replay import replay
from haechi.core.bars import Bars
from haechi.core.grid import GridMarket, run_grid
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.run import Funding, Market, run
from haechi.core.signals import Signals
from haechi.core.strategies import find
from haechi.markets.load import load_bars, load_funding
from haechi.markets.synthetic import synthetic_bars

DAYS = float(os.environ.get("HAECHI_WIRE_DAYS", "0.5"))
PAST, HOUR, DAY = 300, 60, 1440
STRATEGIES: tuple[tuple[str, dict[str, int]], ...] = (
    ("rsi", {"period": 7}), ("ema", {"fast": 8, "slow": 21}), ("bollinger", {}), ("proven_balanced", {}))
TRAILING: tuple[tuple[str, dict[str, int]], ...] = (("proven_conservative", {}), ("proven_aggressive", {}))
INVENTED = (("BTCUSDT", "0.1", "0.001", "60000"), ("ETHUSDT", "0.01", "0.01", "3000"))
REAL = (("BNBUSDT", "0.01", "0.01"), ("SOLUSDT", "0.01", "0.1"), ("XRPUSDT", "0.0001", "1"))
COSTS = Costs(slippage=Decimal("0.0001"), capital=CAPITAL)


def market_of(instrument: Instrument, bars: Bars, funding: Funding) -> Market:
    return Market(instrument, bars, Signals(np.zeros(len(bars), dtype=np.uint8)), funding)


def invented(symbol: str, tick: str, lot: str, price: str, n: int) -> Market:
    made = synthetic_bars(11, n, start_ms=1_767_225_600_000, price=Decimal(price), tick=Decimal(tick))
    bars = Bars.of(symbol=symbol, timeframe_ms=60_000, tick=Decimal(tick), **made.columns())
    due = np.arange(bars.ts[0], bars.ts[-1], 2 * 3_600_000)
    return market_of(Instrument(symbol, tick=Decimal(tick), lot=Decimal(lot)), bars, Funding(due, np.full(len(due), 12_500)))


def together(markets: dict[str, Market], bars: int) -> dict[str, Market]:
    """The minutes that all of them have, without a gap, from the first one on."""
    first, last = (edge(int(one.bars.ts[k]) for one in markets.values()) for edge, k in ((max, 0), (min, -1)))
    starts = {symbol: int(np.searchsorted(one.bars.ts, first)) for symbol, one in markets.items()}
    most = min(bars, (last - first) // 60_000 + 1)
    cut = {symbol: one.bars.slice(starts[symbol], starts[symbol] + most) for symbol, one in markets.items()}
    assert all((one.ts == first + 60_000 * np.arange(most)).all() for one in cut.values())
    return {symbol: market_of(one.instrument, cut[symbol], one.funding) for symbol, one in markets.items()}


def real(folder: Path, symbol: str, tick: str, lot: str) -> Market:
    loaded = load_bars(folder / f"{symbol}_perp_binance_1m_202505.parquet", tick=tick)
    funding = load_funding(folder / f"{symbol}_funding_binance_2025_2026.parquet")
    return market_of(Instrument(symbol, tick=Decimal(tick), lot=Decimal(lot)), loaded, funding)


def future(there: Wire, symbol: str, signals: Signals | None = None) -> Market:
    """What the bot lived through; its strategy has seen the past."""
    market, first = there.markets[symbol], there.past
    cut = market.signals if signals is None else replace(signals, atr=None if signals.atr is None else signals.atr[first:],
                                                         bits=signals.bits[first:])
    bars = market.bars.slice(first, there.bars)
    bits = replace(cut, bits=cut.bits[:len(bars)], atr=None if cut.atr is None else cut.atr[:len(bars)])
    return Market(market.instrument, bars, bits, market.funding)


async def same_trades(there: Wire, bot_id: str, strategy: str, params: dict[str, Any], symbol: str) -> int:
    """The trades of the mind against the back-test's; how many."""
    market = future(there, symbol, find(strategy).over(there.markets[symbol].bars).signals(params))
    wanted = [one for one in run([market], find(strategy).plan(params), COSTS, "path").trades if one.exit_reason != "end_of_data"]
    mind = there.runners[bot_id].mind
    assert isinstance(mind, Mind)
    made = mind.engine.outcome(market, 0).trades
    differs = next((k for k, (one, other) in enumerate(zip(made, wanted, strict=False)) if one != other), None)
    shown = [] if differs is None else [str(made[differs]), str(wanted[differs])]
    assert differs is None, f"{strategy} {symbol}, trade {differs}: {shown} refused: {await refusals(there, bot_id)}"
    assert len(made) == len(wanted), f"{strategy} {symbol}: {len(made)} of {len(wanted)}, refused: {await refusals(there, bot_id)}"
    await booked(there, bot_id, symbol, len(wanted))
    return len(wanted)


async def refusals(there: Wire, bot_id: str) -> list[tuple[Any, ...]]:
    """What the bot's log says of orders that were not taken."""
    return [tuple(row) for row in await there.rows("select time_ms, facts from bot_lines where bot_id = :b and code = 'refused'", b=bot_id)]


async def same_fills(there: Wire, bot_id: str, symbol: str) -> int:
    """The grid's fills in the books against the back-test's; how many."""
    market, mind = future(there, symbol), there.runners[bot_id].mind
    assert isinstance(mind, GridMind)
    outcome = run_grid(GridMarket(market.instrument, market.bars, market.funding), mind.spec.grid, COSTS, "path")
    wanted = [(fill.side, fill.price, fill.quantity, fill.fee) for fill in outcome.fills if fill.kind != "end_of_data"]
    rows = await there.rows("select b.side, b.price, b.quantity, e.amount from bookings b left join ledger_entries e "
                            "on e.booking_id = b.id and e.book = 'fees' where b.bot_id = :b and b.kind = 'fill' order by b.id", b=bot_id)
    made = [(side, Decimal(price), Decimal(quantity), Decimal(fee or 0)) for side, price, quantity, fee in rows]
    differs = next((k for k, (one, other) in enumerate(zip(made, wanted, strict=False)) if one != other), None)
    assert differs is None, (symbol, differs, made[differs], wanted[differs])
    assert len(made) == len(wanted)
    await booked(there, bot_id, symbol, len(wanted))
    return len(wanted)


async def booked(there: Wire, bot_id: str, symbol: str, closes: int) -> None:
    """Database, exchange and mind agree: the wallet to the last digit, every fill once, no order left in doubt, the journal replays."""
    member, runner = there.members[bot_id], there.runners[bot_id]
    desk = runner.desk
    wallet = await there.rows("select balance from ledger_entries where account_id = :a and book = 'wallet' order by id desc limit 1",
                              a=desk.account_id)
    assert Decimal(wallet[0][0]) == member.account.wallet == desk.wallet
    held = member.account.lots(there.floor.market[symbol])
    assert desk.holdings.quantity(bot_id, symbol) == runner.mind.spec.instrument.quantity(held) and runner.mind.position == held
    sums: dict[int, Decimal] = {}
    for booking, amount in await there.rows("select booking_id, amount from ledger_entries where account_id = :a", a=desk.account_id):
        sums[booking] = sums.get(booking, Decimal(0)) + Decimal(amount)
    assert set(sums.values()) == {Decimal(0)}
    fills = await there.rows("select count(*), count(distinct exchange_id) from bookings where account_id = :a and kind = 'fill'",
                             a=desk.account_id)
    assert fills[0][0] == fills[0][1] == len({one.trade_id for one in member.fills}) >= closes
    assert not await there.rows("select id from orders where bot_id = :b and status in ('sent', 'unknown')", b=bot_id)
    found = replay(there.house.settings.haechi_var.resolve() / "journals" / f"{bot_id}.jsonl")
    assert (found.difference, found.wishes > 0) == ("", True)


async def lived_through(there: Wire, grid: dict[str, Any], strategies: tuple[tuple[str, dict[str, int]], ...] = STRATEGIES) -> tuple[int, int]:
    """Strategies and a grid are started, everything is played, everything is compared: trades of the strategies, fills of the grid."""
    symbols = list(there.markets)
    wanted = [(strategy, params, symbols[k % len(symbols)]) for k, (strategy, params) in enumerate(strategies)]
    bots = [await there.starts("/bot-instances", strategy=strategy, params=params, symbol=symbol) for strategy, params, symbol in wanted]
    the_grid = await there.starts("/grid-bot", **grid)
    there.floor.history_kept = 10**6
    for bot_id in bots:
        engine = there.runners[bot_id].mind.engine
        engine.rows = deque(engine.rows)  # all of them are compared
    instants = there.instants(there.past, there.bars)
    await there.player.walks(next(instants))
    for bars in instants:
        await there.player.play(bars)
    trades = [await same_trades(there, bot_id, *one) for bot_id, one in zip(bots, wanted, strict=True)]
    return sum(trades), await same_fills(there, the_grid, grid["symbol"])


def lines(market: Market, quantity: str) -> dict[str, Any]:
    """A neutral grid over all that the market will do, cells of 0.4 percent or smaller, so that the money is enough for all lines."""
    one, low, high = market.instrument, int(market.bars.low_ticks.min()), int(market.bars.high_ticks.max()) + 1
    return {"symbol": one.symbol, "lower": str(one.price(low)), "upper": str(one.price(high)), "direction": "neutral", "quantity": quantity,
            "cells": min(max(int((high / low - 1) / 0.004), 20), 100), "leverage": 5}


async def test_an_invented_market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    markets = {symbol: invented(symbol, *rest, n=PAST + 6 * HOUR) for symbol, *rest in INVENTED}
    async with wire_road(tmp_path, monkeypatch, markets, PAST) as there:
        trades, fills = await lived_through(there, lines(markets["BTCUSDT"], "0.01"))
        assert trades > 20 and fills > 10


async def test_trailing_stops_follow_the_prices_that_the_wire_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    markets = {symbol: invented(symbol, *rest, n=PAST + 10 * HOUR) for symbol, *rest in INVENTED}
    async with wire_road(tmp_path, monkeypatch, markets, PAST) as there:
        trades, fills = await lived_through(there, lines(markets["ETHUSDT"], "0.1"), TRAILING)
        assert trades > 5 and fills > 10


async def test_real_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, market_data: Path) -> None:
    markets = together({symbol: real(market_data, symbol, *rest) for symbol, *rest in REAL}, PAST + int(DAYS * DAY))
    async with wire_road(tmp_path, monkeypatch, markets, PAST) as there:
        trades, fills = await lived_through(there, lines(markets["SOLUSDT"], "1"))
        print(f"{DAYS} days: {trades} trades and {fills} fills of a grid, all the same; the market stood still {there.player.stops} times")
        assert trades > 20 * DAYS and fills > 20 * DAYS
