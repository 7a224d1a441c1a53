"""The table of planted bugs in docs/reliability.md is that of the script, and every bug still fits the source."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parents[1]


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sabotage", HERE / "sabotage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sabotage"] = module
    spec.loader.exec_module(module)
    return module


sabotage = loaded()


def test_the_page_has_the_scripts_table() -> None:
    page = sabotage.PAGE.read_text(encoding="utf-8").splitlines()
    begin = page.index(sabotage.rows()[0])
    assert page[begin:begin + len(sabotage.rows())] == sabotage.rows()


def test_there_are_enough_and_each_has_its_own_name() -> None:
    names = [bug.name for bug in sabotage.BUGS]
    assert len(names) >= 34 and len(set(names)) == len(names)


@pytest.mark.parametrize("bug", sabotage.BUGS, ids=lambda bug: bug.name)
def test_a_bug_fits_the_source_and_its_tests_exist(bug: sabotage.Bug) -> None:  # type: ignore[name-defined]
    changed = sabotage.planted(bug, sabotage.BACKEND / "src" / "haechi")
    for path, text in changed.items():
        compile(text, str(path), "exec")
    for test in bug.tests:
        file, _, name = test.partition("::")
        assert f"def {name}" in (sabotage.BACKEND / file).read_text(encoding="utf-8")
