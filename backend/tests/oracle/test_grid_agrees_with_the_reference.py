"""Random grids, and grids on real files: the engine and the reference agree in every fill, fee, funding and balance.

HAECHI_CASES raises the number of random cases of each kind, and draws them anew each time.
"""

from __future__ import annotations

import os

import pytest
from grid_cases import assert_grids_agree, grid_cases
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("HAECHI_CASES", "60"))
KINDS = ("", "long", "short", "neutral", "geometric", "trigger", "stops", "take_profit", "trailing", "liquidation")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=CASES, deadline=None, database=None, derandomize="HAECHI_CASES" not in os.environ, print_blob=True,
          phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_grid_agrees_with_the_reference(kind: str, data: st.DataObject) -> None:
    assert_grids_agree(data.draw(grid_cases(only=kind)))
