"""For the tests of strategies: synthetic bars (trends, equal closes, bars without volume) and small documents over them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from haechi.core.bars import Bars
from haechi.core.language import Document, Evaluator

MINUTE = 60_000
START = 1_700_000_000_000 // (24 * 60 * MINUTE) * (24 * 60 * MINUTE) + 22 * 60 * MINUTE  # two hours before a UTC midnight
MakeBars = Callable[..., Bars]
Made = Callable[..., Document]


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



def document(rule: str = "close > open", **fields: Any) -> Document:
    """A faultless document with one rule; fields are added or replaced."""
    return Document.of({"name": "test", "timeframe": "1m", "enter_long": rule, "size": {"kind": "fixed_quote", "quote": 100}, **fields})


@pytest.fixture(scope="session")
def made() -> Made:
    return document


@pytest.fixture(scope="session")
def number() -> Callable[..., np.ndarray]:
    """`number("mean(close, 3)", bars)`: a number at every bar, through the whole language."""
    def of(text: str, bars: Bars, **fields: Any) -> np.ndarray:
        at = Evaluator(document(f"{text} > 0", **fields), bars)
        found = at.value(at.rules().terms["enter_long"].args[0])
        return np.broadcast_to(np.asarray(found, dtype=np.float64), len(bars))
    return of


@pytest.fixture(scope="session")
def holds() -> Callable[..., np.ndarray]:
    """`holds("close > open", bars)`: whether the rule enters long, at every bar."""
    def of(text: str, bars: Bars, **fields: Any) -> np.ndarray:
        return Evaluator(document(text, **fields), bars).signals().bits == 1
    return of
