"""What comes later never changes what was said earlier: over every function, every indicator and every library document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haechi.core.bars import Bars
from haechi.core.indicators import KINDS, Kind
from haechi.core.language import Document, Evaluator, LanguageError, signal_at_end
from haechi.core.language.functions import CONDITION, FUNCTIONS, NUMBER, PRICES, SOURCES, TIMES, Function
from haechi.core.language.nodes import Indicator, Output, Term
from haechi.core.strategies import LIBRARY, library

N = 420
FEW = settings(derandomize=True, max_examples=12, deadline=None)
CUT = st.integers(1, N)
SEED = st.integers(1, 6)
# Two chained ones: their source is undefined at first, and `percent` may be undefined in between.
INDICATORS = {"r": {"kind": "rsi", "period": 5}, "b": {"kind": "bollinger", "period": 4},
              "c": {"kind": "sma", "source": "b.percent", "period": 3},
              "v": {"kind": "vwap", "period": 2}}


def document(rule: str, indicators: dict[str, Any] = INDICATORS) -> Document:
    return Document.of({"name": "test", "timeframe": "1m", "enter_long": rule, "indicators": indicators, "leverage": 1,
                        "size": {"kind": "volatility_target", "fraction": "0.01", "atr_period": 7}})


def call(name: str, function: Function, x: str, y: str, condition: str, n: int) -> str:
    values = [condition if takes == CONDITION else (x, y)[place] for place, takes in enumerate(function.takes)]
    return f"{name}({', '.join([*values, *([str(max(n, function.window))] if function.window is not None else [])])})"


def rule_with(name: str, x: str = "close", y: str = "hl", n: int = 5) -> str:
    text = call(name, FUNCTIONS[name], x, y.replace("hl", "(high + low) / 2"), "close > open", n)
    return text if FUNCTIONS[name].gives == CONDITION else f"{text} > 0"


def everything(at: Evaluator) -> Iterator[tuple[Any, np.ndarray]]:
    """The value of every term and every indicator of the document, at every bar."""
    rules = at.rules()
    waiting: list[Term] = list(rules.terms.values())
    while waiting:
        term = waiting.pop()
        waiting += term.args
        yield term, np.broadcast_to(np.asarray(at.value(term), dtype=np.float64), len(at.bars))
    indicators: set[Indicator] = {output.indicator for outputs in rules.outputs.values() for output in outputs.values()}
    for one in indicators:
        for name in KINDS[one.kind].outputs:
            yield Output(one, name), at.output(Output(one, name))


def assert_same_when_cut(written: Document, bars: Bars, cut: int) -> None:
    whole, short = Evaluator(written, bars), Evaluator(written, bars.slice(0, cut))
    for (what, long_values), (_, values) in zip(everything(whole), everything(short), strict=True):
        assert np.array_equal(long_values[:cut], values, equal_nan=True), f"{what} changes when the bars end at {cut}"
    long_signals, signals = whole.signals(), short.signals()
    assert np.array_equal(long_signals.bits[:cut], signals.bits)
    if signals.atr is not None and long_signals.atr is not None:
        assert np.array_equal(long_signals.atr[:cut], signals.atr, equal_nan=True)
    assert signal_at_end(written, bars.slice(0, cut)).bits.tolist() == [long_signals.bits[cut - 1]]


def spec(kind: Kind, period: int) -> dict[str, Any]:
    """The kind with every window near `period`, its settings in the order its rule asks for."""
    found: dict[str, Any] = {"kind": kind.name}
    for place, setting in enumerate(kind.settings):
        if setting.whole:
            found[setting.name] = max(int(setting.low), period + place)
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
@given(cut=CUT, seed=SEED, n=st.integers(1, 60))
@FEW
def test_no_function_looks_ahead(name: str, make_bars: Any, cut: int, seed: int, n: int) -> None:
    assert_same_when_cut(document(rule_with(name, n=n)), make_bars(N, seed), cut)
    assert_same_when_cut(document(rule_with(name, x="c", y="v", n=n)), make_bars(N, seed), cut)


@pytest.mark.parametrize("name", KINDS)
@given(cut=CUT, seed=SEED, period=st.integers(2, 40))
@FEW
def test_no_indicator_looks_ahead(name: str, make_bars: Any, cut: int, seed: int, period: int) -> None:
    kind = KINDS[name]
    specs = {"x": spec(kind, period)}
    if kind.source is not None:
        specs |= {"e": {"kind": "ema", "source": "hlc3", "period": 3}, "y": {**spec(kind, period), "source": "e"}}
    assert_same_when_cut(document(f"close > x.{kind.outputs[0]}", specs), make_bars(N, seed), cut)


@pytest.mark.parametrize("name", LIBRARY)
@given(cut=CUT, seed=SEED)
@settings(FEW, max_examples=6)
def test_no_document_of_the_library_looks_ahead(name: str, make_bars: Any, cut: int, seed: int) -> None:
    assert_same_when_cut(library(name), make_bars(N, seed), cut)


def numbers() -> st.SearchStrategy[str]:
    leaves = st.sampled_from([*PRICES, *TIMES, "r", "b.upper", "b.percent", "c", "v", "0", "2.5"])
    return st.recursive(leaves, lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        *[st.builds(lambda x, y, n, name=name: call(name, FUNCTIONS[name], x, y, "close > open", n), inner, inner, st.integers(1, 30))
          for name, function in FUNCTIONS.items() if function.gives == NUMBER]), max_leaves=5)


def conditions() -> st.SearchStrategy[str]:
    compared = st.builds("{} {} {}".format, numbers(), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers())
    return st.recursive(compared, lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner), st.builds("(not {})".format, inner),
        *[st.builds(lambda x, y, of, n, name=name: call(name, FUNCTIONS[name], x, y, of, n), numbers(), numbers(), inner,
                    st.integers(1, 30))
          for name, function in FUNCTIONS.items() if function.gives == CONDITION]), max_leaves=4)


@given(rule=conditions(), cut=CUT, seed=SEED)
@settings(FEW, max_examples=80)
def test_no_mixture_of_them_looks_ahead(make_bars: Any, rule: str, cut: int, seed: int) -> None:
    assert_same_when_cut(document(rule), make_bars(N, seed), cut)


@pytest.mark.parametrize("name", LIBRARY)
def test_other_bars_to_come_change_nothing(name: str, make_bars: Any) -> None:
    """Two futures after one past: what was said of the past is the same."""
    one, other = make_bars(N, 1), make_bars(N, 2)
    past = one.slice(0, 300)
    joined = [Bars(one.symbol, one.timeframe_ms, one.tick, one.ts, *[
        np.concatenate([getattr(past, column), getattr(future, column)[300:]])
        for column in ("open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume")]) for future in (one, other)]
    bits = [Evaluator(library(name), bars).signals().bits[:300] for bars in joined]
    assert np.array_equal(*bits)


@pytest.mark.parametrize(("rule", "fragment"), [
    ("shift(close, -1) > close", "n must be a whole number or a $parameter, not an expression"),
    ("shift(close, $back) > close", "n must be a whole number from 0 to 5000, found $back = -1"),
    ("shift(close, 0 - 1) > close", "not an expression"),
    ("shift(close, 1.5) > close", "n must be a whole number from 0 to 5000, found 1.5"),
    ("shift(close, close) > close", "not an expression"),
    ("change(close, -1) > 0", "not an expression"), ("change(close, 0) > 0", "from 1 to 5000, found 0"),
    ("highest(high, 0) > close", "from 1 to 5000, found 0"), ("highest(high, $back) > close", "found $back = -1"),
    ("all(close > open, -3)", "not an expression"), ("divergence_bull(close, open, $back)", "found $back = -1"),
    ("close[-1] > close", "a value of an earlier bar is shift(x, n)"), ("close.next > close", "'close' is one value"),
    ("lead(close, 1) > close", "unknown function 'lead'"), ("i.chikou > close", "'i' has no value 'chikou'"),
])
def test_the_future_cannot_be_written(rule: str, fragment: str) -> None:
    with pytest.raises(LanguageError) as caught:
        Document.of({"name": "test", "timeframe": "1m", "enter_long": rule, "params": {"back": -1},
                     "indicators": {"i": {"kind": "ichimoku"}}, "size": {"kind": "fixed_quote", "quote": 100}})
    assert [problem.path for problem in caught.value.problems] == ["enter_long"]
    assert fragment in caught.value.problems[0].message


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values() if kind.settings])
def test_no_indicator_takes_a_negative_window(kind: str) -> None:
    for setting in KINDS[kind].settings:
        assert setting.low >= 0
        with pytest.raises(LanguageError, match=setting.bounds()):
            document("close > open", {"x": {**spec(KINDS[kind], 5), setting.name: -1}})


def test_a_parameter_given_later_cannot_reach_the_future_either() -> None:
    written = Document.of({"name": "test", "timeframe": "1m", "params": {"back": 1}, "enter_long": "shift(close, $back) > close",
                           "size": {"kind": "fixed_quote", "quote": 100}})
    with pytest.raises(LanguageError, match=r"\$back = -1"):
        Evaluator(written, Bars("T", 1, written.values()["back"], *[np.empty(0, dtype=np.int64)] * 5, np.empty(0))).signals({"back": -1})


def test_every_source_and_time_is_known_at_the_bar(make_bars: Any) -> None:
    for source in SOURCES:
        assert_same_when_cut(document("x > hour + weekday", {"x": {"kind": "sma", "source": source, "period": 3}}), make_bars(N, 3), 100)
