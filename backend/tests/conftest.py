"""Fixtures every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

# Tracebacks as they are: with all values in pictures, structlog's own way when nobody configures it, one takes many seconds.
structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
                                structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)])

# Real history is no part of the product: a developer who has it puts it beside the checkout or names the folder.
DATA = Path(os.environ.get("HAECHI_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FIXTURES = Path(os.environ.get("HAECHI_TEST_FIXTURES", Path(__file__).resolve().parents[3] / "shared" / "bitget-fixtures"))


@pytest.fixture(scope="session")
def bitget_fixtures() -> Path:
    """Folder of recorded requests and documented examples of the exchange; skips where there is none."""
    if not FIXTURES.is_dir():
        pytest.skip(f"no recorded requests of the exchange at {FIXTURES}: set HAECHI_TEST_FIXTURES to run this test")
    return FIXTURES


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of real market history; skips where there is none."""
    if not DATA.is_dir():
        pytest.skip(f"no real market history at {DATA}: set HAECHI_TEST_DATA to run this test")
    return DATA


@pytest.fixture(autouse=True)
def the_log_as_before() -> Iterator[None]:
    """Whatever a test sends where."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
