"""The chart without a script: candles with entries and exits, equity with buy and hold, drawdown, as one SVG.

It is what a reader sees where no script may run (the server's own pages) and what is printed. Colours are the page's variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from haechi.core import layout as at
from haechi.research.report.axis import round_times, round_values
from haechi.research.report.data import edges, held, stretch
from haechi.research.report.words import WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from haechi.core.bars import Bars
    from haechi.research.result import Result

WIDE, RIGHT, GAP, BOTTOM = 1180, 74, 30, 24
PLOT = WIDE - RIGHT
PRICE_HIGH, EQUITY_HIGH, DRAWDOWN_HIGH = 290, 150, 84
CANDLES = 366  # three pixels each: a year of days
POINTS = PLOT  # of a curve: one a pixel
TIMES = 12


@dataclass(frozen=True)
class Pane:
    """A stretch of the picture's height and the values it spans; x is time, y a value, both in pixels."""

    top: float
    height: float
    low: float
    high: float
    start_ms: int
    end_ms: int

    def x(self, ts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((ts - self.start_ms) / (self.end_ms - self.start_ms) * PLOT)

    def y(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.top + self.height * (1 - (values - self.low) / (self.high - self.low)))

    def frame(self, key: str, unit: str = "") -> str:
        """Lines at round values, the values beside them, the pane's name in both languages."""
        lines = []
        for value, text in round_values(self.low, self.high, max(3, int(self.height / 48))):
            y = float(self.y(np.array([value]))[0])
            lines.append(f'<path d="M0 {y:.1f}H{PLOT}"/><text x="{PLOT + 8}" y="{y + 4:.1f}">{text}{unit}</text>')
        names = "".join(f'<text lang="{language}" x="4" y="{self.top - 8:.1f}" font-weight="600">{escape(word)}</text>'
                        for language, word in zip(("en", "ko"), WORDS[key], strict=True))
        return f'<g style="stroke:none;fill:var(--soft)">{"".join(lines).replace("<path", PALE)}{names}</g>'


PALE = '<path style="stroke:var(--line)"'


def still(result: Result) -> str:
    """One price pane a symbol, then equity and drawdown. About 60 kB for a year of minutes."""
    parts, top = [], float(GAP)
    start, end = result.span.start_ms, result.span.end_ms
    for place, market in enumerate(result.outcome.markets):
        pane, drawn = _candles(market.bars, top, start, end)
        parts += [_symbol(result, place, top), pane.frame("price"), drawn, _marks(result, place, pane)]
        top += PRICE_HIGH + GAP
    parts += [_equity(result, top), _drawdown(result, top + EQUITY_HIGH + GAP)]
    foot = top + EQUITY_HIGH + GAP + DRAWDOWN_HIGH
    return (f'<svg class="still" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {foot + BOTTOM:.0f}" width="100%" font-size="11.5" '
            f'role="img">{_times(start, end, foot)}{"".join(parts)}</svg>')


def _symbol(result: Result, place: int, top: float) -> str:
    if len(result.symbols) == 1:
        return ""
    name = escape(result.symbols[place])
    return f'<text x="{PLOT}" y="{top - 8:.1f}" text-anchor="end" style="fill:var(--ink)" font-weight="600">{name}</text>'


def _times(start: int, end: int, foot: float) -> str:
    pane = Pane(0, 1, 0, 1, start, end)
    times = round_times(start, end, TIMES)
    places = pane.x(np.array([moment for moment, _ in times])).tolist()
    lines = "".join(f'{PALE} d="M{x:.1f} {GAP}V{foot:.1f}"/><text x="{x:.1f}" y="{foot + 17:.1f}" text-anchor="middle">{text}</text>'
                    for x, (_, text) in zip(places, times, strict=True) if x > 18)
    return f'<g style="fill:var(--soft)">{lines}</g>'


def _candles(bars: Bars, top: float, start: int, end: int) -> tuple[Pane, str]:
    """At most CANDLES of them, each over a round number of bars; rising and falling ones are two paths."""
    length = stretch(len(bars), bars.timeframe_ms, CANDLES)
    starts = edges(bars.ts, length)
    opened, closed = bars.open[starts], bars.close[np.append(starts[1:], len(bars)) - 1]
    high, low = np.maximum.reduceat(bars.high, starts), np.minimum.reduceat(bars.low, starts)
    pane = Pane(top, PRICE_HIGH, *padded(float(low.min()), float(high.max())), start, end)
    left = pane.x(bars.ts[starts] // length * length)
    wide = max(0.8, length / (end - start) * PLOT * 0.7)
    middle = left + wide / 1.4
    columns = (middle, pane.y(high), pane.y(low), pane.y(np.maximum(opened, closed)), pane.y(np.minimum(opened, closed)))
    return pane, "".join(_bodies([column[side] for column in columns], wide, name) for side, name in
                         ((closed >= opened, "up"), (closed < opened, "down")))


def _bodies(columns: list[NDArray[np.float64]], wide: float, name: str) -> str:
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    wicks = "".join(f"M{x:.1f} {high:.1f}V{max(low, high + 0.6):.1f}" for x, high, low, _, _ in rows)
    bodies = "".join(f"M{x - wide / 2:.1f} {upper:.1f}h{wide:.1f}v{max(0.8, lower - upper):.1f}h-{wide:.1f}z"
                     for x, _, _, upper, lower in rows)
    return f'<path style="stroke:var(--{name})" d="{wicks}"/><path style="fill:var(--{name})" d="{bodies}"/>' if rows else ""


def _marks(result: Result, place: int, pane: Pane) -> str:
    """Entries as triangles in the direction of the trade, exits as dots in the colour of what came out; doubles on one spot once."""
    table, trades = result.outcome.table, result.outcome.trades
    rows = np.flatnonzero(table[:, at.T_MARKET] == place)
    if not len(rows):
        return ""
    size = 5.5 if len(rows) <= 60 else 4.0 if len(rows) <= 250 else 2.6
    entered = _spots(pane, table[rows, at.T_ENTRY_TS], [float(trades[row].entry_price) for row in rows.tolist()])
    left = _spots(pane, table[rows, at.T_EXIT_TS], [float(trades[row].exit_price) for row in rows.tolist()])
    long, won = (table[rows, at.T_SIDE] > 0).tolist(), (table[rows, at.T_PNL] > 0).tolist()
    arrows = dict.fromkeys(_arrow(spot, size, up) for spot, up in zip(entered, long, strict=True))
    dots = {name: dict.fromkeys(_dot(spot, size) for spot, good in zip(left, won, strict=True) if good is (name == "up"))
            for name in ("up", "down")}
    ring = "stroke:var(--card);stroke-width:.8"
    return (f'<path style="fill:var(--ink);{ring}" d="{"".join(arrows)}"/>'
            + "".join(f'<path style="fill:var(--{name});{ring}" d="{"".join(one)}"/>' for name, one in dots.items() if one))


def _spots(pane: Pane, ts: NDArray[np.int64], prices: list[float]) -> list[tuple[int, int]]:
    return list(zip(np.rint(pane.x(ts)).astype(int).tolist(), np.rint(pane.y(np.array(prices))).astype(int).tolist(), strict=True))


def _arrow(spot: tuple[int, int], size: float, up: bool) -> str:
    """Its tip stands at the fill: from below for a long, from above for a short."""
    side = size * 1.7 if up else -size * 1.7
    return f"M{spot[0]} {spot[1]}l{size:g} {side:.1f}h{-2 * size:g}z"


def _dot(spot: tuple[int, int], size: float) -> str:
    r = size * 0.72
    return f"M{spot[0] - r:.1f} {spot[1]}a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 -{2 * r:.1f} 0z"


def _equity(result: Result, top: float) -> str:
    run = result.outcome
    ends = _ends(len(run.ts))
    worth, hold = run.equity[ends] / 1e8, held(result, run.ts[ends])
    span = padded(min(float(worth.min()), float(hold.min())), max(float(worth.max()), float(hold.max())))
    pane = Pane(top, EQUITY_HIGH, *span, result.span.start_ms, result.span.end_ms)
    x = pane.x(run.ts[ends] + result.bar_ms)
    return pane.frame("equity") + _curve(x, pane.y(hold), "hold", 1.2) + _curve(x, pane.y(worth), "up", 1.8)


def _drawdown(result: Result, top: float) -> str:
    """The deepest of each stretch, so that none is lost."""
    run = result.outcome
    ends = _ends(len(run.ts))
    fall = 1.0 - run.equity / np.maximum.accumulate(np.maximum(run.equity, run.capital))
    deepest = np.maximum.reduceat(fall, np.append(0, ends[:-1] + 1)) * 100
    pane = Pane(top, DRAWDOWN_HIGH, -max(float(deepest.max()), 0.1) * 1.04, 0.0, result.span.start_ms, result.span.end_ms)
    x, y = pane.x(run.ts[ends] + result.bar_ms).tolist(), pane.y(-deepest).tolist()
    area = "".join(f"L{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    return f'{pane.frame("drawdown", " %")}<path style="fill:var(--down);fill-opacity:.35" d="M0 {top:.1f}{area}L{x[-1]:.1f} {top:.1f}z"/>'


def _ends(count: int) -> NDArray[np.intp]:
    """Last bar of each of at most POINTS even stretches."""
    if count <= POINTS:
        return np.arange(count)
    return np.linspace(0, count, POINTS + 1).astype(np.intp)[1:] - 1


def _curve(x: NDArray[np.float64], y: NDArray[np.float64], name: str, thick: float) -> str:
    points = " ".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return f'<path style="stroke:var(--{name});stroke-width:{thick};fill:none;stroke-linejoin:round" d="M{points}"/>'


def padded(low: float, high: float) -> tuple[float, float]:
    """A little room on both sides; a flat line gets some too."""
    room = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
    return low - room, high + room
