"""Every rule of the gate at its border: one row a case, what passes beside what does not, and the numbers of the refusal."""

from __future__ import annotations

from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from haechi.core.risk import LESS_IS_TIGHTER, MORE_IS_TIGHTER, RULES, Intent, Limits, Recent, Refused, View, judge, tighter

BUY = Intent("BTCUSDT", "buy", D("0.1"), D(100), D(10), 10, False)
FLAT = View(equity=D(1000), available=D(1000), allocated=D(1000), position=D(0), position_notional=D(0), positions=0, market=D(100), age_ms=0,
            loss_today=D(0), others=D(0), doubts=())
NAN, INFINITE = D("NaN"), D("Infinity")


def i(**changes) -> Intent:
    return msgspec.structs.replace(BUY, **changes)


def v(**changes) -> View:
    return msgspec.structs.replace(FLAT, **changes)


def sold(quantity: str, position: str, side: str = "sell", **view) -> tuple[Intent, View]:
    return i(side=side, quantity=D(quantity), reduces=True), v(position=D(position), **view)


# name: intent, view, limits, recent, None or (rule, asked, allowed)
CASES = {
    "an ordinary order": (BUY, FLAT, Limits(), Recent(), None),
    "killed by the platform": (BUY, FLAT, Limits(), Recent(killed="platform"), ("killed", "BTCUSDT", "nothing while the kill switch of the platform is on")),
    "killed bot": (BUY, FLAT, Limits(), Recent(killed="bot"), ("killed", "BTCUSDT", "nothing while the kill switch of the bot is on")),
    "not reconciled": (BUY, v(doubts=("reconciling",)), Limits(), Recent(), ("doubt", "BTCUSDT", "nothing while: reconciling")),
    "two doubts": (BUY, v(doubts=("blind: 1008", "key")), Limits(), Recent(), ("doubt", "BTCUSDT", "nothing while: blind: 1008, key")),
    "quantity zero": (i(quantity=D(0)), FLAT, Limits(), Recent(), ("order", "quantity 0", "finite and positive")),
    "quantity below zero": (i(quantity=D(-1)), FLAT, Limits(), Recent(), ("order", "quantity -1", "finite and positive")),
    "quantity nobody knows": (i(quantity=NAN), FLAT, Limits(), Recent(), ("order", "quantity NaN", "finite and positive")),
    "quantity without end": (i(quantity=INFINITE), FLAT, Limits(), Recent(), ("order", "quantity Infinity", "finite and positive")),
    "price zero": (i(price=D(0)), FLAT, Limits(), Recent(), ("order", "price 0", "finite and positive")),
    "price nobody knows": (i(price=NAN), FLAT, Limits(), Recent(), ("order", "price NaN", "finite and positive")),
    "notional zero": (i(notional=D(0)), FLAT, Limits(), Recent(), ("order", "notional 0", "finite and positive")),
    "notional nobody knows": (i(notional=NAN), FLAT, Limits(), Recent(), ("order", "notional NaN", "finite and positive")),
    "no such side": (i(side="long"), FLAT, Limits(), Recent(), ("order", "side long", "finite and positive")),
    "trigger nobody knows": (i(trigger=NAN), FLAT, Limits(), Recent(), ("order", "trigger NaN", "finite and positive")),
    "trigger below zero": (i(trigger=D(-1)), FLAT, Limits(), Recent(), ("order", "trigger -1", "finite and positive")),
    "no leverage": (i(leverage=0), FLAT, Limits(), Recent(), ("order", "leverage 0", "finite and positive")),
    "leverage 1": (i(leverage=1), FLAT, Limits(), Recent(), None),
    **{f"{name} nobody knows": (BUY, v(**{name: NAN}), Limits(), Recent(), ("unknown", f"{name} NaN", "numbers that are known"))
       for name in ("equity", "available", "allocated", "position", "position_notional", "market", "loss_today", "others", "others_short",
                    "others_long")},
    "market at zero": (BUY, v(market=D(0)), Limits(), Recent(), ("unknown", "market 0", "numbers that are known")),
    "market below zero": (BUY, v(market=D(-1)), Limits(), Recent(), ("unknown", "market -1", "numbers that are known")),
    "price as old as allowed": (BUY, v(age_ms=500), Limits(age_ms_max=500), Recent(), None),
    "price too old": (BUY, v(age_ms=501), Limits(age_ms_max=500), Recent(), ("stale_data", "501 ms", "500 ms")),
    "price a second ahead": (BUY, v(age_ms=-1000), Limits(), Recent(), None),
    "price of the future": (BUY, v(age_ms=-1001), Limits(), Recent(), ("clock_skew", "1001 ms", "1000 ms")),
    "symbol on the list": (BUY, FLAT, Limits(symbols=frozenset({"BTCUSDT"})), Recent(), None),
    "symbol not on the list": (BUY, FLAT, Limits(symbols=frozenset({"ETHUSDT", "ADAUSDT"})), Recent(), ("symbol", "BTCUSDT", "ADAUSDT, ETHUSDT")),
    "no symbol at all": (BUY, FLAT, Limits(symbols=frozenset()), Recent(), ("symbol", "BTCUSDT", "none")),
    "buy beside others who are long": (BUY, v(others=D(1)), Limits(), Recent(), None),
    "sell beside others who are short": (i(side="sell"), v(others=D(-1)), Limits(), Recent(), None),
    "sell beside nobody": (i(side="sell"), FLAT, Limits(), Recent(), None),
    "buy against others who are short": (BUY, v(others=D("-0.1")), Limits(), Recent(), ("opposite", "buy 0.1", "others hold -0.1")),
    "buy against others who may come to be short": (BUY, v(others_short=D("-0.1")), Limits(), Recent(), ("opposite", "buy 0.1", "others have ordered -0.1")),
    "sell against others who may come to be long": (i(side="sell"), v(others_long=D("0.1")), Limits(), Recent(), ("opposite", "sell 0.1", "others have ordered 0.1")),
    "buy with others who may come to be long": (BUY, v(others=D("0.1"), others_long=D("0.2")), Limits(), Recent(), None),
    "sell with others who may come to be short": (i(side="sell"), v(others=D("-0.1"), others_short=D("-0.2")), Limits(), Recent(), None),
    "sell against others who are long": (i(side="sell"), v(others=D("0.1")), Limits(), Recent(), ("opposite", "sell 0.1", "others hold 0.1")),
    "leverage at the limit": (i(leverage=10), FLAT, Limits(leverage_max=10), Recent(), None),
    "leverage above": (i(leverage=11), FLAT, Limits(leverage_max=10), Recent(), ("leverage", "11", "10")),
    "the last position": (BUY, v(positions=4), Limits(positions_max=5), Recent(), None),
    "one position too many": (BUY, v(positions=5), Limits(positions_max=5), Recent(), ("positions", "6", "5")),
    "more of a position": (BUY, v(positions=5, position_notional=D(10)), Limits(positions_max=5), Recent(), None),
    "more of one when there are too many": (BUY, v(positions=6, position_notional=D(10)), Limits(positions_max=5), Recent(), ("positions", "6", "5")),
    "value at the least": (BUY, FLAT, Limits(order_value_min=D(10)), Recent(), None),
    "value too small": (BUY, FLAT, Limits(order_value_min=D("10.01")), Recent(), ("order_value_min", "10", "10.01")),
    "value at the most": (BUY, FLAT, Limits(order_value_max=D(10)), Recent(), None),
    "value too large": (BUY, FLAT, Limits(order_value_max=D("9.99")), Recent(), ("order_value_max", "10", "9.99")),
    "exposure at the limit": (BUY, v(equity=D(10), position_notional=D(10)), Limits(exposure_max=D(2)), Recent(), None),
    "exposure above": (BUY, v(equity=D(10), position_notional=D("10.1")), Limits(exposure_max=D(2)), Recent(), ("exposure", "20.1", "20")),
    "no equity": (BUY, v(equity=D(0)), Limits(), Recent(), ("exposure", "10", "0")),
    "just enough money": (BUY, v(available=D("1.006")), Limits(), Recent(), None),
    "money without the fee": (BUY, v(available=D("1.0059")), Limits(), Recent(), ("available", "1.006", "1.0059")),
    "allocation used up": (BUY, v(allocated=D(1)), Limits(), Recent(), None),
    "allocation too small": (BUY, v(allocated=D("0.99")), Limits(), Recent(), ("allocation", "1", "0.99")),
    "allocation with what is held": (BUY, v(position=D("0.1"), allocated=D("1.99")), Limits(), Recent(), ("allocation", "2", "1.99")),
    "allocation the other way": (i(side="sell"), v(position=D("0.2"), allocated=D(1)), Limits(), Recent(), None),
    "allocation through zero": (i(side="sell", notional=D(30)), v(position=D("0.1"), allocated=D("1.9")), Limits(), Recent(), ("allocation", "2", "1.9")),
    "allocation of a short": (i(side="sell"), v(position=D("-0.1"), allocated=D("1.9")), Limits(), Recent(), ("allocation", "2", "1.9")),
    "a loss just below": (BUY, v(loss_today=D("499.99")), Limits(), Recent(), None),
    "the loss of the day": (BUY, v(loss_today=D(500)), Limits(), Recent(), ("daily_loss", "500", "500")),
    "buy limit at the collar": (i(kind="limit", price=D(105)), FLAT, Limits(), Recent(), None),
    "buy limit above it": (i(kind="limit", price=D("105.01")), FLAT, Limits(), Recent(), ("price_collar", "105.01", "105 (5 % from 100)")),
    "sell limit at the collar": (i(kind="limit", side="sell", price=D(95)), FLAT, Limits(), Recent(), None),
    "sell limit below it": (i(kind="limit", side="sell", price=D("94.99")), FLAT, Limits(), Recent(), ("price_collar", "94.99", "95 (5 % from 100)")),
    "buy limit that waits": (i(kind="limit", price=D(60)), FLAT, Limits(), Recent(), None),
    "sell limit that waits": (i(kind="limit", side="sell", price=D(140)), FLAT, Limits(), Recent(), None),
    "buy stop above the market": (i(kind="stop", price=D(120)), FLAT, Limits(), Recent(), None),
    "stop limit beside its trigger": (i(kind="stop_limit", price=D(126), trigger=D(120)), FLAT, Limits(), Recent(), None),
    "stop limit far above its trigger": (i(kind="stop_limit", price=D(127), trigger=D(120)), FLAT, Limits(), Recent(),
                                         ("price_collar", "127", "126 (5 % from 120)")),
    "a line as far as allowed": (i(kind="limit", price=D(20)), FLAT, Limits(), Recent(), None),
    "a line too far": (i(kind="limit", price=D("19.9")), FLAT, Limits(), Recent(), ("price_distance", "19.9", "80 % from 100")),
    "a stop as far as allowed": (i(kind="stop", price=D(180)), FLAT, Limits(), Recent(), None),
    "a stop too far": (i(kind="stop", price=D(181)), FLAT, Limits(), Recent(), ("price_distance", "181", "80 % from 100")),
    "a trigger too far": (i(kind="stop_limit", price=D(170), trigger=D(181)), FLAT, Limits(), Recent(), ("price_distance", "181", "80 % from 100")),
    "the tenth order in a second": (BUY, FLAT, Limits(), Recent(orders_second=9), None),
    "the eleventh": (BUY, FLAT, Limits(), Recent(orders_second=10), ("orders_second", "11", "10")),
    "the last order of a minute": (BUY, FLAT, Limits(orders_minute_max=3), Recent(orders_minute=2), None),
    "one more in the minute": (BUY, FLAT, Limits(orders_minute_max=3), Recent(orders_minute=3), ("orders_minute", "4", "3")),
    "the user's last of a minute": (BUY, FLAT, Limits(orders_minute_user_max=3), Recent(orders_minute_user=2), None),
    "one more of the user": (BUY, FLAT, Limits(orders_minute_user_max=3), Recent(orders_minute_user=3), ("orders_minute_user", "4", "3")),
    "the same within the window": (BUY, FLAT, Limits(duplicate_ms=50), Recent(same_ms=49), ("duplicate", "the same order 49 ms ago", "50 ms apart")),
    "the same after it": (BUY, FLAT, Limits(duplicate_ms=50), Recent(same_ms=50), None),
    "a grid's line again at once": (BUY, FLAT, Limits(), Recent(same_ms=0), None),
    "the third child": (BUY, FLAT, Limits(), Recent(children=2), None),
    "the fourth child": (BUY, FLAT, Limits(), Recent(children=3), ("children", "4", "3")),
    "closing all of a long": (*sold("0.3", "0.3"), Limits(), Recent(), None),
    "closing more than is held": (*sold("0.31", "0.3"), Limits(), Recent(), ("reduces_at_most", "sell 0.31", "0.3")),
    "closing a short": (*sold("0.3", "-0.3", side="buy"), Limits(), Recent(), None),
    "closing too much of a short": (*sold("0.31", "-0.3", side="buy"), Limits(), Recent(), ("reduces_at_most", "buy 0.31", "0.3")),
    "closing on the wrong side": (*sold("0.1", "0.3", side="buy"), Limits(), Recent(), ("reduces_at_most", "buy 0.1", "0")),
    "closing on no side": (*sold("0.1", "0.3", side="long"), Limits(), Recent(), ("reduces_at_most", "long 0.1", "0")),
    "closing nothing": (*sold("0", "0.3"), Limits(), Recent(), ("order", "quantity 0", "finite and positive")),
    "closing less than nothing": (*sold("-1", "0.3"), Limits(), Recent(), ("order", "quantity -1", "finite and positive")),
    "closing nobody knows how much": (*sold("NaN", "0.3"), Limits(), Recent(), ("order", "quantity NaN", "finite and positive")),
    "closing of what nobody knows": (*sold("0.1", "NaN"), Limits(), Recent(), ("reduces_at_most", "sell 0.1", "0")),
    "closing while killed, stale and broke": (*sold("0.3", "0.3", age_ms=10**9, equity=NAN, available=D(0), doubts=("reconciling",), loss_today=D(9999)),
                                              Limits(symbols=frozenset()), Recent("platform", 99, 999, 9999, 0, 9), None),
}


