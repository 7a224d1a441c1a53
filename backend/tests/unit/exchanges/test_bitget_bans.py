"""An address that is shut out asks nothing until it is over; one endpoint that is too busy rests alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from haechi.exchanges.bitget.answers import Silence
from haechi.exchanges.bitget.budget import Address, Budget
from haechi.exchanges.bitget.endpoints import CANCEL_ORDER, PLACE_ORDER
from haechi.exchanges.bitget.rest import BAN_MS, Rest


@pytest.mark.parametrize(("status", "told", "ms", "others_rest"), [
    (418, {"Retry-After": "120"}, 120_000, True), (418, {}, BAN_MS, True), (403, {}, BAN_MS, True), (429, {"Retry-After": "30"}, 30_000, False)])
async def test_what_is_shut_out_rests_as_long_as_told(status: int, told: dict[str, str], ms: int, others_rest: bool) -> None:
    hand = SimpleNamespace(now=0)

    async def sleep(wait_ms: int) -> None:
        hand.now += wait_ms

    budget = Budget(Address(lambda: hand.now), sleep)
    anything: Any = None
    Rest(anything, budget, anything)._heed(PLACE_ORDER, Silence("a page"), SimpleNamespace(status=status, headers=told))  # type: ignore[arg-type]
    for endpoint, rests in ((PLACE_ORDER, True), (CANCEL_ORDER, others_rest)):
        assert await budget.take(endpoint, urgent=True) != rests
    hand.now = ms
    assert await budget.take(PLACE_ORDER, urgent=True) and hand.now == ms
