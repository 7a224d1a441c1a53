"""The npm package bitget-api, changed in its addresses alone, trades a whole day on the venue."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from client_runs import failures, steps_of
from venue_stage import Stage

HERE = Path(__file__).parent / "node"
NODE = shutil.which("node")
LEAST_STEPS = 31

pytestmark = [pytest.mark.skipif(NODE is None, reason="Node is not installed"),
              pytest.mark.skipif(not (HERE / "node_modules").exists(), reason="bitget-api is not installed: `make test` installs it")]


def test_a_day_with_bitget_api(venue: Stage) -> None:
    steps = steps_of([str(NODE), str(HERE / "day.js")], venue, "ann")
    assert failures(steps) == []
    assert len(steps) >= LEAST_STEPS
    assert [one for one in venue.seen if one[2] >= 500] == []
