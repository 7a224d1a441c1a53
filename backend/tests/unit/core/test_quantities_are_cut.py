"""A quantity becomes whole lots, never more than was asked for."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from haechi.core.instrument import Instrument

BTC = Instrument("BTCUSDT", tick=Decimal("0.1"), lot=Decimal("0.001"))


@given(st.decimals(min_value=0, max_value=1000, places=8))
def test_what_does_not_divide_is_cut_off(quantity: Decimal) -> None:
    made = BTC.quantity(BTC.lots(quantity))
    assert quantity - BTC.lot < made <= quantity


def test_by_hand() -> None:
    assert [BTC.lots(one) for one in ("0.0009999", "0.0015", "0.0019999", "0.002")] == [0, 1, 1, 2]
