"""Each function against a slow reference that looks at one bar after the other; what operators and undefined values mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haechi.core.language.functions import CONDITION, FUNCTIONS, NUMBER

NAN = math.nan
Values = list[float]


def window(x: Values, i: int, n: int) -> Values | None:
    """x[i−n+1..i], None when one is not there or undefined."""
    return None if i - n + 1 < 0 or any(map(math.isnan, x[i - n + 1:i + 1])) else x[i - n + 1:i + 1]


def over(of: Callable[[Values], float]) -> Callable[..., float]:
    return lambda x, i, n: NAN if (found := window(x, i, n)) is None else of(found)


def deviation(values: Values) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def back(x: Values, i: int, n: int) -> float:
    return x[i - n] if i >= n else NAN


def steps(x: Values, i: int, n: int, up: int) -> bool:
    return i >= n and all((x[k] - x[k - 1]) * up > 0 for k in range(i - n + 1, i + 1))


def diverges(price: Values, other: Values, i: int, n: int, sign: int) -> bool:
    if i < n or any(map(math.isnan, price[i - n:i])):
        return False
    j = max(range(i - n, i), key=lambda k: (-sign * price[k], k))  # the latest of the lowest (sign 1) or highest (−1)
    return sign * price[i] < sign * price[j] and sign * other[i] > sign * other[j]


REFERENCE: dict[str, Callable[..., Any]] = {
    "crosses_above": lambda x, y, i: i > 0 and x[i - 1] <= y[i - 1] and x[i] > y[i],
    "crosses_below": lambda x, y, i: i > 0 and x[i - 1] >= y[i - 1] and x[i] < y[i],
    "highest": over(max), "lowest": over(min), "sum": over(math.fsum), "mean": over(lambda of: math.fsum(of) / len(of)),
    "stddev": over(deviation),
    "shift": back, "change": lambda x, i, n: x[i] - back(x, i, n), "abs": lambda x, i: abs(x[i]),
    "min": lambda x, y, i: NAN if math.isnan(x[i] + y[i]) else min(x[i], y[i]),
    "max": lambda x, y, i: NAN if math.isnan(x[i] + y[i]) else max(x[i], y[i]),
    "since": lambda c, i: next((float(i - k) for k in range(i, -1, -1) if c[k]), NAN),
    "rising": lambda x, i, n: steps(x, i, n, 1), "falling": lambda x, i, n: steps(x, i, n, -1),
    "all": lambda c, i, n: i >= n - 1 and all(c[i - n + 1:i + 1]),
    "any": lambda c, i, n: any(c[max(0, i - n + 1):i + 1]),
    "divergence_bull": lambda x, y, i, n: diverges(x, y, i, n, 1), "divergence_bear": lambda x, y, i, n: diverges(x, y, i, n, -1),
}
# `gappy` is undefined wherever no volume was traded; `late` is undefined at first; both have ties.
GAPS = {"gappy": {"kind": "vwap", "period": 1}, "late": {"kind": "sma", "period": 4}}


def test_every_function_has_a_reference() -> None:
    assert REFERENCE.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
@given(seed=st.integers(1, 8), n=st.integers(1, 45), x=st.sampled_from(["close", "gappy", "late", "volume"]), length=st.integers(1, 130))
@settings(derandomize=True, max_examples=15, deadline=None)
def test_a_function_is_what_its_reference_says(name: str, make_bars: Any, number: Any, holds: Any, seed: int, n: int, x: str,
                                               length: int) -> None:
    function, bars = FUNCTIONS[name], make_bars(length, seed)
    first = "close > gappy" if function.takes[0] == CONDITION else x
    given_ = [first, "late"][:len(function.takes)]
    windows = [] if function.window is None else [n]
    values = [holds(first, bars, indicators=GAPS) if function.takes[0] == CONDITION else number(first, bars, indicators=GAPS),
              number("late", bars, indicators=GAPS)][:len(given_)]
    expected = [REFERENCE[name](*[value.tolist() for value in values], i, *windows) for i in range(length)]
    text = f"{name}({', '.join([*given_, *map(str, windows)])})"
    if function.gives == NUMBER:
        found = number(text, bars, indicators=GAPS)
        assert np.allclose(found, expected, rtol=1e-12, atol=1e-9, equal_nan=True), text
    else:
        assert holds(text, bars, indicators=GAPS).tolist() == expected, text


@pytest.mark.parametrize("name", ["crosses_above", "crosses_below", "rising", "falling", "divergence_bull", "divergence_bear", "all",
                                  "any"])
def test_the_conditions_compared_do_come_true_and_do_not(name: str, make_bars: Any, holds: Any) -> None:
    text = f"{name}({'close > open' if name in ('all', 'any') else 'close, late' if len(FUNCTIONS[name].takes) > 1 else 'close'}"
    text += ")" if FUNCTIONS[name].window is None else ", 3)"
    assert len(set(holds(text, make_bars(400, 2), indicators=GAPS).tolist())) == 2


@pytest.mark.parametrize(("text", "value"), [
    ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("8 / 4 / 2", 1), ("5 - 3 - 1", 1), ("-2 * -3", 6), ("- 2 + 3", 1), ("--3", 3),
    ("1e2 + .5", 100.5),
    ("abs(-4)", 4), ("min(3, 1, 2)", 1), ("max(3, 1, 2, 9)", 9), ("0.1 * 3", 0.1 * 3), ("sum(2, 3)", 6), ("shift(7, 0)", 7),
    ("change(5)", 0)])
def test_numbers(text: str, value: float, make_bars: Any, number: Any) -> None:
    assert number(text, make_bars(10))[-1] == value


@pytest.mark.parametrize(("text", "value"), [
    ("1 < 2", True), ("2 <= 2", True), ("1 == 1.0", True), ("1 != 1", False), ("not 1 > 2", True), ("not 1 > 2 and 1 > 2", False),
    ("1 > 2 or 2 > 1 and 1 > 2", False), ("(2 > 1 or 1 > 2) and 2 > 1", True), ("not (1 > 2 or 2 > 1)", False),
    ("1 + 1 > 1 * 1 + 0.5", True),
    ("1 > 2 or 1 > 3 or 3 > 1", True), ("2 > 1 and 3 > 1 and 1 > 4", False), ("crosses_above(2, 1)", False), ("-1 < 0", True)])
def test_conditions(text: str, value: bool, make_bars: Any, holds: Any) -> None:
    assert holds(text, make_bars(10)).tolist() == [value] * 10


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
def test_an_undefined_value_makes_every_comparison_false(sign: str, make_bars: Any, holds: Any) -> None:
    bars = make_bars(50)
    assert not holds(f"1 / 0 {sign} 1", bars).any() and not holds(f"close {sign} 0 / 0", bars).any()
    assert not holds(f"late {sign} close", bars, indicators=GAPS)[:3].any()
    assert holds(f"not late {sign} close", bars, indicators=GAPS)[:3].all()  # and `not` makes that true


def test_division_by_zero_is_undefined_and_only_there(make_bars: Any, number: Any) -> None:
    bars = make_bars(200)
    found = number("close / volume", bars)
    assert (bars.volume == 0).any() and np.array_equal(np.isnan(found), bars.volume == 0)
    assert np.isnan(number("1 / (1 - 1)", bars)).all()


def test_an_undefined_value_reaches_through_arithmetic(make_bars: Any, number: Any) -> None:
    bars = make_bars(20)
    for text in ("late + 1", "-late", "late * 0", "abs(late)", "min(late, 1)", "max(1, late)", "mean(late, 1)"):
        assert np.isnan(number(text, bars, indicators=GAPS)).tolist() == [True] * 3 + [False] * 17, text


def test_hour_and_weekday_are_utc(make_bars: Any, number: Any) -> None:
    bars = make_bars(400, timeframe_ms=17 * 60_000)
    moments = bars.ts.astype("datetime64[ms]").tolist()
    assert number("hour", bars).tolist() == [moment.hour for moment in moments]
    assert number("weekday", bars).tolist() == [moment.weekday() for moment in moments]
    assert len({moment.weekday() for moment in moments}) > 4


def test_the_prices_are_the_bars(make_bars: Any, number: Any) -> None:
    bars = make_bars(60)
    for name in ("open", "high", "low", "close", "volume"):
        assert number(name, bars).tolist() == getattr(bars, name).tolist()


def test_no_bars_give_no_signals(make_bars: Any, holds: Any) -> None:
    for name, function in FUNCTIONS.items():
        values = ["close > open" if takes == CONDITION else "late" for takes in function.takes]
        text = f"{name}({', '.join([*values, *(['2'] if function.window is not None else [])])})"
        assert len(holds(text if function.gives == CONDITION else f"{text} > 0", make_bars(10).slice(0, 0), indicators=GAPS)) == 0
