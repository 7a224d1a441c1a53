"""What is wrong with a document is said with its place, what was expected and the nearest name; all of it at once."""

from __future__ import annotations

import pytest

from haechi.core.language import Document, LanguageError

GOOD = {"name": "name: test", "timeframe": "timeframe: 1m", "params": "params: {period: 14, low: 30}",
        "indicators": "indicators: {r: {kind: rsi, period: $period}, m: {kind: macd}}", "enter_long": "enter_long: crosses_above(r, $low)",
        "size": "size: {kind: equity_fraction, fraction: 0.25}"}


def written(**changed: str | None) -> str:
    """The good document's text with lines replaced, added or (None) left out."""
    return "\n".join(line for line in {**GOOD, **changed}.values() if line is not None)


def problems(text: str) -> list[tuple[str, str]]:
    with pytest.raises(LanguageError) as caught:
        Document.parse(text)
    return [(one.path, one.message) for one in caught.value.problems]


def test_the_document_that_is_made_bad_is_good() -> None:
    assert Document.parse(written()).name == "test"


TEXTS = [
    ("", "the text is empty"), ("- a\n- b", "a document is a mapping of fields"), ("just words", "a document is a mapping of fields"),
    ("name: [", "not valid YAML at line 1"), ("name: 'a", "not valid YAML at line 1"), ("a: 1\na: 2", "line 2: 'a' is written twice"),
    ('{"a": 1, "a": 2}', "'a' is written twice"), ('{"a": }', "not valid JSON at line 1, column 7"), ('{"a": NaN}', "NaN is not a number"),
    ('{"a": 1e99999999999999999999}', "too large"), ("{" * 20, "not valid JSON"),
    ("a: " + "[" * 20 + "]" * 20, "nested more than 12 deep"), ("a: &x 1\nb: *x", "anchors and aliases"),
    ("a: !!python/object:os.system x", "tags (tag:yaml.org,2002:python/object:os.system) are not allowed"),
    ("a: 1\n---\nb: 2", "more than one document"), ("? [a]\n: b", "a field's name must be a word"),
    ("a: \x07", "not valid YAML"), ("x" * 70_000, "has 70000 characters; at most 65536 are allowed"),
]


@pytest.mark.parametrize(("text", "fragment"), TEXTS, ids=[fragment[:30] for _, fragment in TEXTS])
def test_a_text_that_is_no_document_is_one_problem_of_the_whole(text: str, fragment: str) -> None:
    [(path, message)] = problems(text)
    assert path == "" and fragment in message


