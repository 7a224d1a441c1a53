"""Options of the simulation: `--dst-seed=N` (or HAECHI_SEED) repeats one run."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dst-seed", type=int, default=int(os.environ["HAECHI_SEED"]) if os.environ.get("HAECHI_SEED") else None,
                     help="repeat one run of the deterministic simulation")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Faults make the house log by the thousand; what counts is what the judge says."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
