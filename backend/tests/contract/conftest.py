"""A venue for the clients of others to trade on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the stage is imported by name, as elsewhere in these tests

from venue_stage import Stage, staged  # noqa: E402


@pytest.fixture
def venue() -> Iterator[Stage]:
    """The real server on a free loopback port; markets stand at their first prices with some history."""
    with staged() as stage:
        yield stage
