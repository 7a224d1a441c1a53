"""One case through the engine and through the reference, and whether they agree on everything that can be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import Case
from haechi.core.bars import Bars
from haechi.core.outcome import Outcome
from haechi.core.run import Funding, Market, run
from haechi.core.signals import Signals
from reference import Bar, Feed
from reference.run import Result
from reference.run import run as play

FIGURES = ("final_equity", "peak", "max_drawdown", "trades", "wins", "gross_profit", "gross_loss", "fees", "funding", "liquidations",
           "bars", "bars_in_position", "samples")
SUMS = ("return_sum", "return_squares", "downside_squares")


def market_of(feed: Feed) -> Market:
    """The same market in the engine's values."""
    n = len(feed.bars)
    atr = None if feed.atr is None else np.array([np.nan if value is None else value for value in feed.atr], dtype=np.float64)
    funding = Funding(np.array([stamp for stamp, _ in feed.funding], dtype=np.int64), np.array([r for _, r in feed.funding], dtype=np.int64))
    return Market(feed.instrument, bars_of(feed, feed.bars, feed.timeframe_ms),
                  Signals(np.array(feed.bits, dtype=np.uint8).reshape(n), atr, feed.enter_tags, feed.exit_tags), funding,
                  bars_of(feed, feed.detail, 60_000) if feed.detail is not None else None)


def bars_of(feed: Feed, bars: list[Bar], timeframe_ms: int) -> Bars:
    rows = np.array(bars, dtype=np.int64).reshape(len(bars), 5)
    ts, o, h, low, c = (np.ascontiguousarray(rows[:, k]) for k in range(5))
    return Bars(feed.instrument.symbol, timeframe_ms, feed.instrument.tick, ts, o, h, low, c, np.ones(len(bars)))


def both(case: Case, *, dense: bool = True) -> tuple[Outcome, Result]:
    return (run([market_of(feed) for feed in case.feeds], case.plan, case.costs, case.reading, dense=dense),
            play(list(case.feeds), case.plan, case.costs, case.reading))


def differences(outcome: Outcome, result: Result) -> list[str]:
    """Each disagreement in a line; empty if there is none."""
    found = []
    for k, (ours, theirs) in enumerate(zip(outcome.trades, result.rows, strict=False)):
        found += [f"trade {k} {name}: engine {getattr(ours, name)} reference {getattr(theirs, name)}"
                  for name in theirs.__dataclass_fields__ if getattr(ours, name) != getattr(theirs, name)]
    found += _differ("trades", len(outcome.trades), len(result.rows))
    found += [f"equity at {k}: engine {a} reference {b}" for k, (a, b) in enumerate(zip(outcome.equity.tolist(), result.equity, strict=True))
              if a != b][:3]
    found += _differ("refusals", outcome.refusals, {name: n for name, n in result.refusals.items() if n})
    for name in FIGURES:
        found += _differ(name, getattr(outcome.statistics, name), getattr(result.figures, name))
    for name in SUMS:
        ours, theirs = getattr(outcome.statistics, name), getattr(result.figures, name)
        if abs(ours - theirs) > 1e-9 * max(1.0, abs(theirs)):
            found.append(f"{name}: engine {ours} reference {theirs}")
    return found


def _differ(name: str, ours: Any, theirs: Any) -> list[str]:
    return [] if ours == theirs else [f"{name}: engine {ours} reference {theirs}"]


def assert_same(case: Case) -> None:
    """Raises AssertionError that lists what differs."""
    outcome, result = both(case)
    found = differences(outcome, result)
    assert not found, "\n".join([*found[:12], f"plan: {case.plan}", f"reading: {case.reading}"])
