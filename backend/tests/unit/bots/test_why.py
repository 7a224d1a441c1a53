"""For each of the last bars: which rules held, what was wished, what was cut and by which numbers."""

from __future__ import annotations

from decimal import Decimal

from haechi.bots.signals import Signal
from haechi.bots.why import Cut, Whys
from haechi.core.live import Wanted
from haechi.exchanges.port import Bar


def signal(k: int, bits: int = 0) -> Signal:
    return Signal(bits, 0, Bar("X", 60_000, k * 60_000, Decimal(1), Decimal(1), Decimal(1), Decimal(k + 1), 0.0))


def test_the_rules_that_held_and_the_wish_are_told() -> None:
    whys, wish = Whys(), Wanted("entry", 1, 5, "market")
    whys.bar(signal(1, 1 | 8), [wish], 0)
    found = whys.shown()[0]
    assert (found.ts, found.close, found.held, found.wished, found.cut) == (60_000, Decimal(2), ["enter_long", "exit_short"], (wish,), ())


def test_what_was_cut_belongs_to_its_bar_with_its_numbers() -> None:
    whys = Whys()
    whys.refused("entry", "margin")
    assert whys.shown() == []
    whys.bar(signal(1, 1), [], 0, "cool_down")
    whys.bar(signal(2, 1), [], 0)
    whys.refused("entry", "leverage", "20", "10")
    whys.refused("stop", "margin")
    assert whys.of(60_000).against == "cool_down"
    assert whys.of(60_000).cut == ()
    assert whys.of(120_000).cut == (Cut("entry", "leverage", "20", "10"), Cut("stop", "margin"))
    assert whys.of(3) is None


def test_only_the_last_bars_are_kept_newest_first() -> None:
    whys = Whys()
    for k in range(250):
        whys.bar(signal(k), [], k)
    assert [one.position for one in whys.shown()] == list(range(249, 49, -1))
    assert [one.position for one in whys.shown(2)] == [249, 248]
