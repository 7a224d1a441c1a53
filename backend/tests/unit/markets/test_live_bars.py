"""Bars of a live market from trades alone: which bar a trade belongs to, when bars close, and how a gap is filled."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haechi.markets.live.bars import GRACE_MS, LiveBars, Trade
from haechi.venue.exchange import TickBar
from haechi.venue.moments import Close, Moment, Move, Open

MINUTE = 60_000
T = 1_700_000_040_000


def begun(*prices: int) -> LiveBars:
    bars = LiveBars([f"M{m}" for m in range(len(prices))], MINUTE)
    list(bars.open(T, prices))
    return bars


def trade(ts: int, price: int, m: int = 0, volume: float = 1.0) -> Trade:
    return Trade(m, ts, price, volume, 1)


def closed(moments: list[Moment]) -> list[dict[str, TickBar]]:
    return [one.bars for one in moments if isinstance(one, Close)]


def test_nothing_closes_before_its_time_is_over_and_shown_or_the_grace_gone() -> None:
    bars = begun(100, 200)
    assert list(bars.turn(T + MINUTE + GRACE_MS - 1)) == []
    bars.shown(0, T + MINUTE)
    assert list(bars.turn(T + MINUTE)) == []
    bars.shown(1, T + MINUTE + 5)
    made = list(bars.turn(T + MINUTE + 6))
    assert [type(one) for one in made] == [Close, Open, Open] and bars.begin == T + MINUTE


def test_a_trade_of_the_next_minute_waits_for_the_turn() -> None:
    bars = begun(100, 200)
    assert list(bars.trade(trade(T + MINUTE + 3, 107))) == []
    assert list(bars.trade(trade(T + MINUTE - 1, 103))) == [Move(0, T + MINUTE - 1, 103, 1.0, 1)]
    made = list(bars.turn(T + MINUTE + GRACE_MS))
    assert closed(made) == [{"M0": TickBar(T, 103, 103, 103, 103, 1.0), "M1": TickBar(T, 200, 200, 200, 200, 0.0)}]
    assert made[-1] == Move(0, T + MINUTE + 3, 107, 1.0, 1)


def test_a_trade_after_its_bar_counts_where_the_market_stands_and_is_counted() -> None:
    bars = begun(100)
    list(bars.turn(T + MINUTE + GRACE_MS))
    assert list(bars.trade(trade(T + MINUTE - 1, 90))) == [Move(0, T + MINUTE, 90, 1.0, 1)]
    assert bars.late == 1


def test_several_minutes_close_one_by_one() -> None:
    bars = begun(100)
    assert [next(iter(one.values())).ts for one in closed(list(bars.turn(T + 3 * MINUTE + GRACE_MS)))] == [T, T + MINUTE, T + 2 * MINUTE]


def test_funding_is_settled_once_with_the_bar_that_opens_then() -> None:
    bars = begun(100)
    bars.funding[0] = 10_000, T + MINUTE
    opens = [one for one in bars.turn(T + 2 * MINUTE + GRACE_MS) if isinstance(one, Open)]
    assert [one.rates for one in opens] == [(10_000,), ()]


PRICE = st.integers(90, 110)


@st.composite
def true_bars(draw: st.DrawFn) -> list[TickBar]:
    """Five minutes of the exchange."""
    made = []
    for minute in range(5):
        walk = draw(st.lists(PRICE, min_size=1, max_size=6))
        made.append(TickBar(T + minute * MINUTE, walk[0], max(walk), min(walk), walk[-1], float(len(walk))))
    return made


@given(true_bars(), st.lists(PRICE, max_size=4), st.integers(0, 4))
@settings(max_examples=300)
def test_what_was_missed_becomes_the_exchanges_bars_and_every_price_is_met(theirs: list[TickBar], seen: list[int], missing: int) -> None:
    bars = begun(100)
    for k, price in enumerate(seen):
        list(bars.trade(trade(T + k, price)))
    first = theirs[0]
    if seen:  # the exchange has seen those too
        first = first._replace(open=seen[0], high=max(first.high, *seen), low=min(first.low, *seen))
    found = {bar.ts: bar for bar in [first, *theirs[1:]] if bar.ts != T + missing * MINUTE or missing in (0, 4)}
    made = list(bars.catch_up([found]))
    told = [bar["M0"] for bar in closed(made)]
    assert [bar.ts for bar in told] == [T + k * MINUTE for k in range(4)]
    assert told[0] == first
    for bar in told[1:]:
        assert bar == found.get(bar.ts, TickBar(bar.ts, bar.open, bar.open, bar.open, bar.open, 0.0))
    stamps = [one.ts for one in made]
    assert stamps == sorted(stamps), "time never runs back"
    met = [one.price for one in made if isinstance(one, Move)] + seen
    assert max(met) == max(bar.high for bar in found.values()) and min(met) == min(bar.low for bar in found.values())
    assert bars.last == [theirs[-1].close]


@pytest.mark.parametrize("own", [[], [100, 104]])
def test_what_was_seen_already_is_not_played_again(own: list[int]) -> None:
    bars = begun(100)
    for k, price in enumerate(own):
        list(bars.trade(trade(T + k, price)))
    bar = TickBar(T, 100, 104, 100, 104, 2.0)
    assert [one.price for one in bars.catch_up([{T: bar}]) if isinstance(one, Move)] == ([] if own else [100, 100, 104, 104][:4])
