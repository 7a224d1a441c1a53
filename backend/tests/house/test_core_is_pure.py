"""The house's own rules about the core, read from the source text. Each failure says why the rule is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import haechi

CORE = Path(haechi.__file__).parent / "core"
FORBIDDEN = {"asyncio", "fastapi", "sqlalchemy", "httpx", "aiohttp", "random", "time", "os", "logging", "secrets", "uuid", "threading"}
SOURCES = sorted(CORE.rglob("*.py"))


def imports(source: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(CORE)))
def test_core_knows_no_clock_network_database_or_chance(source: Path) -> None:
    found = {name for name in imports(source) if name.split(".")[0] in FORBIDDEN or
             (name.split(".")[0] == "haechi" and not name.startswith("haechi.core"))}
    assert not found, f"{source.name} imports {sorted(found)}: time, chance and storage are parameters of the core, never its imports"


@pytest.mark.parametrize("name", ["money", "margin", "levels", "position", "walk", "layout"])
def test_no_float_where_money_is_moved(name: str) -> None:
    tree = ast.parse((CORE / f"{name}.py").read_text(encoding="utf-8"))
    floats = [node.lineno for node in ast.walk(tree) if (isinstance(node, ast.Constant) and isinstance(node.value, float)) or
              isinstance(node, ast.Div) or (isinstance(node, ast.Name) and node.id == "float")]
    assert not floats, f"{name}.py has floats or true division: money is int64 in the engine ({len(floats)} places)"


def test_no_rule_asks_for_the_mode() -> None:
    for source in SOURCES:
        names = {node.id for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
        asked = names & {"backtest", "is_live", "is_paper", "live_mode", "paper_mode"}
        assert not asked, f"{source.name} asks for the mode ({asked}): the engine cannot tell a real exchange from a simulated one"
