"""Bars as the engine and the indicators see them: integer ticks, and the same prices as float64 arrays.

`ts` is the open time of a bar in milliseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .units import UnitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TICKS_MAX = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of one symbol: int64[n] ts and ticks, float64[n] volume. Make them with `Bars.of`."""

    symbol: str
    timeframe_ms: int
    tick: Decimal
    ts: NDArray[np.int64]
    open_ticks: NDArray[np.int64]
    high_ticks: NDArray[np.int64]
    low_ticks: NDArray[np.int64]
    close_ticks: NDArray[np.int64]
    volume: NDArray[np.float64]
    off_grid: int = 0
    _cache: dict[str, object] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, *, symbol: str, timeframe_ms: int, tick: Decimal, ts: NDArray[np.int64], open: NDArray[np.float64],  # noqa: A002, PLR0913
           high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64],
           volume: NDArray[np.float64]) -> Bars:
        """Round float prices to the tick grid; count the bars that were off it (more than 1e-6 of a tick)."""
        columns = [to_ticks(column, tick) for column in (open, high, low, close)]
        off = np.zeros(len(ts), dtype=np.bool_)
        for _, away in columns:
            off |= away
        o, h, low_, c = (ticks for ticks, _ in columns)
        if len(ts) and int(low_.min()) < 1:
            raise UnitError(f"tick {tick} is too coarse for {symbol}: a price of {float(np.min(low))} would become 0; "
                            f"pass a finer tick")
        return cls(symbol, timeframe_ms, tick, np.ascontiguousarray(ts, dtype=np.int64), o, h, low_, c,
                   np.ascontiguousarray(volume, dtype=np.float64), int(off.sum()))

    def __len__(self) -> int:
        return len(self.ts)

    def slice(self, start: int, stop: int) -> Bars:
        """Bars start..stop-1 (views, nothing copied)."""
        cut = slice(start, stop)
        return Bars(self.symbol, self.timeframe_ms, self.tick, self.ts[cut], self.open_ticks[cut], self.high_ticks[cut],
                    self.low_ticks[cut], self.close_ticks[cut], self.volume[cut], self.off_grid)

    @cached_property
    def open(self) -> NDArray[np.float64]:
        return prices(self.open_ticks, self.tick)

    @cached_property
    def high(self) -> NDArray[np.float64]:
        return prices(self.high_ticks, self.tick)

    @cached_property
    def low(self) -> NDArray[np.float64]:
        return prices(self.low_ticks, self.tick)

    @cached_property
    def close(self) -> NDArray[np.float64]:
        return prices(self.close_ticks, self.tick)


def volume_of(parts: Sequence[float]) -> float:
    """Of a longer bar: the volumes inside it, in order, added up as for files (markets/resample.py). Floats: another order, another end."""
    return float(np.add.reduceat(np.asarray(parts, dtype=np.float64), [0])[0])


def to_ticks(values: NDArray[np.float64], tick: Decimal) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Float prices -> nearest tick (half away from zero for the positive prices there are), and which were off it."""
    if len(values) and float(np.max(values)) / float(tick) > TICKS_MAX:
        raise UnitError(f"tick {tick} is too fine: a price of {float(np.max(values))} would be over {TICKS_MAX} ticks")
    exact = values / float(tick)
    ticks = np.floor(exact + 0.5)
    return ticks.astype(np.int64), np.abs(exact - ticks) > 1e-6 * np.maximum(1.0, ticks * 1e-6)


def prices(ticks: NDArray[np.int64], tick: Decimal) -> NDArray[np.float64]:
    """Ticks -> the float64 nearest to the exact price: one correctly rounded division of two exact integers."""
    _, digits, exponent = tick.as_tuple()
    mantissa, power = int("".join(map(str, digits))), int(exponent)
    if power >= 0:
        return (ticks * int(mantissa * 10**power)).astype(np.float64)
    found: NDArray[np.float64] = np.divide((ticks * mantissa).astype(np.float64), float(10**-power))
    return found
