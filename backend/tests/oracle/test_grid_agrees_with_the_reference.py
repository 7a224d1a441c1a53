"""Random grids, and grids on real files: the engine and the reference agree in every fill, fee, funding and balance.

HAECHI_CASES raises the number of random cases of each kind, and draws them anew each time.
"""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from grid_cases import GridCase, assert_grids_agree, grid_cases
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from real_markets import feed_of

from haechi.core.bars import Bars
from haechi.core.grid import GridMarket, run_grid
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.run import Funding

CASES = int(os.environ.get("HAECHI_CASES", "60"))
KINDS = ("", "long", "short", "neutral", "geometric", "trigger", "stops", "take_profit", "trailing", "liquidation")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=CASES, deadline=None, database=None, derandomize="HAECHI_CASES" not in os.environ, print_blob=True,
          phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_grid_agrees_with_the_reference(kind: str, data: st.DataObject) -> None:
    assert_grids_agree(data.draw(grid_cases(only=kind)))


D = Decimal
SHAPES: dict[str, dict[str, Any]] = {  # prices as shares of the first open
    "long": {"direction": "long", "range": ("0.9", "1.1"), "cells": 60, "leverage": 3},
    "short, geometric": {"direction": "short", "spacing": "geometric", "range": ("0.85", "1.1"), "cells": 80, "leverage": 5},
    "neutral, stops": {"range": ("0.94", "1.06"), "cells": 25, "leverage": 8, "stop_lower": "0.92", "stop_upper": "1.09"},
    "trailing": {"direction": "long", "range": ("0.98", "1.01"), "cells": 12, "leverage": 4, "trail_up": 60, "trail_down": 30},
    "trigger, goal, geometric": {"spacing": "geometric", "range": ("0.9", "1.04"), "cells": 100, "leverage": 6, "trigger": "0.985",
                                 "take_profit": D(900)},
    "near liquidation": {"direction": "long", "range": ("0.8", "1.02"), "cells": 40, "leverage": 20},
}
FILES = ("BTCUSDT_perp_binance_1m_2022", "BTCUSDT_spot_binance_1m_20210420_20210520", "BTCUSD_spot_bitfinex_1m_2016",
         "ETHUSDT_perp_binance_15m_2025", "BTCUSDT_perp_binance_4h_2020_2022", "DOGEUSDT_perp_binance_1h_202509_202603",
         "LTCUSDT_perp_binance_5m_2023_2024", "XRPUSDT_perp_binance_1m_202505")


def a_real_case(path: Path, shape: dict[str, Any], first: int, count: int, reading: str) -> GridCase:
    feed = feed_of(path, first=first, count=count, rule="restless")
    tiers = tuple(msgspec.structs.replace(tier, leverage_max=50) for tier in feed.instrument.tiers)
    instrument = msgspec.structs.replace(feed.instrument, tiers=tiers)
    plan = a_plan(shape, instrument, feed.bars[0].open)
    return GridCase(replace(feed, instrument=instrument), plan, Costs(D("0.0002"), D(10_000)), reading)


def a_plan(shape: dict[str, Any], instrument: Instrument, opened: int) -> GridPlan:
    def at(share: str) -> Decimal:
        return instrument.price(round(opened * D(share)))

    prices = {name: at(shape[name]) for name in ("trigger", "stop_lower", "stop_upper") if name in shape}
    rest = {name: value for name, value in shape.items() if name != "range" and name not in prices}
    return GridPlan(lower=at(shape["range"][0]), upper=at(shape["range"][1]), investment=D(9_500), **prices, **rest)


@pytest.fixture(scope="module")
def year(market_data: Path) -> GridMarket:
    """BTCUSDT's minutes of 2022 with their funding."""
    frame = pl.read_parquet(market_data / "BTCUSDT_perp_binance_1m_2022.parquet")
    columns = {name: frame[name].to_numpy() for name in ("ts", "open", "high", "low", "close", "volume")}
    bars = Bars.of(symbol="BTCUSDT", timeframe_ms=60_000, tick=D("0.1"), **columns)
    due = pl.concat([pl.read_parquet(path) for path in sorted(market_data.glob("BTCUSDT_funding_*.parquet"))]).unique("ts").sort("ts")
    return GridMarket(Instrument("BTCUSDT"), bars, Funding(due["ts"].to_numpy(), np.round(due["rate"].to_numpy() * 1e8).astype(np.int64)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FILES)
def test_a_grid_agrees_with_the_reference_on_a_real_file(market_data: Path, name: str, shape: str) -> None:
    path = market_data / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the market data")
    reading = "adverse" if (FILES.index(name) + list(SHAPES).index(shape)) % 3 == 0 else "path"
    assert_grids_agree(a_real_case(path, SHAPES[shape], 0, 2_500, reading))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_grid_agrees_in_the_week_luna_fell(market_data: Path, shape: str) -> None:
    # 2022-05-09 … 2022-05-13, minutes
    assert_grids_agree(a_real_case(market_data / "ETHUSDT_perp_binance_1m_2022.parquet", SHAPES[shape], 128 * 1440, 5 * 1440, "path"))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_year_of_minutes_is_the_same_dense_and_skipped(year: GridMarket, shape: str) -> None:
    opened = year.bars.open_ticks[0]
    fast, slow = (run_grid(year, a_plan(SHAPES[shape], year.instrument, int(opened)), Costs(D("0.0002"), D(10_000)), dense=dense)
                  for dense in (False, True))
    assert len(fast.table) > 10 and (fast.table == slow.table).all() and (fast.equity == slow.equity).all()
