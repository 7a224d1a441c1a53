"""ccxt, changed in its addresses alone, trades a whole day on the venue, and everything it reads adds up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from client_runs import failures, steps_of
from venue_stage import Stage

HERE = Path(__file__).parent
# ccxt names exact versions of libraries that the platform has newer: it lives in an environment of its own.
PYTHON = Path(sys.prefix) / "ccxt" / "bin" / "python"
LEAST_STEPS = {"sync": 37, "pro": 44}

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="no environment with ccxt: `make test` makes it")


@pytest.mark.parametrize("uta", [False, None], ids=["classic by option", "ccxt finds out"])
@pytest.mark.parametrize("client", ["sync", "pro"])
def test_a_day_with_ccxt(venue: Stage, client: str, uta: bool | None) -> None:
    steps = steps_of([str(PYTHON), str(HERE / "ccxt_day" / "day.py")], venue, "ann", client=client, uta=uta, swap_only=uta is False)
    assert failures(steps) == []
    assert len(steps) >= LEAST_STEPS[client]
    asked_for_the_account = ("GET", "/api/v3/account/settings") in {one[:2] for one in venue.seen}
    assert asked_for_the_account == (uta is None)
    assert [one for one in venue.seen if one[2] >= 500] == []