FIELDS = [
    ({"name": None}, "name", "is missing"), ({"name": "name: 7"}, "name", "expected a name, found 7"),
    ({"name": f"name: {'x' * 65}"}, "name", "has 65 characters; at most 64"),
    ({"timeframe": None}, "timeframe", "is missing"),
    ({"timeframe": "timeframe: 1min"}, "timeframe", "found '1min'; did you mean '1m'?"),
    ({"size": None}, "size", "is missing"), ({"size": "size: 5"}, "size", "expected a mapping of fields, found 5"),
    ({"leverage": "leverage: 126"}, "leverage", "expected a whole number from 1 to 125 or a $parameter, found 126"),
    ({"leverage": "leverage: 2.5"}, "leverage", "found 2.5"), ({"leverage": "leverage: true"}, "leverage", "found True"),
    ({"margin": "margin: crossed"}, "margin", "did you mean 'cross'?"), ({"mode": "mode: hedged"}, "mode", "did you mean 'hedge'?"),
    ({"on_opposite": "on_opposite: revers"}, "on_opposite", "did you mean 'reverse'?"),
    ({"x": "stoploss: {percent: 2}"}, "stoploss", "unknown field 'stoploss'; did you mean 'stop_loss'?"),
    ({"x": "stop_loss: {percnt: 2, percent: 2}"}, "stop_loss.percnt", "did you mean 'percent'?"),
    ({"x": "stop_loss: 2"}, "stop_loss", "expected a mapping of fields, found 2"),
    ({"x": "stop_loss: {percent: 100}"}, "stop_loss.percent", "expected a number above 0 and below 100"),
    ({"x": "stop_loss: {percent: -1}"}, "stop_loss.percent", "found -1"),
    ({"x": "stop_loss: {percent: .nan}"}, "stop_loss.percent", "found '.nan'"),
    ({"x": "stop_loss: {percent: 1.0000001}"}, "stop_loss.percent", "with at most 6 decimals"),
    ({"x": "stop_loss: {percent: $stop}"}, "stop_loss.percent", "unknown parameter '$stop'"),
    ({"x": "stop_loss: {percent: $perod}"}, "stop_loss.percent", "did you mean 'period'?"),
    ({"x": "take_profit: {percent: 2}"}, "take_profit", "expected a list"),
    ({"x": "take_profit: [{percent: 2}, {percent: 0}]"}, "take_profit.1.percent", "above 0 up to 1000"),
    ({"x": "take_profit: [{percent: 2, share: 50}, {percent: 1, share: 50}]"}, "take_profit.1.percent",
     "1 is not above the 2 of the one before"),
    ({"x": "take_profit: [{percent: 1, share: 60}, {percent: 2, share: 60}]"}, "take_profit", "the shares add up to 120 %"),
    ({"x": f"take_profit: [{', '.join(f'{{percent: {n}, share: 1}}' for n in range(1, 6))}]"}, "take_profit", "has 5 entries; at most 4"),
    ({"x": "trailing: {activation: 1}"}, "trailing.distance", "is missing"),
    ({"x": "trailing: {activaton: 1, distance: 1}"}, "trailing.activaton", "did you mean 'activation'?"),
    ({"x": "break_even: {percent: 0}"}, "break_even.percent", "above 0"),
    ({"x": "dca: {steps: 0, percent: 1}"}, "dca.steps", "from 1 to 50"), ({"x": "dca: {steps: 3}"}, "dca.percent", "is missing"),
    ({"x": "dca: {steps: 2, percent: 1}\ntake_profit: [{percent: 1, share: 50}, {percent: 2, share: 50}]"}, "take_profit",
     "with dca there is at most one target, found 2"),
    ({"x": "time_stop: {bars: 0}"}, "time_stop.bars", "found 0"), ({"x": "cool_down: 5"}, "cool_down", "expected a mapping"),
    ({"x": "protections: {daily_los: {percent: 2}}"}, "protections.daily_los", "did you mean 'daily_loss'?"),
    ({"x": "protections: {daily_loss: {percent: 2, flatten: maybe}}"}, "protections.daily_loss.flatten", "expected true or false"),
    ({"x": "protections: {drawdown: {percent: 20}}"}, "protections.drawdown.bars", "is missing"),
    ({"x": "protections: {losing_streak: {trades: 1.5, bars: 3}}"}, "protections.losing_streak.trades", "a whole number"),
    ({"x": "entry: {kind: limt}"}, "entry.kind", "did you mean 'limit'?"),
    ({"x": "entry: {kind: market, offset: 1}"}, "entry.offset", "is not used by a market entry"),
    ({"x": "entry: {kind: limit, limit_offset: 1}"}, "entry.limit_offset", "is used by stop_limit only, not by limit"),
    ({"size": "size: {kind: equity_fraction}"}, "size.fraction", "is missing; equity_fraction needs it"),
    ({"size": "size: {kind: fixed_quote, quote: 5, fraction: 1}"}, "size.fraction", "is not used by fixed_quote, which takes quote"),
    ({"size": "size: {kind: equity_fraction, fraction: 25}"}, "size.fraction", "above 0 up to 1 with at most 8 decimals"),
    ({"size": "size: {kind: fixed_quantity, quantity: 1, atr_period: 3}"}, "size.atr_period", "is used by volatility_target only"),
    ({"size": "size: {kind: risk_fraction, fraction: 0.01}"}, "size.kind", "is sized by the loss at the stop; give stop_loss"),
    ({"size": "size: {kind: equity_fracton, fraction: 1}"}, "size.kind", "did you mean 'equity_fraction'?"),
    ({"x": "tags: {enter_long: 'a b'}"}, "tags.enter_long", "expected a tag of letters, digits"),
    ({"x": "tags: {enter_lng: a}"}, "tags.enter_lng", "did you mean 'enter_long'?"),
    ({"params": "params: {period: 14, low: {default: 5, min: 10, max: 20}}"}, "params.low", "default 5 is not from 10 to 20"),
    ({"params": "params: {period: 14, low: {default: 5, mni: 1}}"}, "params.low.mni", "did you mean 'min'?"),
    ({"params": "params: {period: 14, low: high}"}, "params.low.default", "found 'high'"),
    ({"params": "params: {period: 14, low: 30, 9lives: 9}"}, "params.9lives", "'9lives' is not a name"),
    ({"indicators": "indicators: {r: {kind: rsii}, m: {kind: macd}}"}, "indicators.r.kind",
     "unknown indicator 'rsii'; did you mean 'rsi'?"),
    ({"indicators": "indicators: {r: {kind: RSI}, m: {kind: macd}}"}, "indicators.r.kind", "unknown indicator 'RSI'; did you mean 'rsi'?"),
    ({"indicators": "indicators: {r: {kind: rsi, perod: 3}}"}, "indicators.r.perod", "rsi has no setting 'perod'; did you mean 'period'?"),
    ({"indicators": "indicators: {r: {kind: rsi, period: 0}}"}, "indicators.r.period", "expected a whole number from 2 to 5000, found 0"),
    ({"indicators": "indicators: {r: {kind: sma}}"}, "indicators.r.period", "is missing; give a whole number from 2 to 5000"),
    ({"indicators": "indicators: {r: {period: 3}}"}, "indicators.r.kind", "is missing"),
    ({"indicators": "indicators: {r: {kind: rsi, period: $perid}}"}, "indicators.r.period",
     "unknown parameter '$perid'; did you mean 'period'?"),
    ({"indicators": "indicators: {r: {kind: rsi}, m: {kind: macd, fast: 26, slow: 12}}"}, "indicators.m", "fast must be below slow"),
    ({"indicators": "indicators: {r: {kind: rsi, source: closs}}"}, "indicators.r.source", "did you mean 'close'?"),
    ({"indicators": "indicators: {r: {kind: rsi, source: m}, m: {kind: macd}}"}, "indicators.r.source", "write one of m.macd, m.signal"),
    ({"indicators": "indicators: {r: {kind: rsi, source: e}, e: {kind: ema, period: 3, source: r}}"}, "indicators.r.source",
     "'r' depends on itself"),
    ({"indicators": "indicators: {r: {kind: rsi}, a: {kind: atr, source: close}}"}, "indicators.a.source", "reads the bars themselves"),
    ({"indicators": "indicators: {r: {kind: rsi}, close: {kind: atr}}"}, "indicators.close", "has a meaning in expressions already"),
    ({"indicators": "indicators: {r: {kind: rsi}, 2x: {kind: atr}}"}, "indicators.2x", "'2x' is not a name"),
    ({"indicators": "indicators: [r]"}, "indicators", "expected a mapping of fields"),
]


