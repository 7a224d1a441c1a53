"""The library's documents: they parse, trade both ways, cost little, and each has a page that says what it takes."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import talib

from haechi.core.language import LanguageError, evaluate
from haechi.core.signals import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT
from haechi.core.strategies import LIBRARY, Written, find, library, library_text

PAGES = Path(__file__).resolve().parents[4] / "docs" / "strategies"
HOUR = 3_600_000


def test_the_library_is_what_its_folder_holds() -> None:
    there = [one.name for one in files("haechi.core.library").iterdir() if one.name.endswith(".yaml")]
    assert sorted(f"{name}.yaml" for name in LIBRARY) == sorted(there)


@pytest.mark.parametrize("name", LIBRARY)
def test_a_document_is_named_after_its_file_and_says_what_it_does(name: str) -> None:
    document = library(name)
    assert document.name == name and document.description and library_text(name).startswith("#")
    assert document.tags.enter_long and document.tags.enter_short
    assert (document.exit_long is None) == (document.tags.exit_long is None)
    assert document.stop_loss is not None, "a strategy that is handed out has a stop"


@pytest.mark.parametrize("name", LIBRARY)
def test_a_document_signals_on_both_sides(name: str, make_bars: Any) -> None:
    found = evaluate(library(name), make_bars(6000, 7, timeframe_ms=HOUR))
    counts = [int(np.count_nonzero(found.bits & bit)) for bit in (ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT)]
    assert min(counts[:2]) >= 5, counts
    assert all((count > 0) == (rule is not None) for count, rule in zip(counts[2:], (library(name).exit_long, library(name).exit_short),
                                                                       strict=True)), counts
    assert not np.any((found.bits & ENTER_LONG > 0) & (found.bits & ENTER_SHORT > 0)), "both sides at one bar"
    if "divergence" not in library_text(name):  # that looks at two bars of its window, not at all of them
        assert not np.any(found.bits[:Written(library(name)).warm_up()] & (ENTER_LONG | ENTER_SHORT)), "an entry before the warm-up ends"


@pytest.mark.parametrize("name", LIBRARY)
def test_a_document_can_be_used_at_the_ends_of_every_parameter(name: str, make_bars: Any) -> None:
    bars = make_bars(60)
    for parameter, shape in library(name).params.items():
        assert shape.min is not None and shape.max is not None, f"{parameter} has no bounds"
        for value in (shape.min, shape.max):
            try:
                evaluate(library(name), bars, {parameter: value})
            except LanguageError as error:  # the one rule between parameters there is
                assert name == "macd" and "fast must be below slow" in str(error)


@pytest.mark.parametrize("name", LIBRARY)
def test_a_document_is_cheap(name: str) -> None:
    assert Written(library(name)).cost() < 120


@pytest.mark.parametrize("name", LIBRARY)
def test_a_document_has_a_page_that_names_its_parameters_tags_and_plan(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    document = library(name)
    for heading in ("## Idea", "## Parameters", "## Plan", "## When it fails"):
        assert heading in page, heading
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.M))
    assert rows == {parameter: f"{shape.default} ({shape.min} to {shape.max})" for parameter, shape in document.params.items()}
    for tag in document.tags.model_dump(exclude_none=True).values():
        assert f"`{tag}`" in page, tag
    for rule in document.rules.values():
        assert f"`{rule}`" in page, rule
    for field in document.plan_data:
        assert f"`{field}`" in page, field
    assert f"`{document.timeframe}`" in page and f"{Written(document).warm_up()} bars" in page


def test_every_page_has_a_strategy() -> None:
    assert sorted(page.stem for page in PAGES.glob("*.md")) == sorted(LIBRARY)


def test_rsi_is_the_crossing_of_the_rsi(make_bars: Any) -> None:
    bars = make_bars(2000, 3)
    rsi = talib.RSI(bars.close, timeperiod=10)
    expected = np.zeros(len(bars), dtype=np.uint8)
    with np.errstate(invalid="ignore"):
        expected[1:] = (rsi[:-1] <= 25) & (rsi[1:] > 25)
        expected[1:] |= np.where((rsi[:-1] >= 70) & (rsi[1:] < 70), ENTER_SHORT, 0).astype(np.uint8)
    assert np.array_equal(evaluate(library("rsi"), bars, {"period": 10, "low": 25}).bits, expected) and expected.any()


def test_a_strategy_is_found_by_name_text_or_data() -> None:
    text = library_text("ema").replace("name: ema", "name: mine")
    assert find("ema").source == "library" and find(text).name == "mine" and find(text).source == "document"
    assert find(library("macd").model_dump(exclude_unset=True)).name == "macd"
    with pytest.raises(LanguageError, match="there is no strategy 'bolinger'; did you mean 'bollinger'?"):
        find("bolinger")
