"""Fixtures of the crash tests: the migrated database that each begins with, and the figures at the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from crash_scene import Scene, migrated

FIGURES = "crash"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, two people and their bots."""
    path = tmp_path_factory.mktemp("crash") / "template.db"
    asyncio.run(migrated(path))
    return path


@pytest.fixture
def told(record_property: Any) -> Any:
    """`told(scene)` at the end of a test: its figures."""
    def tell(one: Scene) -> None:
        record_property(FIGURES, one.figures())

    return tell


def pytest_terminal_summary(terminalreporter: Any) -> None:
    found = [value for reports in terminalreporter.stats.values() for report in reports if getattr(report, "when", "") == "call"
             for name, value in report.user_properties if name == FIGURES]
    if not found:
        return
    total: Counter[str] = Counter()
    for one in found:
        total.update({name: value for name, value in one.items() if name != "naked_ms"})
    naked = sorted(ms for one in found for ms in one["naked_ms"])
    terminalreporter.write_line(
        f"crashes: {total['kills']} processes killed, {total['settled']} times everything compared, {total['orders']} orders, {total['fills']} "
        f"fills; from a fill to its whole stop, kills between them included: half under {at(naked, 0.5)} ms, 99 % under {at(naked, 0.99)} ms")


def at(sorted_ms: list[int], share: float) -> int:
    return sorted_ms[int((len(sorted_ms) - 1) * share)] if sorted_ms else 0
