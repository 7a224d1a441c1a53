"""An invented market from a seed: volatility clusters, jumps, and quiet, trending and wild regimes. For samples, tests and paper trading.

Not fitted to anything; the figures below are of the order seen in BTCUSDT minutes of 2022. Bars come in blocks, each with its own
random generator made of seed and block number, so they do not depend on how many are asked for at a time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from haechi.core.bars import TICKS_MAX, prices
from haechi.core.units import UnitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCK = 1024
MARKS_KEPT = 6  # more bars than a venue keeps
MINUTE = 60_000
VOLATILITY_MINUTE = 0.0006  # standard deviation of a one-minute change
MEMORY, SHAKE = 0.97, 0.12  # of the log-volatility: how slowly a cluster dies, how strongly it is stirred
JUMP, JUMP_SIZE = 0.0015, 6.0  # chance a bar, and size in standard deviations
SWITCH = 0.002  # chance a bar that the regime changes
GAP, GAP_SIZE = 0.002, 2.0  # chance that a bar does not open at the last close, and how far off
PULL = 0.0002  # share of the way back to the first price (in logs) a bar: keeps an endless stream in range
# Drift in standard deviations a bar, and level of volatility.
REGIMES = ((0.0, 0.7), (0.03, 1.0), (-0.03, 1.1), (0.0, 2.2))


class SyntheticBar(NamedTuple):
    """One bar: open time in ms, prices on the tick grid, volume in base units."""

    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, eq=False)
class SyntheticBars:
    """Arrays of one length, as files of bars have them: int64 ms, float64 prices on the tick grid and volume."""

    ts: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ts)

    def columns(self) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
        return {"ts": self.ts, "open": self.open, "high": self.high, "low": self.low, "close": self.close, "volume": self.volume}


def synthetic_bars(seed: int, n: int, *, timeframe_ms: int = MINUTE, start_ms: int, price: Decimal, tick: Decimal) -> SyntheticBars:
    """The first `n` bars of the market of this seed. Raises UnitError when tick and price do not go together."""
    return SyntheticStream(seed, timeframe_ms=timeframe_ms, start_ms=start_ms, price=price, tick=tick).take(n)


Mark = tuple[int, float, int, float, int]  # block, and the log price, last price, heat and regime it begins with


class SyntheticStream:
    """An endless market from a seed. `next(stream)` and `take(n)` go on where the last one stopped, with the same bars either way.
    `marks` are those of the last blocks: `since` begins at one, with the same bars."""

    def __init__(self, seed: int, *, timeframe_ms: int = MINUTE, start_ms: int, price: Decimal, tick: Decimal) -> None:
        first = int(price / tick) if tick > 0 else 0
        if not 100 <= first <= TICKS_MAX // 100:
            raise UnitError(f"a price of {price} in ticks of {tick} leaves no room to move; use 100 to {TICKS_MAX // 100:,} ticks")
        self.seed, self.timeframe_ms, self.tick = seed, timeframe_ms, tick
        self._scale = VOLATILITY_MINUTE * math.sqrt(timeframe_ms / MINUTE)
        self._start_ms, self._home = start_ms, math.log(first)
        self._log, self._last, self._heat, self._regime = math.log(first), first, 0.0, 0
        self._block, self._used = 0, BLOCK
        self.marks: deque[Mark] = deque(maxlen=MARKS_KEPT)
        self._bars = SyntheticBars(np.empty(0, np.int64), *(np.empty(0) for _ in range(5)))

    def since(self, mark: Mark) -> SyntheticStream:
        """From the first bar of the mark's block on. Only before the first bar was taken."""
        self._block, self._log, self._last, self._heat, self._regime = mark
        return self

    def __iter__(self) -> Iterator[SyntheticBar]:
        return self

    def __next__(self) -> SyntheticBar:
        bar = self.take(1)
        return SyntheticBar(int(bar.ts[0]), *(float(column[0]) for column in (bar.open, bar.high, bar.low, bar.close, bar.volume)))

    def take(self, n: int) -> SyntheticBars:
        """The next `n` bars."""
        parts: list[list[NDArray[np.int64] | NDArray[np.float64]]] = []
        while n > 0:
            if self._used == BLOCK:
                self._bars, self._used = self._next_block(), 0
            count = min(n, BLOCK - self._used)
            parts.append([column[self._used:self._used + count] for column in self._bars.columns().values()])
            self._used += count
            n -= count
        if not parts:
            return SyntheticBars(np.empty(0, np.int64), *(np.empty(0) for _ in range(5)))
        return SyntheticBars(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))  # type: ignore[arg-type]

    def _next_block(self) -> SyntheticBars:
        self.marks.append((self._block, self._log, self._last, self._heat, self._regime))
        rng = np.random.default_rng([self.seed, self._block])
        spread = np.empty(BLOCK)
        opens, closes = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
        draws = zip(rng.random(BLOCK).tolist(), rng.integers(len(REGIMES), size=BLOCK).tolist(), rng.standard_normal(BLOCK).tolist(),
                    rng.standard_normal(BLOCK).tolist(), rng.random(BLOCK).tolist(), rng.standard_normal(BLOCK).tolist(),
                    rng.random(BLOCK).tolist(), rng.standard_normal(BLOCK).tolist(), strict=True)
        for i, (switch, regime, stir, move, jump, size, gap, off) in enumerate(draws):
            self._regime = regime if switch < SWITCH else self._regime
            drift, level = REGIMES[self._regime]
            self._heat = MEMORY * self._heat + SHAKE * stir
            deviation = self._scale * level * math.exp(self._heat)
            opens[i] = max(2, self._last + (round(self._last * deviation * GAP_SIZE * off) if gap < GAP else 0))
            change = move + drift + (JUMP_SIZE * size if jump < JUMP else 0.0)
            self._log += deviation * change + PULL * (self._home - self._log)
            closes[i] = self._last = max(2, round(math.exp(self._log)))
            spread[i] = deviation
        return self._dressed(rng, opens, closes, spread)

    def _dressed(self, rng: np.random.Generator, opens: NDArray[np.int64], closes: NDArray[np.int64],
                 spread: NDArray[np.float64]) -> SyntheticBars:
        """Extremes beyond open and close, and a volume that rises with the movement."""
        reach = np.abs(rng.standard_normal((2, BLOCK))) * spread * 0.6
        top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
        highs = top + np.rint(top * reach[0]).astype(np.int64)
        lows = np.maximum(1, bottom - np.rint(bottom * reach[1]).astype(np.int64))
        moved = np.log(highs / lows) / self._scale
        volume = np.round(np.exp(rng.standard_normal(BLOCK) * 0.6) * (1.0 + moved) * 10.0, 3)
        ts = self._start_ms + (self._block * BLOCK + np.arange(BLOCK, dtype=np.int64)) * self.timeframe_ms
        self._block += 1
        return SyntheticBars(ts, *(prices(ticks, self.tick) for ticks in (opens, highs, lows, closes)), volume)
