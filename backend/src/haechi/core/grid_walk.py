"""One bar of a grid: the open, the path, the close, and what is met on the way. Rules: docs/engine.md, "Grids"; arrays: grid_state.py."""

from __future__ import annotations

from typing import Any

from . import grid_state as at
from .compiled import compiled
from .grid_state import anchor_of, book, market, nearest, record, settle, worth

Array = Any
B_TS, B_OPEN, B_HIGH, B_LOW, B_CLOSE = 0, 1, 2, 3, 4  # columns of the bar array int64[n, 5]
# what is met first at equal distance
MEETS_LIQUIDATION, MEETS_STOP, MEETS_LINE, MEETS_SHIFT, MEETS_NOTHING = 0, 1, 2, 3, 4


@compiled
def start(grid: Array, fills: Array, price: int) -> None:
    """Set the empty line and take the first position like a market order."""
    empty = nearest(grid, at.LINES + grid[at.BOTTOM], grid[at.CELLS], price) - at.LINES
    grid[at.EMPTY] = empty
    anchor = anchor_of(grid[at.DIRECTION], grid[at.BOTTOM], grid[at.CELLS], empty)
    grid[at.PHASE], grid[at.START_BAR] = at.RUNNING, grid[at.BAR]
    market(grid, fills, (anchor - empty) * grid[at.LINE_LOTS], price, at.BY_START)
    settle(grid)


@compiled
def wait(grid: Array) -> None:
    """Until the trigger is reached nothing else is watched."""
    trigger = grid[at.TRIGGER]
    grid[at.BELOW] = trigger if grid[at.POINT] >= trigger else 0
    grid[at.ABOVE] = trigger if grid[at.POINT] <= trigger else at.NEVER


@compiled
def stop_grid(grid: Array, reason: int) -> None:
    grid[at.PHASE], grid[at.ENDED_BY], grid[at.END_BAR] = at.ENDED, reason, grid[at.BAR]
    grid[at.LIQUIDATION], grid[at.BELOW], grid[at.ABOVE] = 0, 0, at.NEVER


@compiled
def reach(level: int, way: int, point: int, end: int) -> int:
    """How far from `point` a level is met on the way to `end` (0: satisfied already), NEVER if it is not. way +1: from below."""
    if way * (point - level) >= 0:
        return 0
    return abs(level - point) if way * (end - level) >= 0 else at.NEVER


@compiled
def first_met(grid: Array, end: int) -> tuple[int, int, int]:
    """What the walk from POINT to `end` meets first: (what, its level, +1 from below or −1 from above)."""
    point, best, what, level, way = grid[at.POINT], at.NEVER, MEETS_NOTHING, 0, 0
    if grid[at.LIQUIDATION] > 0:
        side = -1 if grid[at.LOTS] > 0 else 1
        best = reach(grid[at.LIQUIDATION], side, point, end)
        if best < at.NEVER:
            what, level, way = MEETS_LIQUIDATION, grid[at.LIQUIDATION], side
    for side in (-1, 1):
        stop = grid[at.STOP_LOWER] if side < 0 else grid[at.STOP_UPPER]
        if stop > 0 and reach(stop, side, point, end) < best:
            best, what, level, way = reach(stop, side, point, end), MEETS_STOP, stop, side
    for side in (-1, 1):
        kind, line = resting(grid, side)
        if kind != MEETS_NOTHING and reach(line, side, point, end) < best:
            best, what, level, way = reach(line, side, point, end), kind, line, side
    return what, level, way


@compiled
def resting(grid: Array, side: int) -> tuple[int, int]:
    """The next line below (side −1) or above (+1): an order at it, or where the range moves on, or nothing."""
    edge = grid[at.BOTTOM] if side < 0 else grid[at.BOTTOM] + grid[at.CELLS]
    line = grid[at.EMPTY] + side
    if grid[at.EMPTY] != edge:
        return MEETS_LINE, grid[at.LINES + line] + side * grid[at.THROUGH]
    if grid[at.TRAIL_DOWN if side < 0 else at.TRAIL_UP] > 0 and 0 <= line < grid[at.LINE_COUNT]:
        return MEETS_SHIFT, grid[at.LINES + line]
    return MEETS_NOTHING, 0


