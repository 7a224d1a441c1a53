"""Whatever is handed in: a document or a LanguageError, never another exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from haechi.core.language import Document, LanguageError
from haechi.core.strategies import LIBRARY, library, library_text

MANY = settings(derandomize=True, max_examples=120, deadline=None)
WORDS = ["name", "timeframe", "1m", "params", "default", "min", "indicators", "kind", "rsi", "sma", "source", "close", "period",
         "enter_long",
         "close > open", "crosses_above(r, $p)", "$p", "size", "fixed_quote", "quote", "stop_loss", "percent", "take_profit", "r", "p",
         ".", "",
         "indicators.r", "[key]", "0", "1e400", "-0", "nan", "protections", "dca"]
VALUES = st.one_of(st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=8),
                   st.binary(max_size=3), st.dates())
DATA = st.recursive(VALUES, lambda inner: st.one_of(st.lists(inner, max_size=3),
                                                    st.dictionaries(st.one_of(st.sampled_from(WORDS), st.integers(), st.none()), inner,
                                                                    max_size=4)), max_leaves=12)
PIECES = ["close", "open", "r", "b.upper", "b", "$p", "$q", "1", "0", "1e999", "0.5", "-", "+", "*", "/", "(", ")", ",", "<", ">", "<=",
          "==", "!=",
          "and", "or", "not", "mean", "shift", "since", "min", "divergence_bull", "crosses_above", "any", "\n", "\x00", "é", "$", "."]
FIELDS = {"name": "test", "timeframe": "1m", "params": {"p": 5}, "size": {"kind": "fixed_quote", "quote": 5},
          "indicators": {"r": {"kind": "rsi", "period": "$p"}, "b": {"kind": "bollinger"}}}


def refused_or_read(make: Any, *given_: Any) -> None:
    try:
        assert isinstance(make(*given_), Document)
    except LanguageError as error:
        assert error.problems and all(problem.message and "\n" not in problem.message for problem in error.problems)


@given(st.text(max_size=200))
@MANY
def test_random_text(text: str) -> None:
    refused_or_read(Document.parse, text)


@given(st.text(alphabet="{}[]:,-?&*!|>'\"%@`#\n $a1.e_", max_size=60))
@MANY
@example("{[: ]}")
@example("\ud800")
@example("a: \ud800")
def test_random_signs_of_yaml_and_json(text: str) -> None:
    refused_or_read(Document.parse, text)
    refused_or_read(Document.parse, "{" + text)


@given(st.sampled_from(LIBRARY), st.integers(0, 1200), st.integers(0, 40), st.text(max_size=6))
@MANY
def test_a_real_document_with_a_piece_torn_out(name: str, at: int, length: int, put: str) -> None:
    text = library_text(name)
    refused_or_read(Document.parse, text[:at] + put + text[at + length:])


@given(st.dictionaries(st.sampled_from([*Document.model_fields, "other"]), DATA, max_size=6))
@MANY
def test_random_data(data: dict[str, Any]) -> None:
    refused_or_read(Document.of, data)
    refused_or_read(Document.of, {**FIELDS, "enter_long": "close > r", **data})


@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
@MANY
@example("0 / 0 > mean(0, 1)")
@example("close > " + "-" * 3000 + "1")
@example("(" * 3999)
def test_random_expressions(rule: str) -> None:
    refused_or_read(Document.of, {**FIELDS, "enter_long": rule})


@given(st.dictionaries(st.sampled_from(["p", "q", "period", "low", "", "r"]), VALUES, max_size=3),
       st.dictionaries(st.one_of(st.sampled_from(["stop_loss.percent", "take_profit.0.percent", "take_profit.9.share", "size.kind",
                                                  "leverage",
                                                  "take_profit", "protections.daily_loss", "stop_loss", "a.b", "take_profit.٣.percent",
                                                  ""]),
                                 st.text(max_size=12)), DATA, max_size=3))
@MANY
def test_random_parameters_and_overrides(params: dict[str, Any], overrides: dict[str, Any]) -> None:
    try:
        library("rsi").plan(params, overrides)
    except LanguageError as error:
        assert error.problems


@pytest.mark.parametrize("data", [None, [], "name", 5])
def test_what_is_not_a_mapping_is_told(data: Any) -> None:
    with pytest.raises(LanguageError, match="a document is a mapping of fields, found"):
        Document.of(data)
