"""`haechi strategies list|show|validate`."""

from __future__ import annotations

import json

import pytest

from haechi import cli
from haechi.core.strategies import LIBRARY, library_text


def test_the_list_has_every_strategy_of_the_library(capsys):
    assert cli.run(["strategies", "list"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == list(LIBRARY)
    assert cli.run(["strategies", "list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(LIBRARY)


def test_a_strategy_is_shown_as_it_is_written(capsys):
    assert cli.run(["strategies", "show", "rsi"]) == 0
    assert capsys.readouterr().out.strip() == library_text("rsi").strip()


def test_what_is_shown_can_be_kept_changed_and_used(tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text(library_text("rsi").replace("name: rsi", "name: mine"), encoding="utf-8")
    assert cli.run(["strategies", "validate", str(mine)]) == 0
    said = capsys.readouterr().out
    assert "mine, 1m bars, period 14, low 30, high 70" in said and "first signal after" in said


@pytest.mark.parametrize(("text", "named"), [
    ("name: x\n", ["timeframe", "size"]), ("", ["empty"]), ("name: [", ["not valid YAML"]),
    ("name: x\ntimeframe: 1m\nenter_long: closee > 1\nsize: {kind: fixed_quote, quote: -1}\n", ["closee", "size.quote"])])
def test_every_fault_of_a_document_is_listed(tmp_path, capsys, text, named):
    (tmp_path / "wrong.yaml").write_text(text)
    assert cli.run(["strategies", "validate", str(tmp_path / "wrong.yaml")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: wrong.yaml cannot be used") and all(part in said for part in named)


@pytest.mark.parametrize("arguments", [["show", "rsii"], ["show", "no.yaml"], ["validate", "no.yaml"], ["validate"], ["shew"]])
def test_what_is_not_there_is_told(arguments, capsys):
    assert cli.run(["strategies", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and len(said.err.splitlines()) == 1 and not said.out
