"""A mind that was saved and restored at any point goes on like the one that was not; and fills add up, whatever their pieces."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haechi.bots.mind import Mind, Spec
from haechi.bots.signals import Signal
from haechi.core import layout as at
from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.plan import Costs
from haechi.core.units import UnitError, scaled
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price

ONE = Instrument("TEST", tick=Decimal("0.1"), lot=Decimal("0.01"))
MINUTE = 60_000
RULES = {"name": "t", "timeframe": "1m", "enter_long": "close > open", "enter_short": "close < open", "exit_long": "close < open",
         "size": {"kind": "fixed_quantity", "quantity": "1"}}
PLANS: list[dict[str, Any]] = [
    {"stop_loss": {"percent": 2}, "take_profit": [{"percent": 1, "share": 50}, {"percent": 3, "share": 50}]},
    {"entry": {"kind": "limit", "offset": "0.1", "bars": 4}, "stop_loss": {"percent": 2}, "on_opposite": "reverse", "leverage": 5},
    {"dca": {"steps": 3, "percent": 1}, "take_profit": [{"percent": 1}], "margin": "cross", "leverage": 3},
    {"trailing": {"distance": 1, "activation": "0.5"}, "break_even": {"percent": 1}, "cool_down": {"bars": 2}},
]


def spec_of(plan: dict[str, Any]) -> Spec:
    return Spec({**RULES, **plan}, {}, {}, ONE, Costs(), MINUTE)


class Story:
    """A random life of a bot; the same seed tells the same events, given that the mind wishes the same."""

    def __init__(self, seed: int, liquidations: bool) -> None:
        self.random, self.liquidations = Random(seed), liquidations
        self.ts, self.stands, self.count = 0, 1_000, 0
        self.open: dict[str, Wanted] = {}
        self.cash = self.lots = 0

    def step(self, mind: Mind) -> object:
        """One event told; what the mind said to it."""
        self.stands = max(self.stands + self.random.randint(-15, 15), 200)
        kind = self.random.choice(["bar", "bar", "fill", "fill", "fill", "hand", "paid", "price", "refused"] + ["liquidated"] * self.liquidations)
        return getattr(self, kind)(mind)

    def bar(self, mind: Mind) -> list[Wanted]:
        price, self.ts = ONE.price(self.stands), self.ts + MINUTE
        bar = Bar("TEST", MINUTE, self.ts, price, price, price, price, 1.0)
        said = Signal(self.random.choice([0, 0, 1, 2, 4, 5, 6]), 0, bar) if self.random.random() < 0.95 else None
        wishes = mind.missed(bar, said) if self.random.random() < 0.1 else mind.heard(bar, signal=said)
        self.open |= {wish.role: wish for wish in wishes}
        return wishes

    def fill(self, mind: Mind) -> object:
        there = {**self.open, **mind.resting()}
        if not there:
            return self.stands
        wanted = there[self.random.choice(sorted(there))]
        lots = self.random.choice([wanted.lots, max(wanted.lots // 3, 1), wanted.lots + 3])
        if wanted.role == "entry" or lots >= wanted.lots:
            self.open.pop(wanted.role, None)
        return self.told(mind, wanted.role, wanted.side, lots)

    def hand(self, mind: Mind) -> object:
        if mind.excess:
            return self.told(mind, "repair", -1 if mind.excess > 0 else 1, self.random.randint(1, abs(mind.excess)))
        return self.told(mind, self.random.choice(["", "manual"]), self.random.choice([-1, 1]), self.random.randint(1, 40))

    def told(self, mind: Mind, role: str, side: int, lots: int) -> object:
        self.count += 1
        fee = Decimal(self.random.randint(0, 99)).scaleb(-8)
        self.lots += side * lots
        self.cash -= side * lots * self.stands * ONE.unit + scaled(fee)
        return mind.heard(Fill(f"f{self.count}", "", "TEST", "buy" if side > 0 else "sell", ONE.quantity(lots), ONE.price(self.stands), fee,
                               Decimal(0), False, ONE.price(self.stands), self.ts + 1), role)

    def paid(self, mind: Mind) -> object:
        amount = Decimal(self.random.randint(-99, 99)).scaleb(-8)
        self.cash -= scaled(amount)
        return mind.heard(Paid("p", "TEST", amount, self.ts))

    def price(self, mind: Mind) -> object:
        return mind.heard(Price("TEST", ONE.price(self.stands), self.ts))

    def refused(self, mind: Mind) -> None:
        mind.refused(self.random.choice(["entry", "step1", "exit", "stop"]), self.random.choice(["margin", "canceled"]))

    def liquidated(self, mind: Mind) -> object:
        if not mind.position:
            return None
        lots = self.random.randint(1, abs(mind.position))
        return mind.heard(Liquidated("l", "TEST", "sell", ONE.quantity(lots), ONE.price(self.stands), Decimal(1), self.ts))


def everything(mind: Mind) -> tuple[object, ...]:
    return mind.resting(), mind.snapshot(), mind.position, mind.excess, mind.equity, dict(mind.shown())


@pytest.mark.parametrize("plan", PLANS, ids=str)
@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 120), cut=st.integers(0, 120))
def test_a_restored_mind_is_bit_for_bit_the_same(plan: dict[str, Any], seed: int, steps: int, cut: int) -> None:
    spec = spec_of(plan)
    lived, story, twin, other = Mind(spec), Story(seed, True), Mind(spec), Story(seed, True)
    for k in range(steps):
        if k == cut:
            twin = Mind.restored(spec, lived.snapshot())
        said, again = story.step(lived), other.step(twin)
        assert said == again
        assert everything(lived) == everything(twin)
        assert [lived.wish_key(one) for one in lived.resting().values()] == [twin.wish_key(one) for one in twin.resting().values()]


@pytest.mark.parametrize("plan", PLANS, ids=str)
@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 150))
def test_fills_add_up_whatever_their_pieces(plan: dict[str, Any], seed: int, steps: int) -> None:
    mind, story = Mind(spec_of(plan)), Story(seed, False)
    for _ in range(steps):
        story.step(mind)
        assert mind.position + mind.excess == story.lots
        leg, engine = mind.engine.machine.state[1], mind.engine
        worth = (int(leg[at.COST]) + engine._excess_cost) * ONE.unit
        assert engine.wallet == scaled(Costs().capital) + story.cash + worth
        for wanted in mind.resting().values():
            assert wanted.lots > 0
            assert not wanted.reduce_only or (wanted.lots <= abs(mind.position) and wanted.side * mind.position < 0)


def test_an_entry_is_named_by_its_bar_and_others_are_numbered() -> None:
    mind = Mind(spec_of(PLANS[0]))
    bar = Bar("TEST", MINUTE, 7 * MINUTE, Decimal(100), Decimal(101), Decimal(99), Decimal(100), 1.0)
    wish = mind.heard(bar, signal=Signal(1, 0, bar))[0]
    before = mind.snapshot()
    assert mind.wish_key(wish) == mind.wish_key(wish) == f"entry@{7 * MINUTE}"
    stop = Wanted("stop", -1, 1, "stop", trigger=1)
    assert [mind.wish_key(stop), mind.wish_key(stop)] == ["stop#1", "stop#2"]
    assert Mind.restored(mind.spec, before).wish_key(stop) == "stop#1"
    assert Mind.restored(mind.spec, mind.snapshot()).wish_key(stop) == "stop#3"
    assert Mind.restored(mind.spec, mind.snapshot()).wish_key(wish) == f"entry@{7 * MINUTE}"


def test_a_missed_bars_entry_is_dropped_and_its_exit_wished() -> None:
    mind = Mind(spec_of(PLANS[1]))
    bar = Bar("TEST", MINUTE, MINUTE, Decimal(100), Decimal(100), Decimal(100), Decimal(100), 1.0)
    assert mind.missed(bar, Signal(1, 0, bar)) == []
    assert mind.resting() == {}
    mind.heard(Fill("f", "", "TEST", "buy", Decimal(1), Decimal(100), Decimal(0), Decimal(0), False, Decimal(100), MINUTE), "manual")
    assert [(one.role, one.lots) for one in mind.missed(bar, Signal(6, 0, bar))] == [("exit", 100)]
    assert mind.resting().keys() == {"stop"}


def test_a_bar_without_a_signal_moves_the_price_only() -> None:
    mind = Mind(spec_of(PLANS[0]))
    before = mind.engine.saved()
    bar = Bar("TEST", MINUTE, MINUTE, Decimal(100), Decimal(100), Decimal(100), Decimal(100), 1.0)
    assert mind.heard(bar) == []
    assert (mind.market, mind.engine.saved()) == (Decimal(100), before)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_snapshot_is_small(plan: dict[str, Any]) -> None:
    mind, story = Mind(spec_of(plan)), Story(1, True)
    for _ in range(2_000):
        story.step(mind)
    assert len(mind.snapshot()) < 2_000


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"engine":[[[0]],[0.0],0,0,0],"market":"0","bar_ts":0,"entry_ts":0,"number":0}'])
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="saved state"):
        Mind.restored(spec_of(PLANS[0]), text)


def test_whether_a_plan_asks_for_a_stop_is_known() -> None:
    assert [Mind(spec_of(plan)).protected for plan in PLANS] == [True, True, False, True]
