"""Stored candles over HTTP."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from haechi.core.units import SCALE
from haechi.errors import BadInput, NotFound
from haechi.markets.store import Store
from haechi.research.candles import candles

HOUR = 3_600_000
START = 1_767_225_600_000  # 2026-01-01


def frame(bars=5, close=93500.0):
    return pl.DataFrame({"ts": np.arange(bars, dtype=np.int64) * HOUR + START, "open": [close] * bars, "high": [close + 10.5] * bars,
                         "low": [close - 10] * bars, "close": [close] * bars, "volume": [0.125] * bars})


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "data")
    made.add(frame(), venue="bitget", symbol="BTCUSDT", timeframe_name="1h")
    return made


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        yield made


async def test_candles_come_oldest_first_exact_and_cut_to_the_newest(app, store):
    headers = await app.person()
    answer = (await app.http.get("/chart/candles?symbol=btcusdt&timeframe=60m&limit=2", headers=headers)).json()
    assert (answer["venue"], answer["symbol"], answer["timeframe"]) == ("bitget", "BTCUSDT", "1h")
    assert [candle["time"] for candle in answer["candles"]] == ["2026-01-01T03:00:00Z", "2026-01-01T04:00:00Z"]
    assert answer["candles"][0] | {"time": ""} == {"time": "", "open": "93500", "high": "93510.5", "low": "93490", "close": "93500",
                                                   "volume": "0.125"}


async def test_a_window_includes_its_begin_and_not_its_end(app, store):
    headers = await app.person()
    window = {"symbol": "BTCUSDT", "timeframe": "1h", "from": "2026-01-01T10:00:00+09:00", "to": "2026-01-01T03:00:00Z"}
    answer = (await app.http.get("/chart/candles", params=window, headers=headers)).json()
    assert [candle["time"][11:13] for candle in answer["candles"]] == ["01", "02"]


@pytest.mark.parametrize(("params", "status"), [
    ({"symbol": "NOPE", "timeframe": "1h"}, 404), ({"symbol": "BTCUSDT", "timeframe": "1M"}, 422),
    ({"symbol": "../x", "timeframe": "1h"}, 422),
    ({"symbol": "BTCUSDT", "timeframe": "1h", "venue": ".."}, 422), ({"symbol": "BTCUSDT", "timeframe": "1h", "venue": "okx"}, 404),
    ({"symbol": "BTCUSDT", "timeframe": "1h", "from": "2026-01-01"}, 422), ({"symbol": "BTCUSDT", "timeframe": "1h", "limit": 2001}, 422)])
async def test_what_is_not_there_or_not_meant_is_said(app, store, params, status):
    answer = await app.http.get("/chart/candles", params=params, headers=await app.person())
    assert answer.status_code == status, answer.text
    assert str(app.house.settings.haechi_data) not in answer.text


async def test_with_several_venues_one_must_say_which(app, store):
    store.add(frame(close=90000.0), venue="binance", symbol="BTCUSDT", timeframe_name="1h")
    headers = await app.person()
    unclear = await app.http.get("/chart/candles?symbol=BTCUSDT&timeframe=1h", headers=headers)
    assert unclear.status_code == 422
    assert "binance, bitget" in unclear.json()["error"]["message"]
    named = await app.http.get("/chart/candles?symbol=BTCUSDT&timeframe=1h&venue=binance", headers=headers)
    assert named.json()["candles"][0]["open"] == "90000"


ASK = {"symbol": "BTCUSDT", "timeframe": "1h", "venue": None, "from": None, "to": None}


def test_a_job_reads_stored_bars_with_their_funding(store):
    rates = pl.DataFrame({"ts": np.array([START, START + 8 * HOUR], dtype=np.int64), "rate": [0.0001, -0.00025]})
    store.add(rates, venue="bitget", symbol="BTCUSDT", timeframe_name="funding")
    bars, funding = candles(ASK | {"from": "2026-01-01T01:00:00Z"}, Decimal("0.5"), store.root)
    assert (len(bars), bars.close_ticks.tolist()[0], bars.timeframe_ms) == (4, 187_000, HOUR)
    assert funding.rate.tolist() == [SCALE // 10_000, -25_000]


def test_a_job_reads_uploaded_bars_and_refuses_broken_ones(tmp_path):
    bar = {"time": "2026-01-01T00:00:00Z", "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 1.0}
    later = bar | {"time": "2026-01-01T01:00:00Z"}
    bars, funding = candles({"symbol": "X", "timeframe": "1h", "bars": [bar, later]}, Decimal("0.1"), tmp_path)
    assert (bars.ts.tolist(), bars.high_ticks.tolist(), funding) == ([START, START + HOUR], [120, 120], None)
    for broken in ([later, bar], [bar, later | {"high": 5.0}], [bar, later | {"time": "2026-01-01T01:30:00Z"}]):
        with pytest.raises(BadInput):
            candles({"symbol": "X", "timeframe": "1h", "bars": broken}, Decimal("0.1"), tmp_path)


def test_a_job_without_candles_says_so(store):
    with pytest.raises(NotFound, match="in that time"):
        candles(ASK | {"from": "2030-01-01T00:00:00Z"}, Decimal("0.1"), store.root)
