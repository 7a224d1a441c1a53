"""One evaluation for all who ask, over bars kept once; nothing is said about a bar that is missing or not whole."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from haechi.bots.mind import Spec
from haechi.bots.series import BARS_KEPT, BARS_MAX
from haechi.bots.signals import SignalHub
from haechi.core.bars import Bars, volume_of
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.strategies import LIBRARY, find
from haechi.exchanges.port import Bar
from haechi.markets.load import load_bars
from haechi.markets.synthetic import synthetic_bars

MINUTE = 60_000
ONE = Instrument("BTCUSDT", tick=Decimal("0.1"))
RSI = {"period": 2, "low": 45, "high": 55}
FILES = {"SOLUSDT_perp_binance_1m_202505": "0.01", "BTCUSDT_perp_binance_15m_2025": "0.1", "ETHUSDT_perp_binance_1m_2022": "0.01"}


def spec_of(strategy: Any = "rsi", params: dict[str, Any] | None = None, *, one: Instrument = ONE, timeframe_ms: int = MINUTE) -> Spec:
    return Spec(strategy, params or {}, {}, one, Costs(), timeframe_ms)


def made(n: int, seed: int = 5) -> tuple[Bars, list[Bar]]:
    columns = synthetic_bars(seed, n, start_ms=1_767_225_600_000, price=Decimal(60_000), tick=Decimal("0.1")).columns()
    bars = Bars.of(symbol="BTCUSDT", timeframe_ms=MINUTE, tick=Decimal("0.1"), **columns)
    return bars, events(bars, ONE)


def events(bars: Bars, one: Instrument) -> list[Bar]:
    columns = (bars.ts, bars.open_ticks, bars.high_ticks, bars.low_ticks, bars.close_ticks, bars.volume)
    return [Bar(one.symbol, bars.timeframe_ms, ts, one.price(o), one.price(h), one.price(low), one.price(c), volume=volume)
            for ts, o, h, low, c, volume in zip(*(column.tolist() for column in columns), strict=True)]


def test_a_thousand_bots_cost_one_evaluation_a_bar() -> None:
    whole, bars = made(60)
    hub = SignalHub()
    keys = [hub.open(spec_of(params=RSI), bars[:40]) for _ in range(1_000)]
    said = [[hub.signal(key, bar) for key in keys] for bar in bars[40:]]
    assert hub.evaluations == 20
    assert all(len(set(map(id, row))) == 1 for row in said)
    wanted = find("rsi").over(whole).signals(RSI).bits[40:].tolist()
    assert [row[0].bits for row in said] == wanted
    assert any(wanted)


def test_the_key_is_what_is_meant_not_how_it_was_written() -> None:
    hub, document = SignalHub(), find("rsi").plain()
    assert hub.open(spec_of(), []) == hub.open(spec_of(params={"period": 14}), []) == hub.open(spec_of(document, {"period": Decimal(14)}), [])
    assert hub.open(spec_of(params={"period": 15}), []) != hub.open(spec_of(), [])
    assert hub.open(spec_of(), [], "live") != hub.open(spec_of(), [], "paper")
    assert hub.open(spec_of(timeframe_ms=5 * MINUTE), []) != hub.open(spec_of(), [])


def test_different_strategies_share_the_bars() -> None:
    _, bars = made(50)
    hub = SignalHub()
    keys = [hub.open(spec_of(name), bars[:49]) for name in LIBRARY]
    assert {id(hub._voices[key].series) for key in keys} == {id(hub._voices[keys[0]].series)}
    assert all(hub.signal(key, bars[49]) is not None for key in keys)
    for key in keys:
        hub.close(key)
    assert (hub._series, hub._voices) == ({}, {})


def test_an_accounts_stream_that_is_behind_gets_the_same_answers() -> None:
    _, bars = made(60)
    hub = SignalHub()
    key = hub.open(spec_of(params=RSI), bars[:50])
    first = [hub.signal(key, bar) for bar in bars[50:]]
    assert [hub.signal(key, bar) for bar in bars[50:]] == first
    assert hub.evaluations <= 10 + 6  # six were forgotten
    fresh = SignalHub()
    key = fresh.open(spec_of(params=RSI), bars[:50])
    for bar in bars[50:57]:
        fresh._voices[key].series.take(bar)  # another strategy's bot heard them
    assert [fresh.signal(key, bar) for bar in bars[50:57]] == first[:7]


def test_bars_are_joined_to_the_bots_timeframe() -> None:
    _, bars = made(63)
    hub = SignalHub()
    key = hub.open(spec_of(timeframe_ms=5 * MINUTE), bars[3:7])
    found = [hub.signal(key, bar) for bar in bars[7:]]
    whole = [one.whole for one in found if one is not None]
    assert [one is not None for one in found[:9]] == [False, False, True, False, False, False, False, True, False]
    assert [bar.ts for bar in whole] == [bar.ts for bar in bars[5::5]][:len(whole)]
    for bar, first in zip(whole, range(5, 60, 5), strict=True):
        parts = bars[first:first + 5]
        assert bar == Bar("BTCUSDT", 5 * MINUTE, parts[0].ts, parts[0].open, max(p.high for p in parts), min(p.low for p in parts),
                          parts[-1].close, volume_of([p.volume for p in parts]))


def test_a_missing_bar_silences_until_the_bars_are_fetched_again() -> None:
    whole, bars = made(60)
    hub = SignalHub()
    key, other = hub.open(spec_of(params=RSI), bars[:50]), hub.open(spec_of("ema"), [])
    assert hub.signal(key, bars[50]) is not None
    assert hub.signal(key, bars[52]) is None
    assert hub.stale(key) and hub.stale(other)
    assert hub.signal(key, bars[53]) is None
    assert hub.signal(other, bars[53]) is None
    assert hub.since(key, 0) == []
    hub.refill(other, bars[40:55])
    assert not hub.stale(key)
    wanted = find("rsi").over(whole).signals(RSI).bits.tolist()
    assert [hub.signal(key, bar).bits for bar in bars[51:60]] == wanted[51:60]


def test_the_bar_that_was_missing_heals_when_it_comes_late() -> None:
    _, bars = made(60)
    hub = SignalHub()
    key = hub.open(spec_of(params=RSI), bars[:50])
    assert hub.signal(key, bars[51]) is None
    assert hub.signal(key, bars[50]) is not None
    assert hub.signal(key, bars[51]) is not None


def test_a_gap_in_what_the_exchange_has_is_no_gap() -> None:
    _, bars = made(60)
    hub = SignalHub()
    key = hub.open(spec_of(params=RSI), [*bars[:20], *bars[23:50]])
    assert not hub.stale(key)
    assert hub.signal(key, bars[50]) is not None
    five = hub.open(spec_of(params=RSI, timeframe_ms=5 * MINUTE), [*bars[:14], *bars[18:50]])
    assert [one.whole.ts for one in hub.since(five, -1)] == [bar.ts for bar in bars[:50:5]]


def test_a_refill_that_does_not_reach_back_begins_anew() -> None:
    whole, bars = made(200)
    hub = SignalHub()
    key = hub.open(spec_of(params=RSI), bars[:50])
    hub.signal(key, bars[60])
    hub.refill(key, bars[100:150])
    alone = find("rsi").over(whole.slice(100, 151)).signals(RSI).bits.tolist()
    assert [one.bits for one in hub.since(key, 0)] == alone[:50]
    assert hub.signal(key, bars[150]).bits == alone[50]


def test_what_was_missed_is_told_bar_by_bar() -> None:
    whole, bars = made(80)
    hub = SignalHub()
    key = hub.open(spec_of(params=RSI), bars[:70])
    missed = hub.since(key, bars[59].ts)
    assert [(one.whole.ts, one.bits) for one in missed] == list(zip(
        whole.ts[60:70].tolist(), find("rsi").over(whole).signals(RSI).bits[60:70].tolist(), strict=True))
    assert hub.evaluations == 1
    assert hub.since(key, bars[69].ts) == []


def test_the_atr_of_a_size_is_told_in_ticks() -> None:
    document = {**find("rsi").plain(), "size": {"kind": "volatility_target", "fraction": "0.01", "atr_period": 5}}
    _, bars = made(40)
    hub = SignalHub()
    key = hub.open(spec_of(document), bars[:3])
    found = [hub.signal(key, bar) for bar in bars[3:]]
    assert found[0].atr == 0
    assert found[-1].atr > 0


def test_why_a_bar_was_heard_can_be_asked() -> None:
    _, bars = made(60)
    hub = SignalHub()
    key = hub.open(spec_of(params=RSI), bars)
    told = [one for one in hub.since(key, 0) if one.bits & 1][-1]
    rules = {one.rule: one for one in hub.explained(key, told.whole.ts)}
    assert rules["enter_long"].holds and not rules["enter_short"].holds
    assert "crosses_above" in rules["enter_long"].parts[0].text
    assert hub.explained(key, told.whole.ts + 1) == []


class Coder:
    """Says long when the close rises."""

    params = {"least": 1}

    def plan(self, params: dict[str, Any]) -> Any:
        return find("rsi").plan()

    def signals(self, bars: Bars, params: dict[str, Any]) -> Any:
        import numpy as np

        from haechi.core.signals import Signals

        rise = np.diff(bars.close_ticks, prepend=bars.close_ticks[:1])
        return Signals((rise >= int(params["least"])).astype(np.uint8))


def test_a_python_strategy_is_asked_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        def load(self) -> Coder:
            return Coder()

    monkeypatch.setattr("haechi.core.strategies.operators", lambda: {"coder": Point()})
    whole, bars = made(40)
    hub = SignalHub()
    key = hub.open(spec_of("coder"), bars[:20])
    rises = [1 if after > before else 0 for before, after in zip(whole.close_ticks[19:], whole.close_ticks[20:], strict=False)]
    assert [hub.signal(key, bar).bits for bar in bars[20:]] == rises
    assert hub.explained(key, bars[30].ts) == []


def test_bars_are_bounded_and_the_newest_stay() -> None:
    _, bars = made(260)
    hub = SignalHub(most=100, keep=60)
    key = hub.open(spec_of(params=RSI), bars[:10])
    counts = []
    for bar in bars[10:]:
        assert hub.signal(key, bar).whole.ts == bar.ts
        counts.append(hub._voices[key].series.count)
    assert max(counts) == 100
    assert min(counts[100:]) == 61


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("strategy", LIBRARY)
def test_signals_after_the_cut_are_those_of_all_bars(market_data: Path, strategy: str, name: str) -> None:
    """The oldest bars dropped as the hub drops them, and begun anew with 5,000 as after a restart: the same bits."""
    path = market_data / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the market data")
    bars = load_bars(path, tick=FILES[name]).slice(0, 45_000)
    uncut = find(strategy).over(bars).signals({}).bits
    assert uncut.any()
    new = BARS_MAX - BARS_KEPT
    differ = []
    for end in range(BARS_MAX, len(bars) + 1, new):
        for first, since in ((end - BARS_MAX, end - new), (end - 5_000, end - 100)):
            part = find(strategy).over(bars.slice(first, end)).signals({}).bits
            differ += [since + int(i) for i in (part[since - first:] != uncut[since:end]).nonzero()[0]]
    assert not differ
