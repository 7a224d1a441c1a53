"""Equity and drawdown as one SVG picture: for notebooks, and for pages where no script runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from haechi.core.performance import drawdowns
from haechi.research.writing import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from haechi.research.result import Result

WIDE, EQUITY_HIGH, DRAWDOWN_HIGH, GAP, LEFT = 900, 240, 80, 14, 64
STRETCHES = 450  # a low and a high of each: two points a pixel are all a screen shows
GREEN, RED, GREY = "#23876a", "#bf5240", "#8a8577"


@dataclass(frozen=True)
class Picture:
    """`svg` is the picture's text."""

    svg: str

    @classmethod
    def of(cls, result: Result) -> Picture:
        return cls(equity_svg(result.outcome.equity, result.outcome.capital))

    def save(self, path: str | Path) -> Path:
        """Raises BadInput when it cannot be written."""
        write_whole(Path(path), self.svg)
        return Path(path)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Picture of {len(self.svg):,} bytes SVG; .save(path) writes it>"


def equity_svg(equity: NDArray[np.int64], capital: int) -> str:
    """`equity` int64 1e-8 at each close."""
    places = lows_and_highs(equity)
    worth, fall = equity[places] / 1e8, drawdowns(equity, capital)[places]
    x = LEFT + (WIDE - LEFT - 4) * places / max(1, len(equity) - 1)
    low, high = min(float(worth.min()), capital / 1e8), max(float(worth.max()), capital / 1e8)
    room, deepest = (high - low) or 1.0, float(fall.max()) or 1.0
    y = 8 + (EQUITY_HIGH - 16) * (1 - (worth - low) / room)
    start = 8 + (EQUITY_HIGH - 16) * (1 - (capital / 1e8 - low) / room)
    top = EQUITY_HIGH + GAP
    down = top + (DRAWDOWN_HIGH - 4) * np.clip(fall / deepest, 0, None)
    high_total = top + DRAWDOWN_HIGH
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high_total}" width="100%" font-family="system-ui, sans-serif" '
            f'font-size="11" fill="{GREY}" role="img"><path d="M{LEFT} {start:.1f}H{WIDE}" stroke="{GREY}" stroke-opacity=".5" '
            f'stroke-dasharray="3 4"/><text x="{LEFT - 6}" y="{start + 4:.1f}" text-anchor="end">{capital / 1e8:,.0f}</text>'
            f'{_label(8, high, start)}{_label(EQUITY_HIGH - 8, low, start)}'
            f'<path d="M{LEFT} {top}{_line(x, down)}L{WIDE - 4} {top}Z" fill="{RED}" fill-opacity=".28"/>'
            f'<text x="{LEFT - 6}" y="{high_total - 4}" text-anchor="end">−{deepest * 100:.1f} %</text>'
            f'<path d="M{_line(x, y)[1:]}" fill="none" stroke="{GREEN}" stroke-width="1.5" stroke-linejoin="round"/></svg>')


def lows_and_highs(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Places of the lowest and highest value of each of some stretches, and the two ends: no drawdown is lost."""
    if len(values) <= 2 * STRETCHES:
        return np.arange(len(values))
    starts = np.linspace(0, len(values), STRETCHES, endpoint=False).astype(np.intp)
    ends = np.append(starts[1:], len(values))
    places = [0, len(values) - 1]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        places += [start + int(values[start:end].argmin()), start + int(values[start:end].argmax())]
    return np.unique(places)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    return "".join(f"L{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _label(y: float, value: float, start: float) -> str:
    """Left out where it would cover that of the capital."""
    return "" if abs(y - start) < 14 else f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>'
