"""A running grid as one flat int64 vector, and the bookkeeping of its fills. Rules: docs/engine.md, "Grids".

`grid` holds what changes, then the terms, then the prices of all lines the grid may ever use (with those a trailing range may move
to; numbered from the lowest), then the margin tiers. One vector and not four: each array handed to a compiled function costs time.
`fills` is int64[n, FILL_WIDTH]. Prices in ticks, quantities in lots, money and rates in 1e-8.
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled
from .margin import liquidation
from .money import fee, funding, rate_ceil, share_floor, slipped

Array = Any
NEVER = 2**62
NOT_NEAR = -1

# ---- what changes
(WALLET, LOTS, COST, EMPTY, BOTTOM, POINT, PHASE, ENDED_BY, END_BAR) = range(9)  # COST is signed like LOTS, BOTTOM the range's lowest line
(LIQUIDATION, BELOW, ABOVE) = range(9, 12)  # nothing is met strictly between BELOW and ABOVE; LIQUIDATION is 0 where there is none
# and NOT_NEAR where a line, a stop or a shift is surely met before it
(MATCHED, PAIRS, FEES, PAID, FILLS, SHIFTS) = range(12, 18)  # money and counts so far; PAID is the funding
(NEXT_BAR, NEXT_DUE, BAR, TS, START_BAR) = range(18, 23)  # START_BAR is −1 while waiting
WAITING, RUNNING, ENDED = 0, 1, 2

# ---- the terms
(UNIT, MAKER, TAKER, SLIPPAGE, THROUGH, LINE_LOTS, CELLS, DIRECTION, FIRST) = range(23, 32)
(TRIGGER, STOP_LOWER, STOP_UPPER, GOAL) = range(32, 36)  # prices 0: none; GOAL is an equity, NEVER: none
(RATE_MOST, LINE_COUNT, TRAIL_UP, TRAIL_DOWN) = range(36, 40)  # RATE_MOST: the highest maintenance rate of all tiers, and the taker fee
LINES = 40  # where the lines begin; the tiers, three numbers each, follow them
DIRECTIONS = ("long", "short", "neutral")
LONG, SHORT, NEUTRAL = 0, 1, 2

# ---- fills; F_HELD, F_COST and F_WALLET are the position, its signed cost and the wallet after the fill
F_BAR, F_TS, F_KIND, F_LINE, F_LOTS, F_PRICE, F_FEE, F_HELD, F_COST, F_WALLET = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
FILL_WIDTH = 10
KINDS = ("", "start", "line", "stop", "take_profit", "liquidation", "end_of_data")
BY_START, BY_LINE, BY_STOP, BY_TAKE_PROFIT, BY_LIQUIDATION, BY_END = range(1, 7)
NO_LINE = -1


@compiled
def worth(grid: Array, price: int) -> int:
    """Equity at a price: wallet + unrealised."""
    equity: int = grid[WALLET] + (grid[LOTS] * price - grid[COST]) * grid[UNIT]
    return equity


@compiled
def nearest(lines: Array, bottom: int, cells: int, price: int) -> int:
    """Where in `lines` the one nearest to a price stands, from `bottom` on; the lower one on a tie, an end line outside the range."""
    best = bottom
    for k in range(bottom + 1, bottom + cells + 1):
        if abs(lines[k] - price) < abs(lines[best] - price):
            best = k
    return best


@compiled
def anchor_of(direction: int, bottom: int, cells: int, empty: int) -> int:
    """A of position = q(A − e): the top line for a long grid, the bottom for a short one, the first empty line for a neutral one."""
    if direction == LONG:
        return bottom + cells
    return bottom if direction == SHORT else empty


@compiled
def book(grid: Array, fills: Array, lots: int, price: int, rate: int, kind: int, line: int) -> None:
    """A fill of signed lots: add to the position, or release a part of its cost; a grid never turns its position round in one fill."""
    paid = fee(abs(lots) * price * grid[UNIT], rate)
    held = grid[LOTS]
    if held * lots >= 0:
        grid[COST] += lots * price
    else:
        released = grid[COST] if lots == -held else share_floor(grid[COST], abs(lots), abs(held))
        grid[WALLET] += (-lots * price - released) * grid[UNIT]
        grid[COST] -= released
    grid[LOTS] += lots
    grid[WALLET] -= paid
    grid[FEES] += paid
    record(grid, fills, lots, price, paid, kind, line)


@compiled
def record(grid: Array, fills: Array, lots: int, price: int, paid: int, kind: int, line: int) -> None:
    n = grid[FILLS]
    fills[n, F_BAR], fills[n, F_TS], fills[n, F_KIND], fills[n, F_LINE] = grid[BAR], grid[TS], kind, line
    fills[n, F_LOTS], fills[n, F_PRICE], fills[n, F_FEE] = lots, price, paid
    fills[n, F_HELD], fills[n, F_COST], fills[n, F_WALLET] = grid[LOTS], grid[COST], grid[WALLET]
    grid[FILLS] = n + 1


@compiled
def market(grid: Array, fills: Array, lots: int, price: int, kind: int) -> None:
    """A market order of signed lots around a price; none of 0 lots."""
    if lots != 0:
        moved = slipped(price, 1 if lots > 0 else -1, grid[SLIPPAGE])
        book(grid, fills, lots, moved, grid[TAKER], kind, NO_LINE)


@compiled
def pay_funding(grid: Array, price: int, rate: int) -> None:
    """One settlement on what is held, at the bar's open; what is paid brings the liquidation price nearer."""
    if grid[PHASE] == RUNNING and grid[LOTS] != 0 and rate != 0:
        amount = funding(grid[LOTS], price, grid[UNIT], rate)
        grid[WALLET] -= amount
        grid[PAID] += amount
        settle(grid)


