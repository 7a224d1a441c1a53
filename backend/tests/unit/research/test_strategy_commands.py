"""The sub-command `strategies` alone: what it prints, and that faults reach the one place that prints them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haechi.core.language import Document
from haechi.core.strategies import LIBRARY, Written, library, library_text
from haechi.errors import BadInput
from haechi.research.strategy_commands import app

MINE = library_text("ema").replace("name: ema", "name: mine")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE, encoding="utf-8")
    return file


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_says_bars_and_idea_of_each() -> None:
    for line, name in zip(said("list").splitlines(), LIBRARY, strict=True):
        assert line.split()[:2] == [name, library(name).timeframe] and (library(name).description or "")[:30] in line
    assert json.loads(said("list", "--json"))[0] == {"name": "ema", "timeframe": "15m", "source": "library",
                                                     "description": library("ema").description}


@pytest.mark.parametrize("name", LIBRARY)
def test_what_is_shown_is_a_document_again(name: str) -> None:
    assert Document.parse(said("show", name)) == library(name)


def test_a_file_is_shown_as_it_is_written(mine: Path) -> None:
    assert said("show", str(mine)).strip() == MINE.strip()


def test_a_file_that_is_right_says_parameters_warm_up_and_cost(mine: Path) -> None:
    one = Written(Document.parse(MINE))
    lines = said("validate", str(mine)).splitlines()
    assert lines == ["mine.yaml can be used: mine, 15m bars, fast 12, slow 26",
                     f"first signal after {one.warm_up()} bars; {one.cost()} operations a bar"]


def test_a_file_that_is_wrong_names_all_faults(mine: Path) -> None:
    mine.write_text(MINE.replace("kind: ema", "kind: emma").replace("percent: 3", "percent: 0"), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        said("validate", str(mine))
    for place in ("indicators.f.kind: unknown indicator 'emma'; did you mean 'ema'?", "indicators.s.kind", "stop_loss.percent"):
        assert place in caught.value.message


def test_what_is_not_there_is_bad_input(tmp_path: Path) -> None:
    for arguments in (("show", "emaa"), ("show", str(tmp_path / "none.yaml")), ("validate", str(tmp_path / "none.yaml"))):
        with pytest.raises((BadInput, ValueError)):
            said(*arguments)
