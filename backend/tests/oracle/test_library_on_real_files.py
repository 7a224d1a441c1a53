"""Every library strategy on every real file: the engine and the reference agree. HAECHI_CASES takes the files to 8,000 bars."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from cases import Case
from comparison import assert_agreed, market_of
from real_markets import feed_of
from test_real_files import COSTS, FILES

from haechi.core.strategies import LIBRARY, find

FIRST = 500
BARS = 8_000 if "HAECHI_CASES" in os.environ else 1_200


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("strategy", LIBRARY)
def test_a_library_strategy_agrees_on_a_real_file(market_data: Path, strategy: str, name: str) -> None:
    path = market_data / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the market data")
    feed = feed_of(path, first=FIRST, count=BARS, rule="restless")
    found = find(strategy)
    volume = pl.read_parquet(path)["volume"].slice(FIRST, BARS).to_numpy()
    signals = found.over(replace(market_of(feed).bars, volume=volume)).signals({})
    assert signals.bits.any(), "a strategy without a signal compares nothing"
    feed = replace(feed, bits=signals.bits.tolist(), enter_tags=signals.enter_tags, exit_tags=signals.exit_tags)
    case = Case((feed,), found.plan(), COSTS, ("adverse", "benign", "path")[FILES.index(name) % 3])
    assert_agreed(case, shrink=False)
    assert_agreed(case, dense=True, shrink=False)
