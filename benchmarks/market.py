"""The market everybody is measured on: one year of seeded one-minute bars, tick 0.1, made on first use.

Volatility is an hourly AR(1) in logs, four fat-tailed steps inside each minute, and the whole walk is bent back so that the
last price is near the first: signals, stops and targets of both sides occur all year. About 0.06 % a minute.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

BARS = 525_600
SEED = 20_260
TICK = 0.1
START_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
MINUTE_MS = 60_000
FOLDER = Path(__file__).parent / ".peers" / "bars"


def year() -> np.ndarray:
    """float64[525600, 6]: open time (ms), open, high, low, close, volume."""
    file = FOLDER / f"year_{SEED}.npy"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        np.save(file, made(BARS, SEED))
    return np.load(file)


def made(n: int, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    steps = chance.standard_t(4, size=(n, 4)) / np.sqrt(2.0) * (0.0003 * volatility(n, chance))[:, None]
    walk = np.cumsum(steps.ravel())
    walk -= np.linspace(0.0, walk[-1], len(walk))
    price = 60_000.0 * np.exp(walk.reshape(n, 4))
    close = price[:, 3]
    open_ = np.concatenate(([60_000.0], close[:-1]))
    high = np.maximum(price.max(axis=1), open_)
    low = np.minimum(price.min(axis=1), open_)
    ticks = np.rint(np.column_stack([open_, high, low, close]) / TICK)
    stamps = START_MS + MINUTE_MS * np.arange(n, dtype=np.float64)
    volume = np.round(chance.lognormal(2.0, 1.0, n), 3)
    return np.column_stack([stamps, ticks / round(1 / TICK), volume])


def volatility(n: int, chance: np.random.Generator) -> np.ndarray:
    """A factor around 1 for each minute, constant within an hour."""
    hours = -(-n // 60)
    level = np.empty(hours)
    now = 0.0
    for hour, shock in enumerate(chance.standard_normal(hours) * 0.12):
        now = 0.95 * now + shock
        level[hour] = now
    return np.repeat(np.exp(level), 60)[:n]


if __name__ == "__main__":
    bars = year()
    print(bars.shape, bars[:, 3].min(), bars[:, 2].max(), np.diff(np.log(bars[:, 4])).std())
