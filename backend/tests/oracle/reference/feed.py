"""What the reference reads: bars, signals, funding and finer bars of one symbol, and the parameters as exact numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from haechi.core.instrument import Instrument

from .rounding import SCALE, ceil_div, money, rate

MINUTE = 60_000
DAY = 86_400_000
LOTS_MAX = 2**31 - 1
NOTIONAL_MAX = 40_000_000_000 * SCALE
ENTER = {1: 1, -1: 2}
EXIT = {1: 4, -1: 8}


class Bar(NamedTuple):
    """Open time in ms, prices in ticks."""

    ts: int
    open: int
    high: int
    low: int
    close: int


@dataclass
class Feed:
    """One symbol. `funding`: (stamp in ms, rate in 1e-8); `atr` in price units, None where undefined."""

    instrument: Instrument
    timeframe_ms: int
    bars: list[Bar]
    bits: list[int]
    funding: list[tuple[int, int]] = field(default_factory=list)
    detail: list[Bar] | None = None
    atr: list[float | None] | None = None
    enter_tags: tuple[str, str] = ("", "")
    exit_tags: tuple[str, str] = ("", "")
    fine_ms: int = 0

    def funding_by_bar(self) -> dict[int, list[int]]:
        """Bar index -> rates due there: the first bar with ts ≥ the stamp, once it is rounded to the minute."""
        due: dict[int, list[int]] = {}
        index = 0
        for stamp, share in sorted((_minute(stamp), share) for stamp, share in self.funding):
            if stamp < self.bars[0].ts:
                continue
            while index < len(self.bars) and self.bars[index].ts < stamp:
                index += 1
            if index < len(self.bars):
                due.setdefault(index, []).append(share)
        return due

    def detail_by_bar(self) -> dict[int, list[Bar]]:
        """Bar index -> the finer bars that open inside it."""
        inside: dict[int, list[Bar]] = {}
        index = 0
        for fine in self.detail or []:
            while index + 1 < len(self.bars) and self.bars[index + 1].ts <= fine.ts:
                index += 1
            if self.bars[index].ts <= fine.ts < self.bars[index].ts + self.timeframe_ms:
                inside.setdefault(index, []).append(fine)
        return inside


def _minute(stamp: int) -> int:
    return (stamp + MINUTE // 2) // MINUTE * MINUTE


class Terms:
    """An instrument's parameters as exact numbers."""

    def __init__(self, instrument: Instrument) -> None:
        self.symbol = instrument.symbol
        self.tick = Fraction(instrument.tick)
        self.lot = Fraction(instrument.lot)
        self.unit = int(self.tick * self.lot * SCALE)
        self.maker = rate(instrument.maker)
        self.taker = rate(instrument.taker)
        smallest = Fraction(instrument.min_quantity) / self.lot
        self.min_lots = max(1, ceil_div(smallest.numerator, smallest.denominator))
        self.min_value = money(instrument.min_value)
        self.tiers = [(money(tier.notional_max), rate(tier.maintenance), tier.leverage_max) for tier in instrument.tiers]

    def tier(self, notional: int) -> int:
        """The first row whose limit is not below the notional; beyond the last row the last."""
        for row, (limit, _, _) in enumerate(self.tiers):
            if notional <= limit:
                return row
        return len(self.tiers) - 1

    def too_small(self, lots: int, price: int) -> bool:
        return lots < self.min_lots or lots * price * self.unit < self.min_value

    def too_large(self, lots: int, cost: int) -> bool:
        return lots > LOTS_MAX or cost * self.unit > NOTIONAL_MAX
