"""The same run dense, skipped, stepped bar by bar and uncompiled: equal bit for bit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest

from haechi.core import engine
from haechi.core import layout as at
from haechi.core.bars import Bars
from haechi.core.encode import encode, pack
from haechi.core.instrument import Instrument
from haechi.core.outcome import Outcome
from haechi.core.plan import Costs, Entry, Ladder, Plan, Size, Target, Trailing
from haechi.core.run import Funding, Machine, Market, bar_columns, funding_rows, run
from haechi.core.signals import Signals
from haechi.core.sweep import sweep

PLANS = {
    "stop and target": Plan(leverage=3, stop_loss=Decimal("0.02"), targets=(Target(Decimal("0.04")),), on_opposite="ignore"),
    "reverse": Plan(leverage=5, stop_loss=Decimal("0.01"), on_opposite="reverse"),
    "trailing and break-even": Plan(leverage=2, stop_loss=Decimal("0.03"), break_even=Decimal("0.01"),
                                    trailing=Trailing(Decimal("0.01"), Decimal("0.02")), time_stop=400),
    "ladder, cross": Plan(leverage=10, margin="cross", ladder=Ladder(4, Decimal("0.01"), Decimal("1.3"), size_scale=Decimal("1.5")),
                          targets=(Target(Decimal("0.01")),), size=Size("fixed_quote", Decimal(500)), cool_down=5),
    "limit entry, four targets": Plan(leverage=4, entry=Entry("limit", Decimal("0.002"), bars=9), stop_loss=Decimal("0.02"),
                                      targets=tuple(Target(Decimal(k) / 100, Decimal("0.25")) for k in range(1, 5))),
    "high leverage": Plan(leverage=100, size=Size("equity_fraction", Decimal("0.05")), on_opposite="close"),
}


def a_market(seed: int = 5, n: int = 20_000) -> Market:
    """A seeded random walk with funding every eight hours and signals on one bar in forty."""
    rng = np.random.default_rng(seed)
    close = np.round(60_000 * np.exp(np.cumsum(rng.standard_t(4, n) * 0.001)), 1)
    open_ = np.concatenate(([60_000.0], close[:-1]))
    high = np.round(np.maximum(open_, close) * (1 + np.abs(rng.normal(0, 0.0005, n))), 1)
    low = np.round(np.minimum(open_, close) * (1 - np.abs(rng.normal(0, 0.0005, n))), 1)
    ts = 1_640_995_200_000 + 60_000 * np.arange(n)
    bars = Bars.of(symbol="BTCUSDT", timeframe_ms=60_000, tick=Decimal("0.1"), ts=ts, open=open_, high=high, low=low, close=close,
                   volume=np.ones(n))
    bits = np.where(rng.random(n) < 0.025, rng.choice([1, 2, 4, 8, 1, 2, 3, 9], n), 0).astype(np.uint8)
    due = ts[::480]
    return Market(Instrument("BTCUSDT"), bars, Signals(bits), Funding(due, rng.integers(-20_000, 40_000, len(due))))


def trace(outcome: Outcome) -> str:
    """Everything a run shows, as one hash."""
    digest = hashlib.sha256(outcome.table.tobytes() + outcome.equity.tobytes())
    digest.update(repr((outcome.statistics, sorted(outcome.refusals.items()))).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("reading", ["adverse", "benign", "path"])
@pytest.mark.parametrize("name", PLANS)
def test_skipping_quiet_bars_changes_nothing(name: str, reading: str) -> None:
    market = a_market()
    skipped = run([market], PLANS[name], Costs(), reading)
    assert skipped.table.shape[0] > 10
    assert trace(skipped) == trace(run([market], PLANS[name], Costs(), reading, dense=True))


@pytest.mark.parametrize("name", PLANS)
def test_stepping_bar_by_bar_changes_nothing(name: str) -> None:
    market, plan = a_market(n=6_000), PLANS[name]
    whole = run([market], plan, Costs(), "path")
    plans = pack([encode(plan, market.instrument, Costs(), "path")])
    machine = Machine.fresh(1, Costs(), 4096)
    rows = bar_columns(market.bars)
    rates = dict(funding_rows(market).tolist())
    bits = [*market.signals.bits.tolist()[:-1], 0]
    worth = [engine.step(machine.state, machine.stats, plans, machine.trades, rows, k, k, bits[k], 0, rates.get(k, 0))
             for k in range(len(rows))]
    last = np.array([[market.bars.ts[-1] + 60_000, market.bars.close_ticks[-1], 6_000]])
    worth[-1] = engine.finish(machine.state, machine.stats, plans, machine.trades, last)
    assert worth == whole.equity.tolist()
    assert (machine.trades[:machine.state[0, at.TRADES]] == whole.table).all()


def test_uncompiled_python_gives_the_same_trace() -> None:
    market = a_market(n=1_500)
    compiled = [trace(run([market], plan, Costs(), "adverse")) for plan in PLANS.values()]
    script = ("import test_ways_agree as t; m = t.a_market(n=1_500)\n"
              "for p in t.PLANS.values(): print(t.trace(t.run([m], p, t.Costs(), 'adverse')))")
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    plain = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert plain.stdout.split() == compiled


def test_a_run_cut_short_is_the_beginning_of_the_longer_run() -> None:
    market = a_market(n=4_000)
    cut = Market(market.instrument, market.bars.slice(0, 3_000), Signals(market.signals.bits[:3_000]), market.funding)
    longer, shorter = run([market], PLANS["reverse"], Costs()), run([cut], PLANS["reverse"], Costs())
    assert (longer.equity[:2_999] == shorter.equity[:2_999]).all()


def test_a_sweep_gives_what_single_runs_give() -> None:
    market = a_market(n=20_000)
    jobs = [(market.signals, plan) for plan in PLANS.values()]
    swept = list(sweep(market, jobs, Costs(), "adverse"))
    assert swept == [run([market], plan, Costs(), "adverse").statistics for plan in PLANS.values()]
    assert len({one.final_equity for one in swept}) > 1
