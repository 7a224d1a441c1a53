"""A bot on the venue makes the back-test's trades under `path`, whatever the plan: side, size, price, fee, time, reason, money.

The cases are those of the engine's own oracle. HAECHI_CASES raises their number for a long soak and draws them anew each time.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest
from bare_trader import played
from cases import Case, cases
from comparison import market_of, story_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from shrinking import smallest

from haechi.core.run import run

CASES = int(os.environ.get("HAECHI_CASES", "60"))
KINDS = {"anything": {}, "stops": {"only": "stops"}, "resting entries": {"only": "orders"}, "a DCA ladder": {"only": "ladder"},
         "cross margin": {"only": "cross"}, "protections": {"only": "protections"}, "large figures": {"only": "large"}}


def differences(case: Case) -> list[str]:
    """What the bot did otherwise than the back-test; the forced close at the end of the data is the back-test's alone."""
    market = market_of(case.feeds[0])
    wanted = run([market], case.plan, case.costs, "path")
    trader = asyncio.run(played(market, case.plan, case.costs))
    made = trader.engine.outcome(market, 0)
    rows = [trade for trade in wanted.trades if trade.exit_reason != "end_of_data"]
    found = [f"trade {i}: venue {one}, back-test {other}"
             for i, (one, other) in enumerate(zip(made.trades, rows, strict=False)) if one != other]
    if len(made.trades) != len(rows):
        found.append(f"{len(made.trades)} trades on the venue, {len(rows)} in the back-test")
    if made.refusals != wanted.refusals:
        found.append(f"refusals: venue {made.refusals}, back-test {wanted.refusals}")
    if len(rows) == len(wanted.trades) and trader.engine.wallet != wanted.statistics.final_equity:
        found.append(f"wallet: venue {trader.engine.wallet}, back-test {wanted.statistics.final_equity}")
    return found


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=CASES, deadline=None, database=None, derandomize="HAECHI_CASES" not in os.environ, print_blob=True,
          phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_bot_on_the_venue_trades_like_the_back_test(kind: str, data: st.DataObject) -> None:
    drawn = data.draw(cases(**KINDS[kind]))
    case = replace(drawn.with_plan(hedge=False), reading="path")
    if differences(case):
        case = smallest(case, lambda one: bool(differences(one)))
        raise AssertionError("\n".join([*differences(case), story_of(case)]))
