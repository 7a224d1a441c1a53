"""What a worker process makes of a request: the engine's figures, and files the server can read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

import haechi as hc
from haechi.errors import BadInput
from haechi.research import results
from haechi.research.backtest_job import run_backtest
from haechi.research.schemas import BacktestBody

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def request(**changed):
    """As the router hands it over: checked, then plain JSON. The market goes up and down in waves."""
    closes = [30_000 + 900 * (1 - abs(place % 80 - 40) / 20) + (place * 37 % 101) for place in range(900)]
    bars = [{"time": (MIDNIGHT + timedelta(hours=place)).isoformat(), "open": opened, "high": max(opened, close) + 3,
             "low": min(opened, close) - 3, "close": close, "volume": 5}
            for place, (opened, close) in enumerate(zip([closes[0], *closes[:-1]], closes, strict=True))]
    data = {"symbol": "btcusdt", "timeframe": "1h", "bars": bars}
    return BacktestBody(**{"strategy": "rsi", "params": {"period": 7}, "data": data, "tick": "0.1", "lot": "0.001"} | changed).model_dump(
        mode="json", by_alias=True)


def test_a_job_gives_figures_as_text_and_leaves_trades_equity_and_report(tmp_path):
    shares = []
    figures = run_backtest(request(), str(tmp_path / "result"), str(tmp_path / "data"), shares.append)
    trades = results.read_list(tmp_path / "result", results.TRADES)
    equity = results.read_list(tmp_path / "result", results.EQUITY)
    page = results.read(tmp_path / "result", results.REPORT).decode()
    assert figures["trades"] == len(trades) > 3
    assert equity[-1]["equity"] == figures["final_balance"]
    assert equity[0] == {"time": "2026-01-01T00:00:00Z", "equity": "10000.00000000"}
    assert trades[0]["entry_time"].endswith("Z")
    assert page.startswith("<!doctype html>") and "BTCUSDT" in page
    assert shares == sorted(shares) and min(shares) > 0 and max(shares) < 1
    assert json.loads(json.dumps(figures)) == figures


def test_a_document_and_overrides_count(tmp_path):
    document = {"name": "mine", "timeframe": "1h", "indicators": {"r": {"kind": "rsi", "period": 5}}, "enter_long": "r < 35",
                "exit_long": "r > 60", "size": {"kind": "equity_fraction", "fraction": 0.5}}
    one = run_backtest(request(strategy=document, params={}), str(tmp_path / "a"), "", lambda _: None)
    two = run_backtest(request(strategy=document, params={}, overrides={"size.fraction": 0.25}), str(tmp_path / "b"), "", lambda _: None)
    assert one["trades"] == two["trades"] > 0
    assert abs(float(one["pnl"])) > abs(float(two["pnl"])) > 0


@pytest.mark.parametrize(("changed", "named"), [
    ({"strategy": "rsii"}, "rsi"), ({"params": {"period": 0}}, "period"), ({"overrides": {"stop_los.percent": 1}}, "stop_loss.percent"),
    ({"tick": "100000"}, "too coarse"), ({"data": {"symbol": "BTCUSDT", "timeframe": "7m"}}, "7m")])
def test_what_cannot_be_run_is_said_and_leaves_nothing(tmp_path, changed, named):
    with pytest.raises(BadInput, match=named):
        run_backtest(request(**changed), str(tmp_path / "result"), str(tmp_path / "data"), lambda _: None)
    assert not list(tmp_path.iterdir())


def test_the_face_of_the_package_is_these_names():
    assert {"bars", "funding", "backtest", "sweep"} <= set(dir(hc))
    with pytest.raises(AttributeError, match="nothing"):
        hc.nothing  # noqa: B018
