"""Options of the simulation: `--dst-seed=N` (or HAECHI_SEED=N) repeats one run. The figures of all runs are printed at the end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

FIGURES = "dst"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dst-seed", type=int, default=None, help="repeat one run of the deterministic simulation")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Faults make the house log by the thousand; what counts is what the judge says."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    told = [value for reports in terminalreporter.stats.values() for report in reports if getattr(report, "when", "") == "call"
            for name, value in report.user_properties if name == FIGURES]
    if not told:
        return
    drawn, hits = Counter[str](), Counter[str]()
    for one in told:
        drawn.update(one["drawn"])
        hits.update(one["hits"])
    naked = sorted(ms for one in told for ms in one["naked_ms"])
    late = naked[int(len(naked) * 0.99)] if naked else 0
    total = {name: sum(one[name] for one in told) for name in ("runs", "orders", "fills", "seconds")}
    terminalreporter.write_line(
        f"simulation: {total['runs']} runs of an hour, {total['orders']} orders, {total['fills']} fills, {sum(drawn.values())} faults drawn, "
        f"{total['seconds']:.0f} s of one core; without a whole stop: 99 % under {late} ms, longest {max(naked, default=0)} ms")
    for kind in sorted(drawn):
        terminalreporter.write_line(f"  {kind}: drawn {drawn[kind]}, struck {hits[kind]}")
