"""Every plan field of a document becomes its place in the engine's plan; parameters and overrides reach all of them."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from haechi.core.language import Document, LanguageError, rules_of
from haechi.core.language.fields import PlanFields
from haechi.core.language.overrides import paths
from haechi.core.plan import Entry, Ladder, Plan, Protections, Size, Target, Trailing
from haechi.core.strategies import library

BASE: dict[str, Any] = {"name": "test", "timeframe": "1m", "enter_long": "close > open",
                        "size": {"kind": "equity_fraction", "fraction": "0.25"}}


def plan(**fields: Any) -> Plan:
    return Document.of({**BASE, **fields}).plan()


def test_what_is_not_written_is_off() -> None:
    assert plan() == Plan(size=Size("equity_fraction", D("0.25")))


FIELDS = [
    ({"size": {"kind": "equity_fraction", "fraction": "0.5"}}, {"size": Size("equity_fraction", D("0.5"))}),
    ({"size": {"kind": "fixed_quote", "quote": "1000.5"}}, {"size": Size("fixed_quote", D("1000.5"))}),
    ({"size": {"kind": "fixed_quantity", "quantity": "0.00000001"}}, {"size": Size("fixed_quantity", D("0.00000001"))}),
    ({"size": {"kind": "risk_fraction", "fraction": "0.01"}, "stop_loss": {"percent": 2}},
     {"size": Size("risk_fraction", D("0.01")), "stop_loss": D("0.02")}),
    ({"size": {"kind": "volatility_target", "fraction": "0.02", "atr_period": 20}}, {"size": Size("volatility_target", D("0.02"), 20)}),
    ({"size": {"kind": "volatility_target", "fraction": "0.02"}}, {"size": Size("volatility_target", D("0.02"), 14)}),
    ({"leverage": 125}, {"leverage": 125}), ({"margin": "cross"}, {"margin": "cross"}), ({"mode": "hedge"}, {"hedge": True}),
    ({"mode": "one_way"}, {"hedge": False}), ({"on_opposite": "reverse"}, {"on_opposite": "reverse"}),
    ({"entry": {"kind": "post_only", "offset": "0.1", "bars": 3}}, {"entry": Entry("post_only", D("0.001"), D(0), 3)}),
    ({"entry": {"kind": "stop_limit", "offset": 1, "limit_offset": "0.5"}}, {"entry": Entry("stop_limit", D("0.01"), D("0.005"), 1)}),
    ({"stop_loss": {"percent": "1.5"}}, {"stop_loss": D("0.015")}),
    ({"take_profit": [{"percent": 2, "share": 50}, {"percent": "4.25", "share": "25.5"}]},
     {"targets": (Target(D("0.02"), D("0.5")), Target(D("0.0425"), D("0.255")))}),
    ({"take_profit": [{"percent": 1000}]}, {"targets": (Target(D(10), D(1)),)}),
    ({"break_even": {"percent": 1}}, {"break_even": D("0.01")}),
    ({"trailing": {"distance": "0.5"}}, {"trailing": Trailing(D("0.005"), D(0))}),
    ({"trailing": {"activation": 3, "distance": 2}}, {"trailing": Trailing(D("0.02"), D("0.03"))}),
    ({"dca": {"steps": 3, "percent": 1}}, {"ladder": Ladder(3, D("0.01"))}),
    ({"dca": {"steps": 3, "percent": 1, "percent_scale": "1.5", "size": 2, "size_scale": "1.25"}},
     {"ladder": Ladder(3, D("0.01"), D("1.5"), D(2), D("1.25"))}),
    ({"time_stop": {"bars": 90}}, {"time_stop": 90}), ({"cool_down": {"bars": 7}}, {"cool_down": 7}),
    ({"protections": {"daily_loss": {"percent": 3, "flatten": True}}}, {"protections": Protections(D("0.03"), True)}),
    ({"protections": {"drawdown": {"percent": 20, "bars": 100, "flatten": True}}},
     {"protections": Protections(drawdown=D("0.2"), drawdown_bars=100, drawdown_flatten=True)}),
    ({"protections": {"losing_streak": {"trades": 4, "bars": 60}}}, {"protections": Protections(losing_streak=4, losing_streak_bars=60)}),
]


@pytest.mark.parametrize(("written", "meant"), FIELDS, ids=[str(written)[:50] for written, _ in FIELDS])
def test_a_field_becomes_its_place_in_the_plan(written: dict[str, Any], meant: dict[str, Any]) -> None:
    found = plan(**written)
    assert all(getattr(found, name) == value for name, value in meant.items()), found
    rest = {name: getattr(found, name) for name in Plan.__struct_fields__ if name not in meant and name != "size"}
    assert rest == {name: getattr(plan(), name) for name in rest}, "something else changed too"


def test_every_field_of_a_plan_is_in_the_table() -> None:
    assert {name for written, _ in FIELDS for name in written} == set(PlanFields.model_fields)


def test_json_numbers_as_python_reads_them_are_exact() -> None:
    assert plan(stop_loss={"percent": 0.1}, size={"kind": "equity_fraction", "fraction": 0.3}).stop_loss == D("0.001")
    assert Document.parse('{"name": "t", "timeframe": "1m", "enter_long": "close > 1", "size": {"kind": "fixed_quote", "quote": 0.1}}'
                          ).plan().size.amount == D("0.1")


NUMERIC = {"leverage": 7, "stop_loss.percent": "1.25", "take_profit.0.percent": 9, "take_profit.0.share": 40, "break_even.percent": 3,
           "trailing.activation": 5, "trailing.distance": 6, "dca.steps": 4, "dca.percent": 2, "dca.percent_scale": "1.1", "dca.size": 3,
           "dca.size_scale": "1.2", "time_stop.bars": 8, "cool_down.bars": 9, "protections.daily_loss.percent": 5,
           "protections.drawdown.percent": 6, "protections.drawdown.bars": 7, "protections.losing_streak.trades": 8,
           "protections.losing_streak.bars": 9, "size.fraction": "0.125", "size.atr_period": 33, "entry.offset": "0.75",
           "entry.limit_offset": 1,
           "entry.bars": 12}
WORDS = {"size.kind": "volatility_target", "margin": "cross", "mode": "hedge", "entry.kind": "stop_limit", "on_opposite": "ignore",
         "protections.daily_loss.flatten": "true", "protections.drawdown.flatten": True}
ALONE = {"size.quote", "size.quantity"}  # belong to other kinds of size
FULL = {**BASE, "size": {"kind": "volatility_target", "fraction": "0.1"}, "entry": {"kind": "stop_limit", "offset": 1, "limit_offset": 2},
        "stop_loss": {"percent": 1}, "take_profit": [{"percent": 1}], "break_even": {"percent": 1}, "trailing": {"distance": 1},
        "dca": {"steps": 1, "percent": 1}, "time_stop": {"bars": 1}, "cool_down": {"bars": 1},
        "protections": {"daily_loss": {"percent": 1}, "drawdown": {"percent": 1, "bars": 1}, "losing_streak": {"trades": 1, "bars": 1}}}


def test_the_paths_are_all_there_are() -> None:
    assert set(paths()) == NUMERIC.keys() | WORDS.keys() | ALONE


@pytest.mark.parametrize("path", NUMERIC)
def test_an_override_and_a_parameter_do_the_same(path: str) -> None:
    """path=value, and the field written as $p with p = value; both differ from the plan as it was."""
    document = Document.of(FULL)
    overridden = document.plan(overrides={path: NUMERIC[path]})
    assert overridden != document.plan()
    with_param = Document.of({**FULL, "params": {"p": NUMERIC[path]}}).plan(overrides={path: "$p"})
    assert with_param == overridden


@pytest.mark.parametrize("path", WORDS)
def test_words_can_be_set_too(path: str) -> None:
    words = {**FULL, "size": {"kind": "equity_fraction", "fraction": "0.1"}, "entry": {"kind": "stop", "offset": 1}}
    document = Document.of(words)
    assert document.plan(overrides={path: WORDS[path]}) != document.plan()


def test_parameters_given_change_the_plan() -> None:
    document = Document.of({**BASE, "params": {"stop": {"default": 2, "min": 1, "max": 3}}, "stop_loss": {"percent": "$stop"}})
    assert document.plan().stop_loss == D("0.02") and document.plan({"stop": "1.5"}).stop_loss == D("0.015")
    assert document.plan({"stop": 3.0}).stop_loss == D("0.03")


def test_an_override_can_take_away_and_add() -> None:
    document = Document.of({**BASE, "stop_loss": {"percent": 2}, "take_profit": [{"percent": 1, "share": 50}, {"percent": 2, "share": 50}]})
    assert document.plan(overrides={"stop_loss": "none"}).stop_loss is None
    assert document.plan(overrides={"take_profit.0": "none"}).targets == (Target(D("0.02"), D("0.5")),)
    assert document.plan(overrides={"take_profit": "off"}).targets == ()
    more = document.plan(overrides={"take_profit.1.share": 20, "take_profit.2.percent": 5, "take_profit.2.share": 30})
    assert more.targets == (Target(D("0.01"), D("0.5")), Target(D("0.02"), D("0.2")), Target(D("0.05"), D("0.3")))
    assert document.plan(overrides={"trailing.distance": 1}).trailing == Trailing(D("0.01"))
    assert document.plan().stop_loss == D("0.02"), "the document itself is never changed"


BAD = [
    ({"stop_loss.percnt": 1}, "stop_loss.percnt", "did you mean 'stop_loss.percent'?"),
    ({"stoploss.percent": 1}, "stoploss.percent", "not a setting"),
    ({"stop_loss.percent": 0}, "stop_loss.percent", "above 0 and below 100"),
    ({"stop_loss.percent": "x"}, "stop_loss.percent", "found 'x'"),
    ({"stop_loss.percent": "$gone"}, "stop_loss.percent", "unknown parameter '$gone'"),
    ({"take_profit.3.percent": 1}, "take_profit.3.percent", "no target 3"),
    ({"period": 9}, "period", "is not a setting of a plan"), ({"": 1}, "", "is not a setting"), ({"leverage": "none"}, None, None),
    ({"size": "none"}, "size", "is missing"), ({"margin.kind": 1}, "margin.kind", "is not a setting"),
    ({"dca.steps": 2}, "dca.percent", "is missing"),
]


@pytest.mark.parametrize(("overrides", "path", "fragment"), BAD, ids=[str(overrides) for overrides, _, _ in BAD])
def test_an_override_that_cannot_be_is_told(overrides: dict[str, Any], path: str | None, fragment: str | None) -> None:
    if path is None or fragment is None:
        assert library("rsi").plan(overrides=overrides).leverage == 1
        return
    with pytest.raises(LanguageError) as caught:
        library("rsi").plan(overrides=overrides)
    assert any(one.path == path and fragment in one.message for one in caught.value.problems), caught.value.problems


def test_several_overrides_that_cannot_be_are_told_together() -> None:
    with pytest.raises(LanguageError) as caught:
        library("rsi").plan(overrides={"stoploss": 1, "leverag": 2})
    assert [one.path for one in caught.value.problems] == ["stoploss", "leverag"]


PARAMS = [({"perod": 9}, "params.perod", "unknown parameter 'perod'; did you mean 'period'?"),
          ({"period": 1}, "params.period", "1 is not from 2 to 200"),
          ({"period": "x"}, "params.period", "expected a number, found 'x'"), ({"period": True}, "params.period", "found True"),
          ({"period": 2.5}, "indicators.r.period", "a whole number from 2 to 5000, found $period = 2.5"),
          ({"period": float("nan")}, "params.period", "expected a number"), ({"low": "1e30"}, "params.low", "expected a number")]


@pytest.mark.parametrize(("params", "path", "fragment"), PARAMS)
def test_a_parameter_that_cannot_be_is_told(params: dict[str, Any], path: str, fragment: str) -> None:
    with pytest.raises(LanguageError) as caught:
        rules_of(library("rsi"), params)
    [problem] = caught.value.problems
    assert problem.path == path and fragment in problem.message
