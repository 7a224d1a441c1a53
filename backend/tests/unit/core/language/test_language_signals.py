"""From rules to signals: bits, tags, parameters, the ATR of a size, warm-up, cost, and why a bar has its signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import talib

from haechi.core.language import Document, Evaluator, LanguageError, evaluate, explain, rules_of, schema, signal_at_end
from haechi.core.language.functions import CONDITION, FUNCTIONS
from haechi.core.signals import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT
from haechi.core.strategies import LIBRARY, library

RULES = {"enter_long": "close > open", "enter_short": "close < open", "exit_long": "high > low * 1.002", "exit_short": "volume > 30"}


def test_each_rule_has_its_bit(made: Any, make_bars: Any) -> None:
    bars = make_bars(300)
    bits = evaluate(made(**{"rule": RULES["enter_long"]}, **{name: rule for name, rule in RULES.items() if name != "enter_long"}),
                    bars).bits
    for bit, holds in ((ENTER_LONG, bars.close > bars.open), (ENTER_SHORT, bars.close < bars.open),
                       (EXIT_LONG, bars.high > bars.low * 1.002),
                       (EXIT_SHORT, bars.volume > 30)):
        assert np.array_equal(bits & bit > 0, holds) and 0 < holds.sum() < len(bars)


def test_a_rule_that_is_the_same_at_every_bar_is_allowed(made: Any, make_bars: Any) -> None:
    assert evaluate(made("2 > 1", exit_long="1 > 2"), make_bars(5)).bits.tolist() == [ENTER_LONG] * 5


def test_tags_name_the_rules(made: Any, make_bars: Any) -> None:
    tags = {"enter_long": "up", "enter_short": "down", "exit_short": "over-1.a:b"}
    found = evaluate(made(tags=tags), make_bars(5))
    assert found.enter_tags == ("up", "down") and found.exit_tags == ("", "over-1.a:b")
    assert evaluate(made(), make_bars(5)).enter_tags == ("", "")


def test_parameters_reach_settings_windows_and_constants(made: Any, make_bars: Any) -> None:
    bars = make_bars(300)
    document = made("s > mean(close, $n) + $more", params={"n": 9, "more": "0.5"}, indicators={"s": {"kind": "sma", "period": "$n"}})
    for given in ({}, {"n": 4}, {"n": 21, "more": -1}):
        n, more = int(given.get("n", 9)), float(given.get("more", 0.5))
        # equal up to the last digit, so half a unit of distance decides
        expected = more < 0
        bits = evaluate(document, bars, given).bits
        assert not bits[:n - 1].any() and bits[n - 1:].astype(bool).tolist() == [expected] * (300 - n + 1)


def test_one_evaluator_for_many_parameters_says_what_fresh_ones_say(make_bars: Any) -> None:
    """Also with a cache so small that everything is thrown out again."""
    bars = make_bars(400)
    for name, values in (("rsi", [{"period": n, "low": low} for n in (5, 9, 5) for low in (25, 40, 25)]),
                         ("ema", [{"fast": n} for n in (3, 9, 3)])):
        shared, poor = Evaluator(library(name), bars), Evaluator(library(name), bars, cache_bytes=4000)
        for given in values:
            fresh = evaluate(library(name), bars, given).bits
            assert np.array_equal(shared.signals(given).bits, fresh) and np.array_equal(poor.signals(given).bits, fresh)
        assert poor._cache.held <= 4000


def test_the_atr_is_there_for_a_size_by_volatility_only(made: Any, make_bars: Any) -> None:
    bars = make_bars(100)
    sized = made(size={"kind": "volatility_target", "fraction": "0.01", "atr_period": 9})
    expected = talib.ATR(bars.high, bars.low, bars.close, timeperiod=9)
    assert np.array_equal(evaluate(sized, bars).atr, expected, equal_nan=True) and evaluate(made(), bars).atr is None
    other = evaluate(sized, bars, overrides={"size.atr_period": 5})
    assert np.array_equal(other.atr, talib.ATR(bars.high, bars.low, bars.close, timeperiod=5), equal_nan=True)
    assert signal_at_end(sized, bars).atr.tolist() == [expected[-1]]


WARM_UPS = [("close > open", 0), ("r > 1", 14), ("mean(r, 5) > 1", 18), ("crosses_above(r, 50)", 15), ("shift(close, 7) > close", 7),
            ("change(close) > 0", 1), ("change(mean(close, 4), 3) > 0", 6), ("rising(close, 3)", 3), ("all(r > 1, 4)", 17),
            ("divergence_bull(close, r, 10)", 24), ("since(close > r) > 2", 14), ("b.middle > 1 or close > r", 29), ("not c > 0", 33),
            ("min(r, b.upper, 1) > 0", 29), ("hour > 5 and 2 > 1", 0), ("m.signal > 0", 33), ("c + r > 0", 33)]


@pytest.mark.parametrize(("rule", "bars"), WARM_UPS)
def test_the_warm_up_is_where_every_part_has_a_value(rule: str, bars: int, made: Any, make_bars: Any) -> None:
    indicators = {"r": {"kind": "rsi"}, "b": {"kind": "bollinger", "period": 30}, "m": {"kind": "macd"},
                  "c": {"kind": "sma", "source": "r", "period": 20}}
    document = made(rule, indicators=indicators)
    assert rules_of(document).warm_up == bars
    evaluator = Evaluator(document, make_bars(200))
    waiting, undefined = list(rules_of(document).terms.values()), [0]
    while waiting:
        term = waiting.pop()
        waiting += term.args
        values = np.asarray(evaluator.value(term))
        if values.dtype != np.bool_ and values.ndim and term.op != "since":
            undefined.append(int(np.argmax(~np.isnan(values))))
    assert max(undefined) <= bars


def test_the_warm_up_follows_parameters_and_the_atr(made: Any) -> None:
    assert rules_of(library("rsi")).warm_up == 15 and rules_of(library("rsi"), {"period": 50}).warm_up == 51
    sized = made("close > open", size={"kind": "volatility_target", "fraction": "0.01", "atr_period": 40})
    assert rules_of(sized).warm_up == 40 and rules_of(sized, overrides={"size.atr_period": 9}).warm_up == 9


def test_the_same_part_is_paid_for_once(made: Any) -> None:
    one = rules_of(made("mean(close, 50) > open")).cost
    assert rules_of(made("mean(close, 50) > open and mean(close, 50) > open")).cost == one + 1
    assert rules_of(made("mean(close, 50) > open and mean(close, 51) > open")).cost > one + 5


def test_a_parameter_that_makes_it_cost_too_much_is_refused(made: Any) -> None:
    document = made("k.k > c", params={"n": 10}, indicators={"k": {"kind": "stochastic", "period": "$n"},
                                                             "c": {"kind": "cci", "period": "$n"}})
    assert rules_of(document, {"n": 2000}).cost < 10_000
    with pytest.raises(LanguageError, match="operations a bar; at most 10000 are allowed: use fewer indicators or shorter periods"):
        rules_of(document, {"n": 3000})


def test_a_bar_is_explained_part_by_part(made: Any, make_bars: Any) -> None:
    bars = make_bars(50)
    document = made("close > mean(close, 5) and r > 50", indicators={"r": {"kind": "rsi"}}, exit_long="close < 1")
    early, late = explain(document, bars, 3)[0], explain(document, bars, 40)
    assert [(part.text, part.depth) for part in early.parts] == [
        ("close > mean(close, 5) and r > 50", 0), ("close > mean(close, 5)", 1), ("close", 2), ("mean(close, 5)", 2), ("close", 3),
        ("r > 50", 1), ("r", 2)]
    assert not early.holds and early.parts[3].value is None and early.parts[6].value is None and early.parts[2].value == bars.close[3]
    assert [one.rule for one in late] == ["enter_long", "exit_long"] and late[0].holds == bool(evaluate(document, bars).bits[40] & 1)
    with pytest.raises(IndexError, match="there is no bar 50; the bars are 0 to 49"):
        explain(document, bars, 50)


def test_every_function_can_be_explained(made: Any, make_bars: Any) -> None:
    for name, function in FUNCTIONS.items():
        values = [RULES["enter_long"] if takes == CONDITION else "close" for takes in function.takes]
        text = f"{name}({', '.join([*values, *(['2'] if function.window is not None else [])])})"
        document = made(text if function.gives == CONDITION else f"{text} > 0")
        [found] = explain(document, make_bars(20), 10)
        assert found.holds == bool(evaluate(document, make_bars(20)).bits[10])


def test_yaml_json_and_plain_data_of_the_same_document_mean_the_same() -> None:
    for name in LIBRARY:
        written = library(name)
        for same in (Document.parse(written.model_dump_json(exclude_unset=True)), Document.of(written.model_dump(exclude_unset=True)),
                     Document.of(written.model_dump(mode="json", exclude_unset=True))):
            assert rules_of(same) == rules_of(written) and same.plan() == written.plan() and same.values() == written.values()
            assert same.tags == written.tags and same.name == written.name


def test_the_schema_names_every_field_and_kind() -> None:
    found = schema()
    assert set(found["properties"]) == set(Document.model_fields) and found["additionalProperties"] is False
    kinds = found["properties"]["indicators"]["additionalProperties"]["oneOf"]
    assert {"rsi", "macd", "ichimoku"} <= {one["title"] for one in kinds} and all(one["additionalProperties"] is False for one in kinds)