@compiled
def settle(grid: Array) -> None:
    """After anything that changed the position or the wallet: the band, and the liquidation price (cross, on the whole wallet)."""
    below, above = band(grid)
    grid[LIQUIDATION] = NOT_NEAR
    if grid[LOTS] > 0 and may_liquidate(grid, below):
        grid[LIQUIDATION] = liquidation_price(grid)
        below = max(below, grid[LIQUIDATION])
    elif grid[LOTS] < 0 and may_liquidate(grid, above):
        grid[LIQUIDATION] = liquidation_price(grid)
        above = min(above, grid[LIQUIDATION])
    grid[BELOW], grid[ABOVE] = below, above


@compiled
def liquidation_price(grid: Array) -> int:
    """Cross margin with the whole wallet; 0 where there is none."""
    tiers = grid[LINES + grid[LINE_COUNT]:].reshape(-1, 3)
    return liquidation(grid[LOTS], grid[COST], grid[WALLET], grid[UNIT], grid[TAKER], tiers)


@compiled
def may_liquidate(grid: Array, edge: int) -> bool:
    """Whether the liquidation price may lie at or before an edge of the band; False is certain, and saves its exact divisions.

    At the highest rate r of all tiers the price of a long is at most E when S·entry − M ≤ S·E·(1 − r), that of a short at least E
    when S·entry + M ≥ S·E·(1 + r); one tick beyond the edge, so that the edge is met first.
    """
    side = 1 if grid[LOTS] > 0 else -1
    if edge <= 1 or edge == NEVER or side * (grid[POINT] - edge) <= 0:
        return True
    notional = abs(grid[LOTS]) * (edge - side) * grid[UNIT]
    kept: int = grid[WALLET] - grid[COST] * grid[UNIT] + side * notional  # equity there
    return kept < rate_ceil(notional, grid[RATE_MOST])


@compiled
def band(grid: Array) -> tuple[int, int]:
    """The prices strictly between which no line, stop or shift is met: (below, above)."""
    empty, bottom = grid[EMPTY], grid[BOTTOM]
    top = bottom + grid[CELLS]
    below, above = grid[STOP_LOWER], grid[STOP_UPPER] if grid[STOP_UPPER] > 0 else NEVER
    if empty > bottom:
        below = max(below, grid[LINES + empty - 1] - grid[THROUGH])
    elif bottom > 0 and grid[TRAIL_DOWN] > 0:
        below = max(below, grid[LINES + bottom - 1])
    if empty < top:
        above = min(above, grid[LINES + empty + 1] + grid[THROUGH])
    elif top + 1 < grid[LINE_COUNT] and grid[TRAIL_UP] > 0:
        above = min(above, grid[LINES + top + 1])
    return below, above
