"""Synthetic bars for the tests of strategies: trends, quiet stretches, equal closes, bars without volume."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from haechi.core.bars import Bars

MINUTE = 60_000
START = 1_700_000_000_000 // (24 * 60 * MINUTE) * (24 * 60 * MINUTE) + 22 * 60 * MINUTE  # two hours before a UTC midnight
MakeBars = Callable[..., Bars]


def bars_of(close: np.ndarray, rng: np.random.Generator, *, spread: float = 0.4, timeframe_ms: int = MINUTE) -> Bars:
    """Bars around the closes given."""
    open_ = np.append(close[0], close[:-1])
    high = np.maximum(open_, close) + np.abs(rng.normal(0, spread, len(close)))
    low = np.minimum(open_, close) - np.abs(rng.normal(0, spread, len(close)))
    volume = np.where(rng.random(len(close)) < 0.05, 0.0, rng.gamma(2.0, 10.0, len(close)))
    return Bars.of(symbol="TEST", timeframe_ms=timeframe_ms, tick=Decimal("0.01"), ts=START + np.arange(len(close)) * timeframe_ms,
                   open=open_, high=high, low=low, close=close, volume=volume)


def synthetic(n: int = 600, seed: int = 1, *, timeframe_ms: int = MINUTE) -> Bars:
    """A random walk whose drift turns every 80 bars; every fifth step is exactly 0, so that ties occur."""
    rng = np.random.default_rng(seed)
    drift = np.repeat(rng.choice([-0.25, 0.0, 0.25], n // 80 + 1), 80)[:n]
    steps = np.where(rng.random(n) < 0.2, 0.0, rng.normal(drift, 0.8))
    return bars_of(np.round(np.maximum(500 + np.cumsum(steps), 50), 1), rng, timeframe_ms=timeframe_ms)


@pytest.fixture(scope="session")
def make_bars() -> MakeBars:
    """`make_bars(n, seed)`: the same bars for the same numbers."""
    return synthetic
