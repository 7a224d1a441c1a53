"""Small markets for the tests of the candle store."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

START = 1_700_006_400_000  # 2023-11-15 00:00
MakeBars = Callable[..., pl.DataFrame]


def bars(count: int = 240, *, length: int = 60_000, start: int = START, seed: int = 1) -> pl.DataFrame:
    """Possible bars on a tick of 0.1 that wander, gap-free."""
    rng = np.random.default_rng(seed)
    close = np.round(20_000 * np.exp(np.cumsum(rng.normal(0, 0.001, count))), 1)
    opened = np.append(20_000.0, close[:-1])
    reach = np.round(rng.uniform(0, 9, (2, count)), 1)
    return pl.DataFrame({"ts": start + np.arange(count) * length, "open": opened, "high": np.round(np.maximum(opened, close) + reach[0], 1),
                         "low": np.round(np.minimum(opened, close) - reach[1], 1), "close": close,
                         "volume": np.round(rng.uniform(1, 5, count), 3)})


@pytest.fixture
def make_bars() -> MakeBars:
    return bars
