"""Thousands of back-tests of one market: the same engine, its arrays made once, only the statistics kept.

Results equal `run`'s bit for bit; a test says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import engine
from . import layout as at
from .encode import encode, pack
from .outcome import Statistics, statistics_of
from .plan import Costs, Plan
from .run import EMPTY, Machine, Market, atr_ticks, check, detail_rows, drive, funding_rows, signal_rows
from .signals import Signals

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sweep(market: Market, jobs: Iterable[tuple[Signals, Plan]], costs: Costs, reading: str = "adverse") -> Iterator[Statistics]:
    """The statistics of each (signals, plan), in order, one at a time so that a caller can show progress or stop.

    Consecutive jobs with the same Signals object share what is derived from it. Raises UnitError like `run`.
    """
    check(market)
    shared = _Shared(market)
    for signals, plan in jobs:
        yield shared.statistics(signals, plan, costs, reading)


class _Shared:
    """What every run over one market has in common."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.funding = funding_rows(market)
        self.detail = detail_rows(market)
        n = len(market.bars)
        self.ends = np.array([[market.bars.ts[-1] + market.bars.timeframe_ms, market.bars.close_ticks[-1], n]], dtype=np.int64)
        self.rows = 4096
        self.signals: Signals | None = None

    def statistics(self, signals: Signals, plan: Plan, costs: Costs, reading: str) -> Statistics:
        """One run; the trade rows grow until they suffice."""
        self._hear(signals)
        plans = pack([encode(plan, self.market.instrument, costs, reading)])
        while True:
            machine = Machine.fresh(1, costs, self.rows)
            self._drive(machine, plans)
            count = int(machine.state[0, at.TRADES])
            if count <= self.rows:
                return statistics_of(machine.state, machine.stats, len(self.market.bars))
            self.rows = count + 16

    def _hear(self, signals: Signals) -> None:
        if signals is self.signals:
            return
        self.signals = signals
        self.market = replace(self.market, signals=signals)
        check(self.market)
        self.heard = signal_rows(signals)
        self.atr = atr_ticks(self.market)

    def _drive(self, machine: Machine, plans: NDArray[np.int64]) -> None:
        drive(machine, self.market, plans, self.funding, self.detail, self.heard, EMPTY, dense=False, atr=self.atr)
        engine.finish(machine.state, machine.stats, plans, machine.trades, self.ends)

