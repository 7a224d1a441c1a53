"""The warm-up said is the first bar with a value, no earlier and no later; a hole in a source is no more than a hole."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from haechi.core.indicators import KINDS, Kind, calculate
from haechi.core.language import Document, Evaluator
from haechi.core.language.nodes import Indicator, Output
from haechi.core.language.rules import reach

CHAINED = [kind.name for kind in KINDS.values() if kind.source is not None]


def settings_of(kind: Kind) -> list[dict[str, float]]:
    """The defaults, and combinations of small and middling windows that the kind's rule allows."""
    choices = [(one.low, one.low + 1, 13.0, 31.0) if one.whole else (one.default or one.low,) for one in kind.settings]
    combinations = [dict(zip((one.name for one in kind.settings), values, strict=True)) for values in product(*choices)]
    defaults = {one.name: float(one.default or 12) for one in kind.settings}
    return [defaults, *(args for args in combinations if kind.rule is None or kind.rule[1](args))]


@pytest.mark.parametrize("name", KINDS)
def test_the_look_back_is_the_first_bar_with_a_value(name: str, make_bars: Any) -> None:
    kind, bars = KINDS[name], make_bars(220, 3)
    source = None if kind.source is None else bars.close
    for args in settings_of(kind):
        for output, values in zip(kind.outputs, calculate(name, bars, source, args), strict=True):
            there = ~np.isnan(values)
            assert kind.lookback(args, output) == int(np.argmax(there)) and there.any(), (args, output)


@pytest.mark.parametrize("name", CHAINED)
def test_the_look_back_of_a_chain_is_the_first_bar_with_a_value(name: str, make_bars: Any) -> None:
    kind, bars = KINDS[name], make_bars(300, 4)
    args = {one.name: float(one.default or 12) for one in kind.settings}
    inner = Output(Indicator("sma", (("period", 17.0),), "close"), "value")
    for output in kind.outputs:
        chained = Output(Indicator(name, tuple(args.items()), inner), output)
        values = Evaluator(Document.of({"name": "t", "timeframe": "1m", "enter_long": "close > open",
                                        "size": {"kind": "fixed_quote", "quote": 1}}), bars).output(chained)
        there = ~np.isnan(values)
        assert there.any() and int(np.argmax(there)) == reach(chained), output


@pytest.mark.parametrize("name", KINDS)
def test_too_few_bars_give_no_value_and_no_error(name: str, make_bars: Any) -> None:
    kind = KINDS[name]
    args = {one.name: float(one.default or 12) for one in kind.settings}
    for n in range(4):
        bars = make_bars(5, 1).slice(0, n)
        for output, values in zip(kind.outputs, calculate(name, bars, None if kind.source is None else bars.close, args), strict=True):
            assert len(values) == n and np.isnan(values[:kind.lookback(args, output)]).all()


@pytest.mark.parametrize("name", CHAINED)
def test_a_hole_in_the_source_does_not_silence_what_follows(name: str, make_bars: Any, number: Any) -> None:
    """vwap over one bar is undefined wherever nothing was traded; what is made of it must come back."""
    bars = make_bars(400, 5)
    specs = {"holes": {"kind": "vwap", "period": 1}, "x": {**{one.name: 12 for one in KINDS[name].settings if one.default is None},
                                                            "kind": name, "source": "holes"}}
    holes = np.isnan(number("holes", bars, indicators=specs))
    assert 5 < holes.sum() < 60
    for output in KINDS[name].outputs:
        values = number("x" if len(KINDS[name].outputs) == 1 else f"x.{output}", bars, indicators=specs)
        assert np.isnan(values[-150:]).mean() < 0.5, output


def test_a_chained_average_is_that_of_the_defined_values(make_bars: Any, number: Any) -> None:
    bars = make_bars(400, 5)
    specs = {"holes": {"kind": "vwap", "period": 1}, "x": {"kind": "sma", "source": "holes", "period": 5}}
    holes, found = (number(name, bars, indicators=specs) for name in ("holes", "x"))
    defined = holes[~np.isnan(holes)]
    expected = np.full(len(bars), np.nan)
    expected[~np.isnan(holes)] = [np.nan] * 4 + [defined[i - 4:i + 1].mean() for i in range(4, len(defined))]
    assert np.allclose(found, expected, equal_nan=True)
