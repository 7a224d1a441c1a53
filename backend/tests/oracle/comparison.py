"""Hands one case to the engine and to the reference, and says in words where they differ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from cases import Case
from reference import Bar, Feed, Result
from reference import run as reference_run
from shrinking import smallest

from haechi.core.bars import Bars
from haechi.core.outcome import Outcome
from haechi.core.run import Funding, Market
from haechi.core.run import run as engine_run
from haechi.core.signals import Signals

ROW_FIELDS = ("symbol", "side", "quantity", "entry_time", "entry_price", "exit_time", "exit_price", "pnl", "fee", "funding",
              "exit_reason", "enter_tag", "exit_tag", "bars_held")
FIGURES = ("final_equity", "peak", "max_drawdown", "trades", "wins", "gross_profit", "gross_loss", "fees", "funding", "liquidations",
           "bars", "bars_in_position", "samples", "return_sum", "return_squares", "downside_squares")


def market_of(feed: Feed) -> Market:
    """The engine's arrays of a feed."""
    atr = None if feed.atr is None else np.array([math.nan if value is None else value for value in feed.atr])
    funding = np.array(feed.funding, dtype=np.int64).reshape(-1, 2)
    signals = Signals(np.array(feed.bits, dtype=np.uint8), atr, feed.enter_tags, feed.exit_tags)
    return Market(feed.instrument, _bars(feed, feed.bars, feed.timeframe_ms), signals,
                  Funding(funding[:, 0].copy(), funding[:, 1].copy()) if feed.funding else None,
                  _bars(feed, feed.detail, feed.fine_ms) if feed.detail else None)


def _bars(feed: Feed, bars: list[Bar], timeframe_ms: int) -> Bars:
    columns = np.array(bars, dtype=np.int64).reshape(-1, 5)
    return Bars(feed.instrument.symbol, timeframe_ms, feed.instrument.tick, *(columns[:, k].copy() for k in range(5)),
                np.ones(len(bars)))


def differences(case: Case, *, dense: bool = False) -> list[str]:
    """Run both sides; one sentence for each thing they do not agree on."""
    wanted = reference_run(list(case.feeds), case.plan, case.costs, case.reading)
    outcome = engine_run([market_of(feed) for feed in case.feeds], case.plan, case.costs, case.reading, dense=dense)
    return between(outcome, wanted)


def between(outcome: Outcome, wanted: Result) -> list[str]:
    return [*_rows(outcome, wanted), *_points(outcome, wanted), *_figures(outcome, wanted),
            *_same("refusals", {k: v for k, v in outcome.refusals.items() if v}, wanted.refusals)]


def assert_same(outcome: Outcome, wanted: Result, story: str = "") -> None:
    """Fail with the differences between an engine's outcome and the reference's."""
    found = between(outcome, wanted)
    assert not found, "engine and reference differ:\n  " + "\n  ".join(found[:12]) + "\n" + story


def assert_agreed(case: Case, *, dense: bool = False, shrink: bool = True) -> None:
    """Fail with the differences and the case itself, cut down to what matters if it is a small one."""
    found = differences(case, dense=dense)
    if found and shrink:
        case = smallest(case, lambda one: bool(differences(one, dense=dense)))
        found = differences(case, dense=dense)
    story = story_of(case) if shrink else ""
    assert not found, f"engine (dense={dense}) and reference differ:\n  " + "\n  ".join(found[:12]) + "\n" + story


def story_of(case: Case) -> str:
    """The whole case in a form that can be read and typed in again."""
    lines = [f"reading={case.reading!r}", f"plan={_told(case.plan)}", f"costs={case.costs}"]
    for feed in case.feeds:
        lines.append(f"instrument={feed.instrument}")
        lines.append(f"timeframe_ms={feed.timeframe_ms} fine_ms={feed.fine_ms} funding={feed.funding}")
        for index, (bar, bits) in enumerate(zip(feed.bars, feed.bits, strict=True)):
            lines.append(f"  bar {index}: ts={bar.ts} {bar[1:]} bits={bits} atr={feed.atr[index] if feed.atr else None}")
        lines += [f"    fine ts={bar.ts} {bar[1:]}" for bar in feed.detail or []]
    return "\n".join(lines)


def _told(plan: Any) -> str:
    fresh = type(plan)()
    return ", ".join(f"{name}={getattr(plan, name)}" for name in plan.__struct_fields__ if getattr(plan, name) != getattr(fresh, name))


def _same(what: str, engine: object, wanted: object) -> list[str]:
    return [] if engine == wanted else [f"{what}: engine {engine}, reference {wanted}"]


def _rows(outcome: Outcome, wanted: Result) -> list[str]:
    trades = list(outcome.trades)
    found = _same("number of trades", len(trades), len(wanted.rows))
    for index, (trade, row) in enumerate(zip(trades, wanted.rows, strict=False)):
        for name in ROW_FIELDS:
            found += _same(f"trade {index} {name}", getattr(trade, name), getattr(row, name))
    return found


def _points(outcome: Outcome, wanted: Result) -> list[str]:
    found = _same("timeline", [int(ts) for ts in outcome.ts], wanted.ts)
    for index, (engine, reference) in enumerate(zip(outcome.equity, wanted.equity, strict=False)):
        found += _same(f"equity at bar {index}", int(engine), reference)
    return found[:6]


def _figures(outcome: Outcome, wanted: Result) -> list[str]:
    found = []
    for name in FIGURES:
        engine, reference = getattr(outcome.statistics, name), getattr(wanted.figures, name)
        if isinstance(reference, float) and math.isclose(engine, reference, rel_tol=1e-9, abs_tol=1e-12):
            continue
        found += _same(f"statistics {name}", engine, reference)
    return found
