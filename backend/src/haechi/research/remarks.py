"""What the reader of a result should know before believing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from haechi.core.instrument import TIERS_DEFAULT
from haechi.research.invented import is_invented
from haechi.research.words import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haechi.core.run import Market
    from haechi.research.result import Result


def remarks(result: Result) -> list[Remark]:
    """In the order of their weight: what happened, what was refused, what the data lacked."""
    of_the_data = (remark for market in result.outcome.markets for remark in _of_the_data(market))
    return [*_of_the_run(result), *_of_the_strategy(result), *of_the_data]


def _of_the_run(result: Result) -> Iterator[Remark]:
    sums = result.outcome.statistics
    if sums.liquidations:
        yield Remark("liquidations", {"count": sums.liquidations})
    if not sums.trades:
        yield Remark("no_trades")
    for name, count in result.outcome.refusals.items():
        yield Remark(name, {"count": count})


def _of_the_strategy(result: Result) -> Iterator[Remark]:
    if result.written_for is not None and result.written_for != result.timeframe:
        yield Remark("timeframe", {"written": result.written_for, "given": result.timeframe})
    for market in result.outcome.markets:
        if result.warm_up >= len(market.bars):
            yield Remark("warm_up", {"warm_up": result.warm_up, "symbol": market.bars.symbol, "bars": len(market.bars)})
    if any(market.instrument.tiers == TIERS_DEFAULT for market in result.outcome.markets):
        yield Remark("tiers")


def _of_the_data(market: Market) -> Iterator[Remark]:
    bars = market.bars
    if is_invented(bars):
        yield Remark("invented", {"symbol": bars.symbol})
    if bars.off_grid:
        yield Remark("off_grid", {"bars": bars.off_grid, "all": len(bars), "symbol": bars.symbol, "tick": f"{bars.tick:f}"})
    steps = np.diff(bars.ts)
    wide = steps[steps > bars.timeframe_ms]
    if len(wide):
        missing = int((wide // bars.timeframe_ms - 1).sum())
        yield Remark("gaps", {"symbol": bars.symbol, "missing": missing, "gaps": len(wide)})
    if market.funding is None:
        yield Remark("no_funding", {"symbol": bars.symbol})
