"""Why a bot did what it did: for each of its last bars which rules held, what it wished, what stood against it.

Kept in memory, for it can be made again from the journal. The values behind each rule are asked of the hub (`SignalHub.explained`).
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from haechi.bots.signals import Signal
from haechi.core.live import Wanted
from haechi.core.signals import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

BARS_KEPT = 200
RULES = ((ENTER_LONG, "enter_long"), (ENTER_SHORT, "enter_short"), (EXIT_LONG, "exit_long"), (EXIT_SHORT, "exit_short"))


class Cut(msgspec.Struct, frozen=True):
    """An order that was wished and not sent, or not taken. rule: whose; asked, allowed: its numbers, '' where it has none."""

    role: str
    rule: str
    asked: str = ""
    allowed: str = ""


class Why(msgspec.Struct, frozen=True):
    """One bar. bits: core.signals; position in signed lots, after the bar; against: why an entry signal became no wish."""

    ts: int
    close: Decimal
    bits: int
    position: int
    wished: tuple[Wanted, ...] = ()
    against: str = ""
    cut: tuple[Cut, ...] = ()

    @property
    def held(self) -> list[str]:
        """The rules whose condition held."""
        return [name for bit, name in RULES if self.bits & bit]


class Whys:
    """The last bars of one bot, newest last."""

    def __init__(self, most: int = BARS_KEPT) -> None:
        self._bars: deque[Why] = deque(maxlen=most)

    def bar(self, signal: Signal, wished: list[Wanted], position: int, against: str = "") -> None:
        self._bars.append(Why(signal.whole.ts, signal.whole.close, signal.bits, position, tuple(wished), against))

    def refused(self, role: str, rule: str, asked: str = "", allowed: str = "") -> None:
        """By the gate or the exchange: belongs to the bar before."""
        if self._bars:
            last = self._bars[-1]
            self._bars[-1] = msgspec.structs.replace(last, cut=(*last.cut, Cut(role, rule, asked, allowed)))

    def shown(self, most: int = BARS_KEPT) -> list[Why]:
        """Newest first."""
        return list(reversed(self._bars))[:most]

    def of(self, ts: int) -> Why | None:
        """The bar that opened at ts."""
        return next((one for one in self._bars if one.ts == ts), None)
