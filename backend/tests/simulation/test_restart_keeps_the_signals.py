"""A bot on longer bars than the market's says after a restart what it would have said without one, which is what the back-test says."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Any

import numpy as np
import polars as pl
import pytest

from haechi.bots.models import Bot
from haechi.bots.service import Bots
from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.language.text import plain
from haechi.core.run import Funding, Market
from haechi.core.signals import Signals
from haechi.core.strategies import find
from haechi.markets.synthetic import synthetic_bars
from haechi.markets.timeframes import DAY, HOUR, MINUTE
from haechi.research.timeframe import in_length

ONE = Instrument("BTCUSDT", tick=Decimal("0.1"), lot=Decimal("0.001"))
TEXT = """
name: above
description: Long while the close is above a slow average, on volume.
timeframe: 4h
params:
  slow: {default: 60, min: 2, max: 500}
indicators:
  s: {kind: ema, source: close, period: $slow}
  v: {kind: ema, source: volume, period: $slow}
enter_long: close > s
enter_short: volume > v
exit_long: close < s
exit_short: volume < v
size: {kind: equity_fraction, fraction: 0.1}
leverage: 1
stop_loss: {percent: 20}
"""
# timeframe, its length, period of the averages, minutes before the first start, to the restart and after it
WEEK = 7 * DAY
CASES = (("15m", 15 * MINUTE, 400, 8_000, 50, 100), ("1h", HOUR, 120, 9_000, 100, 200), ("4h", 4 * HOUR, 60, 16_000, 300, 700),
         ("1d", DAY, 12, 30_000, 700, 1_600), ("1w", WEEK, 3, 72_000, 100, 4_400))


def minutes(n: int) -> Market:
    made = synthetic_bars(11, n, start_ms=1_767_225_600_000, price=Decimal(60_000), tick=ONE.tick)
    bars = Bars.of(symbol="BTCUSDT", timeframe_ms=MINUTE, tick=ONE.tick, **made.columns())
    return Market(ONE, bars, Signals(np.zeros(n, dtype=np.uint8)), Funding(np.zeros(0, np.int64), np.zeros(0, np.int64)))


def longer(bars: Bars, length: int) -> Bars:
    """As `haechi backtest FILE --timeframe` makes them."""
    frame = in_length(pl.DataFrame({"ts": bars.ts, "open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close,
                                    "volume": bars.volume}), length, "minutes")
    columns: dict[str, Any] = {name: frame[name].to_numpy() for name in frame.columns}
    return Bars.of(symbol="BTCUSDT", timeframe_ms=length, tick=ONE.tick, **columns)


async def again(there: Any, bot: Bot) -> None:
    """The process ends and another one begins: nothing is in memory any more."""
    await there.bots.close()
    await there.bots.desks.close()
    there.bots = Bots(there.database, there.clock, there.player, there.bots.desks, there.bots.folder, in_thread=there.bots._in_thread)
    await there.bots.launch(bot)


@pytest.mark.parametrize(("name", "length", "slow", "past", "before", "after"), CASES, ids=[case[0] for case in CASES])
async def test_every_bar_has_the_signal_of_the_back_test(road: Any, name: str, length: int, slow: int, past: int, before: int,
                                                         after: int) -> None:
    market = minutes(past + before + after)
    document = plain(TEXT)
    async with road({"BTCUSDT": market}) as there:
        there.player.floor.remember(list(islice(there.player.instants, past)))
        there.clock.now_at = int(market.bars.ts[past])
        bot = await there.start(document, "BTCUSDT", params={"slow": slow}, timeframe=name)
        first = there.bots.runners[bot.id]
        hub, key, mind = first.hearing.hub, first.hearing.key, first.mind
        await there.play(before)
        said = {one.ts: one.bits for one in first.whys.shown()}
        await again(there, bot)
        await there.play(after)
        runner = there.bots.runners[bot.id]
        said |= {one.ts: one.bits for one in runner.whys.shown()}
        bars = longer(market.bars, length)
        bits = find(document).over(bars).signals({"slow": slow}).bits.tolist()
        wanted = {ts: bit for ts, bit in zip(bars.ts.tolist(), bits, strict=True) if ts + length > market.bars.ts[past]}
        assert len({bit for bit in wanted.values()}) > (len(wanted) > 3)
        assert said == wanted
        mine = runner.hearing.hub._voices[key].series.bars(len(bars))
        assert mine.ts.tolist() == bars.ts.tolist() and (mine.close == bars.close).all()
        assert mine.volume.tolist() == (pytest.approx(bars.volume.tolist()) if length == WEEK else bars.volume.tolist())
        assert runner.mind is not mind and hub is not runner.hearing.hub and key == runner.hearing.key
