"""A grid along the bars, with exact jumps over bars between two lines. Arrays: grid_state.py.

A bar is quiet when its range lies strictly inside the band of what can be met, no funding falls on it and its close does not reach
the profit goal; then the walk would only move the price. Blocks of bars are judged by their ranges (quiet.make_blocks), so the
jumps change nothing.
"""

from __future__ import annotations

from typing import Any

from . import grid_state as at
from .compiled import compiled
from .grid_state import market, pay_funding, worth
from .grid_walk import B_CLOSE, B_HIGH, B_LOW, B_OPEN, B_TS, first_bar, play_bar, stop_grid
from .money import funding
from .quiet import BLOCK, CLOSE_HIGHEST, CLOSE_LOWEST, HIGHEST, LOWEST

Array = Any


@compiled
def play(grid: Array, fills: Array, bars: Array, blocks: Array, due: Array, equity: Array, dense: bool) -> bool:
    """All bars from NEXT_BAR on. due: int64[k, 2] bar and rate of each settlement; equity: int64[n], filled if dense, or empty.

    False when `fills` might not hold the fills of the next bar: call again with more rows, the state goes on where it was.
    """
    n, room = bars.shape[0], 4 * (grid[at.LINE_COUNT] + 2)
    i, paid = grid[at.NEXT_BAR], grid[at.NEXT_DUE]
    while i < n and (dense or grid[at.PHASE] != at.ENDED):
        grid[at.NEXT_BAR], grid[at.NEXT_DUE] = i, paid
        if fills.shape[0] - grid[at.FILLS] < room:
            return False
        grid[at.BAR], grid[at.TS] = i, bars[i, B_TS]
        while paid < due.shape[0] and due[paid, 0] <= i:
            pay_funding(grid, bars[i, B_OPEN], due[paid, 1])
            paid += 1
        if i == 0:
            first_bar(grid, fills, bars[0, B_OPEN])
        play_bar(grid, fills, bars, i)
        if equity.shape[0] > 0:
            equity[i] = worth(grid, bars[i, B_CLOSE])
        i += 1
        if not dense:
            i = jump(grid, bars, blocks, i, due[paid, 0] if paid < due.shape[0] else n)
    grid[at.NEXT_BAR], grid[at.NEXT_DUE] = n, paid
    return True


@compiled
def jump(grid: Array, bars: Array, blocks: Array, i: int, until: int) -> int:
    """The first bar from i on that must be walked, at most `until`; the price is then at the close before it."""
    below, above, goal = grid[at.BELOW], grid[at.ABOVE], grid[at.GOAL] if grid[at.PHASE] == at.RUNNING else at.NEVER
    base, a_tick = grid[at.WALLET] - grid[at.COST] * grid[at.UNIT], grid[at.LOTS] * grid[at.UNIT]
    best = CLOSE_HIGHEST if a_tick > 0 else CLOSE_LOWEST
    j = i
    while j < until:
        k = j // BLOCK  # a block that is quiet as a whole is quiet from j on
        if blocks[k, LOWEST] > below and blocks[k, HIGHEST] < above and (goal == at.NEVER or base + a_tick * blocks[k, best] < goal):
            j = min((k + 1) * BLOCK, until)
            continue
        end = min((k + 1) * BLOCK, until)
        while j < end and bars[j, B_LOW] > below and bars[j, B_HIGH] < above and (
                goal == at.NEVER or base + a_tick * bars[j, B_CLOSE] < goal):
            j += 1
        if j < end:
            break
    if j > i:
        grid[at.POINT] = bars[j - 1, B_CLOSE]
    return j


@compiled
def finish(grid: Array, fills: Array, close: int, ts: int, bars: int) -> None:
    """After the last bar: what is held is closed at its close like a market order."""
    if grid[at.PHASE] != at.ENDED:
        grid[at.BAR], grid[at.TS] = bars, ts
        market(grid, fills, -grid[at.LOTS], close, at.BY_END)
        stop_grid(grid, at.BY_END)


@compiled
def equity_curve(fills: Array, count: int, due: Array, bars: Array, capital: int, unit: int, equity: Array) -> None:
    """Equity at each close, int64[n], from the fills and the settlements: what a dense run notes on its way."""
    f, d, wallet, lots, cost = 0, 0, capital, 0, 0
    for i in range(bars.shape[0]):
        while d < due.shape[0] and due[d, 0] <= i:
            wallet -= funding(lots, bars[i, B_OPEN], unit, due[d, 1])
            d += 1
        while f < count and fills[f, at.F_BAR] <= i:
            lots, cost, wallet = fills[f, at.F_HELD], fills[f, at.F_COST], fills[f, at.F_WALLET]
            f += 1
        equity[i] = wallet + (lots * bars[i, B_CLOSE] - cost) * unit