@pytest.mark.parametrize(("changed", "path", "fragment"), FIELDS, ids=[f"{path}: {fragment[:25]}" for _, path, fragment in FIELDS])
def test_a_bad_field_is_named_with_its_place(changed: dict[str, str | None], path: str, fragment: str) -> None:
    said = problems(written(**changed))
    assert any(where == path and fragment in message for where, message in said), said
    about_it = [one for one in said if one[0] not in ("enter_long", "")]
    assert all(where.startswith(path.split(".", 1)[0]) for where, _ in about_it), f"problems elsewhere: {said}"


RULES = [
    ("crosses_abov(r, $low)", 1, "unknown function 'crosses_abov'; did you mean 'crosses_above'?"),
    ("crosses_above(rr, $low)", 15, "unknown name 'rr'"), ("clse > 1", 1, "unknown name 'clse'; did you mean 'close'?"),
    ("r < $lw", 5, "unknown parameter '$lw'; did you mean 'low'?"), ("r < low and r < period", 17, "a parameter is written '$period'"),
    ("m > 0", 1, "'m' has several values; write one of m.macd, m.signal, m.histogram"), ("m.sgnal > 0", 1, "did you mean 'signal'?"),
    ("r.k > 0", 1, "'r' has one value"), ("close.x > 0", 1, "'close' is one value"), ("hl2 > 1", 1, "is a source of indicators"),
    ("close", 1, "a rule needs a condition here, found a number; compare it with something, such as > 0"),
    ("close and open > 1", 1, "'and' needs a condition here, found a number"),
    ("(close > 1) + 1 > 1", 1, "'+' needs a number here, found a condition"),
    ("not close", 5, "'not' needs a condition"), ("mean(close > 1, 3) > 0", 6, "mean needs a number here, found a condition"),
    ("all(close, 3)", 5, "all needs a condition here"), ("mean(close) > 0", 1, "mean takes mean(x, n), found 1 argument"),
    ("min(close) > 0", 1, "min takes min(x, y, ...), found 1"), ("mean > 1", 1, "'mean' is a function; write mean(x, n)"),
    ("change(close, 1, 2) > 0", 1, "change takes change(x, n=1), found 3"), ("mean(close, 5001) > 0", 13, "from 1 to 5000, found 5001"),
    ("mean(close, $low + 1) > 0", 13, "not an expression"), ("a < b < c", 7, "comparisons cannot be chained"),
    ("close >", 8, "expected a value, found the end"), ("close > 1)", 10, "expected an operator or the end, found ')'"),
    ("(close > 1", 11, "expected ')', found the end"), ("close = 1", 7, "unexpected character '='; write == to compare"),
    ("close > 1 & open > 1", 11, "write and"), ("close[1] > 1", 6, "shift(x, n)"), ("close ^ 2 > 1", 7, "there are no powers"),
    ("close > 1e300", 9, "1e300 is too large"), ("close > 'x'", 9, "unexpected character"),
    ("close > 1; import os", 10, "unexpected character ';'"),
    ("__import__(close) > 1", 1, "unknown function '__import__'"), ("close.__class__ > 1", 1, "'close' is one value"),
    (f"{'(' * 30}close > 1{')' * 30}", 22, "nested more than 20 deep"), (f"{'-' * 30}close > 1", 22, "nested more than 20 deep"),
    ("close > 1 " + "+ 1" * 1400, 1, "at most 4000 are allowed"), ("close > ９", 9, "unexpected character"),
]


