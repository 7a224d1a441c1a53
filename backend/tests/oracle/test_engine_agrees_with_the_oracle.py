"""Random small runs with all features mixed: the engine and the reference agree in every figure.

HAECHI_CASES raises the number of cases of each kind for a long soak, and draws them anew each time.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from cases import cases
from comparison import assert_agreed
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("HAECHI_CASES", "125"))
KINDS: dict[str, dict[str, Any]] = {
    "one symbol": {}, "stops": {"only": "stops"}, "resting entries": {"only": "orders"}, "a DCA ladder": {"only": "ladder"},
    "hedge mode": {"only": "hedge"}, "cross margin": {"only": "cross"}, "protections": {"only": "protections"},
    "large figures": {"only": "large"},
    "finer bars": {"fine": True}, "finer bars, resting entries": {"fine": True, "only": "orders"},
    "finer bars, a ladder": {"fine": True, "only": "ladder"}, "finer bars, cross": {"fine": True, "only": "cross"},
    "two symbols": {"symbols": 2}, "three symbols": {"symbols": 3}, "three symbols, cross": {"symbols": 3, "only": "cross"},
    "three symbols, protections": {"symbols": 3, "only": "protections"}, "two symbols, finer bars": {"symbols": 2, "fine": True},
    "two symbols, finer bars, hedge": {"symbols": 2, "fine": True, "only": "hedge"},
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=CASES, deadline=None, database=None, derandomize="HAECHI_CASES" not in os.environ, print_blob=True,
          phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_engine_agrees_with_the_reference(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(**KINDS[kind]))
    assert_agreed(case)
    assert_agreed(case, dense=True)