@pytest.mark.parametrize(("intent", "view", "limits", "recent", "refused"), CASES.values(), ids=CASES.keys())
def test_a_rule_at_its_border(intent, view, limits, recent, refused) -> None:
    assert judge(intent, view, limits, recent) == (None if refused is None else Refused(*refused))


def test_every_rule_has_its_rows() -> None:
    assert len(CASES) >= 90
    assert {case[4][0] for case in CASES.values() if case[4]} >= {
        "killed", "doubt", "order", "unknown", "stale_data", "clock_skew", "symbol", "opposite", "leverage", "positions", "order_value_min",
        "order_value_max", "exposure", "available", "allocation", "daily_loss", "price_collar", "price_distance", "orders_second", "orders_minute",
        "orders_minute_user", "duplicate", "children"}
    assert len(RULES) == 23


def test_the_defaults_are_the_products() -> None:
    one = Limits()
    assert (one.leverage_max, one.positions_max, one.daily_loss_max, one.orders_second_max, one.children_max) == (10, 5, D(500), 10, 3)
    assert (one.skew_ms_max, one.duplicate_ms, one.symbols) == (1000, 0, None)


def test_two_limits_together_allow_what_both_allow() -> None:
    one = Limits(leverage_max=5, order_value_min=D(7), symbols=frozenset({"A", "B"}))
    other = Limits(leverage_max=9, positions_max=2, order_value_min=D(3), duplicate_ms=10, symbols=frozenset({"B", "C"}))
    both = tighter(one, other)
    assert (both.leverage_max, both.positions_max, both.order_value_min, both.duplicate_ms, both.symbols) == (5, 2, D(7), 10, frozenset({"B"}))
    assert tighter(one, Limits()).symbols == tighter(Limits(), one).symbols == one.symbols
    assert {*MORE_IS_TIGHTER, *LESS_IS_TIGHTER, "symbols"} == set(Limits.__struct_fields__)