@pytest.mark.parametrize(("rule", "column", "fragment"), RULES, ids=[rule[:25] for rule, _, _ in RULES])
def test_a_bad_expression_is_named_with_its_column(rule: str, column: int, fragment: str) -> None:
    quoted = rule.replace("'", "''")
    said = problems(written(enter_long=f"enter_long: '{quoted}'"))
    hits = [message for path, message in said if path == "enter_long" and fragment in message]
    assert hits, said
    if "are allowed" not in fragment or "deep" in fragment:
        assert hits[0].startswith(f"column {column}: "), hits


def test_a_document_needs_an_entry() -> None:
    assert ("", "no entry: give enter_long, enter_short or both") in problems(written(enter_long="exit_long: close > 1"))


def test_the_expressions_together_have_a_bound() -> None:
    long = " or ".join(f"close > {n}" for n in range(130))
    said = problems(written(enter_long=f"enter_long: {long}", x=f"exit_long: {long}"))
    assert said == [("", "the expressions have 782 parts; at most 500 are allowed")]


def test_the_names_there_may_be_have_a_bound() -> None:
    params = ", ".join(f"p{n}: 1" for n in range(51))
    indicators = ", ".join(f"i{n}: {{kind: atr}}" for n in range(51))
    said = problems(written(params=f"params: {{{params}}}", indicators=f"indicators: {{{indicators}}}", enter_long="enter_long: i1 > $p1"))
    assert said == [("params", "has 51 entries; at most 50 are allowed"), ("indicators", "has 51 entries; at most 50 are allowed")]


@pytest.mark.parametrize("length", [11, 12])
def test_how_many_indicators_may_feed_each_other_has_a_bound(length: int) -> None:
    chain = ["i0: {kind: rsi, period: 2}", *(f"i{n}: {{kind: sma, source: i{n - 1}, period: 2}}" for n in range(1, length))]
    text = written(indicators=f"indicators: {{{', '.join(chain)}}}", enter_long=f"enter_long: i{length - 1} > 1")
    if length == 11:  # ten of them have another one as their source
        assert Document.parse(text).indicators
    else:
        assert ("indicators.i11.source", "more than 10 indicators feed each other") in problems(text)


def test_what_it_costs_has_a_bound() -> None:
    many = ", ".join(f"s{n}: {{kind: stochastic, period: {4000 + n}}}" for n in range(3))
    rule = " and ".join(f"s{n}.k > 0" for n in range(3))
    [(path, message)] = problems(written(indicators=f"indicators: {{{many}}}", params="params: {low: 3}", enter_long=f"enter_long: {rule}"))
    assert path == "" and message.startswith("the document costs 24") and "at most 10000 are allowed" in message


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = problems("""
name: test
timeframe: 1m
params: {period: 14, low: {default: 30, max: 20}}
indicators: {r: {kind: rsii}, e: {kind: ema, period: 1}}
enter_long: crosses_above(q, $lo) and close
exit_long: e >
stop_loss: {percent: 0}
take_profit: [{percent: 5, share: 101}]
levrage: 3
""")
    places = [path for path, _ in said]
    assert set(places) == {"params.low", "indicators.r.kind", "indicators.e.period", "enter_long", "exit_long", "stop_loss.percent",
                           "take_profit.0.share", "levrage", "size"}
    assert places.count("enter_long") == 3 and len(said) == len(set(said))


def test_the_message_has_a_line_for_each_problem() -> None:
    with pytest.raises(LanguageError) as caught:
        Document.parse("name: test\ntimeframe: 1m\nenter_long: clse > 1\n")
    assert str(caught.value).splitlines() == [
        "size: is missing", "enter_long: column 1: unknown name 'clse'; did you mean 'close'?"]


def test_no_more_than_fifty_are_listed() -> None:
    many = "\n".join(f"f{n}: 1" for n in range(90))
    assert len(problems(f"{written()}\n{many}")) == 50
