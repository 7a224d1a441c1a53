"""Real markets: the engine and the reference agree on every file there is, with plans that use all there is."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cases import Case
from comparison import assert_agreed
from real_markets import feed_of, hourly

from haechi.core.plan import Costs, Entry, Ladder, Plan, Protections, Size, Target, Trailing

MINUTES = 6_000  # the reference is slow; the volatile stretches below are longer
D = Decimal
COSTS = Costs(D("0.0002"), D(10_000))
PLANS = {
    "plain": Plan(on_opposite="reverse", leverage=3),
    "stops and targets": Plan(
        Size("risk_fraction", D("0.01")), 10, stop_loss=D("0.02"), targets=(Target(D("0.01"), D("0.4")), Target(D("0.03"), D("0.6"))),
        break_even=D("0.008"), trailing=Trailing(D("0.01"), D("0.015")), cool_down=3, on_opposite="ignore"),
    "ladder, cross": Plan(
        Size("equity_fraction", D("0.1")), 8, "cross", ladder=Ladder(4, D("0.01"), D("1.5"), D(1), D("1.4")),
        targets=(Target(D("0.012")),), time_stop=60),
    "hedge, limits": Plan(
        Size("volatility_target", D("0.004")), 20, "cross", hedge=True, entry=Entry("post_only", D("0.002"), bars=4),
        stop_loss=D("0.03"), targets=(Target(D("0.02")),), protections=Protections(D("0.02"), True, D("0.1"), 50, False, 4, 20)),
    "breakouts, near liquidation": Plan(
        Size("equity_fraction", D("0.3")), 40, entry=Entry("stop_limit", D("0.001"), D("0.002"), 3), trailing=Trailing(D("0.02")),
        on_opposite="reverse"),
}
FILES = (
    "ADAUSDT_perp_binance_1h_202509_202603", "ADAUSDT_perp_binance_4h_2020_2022", "ADAUSDT_spot_binance_1m_20210420_20210520",
    "AVAXUSDT_perp_binance_1m_202505", "BNBUSDT_perp_binance_1h_202509_202603", "BNBUSDT_perp_binance_1m_202505",
    "BNBUSDT_perp_binance_4h_2020_2022", "BTCUSDT_perp_binance_15m_2025", "BTCUSDT_perp_binance_1m_2022",
    "BTCUSDT_perp_binance_4h_2020_2022", "BTCUSDT_spot_binance_1h_2017_2022", "BTCUSDT_spot_binance_1m_20210420_20210520",
    "BTCUSD_spot_bitfinex_1m_2016", "DOGEUSDT_perp_binance_1h_202509_202603", "DOGEUSDT_perp_binance_4h_2020_2022",
    "DOGEUSDT_spot_binance_1m_20210420_20210520", "ETHUSDT_perp_binance_15m_2025", "ETHUSDT_perp_binance_1m_2022",
    "ETHUSDT_perp_binance_4h_2020_2022", "ETHUSDT_spot_binance_1h_2017_2022", "ETHUSDT_spot_binance_1m_20210420_20210520",
    "LINKUSDT_perp_binance_4h_2020_2022", "LINKUSDT_spot_binance_1m_20210420_20210520", "LTCUSDT_perp_binance_5m_2023_2024",
    "SOLUSDT_perp_binance_1h_202509_202603", "SOLUSDT_perp_binance_1m_202505", "TRXUSDT_perp_binance_4h_2020_2022",
    "WIFUSDT_perp_binance_1h_202509_202603", "XRPUSDT_perp_binance_1h_202509_202603", "XRPUSDT_perp_binance_1m_202505",
    "XRPUSDT_perp_binance_4h_2020_2022", "XRPUSDT_spot_binance_1m_20210420_20210520",
)


def agree(case: Case) -> None:
    """Without the search for a smaller case: these are long."""
    assert_agreed(case, shrink=False)
    assert_agreed(case, dense=True, shrink=False)


@pytest.mark.parametrize("name", FILES)
def test_the_engine_agrees_with_the_reference_on_a_real_file(market_data: Path, name: str) -> None:
    path = market_data / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the market data")
    number = FILES.index(name)
    fine = any(part in name for part in ("_1m_", "_5m_", "_15m_"))
    plan = list(PLANS.values())[number % len(PLANS)]
    feed = feed_of(path, first=0, count=MINUTES if fine else 8_000, rule="restless" if number % 3 else "crossing")
    agree(Case((feed,), plan, COSTS, ("adverse", "benign", "path")[number % 3]))


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("reading", ["adverse", "benign", "path"])
def test_every_plan_and_reading_agrees_in_the_crash_of_march_2020(market_data: Path, name: str, reading: str) -> None:
    feed = feed_of(market_data / "BTCUSDT_perp_binance_4h_2020_2022.parquet", first=300, count=600, rule="restless")
    agree(Case((feed,), PLANS[name], COSTS, reading))


@pytest.mark.parametrize("name", PLANS)
def test_minutes_inside_hours_agree(market_data: Path, name: str) -> None:
    # 2022-05-09 … 2022-05-15: the week in which LUNA fell
    feed = feed_of(market_data / "ETHUSDT_perp_binance_1m_2022.parquet", first=128 * 1440, count=7 * 1440, rule="restless")
    agree(Case((hourly(feed, rule="restless"),), PLANS[name], COSTS, "adverse"))


@pytest.mark.parametrize("name", PLANS)
def test_four_symbols_on_one_wallet_agree(market_data: Path, name: str) -> None:
    feeds = tuple(feed_of(market_data / f"{symbol}USDT_perp_binance_4h_2020_2022.parquet", first=300, count=500, rule="restless")
                  for symbol in ("BTC", "ETH", "XRP", "DOGE"))  # DOGE begins later
    agree(Case(feeds, PLANS[name], COSTS, "adverse"))


def test_a_long_stretch_of_minutes_agrees(market_data: Path) -> None:
    feed = feed_of(market_data / "BTCUSDT_perp_binance_1m_2022.parquet", first=160 * 1440, count=20_000, rule="crossing")
    agree(Case((feed,), PLANS["stops and targets"], COSTS, "adverse"))
