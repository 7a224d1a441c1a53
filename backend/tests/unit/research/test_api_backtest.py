"""The Python face: what is handed in, what comes out, and that a sweep says what single runs say."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random

import numpy as np
import polars as pl
import pytest

import haechi as hc
from haechi.core import layout
from haechi.core.bars import Bars
from haechi.core.definitions import DEFINITIONS
from haechi.core.run import Funding
from haechi.errors import BadInput
from haechi.research import result as result_module
from haechi.research.grid import COMBINATIONS_MAX, grid_of, steps

MINUTE, START = 60_000, 1_699_999_200_000
FIELDS = {"engine", "strategy", "params", "symbol", "timeframe", "bars", "from", "to", "reading", "metrics", "trades", "equity",
          "bars_off_grid", "warnings"}
TRADE = {"side", "quantity", "entry_time", "entry_price", "exit_time", "exit_price", "pnl", "fee", "funding", "exit_reason", "enter_tag",
         "exit_tag", "bars_held"}


def bars_of(symbol: str = "BTCUSDT", *, seed: int = 1, count: int = 3000, tick: str = "0.1") -> Bars:
    """A walk with enough movement for stops and targets."""
    random = Random(seed)
    closes, price = [], 30_000.0
    for _ in range(count):
        price *= 1 + random.gauss(0, 0.004)
        closes.append(price)
    close = np.array(closes)
    opened = np.append(30_000.0, close[:-1])
    return Bars.of(symbol=symbol, timeframe_ms=MINUTE, tick=Decimal(tick), ts=START + np.arange(count) * MINUTE, open=opened,
                   high=np.maximum(opened, close) * 1.001, low=np.minimum(opened, close) * 0.999, close=close, volume=np.ones(count))


@pytest.fixture(scope="module")
def bars() -> Bars:
    return bars_of()


@pytest.fixture(scope="module")
def found(bars):
    return hc.backtest(bars, "rsi", period=10)


def test_the_result_has_every_figure_in_the_order_of_the_definitions(found):
    assert list(found.metrics) == list(DEFINITIONS)
    assert found.metrics["trades"] == len(found.trades) > 10


def test_trades_and_equity_agree_with_the_figures_to_the_last_decimal(found):
    assert found.trades["pnl"].sum() == found.metrics["pnl"]
    assert found.trades["fee"].sum() == found.metrics["fees"]
    assert found.equity["equity"][-1] == found.metrics["final_balance"]
    assert found.equity["drawdown"].max() == pytest.approx(found.metrics["max_drawdown"])
    assert found.trades.schema["pnl"] == pl.Decimal(38, 8)


def test_the_json_has_exactly_the_fields_of_the_page(found, bars):
    data = json.loads(found.json())
    assert set(data) == FIELDS
    assert {key for trade in data["trades"] for key in trade} == TRADE
    assert (data["symbol"], data["timeframe"], data["bars"], data["reading"]) == ("BTCUSDT", "1m", 3000, "adverse")
    assert data["params"] == {"period": 10, "low": 30, "high": 70}
    assert (data["from"], data["to"]) == (START, START + 3000 * MINUTE)
    assert len(data["equity"]) == 3000 and data["equity"][0] == [START, "10000.00000000"]
    assert all(len(trade["pnl"].split(".")[1]) == 8 for trade in data["trades"])
    assert data["metrics"]["pnl"] == f"{found.metrics['pnl']:.8f}"


def test_undefined_figures_are_null(bars):
    quiet = hc.backtest(bars, "rsi", settings={"size.fraction": "0.00000001"})
    data = json.loads(quiet.json())
    assert data["trades"] == []
    assert data["metrics"]["win_rate"] is None and data["metrics"]["trades"] == 0
    assert any("below the minimum" in warning for warning in data["warnings"])


def test_both_readings_make_an_interval(bars):
    both = hc.backtest(bars, "rsi", reading="both")
    assert both.interval["adverse"].metrics == hc.backtest(bars, "rsi", reading="adverse").metrics == both.metrics
    assert both.interval["benign"].metrics == hc.backtest(bars, "rsi", reading="benign").metrics
    data = json.loads(both.json())
    assert data["reading"] == "both" and set(data["interval"]) == {"adverse", "benign"}


def test_several_symbols_share_one_wallet(bars):
    other = bars_of("ETHUSDT", seed=2)
    two = hc.backtest([bars, other], "rsi")
    assert two.symbols == ["BTCUSDT", "ETHUSDT"]
    assert set(two.trades["symbol"]) == {"BTCUSDT", "ETHUSDT"}
    data = json.loads(two.json())
    assert data["symbol"] == "BTCUSDT+ETHUSDT" and {trade["symbol"] for trade in data["trades"]} == {"BTCUSDT", "ETHUSDT"}
    assert two.metrics["pnl"] != hc.backtest(bars, "rsi").metrics["pnl"]


def test_funding_is_charged_where_it_is_given(bars):
    every = Funding(ts=bars.ts[::60], rate=np.full(50, 100_000, dtype=np.int64))
    paid = hc.backtest(bars, "rsi", funding={"BTCUSDT": every})
    assert paid.metrics["funding"] != 0
    assert not any("No funding" in warning for warning in paid.warnings)


def test_a_setting_changes_the_plan(bars, found):
    tight = hc.backtest(bars, "rsi", period=10, settings={"stop_loss.percent": 0.2})
    assert tight.metrics["trades"] > found.metrics["trades"]


def test_a_sweep_says_what_single_runs_say(bars):
    swept = hc.sweep(bars, "rsi", {"period": range(5, 9), "stop_loss.percent": [0.5, 1, 2]}, rank="pnl")
    assert len(swept) == len(swept.frame) == 12
    assert swept.frame["pnl"].is_sorted(descending=True)
    assert swept.best.metrics["pnl"] == swept.frame["pnl"][0]
    for row in swept.frame.iter_rows(named=True):
        single = hc.backtest(bars, "rsi", period=row["period"], settings={"stop_loss.percent": row["stop_loss.percent"]})
        assert [row[key] for key in ("pnl", "sharpe", "max_drawdown", "trades", "fees")] == [
            single.metrics[key] for key in ("pnl", "sharpe", "max_drawdown", "trades", "fees")]


def test_the_smallest_drawdown_is_the_best(bars):
    swept = hc.sweep(bars, "rsi", {"period": [5, 10, 20]}, rank="max_drawdown")
    assert swept.frame["max_drawdown"].is_sorted()


def test_two_processes_find_the_same_as_one(bars):
    alone = hc.sweep(bars, "rsi", {"period": range(5, 13)})
    assert hc.sweep(bars, "rsi", {"period": range(5, 13)}, workers=2).figures == alone.figures


def test_a_sweep_over_several_symbols(bars):
    other = bars_of("ETHUSDT", seed=2)
    swept = hc.sweep([bars, other], "rsi", {"period": [5, 10]}, rank="pnl")
    assert swept.best.metrics["pnl"] == swept.frame["pnl"][0]


def test_a_range_includes_both_ends_and_makes_no_list():
    assert list(steps("x", "0.5:2:0.5")) == [Decimal("0.5"), Decimal("1.0"), Decimal("1.5"), Decimal("2.0")]
    assert len(steps("x", "1:1000000000000")) == 10**12


def test_the_number_of_combinations_is_bounded_before_any_is_made():
    with pytest.raises(BadInput, match="combinations"):
        grid_of({"period": range(COMBINATIONS_MAX + 1)}, ["period"])


def test_every_combination_comes_once():
    grid = grid_of({"stop_loss.percent": [1, 2], "period": [5, 6, 7]}, ["period"])
    assert [axis.name for axis in grid.axes] == ["period", "stop_loss.percent"]  # settings change fastest: signals are shared
    assert len({tuple(grid.values(number)) for number in range(grid.size)}) == 6
    assert grid.split(1) == ({"period": 5}, {"stop_loss.percent": 2})


def test_the_column_of_the_profit_is_where_the_engine_has_it():
    assert result_module.PNL == layout.T_PNL


@pytest.mark.parametrize(("given", "named"), [
    ({"period": 0}, "period"), ({"period": "x"}, "period"), ({"perod": 3}, "perod"), ({"capital": 0}, "capital"), ({"capital": float("nan")}, "capital"),
    ({"taker": -1}, "taker"), ({"reading": "x"}, "reading"), ({"lot": "0"}, "lot"), ({"slippage": None}, "slippage"), ({"settings": {"a.b": 1}}, "a.b"),
    ({"funding": [None, None]}, "funding"), ({"funding": {"ETHUSDT": None}}, "ETHUSDT"), ({"capital": True}, "capital"),
    ({"instruments": {"XRPUSDT": None}}, "XRPUSDT")])
def test_wrong_input_is_named(bars, given, named):
    with pytest.raises(BadInput, match=named):
        hc.backtest(bars, "rsi", **given)


@pytest.mark.parametrize("given", [None, [], "bars.parquet", [1, 2]])
def test_bars_must_be_bars(given):
    with pytest.raises(BadInput, match="bars"):
        hc.backtest(given, "rsi")


@pytest.mark.parametrize("strategy", [None, 5, "rsii", {"name": "x"}])
def test_a_strategy_must_be_one(bars, strategy):
    with pytest.raises(BadInput):
        hc.backtest(bars, strategy)


def test_finer_bars_of_another_market_are_refused(bars):
    hours = Bars("BTCUSDT", 60 * MINUTE, bars.tick, bars.ts[::60].copy(), bars.open_ticks[::60], bars.high_ticks[::60], bars.low_ticks[::60],
                 bars.close_ticks[::60], bars.volume[::60])
    with pytest.raises(BadInput, match="reach above"):
        hc.backtest(hours, "rsi", detail=bars)
