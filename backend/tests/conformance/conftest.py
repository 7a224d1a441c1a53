"""The exchanges that the suite is run on: the paper venue in this process, and the Bitget adapter over the venue's wire."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "exchanges"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from exchange_bench import Exchanged, on_paper, over_the_wire  # noqa: E402


@pytest.fixture(params=["paper", "bitget"])
async def at(request: pytest.FixtureRequest) -> AsyncIterator[Exchanged]:
    """An account with 10,000 at BTCUSDT 60,000 and ETHUSDT 3,000, leverage 10, cross margin, nothing held."""
    async with (on_paper() if request.param == "paper" else over_the_wire()) as made:
        yield made