@compiled
def leg(grid: Array, fills: Array, end: int, gap: bool) -> None:
    """Walk straight from POINT to `end`; gap: no price was traded on the way, what is a market order there fills at `end`."""
    if grid[at.PHASE] == at.WAITING and not (grid[at.BELOW] < end < grid[at.ABOVE]):
        grid[at.POINT] = end if gap else grid[at.TRIGGER]
        start(grid, fills, grid[at.POINT])
    while grid[at.PHASE] == at.RUNNING:
        if is_free(grid, end):
            break
        what, level, way = first_met(grid, end)
        if what == MEETS_NOTHING:
            break
        if way * (grid[at.POINT] - level) < 0:
            grid[at.POINT] = level
        meet(grid, fills, what, level, way, end, gap)
    grid[at.POINT] = end


@compiled
def meet(grid: Array, fills: Array, what: int, level: int, way: int, end: int, gap: bool) -> None:
    """Do what was met; after a gap everything fills at the open, as the venue fills what rests."""
    price = end if gap else grid[at.POINT]
    if what == MEETS_LINE:
        fill_line(grid, fills, way, end if gap else grid[at.LINES + grid[at.EMPTY] + way])
    elif what == MEETS_SHIFT:
        grid[at.BOTTOM] += way
        grid[at.EMPTY] += way
        grid[at.SHIFTS] += way
    elif what == MEETS_STOP:
        market(grid, fills, -grid[at.LOTS], price, at.BY_STOP)
        stop_grid(grid, at.BY_STOP)
        return
    else:
        liquidate(grid, fills, level)
        return
    settle(grid)


@compiled
def fill_line(grid: Array, fills: Array, way: int, price: int) -> None:
    """The next line fills as maker; a fill that makes the position smaller earns its cell."""
    before, line, lots = grid[at.EMPTY], grid[at.EMPTY] + way, -way * grid[at.LINE_LOTS]
    if grid[at.LOTS] * lots < 0:
        grid[at.MATCHED] += grid[at.LINE_LOTS] * abs(grid[at.LINES + line] - grid[at.LINES + before]) * grid[at.UNIT]
        grid[at.PAIRS] += 1
    grid[at.EMPTY] = line
    book(grid, fills, lots, price, grid[at.MAKER], at.BY_LINE, line)


@compiled
def liquidate(grid: Array, fills: Array, price: int) -> None:
    """Closed at the liquidation price without fee; what is left of the wallet is lost too."""
    lots = -grid[at.LOTS]
    grid[at.WALLET] += (-lots * price - grid[at.COST]) * grid[at.UNIT]
    grid[at.WALLET] = min(grid[at.WALLET], 0)
    grid[at.LOTS] = grid[at.COST] = 0
    record(grid, fills, lots, price, 0, at.BY_LIQUIDATION, at.NO_LINE)
    stop_grid(grid, at.BY_LIQUIDATION)


@compiled
def play_bar(grid: Array, fills: Array, bars: Array, i: int) -> None:
    """The open, the path and the close of one bar; its funding has been paid."""
    rising = bars[i, B_CLOSE] >= bars[i, B_OPEN]
    for k in range(4):
        column = (B_OPEN if k == 0 else B_CLOSE if k == 3 else B_LOW if (k == 1) == rising else B_HIGH)
        end = bars[i, column]
        if is_free(grid, end):
            grid[at.POINT] = end
        else:
            leg(grid, fills, end, k == 0)
    if grid[at.GOAL] < at.NEVER and grid[at.PHASE] == at.RUNNING and worth(grid, bars[i, B_CLOSE]) >= grid[at.GOAL]:
        market(grid, fills, -grid[at.LOTS], bars[i, B_CLOSE], at.BY_TAKE_PROFIT)
        stop_grid(grid, at.BY_TAKE_PROFIT)


@compiled
def is_free(grid: Array, end: int) -> bool:
    """Whether nothing is met from POINT to `end`: the band is between two lines, on the waiting side of a trigger, or everywhere."""
    free: bool = min(grid[at.POINT], end) > grid[at.BELOW] and max(grid[at.POINT], end) < grid[at.ABOVE]
    return free


@compiled
def first_bar(grid: Array, fills: Array, price: int) -> None:
    """The price comes into being at the first open: without a trigger the grid starts there."""
    grid[at.POINT] = price
    if grid[at.TRIGGER] == 0:
        start(grid, fills, price)
    else:
        wait(grid)