# ---- properties

amounts = some.decimals("0.001", "1000", places=3)
signed = some.decimals("-1000", "1000", places=3)
counts = some.integers(0, 20)
orders = some.builds(Intent, some.sampled_from(["A", "B"]), some.sampled_from(["buy", "sell"]), amounts, amounts, amounts, some.integers(1, 30), some.just(False),
                     some.sampled_from(["market", "limit", "stop", "stop_limit"]), some.one_of(some.just(D(0)), amounts))
views = some.builds(View, amounts, amounts, amounts, signed, amounts, counts, amounts, some.integers(-2000, 5000), signed, signed,
                    some.sampled_from([(), (), ("key",)]), amounts.map(lambda one: -one), amounts)
recents = some.builds(Recent, some.sampled_from(["", "", "user"]), counts, counts, counts, some.one_of(some.none(), counts), some.integers(0, 4))
limits = some.builds(Limits, some.integers(1, 30), counts, amounts, amounts, amounts, amounts, amounts, amounts, counts, counts, counts, counts, counts,
                     some.integers(0, 5000), some.integers(0, 2000), amounts, some.sampled_from([None, frozenset({"A"}), frozenset({"A", "B"})]))


@given(views, limits, recents, some.integers(1, 1000), some.booleans())
def test_what_reduces_is_never_refused(view, limit, recent, part, is_long) -> None:
    held = abs(view.position) or D(1)
    view = msgspec.structs.replace(view, position=held if is_long else -held)
    close = i(side="sell" if is_long else "buy", quantity=held * part / 1000, reduces=True)
    assert judge(close, view, limit, recent) is None


@given(orders, views, limits, limits, recents)
def test_what_passes_tight_limits_passes_wide_ones(intent, view, one, other, recent) -> None:
    if judge(intent, view, tighter(one, other), recent) is None:
        assert judge(intent, view, one, recent) is None and judge(intent, view, other, recent) is None


@given(orders, views, limits, recents)
def test_a_refusal_has_numbers_and_repeats(intent, view, limit, recent) -> None:
    refused = judge(intent, view, limit, recent)
    assert refused == judge(intent, view, limit, recent)
    assert refused is None or (refused.rule and refused.asked and refused.allowed)
