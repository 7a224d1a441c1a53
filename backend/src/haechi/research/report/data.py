"""What the page's script draws: candles small enough to send, the curves over the same stretches, the trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from haechi.core import layout as at
from haechi.research.figures import duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from haechi.core.bars import Bars
    from haechi.research.result import Result

CANDLES_MAX = 36_000  # about 600 kB of page: a year of minutes as quarters of an hour; a screen shows some 1,500 at once
POINTS_MAX = 9_000
TRADES_MAX = 20_000
MULTIPLES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 4320, 10_080)


def chart_data(result: Result) -> dict[str, Any]:
    """Plain numbers: times in ms, prices in ticks with the tick beside them, money in quote units rounded to cents."""
    markets = result.outcome.markets
    most = CANDLES_MAX // len(markets)
    return {
        "capital": result.outcome.capital / 1e8,
        "markets": [candles(market.bars, most) for market in markets],
        "curve": curve(result, POINTS_MAX),
        "trades": trades(result),
        "reasons": list(at.REASONS),
    }


def candles(bars: Bars, most: int) -> dict[str, Any]:
    """Open, high, low, close as differences: each open from the close before, the others from the open."""
    length = stretch(len(bars), bars.timeframe_ms, most)
    starts = edges(bars.ts, length)
    opened, closed = bars.open_ticks[starts], bars.close_ticks[np.append(starts[1:], len(bars)) - 1]
    high, low = np.maximum.reduceat(bars.high_ticks, starts), np.minimum.reduceat(bars.low_ticks, starts)
    jumps = opened - np.append(0, closed[:-1])
    return {"symbol": bars.symbol, "tick": float(bars.tick), "digits": max(0, -int(bars.tick.normalize().as_tuple().exponent)),
            "each": duration(length), "length": length, "ts": steps(bars.ts[starts] // length, length),
            "o": jumps.tolist(), "h": (high - opened).tolist(), "l": (opened - low).tolist(), "c": (closed - opened).tolist()}


def curve(result: Result, most: int) -> dict[str, Any]:
    """Equity at the end of each stretch, its lowest inside, and what buying and holding all symbols alike would be worth."""
    run = result.outcome
    length = stretch(len(run.ts), result.bar_ms, most)
    starts = edges(run.ts, length)
    ends = np.append(starts[1:], len(run.ts)) - 1
    peak = np.maximum.accumulate(np.maximum(run.equity, run.capital))
    deepest = np.maximum.reduceat(1.0 - run.equity / peak, starts)
    return {"length": length, "ts": steps(run.ts[starts] // length, length), "equity": np.round(run.equity[ends] / 1e8, 2).tolist(),
            "drawdown": np.round(deepest, 5).tolist(), "hold": np.round(held(result, run.ts[ends]), 2).tolist()}


def held(result: Result, ts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The capital in equal parts in all symbols since their first open, at these times, without costs."""
    parts = []
    for market in result.outcome.markets:
        bars = market.bars
        place = np.searchsorted(bars.ts, ts, side="right") - 1
        worth = bars.close_ticks[np.maximum(place, 0)] / int(bars.open_ticks[0])
        parts.append(np.where(place < 0, 1.0, worth))
    return np.asarray(np.mean(parts, axis=0) * (result.outcome.capital / 1e8))


def trades(result: Result) -> list[list[Any]]:
    """[market, side, entry ms, entry price, exit ms, exit price, pnl, reason, quantity, fee, funding, bars, tags] of each."""
    rows = result.outcome.table[:TRADES_MAX].tolist()
    return [[row[at.T_MARKET], row[at.T_SIDE], row[at.T_ENTRY_TS], float(trade.entry_price), row[at.T_EXIT_TS], float(trade.exit_price),
             round(row[at.T_PNL] / 1e8, 2), row[at.T_REASON], f"{trade.quantity.normalize():f}", round(row[at.T_FEE] / 1e8, 2),
             round(row[at.T_FUNDING] / 1e8, 2), trade.bars_held, trade.enter_tag, trade.exit_tag]
            for row, trade in zip(rows, result.outcome.trades, strict=False)]


def stretch(count: int, bar_ms: int, most: int) -> int:
    """Length in ms of the stretches, a round multiple of the bars, so that at most about `most` come out."""
    least = -(-count // most)
    return bar_ms * next((one for one in MULTIPLES if one >= least), least)


def edges(ts: NDArray[np.int64], length: int) -> NDArray[np.intp]:
    """Where each stretch of `length` ms begins."""
    bucket = ts // length
    return np.flatnonzero(np.append(True, bucket[1:] != bucket[:-1]))


def steps(buckets: NDArray[np.int64], length: int) -> list[int]:
    """First bucket, then how many further each next one is: mostly ones, so they are sent as [first, [place, step] …]."""
    gaps = np.diff(buckets)
    odd = np.flatnonzero(gaps != 1)
    return [int(buckets[0]), len(buckets), *(int(value) for place in odd for value in (place + 1, gaps[place]))]
