"""A grid one event at a time, for a bot that trades it live and for a venue that plays it. Rules: docs/engine.md, "Grids".

All functions are pure: a ladder (what never changes), a state (three line numbers) and an event in, the next state out. They make
the same line fills as the back-test. Lines are numbered from the lowest the range may ever reach. Prices in ticks, quantities in lots.
Pieces of fills, and fills that came before their turn, are in grid_parts.
"""

from __future__ import annotations

import msgspec
import numpy as np

from .grid_plan import GridPlan
from .grid_size import startable
from .grid_state import DIRECTIONS, anchor_of, nearest
from .instrument import Instrument
from .plan import Costs
from .units import UnitError


class GridLadder(msgspec.Struct, frozen=True):
    """The lines of a running grid and the lots on each. through: ticks a price must go through a line (1 under `adverse`)."""

    lines: tuple[int, ...]
    cells: int
    lots: int
    direction: str
    trail_up: int = 0
    trail_down: int = 0
    through: int = 0


class GridState(msgspec.Struct, frozen=True):
    """The empty line, A of position = lots × (A − empty), and the lowest line of the range."""

    empty: int
    anchor: int
    bottom: int


class GridOrder(msgspec.Struct, frozen=True):
    """An order a grid wants to rest: side buy | sell."""

    line: int
    side: str
    price: int
    lots: int


def ladder_of(plan: GridPlan, instrument: Instrument, costs: Costs, price: int, reading: str = "path") -> GridLadder:
    """The ladder of a grid that starts at a price (ticks); UnitError where it could not be started."""
    found = startable(plan, instrument, costs, price)
    return GridLadder(tuple(found.lines.tolist()), plan.cells, found.lots, plan.direction, plan.trail_up, plan.trail_down,
                      int(reading == "adverse"))


def begin(ladder: GridLadder, price: int) -> GridState:
    """The state at the start; `position` then says what to take at once."""
    bottom = ladder.trail_down
    empty = int(nearest(np.array(ladder.lines, dtype=np.int64), bottom, ladder.cells, price))
    return GridState(empty, int(anchor_of(DIRECTIONS.index(ladder.direction), bottom, ladder.cells, empty)), bottom)


def position(ladder: GridLadder, state: GridState) -> int:
    """Signed lots the grid holds in a state."""
    return ladder.lots * (state.anchor - state.empty)


def wanted_orders(ladder: GridLadder, state: GridState) -> list[GridOrder]:
    """What should rest now: buys below the empty line, sells above it, nearest first on each side."""
    buys = [GridOrder(line, "buy", ladder.lines[line], ladder.lots) for line in range(state.empty - 1, state.bottom - 1, -1)]
    sells = [GridOrder(line, "sell", ladder.lines[line], ladder.lots) for line in range(state.empty + 1, state.bottom + ladder.cells + 1)]
    return buys + sells


def on_fill(ladder: GridLadder, state: GridState, line: int) -> GridState:
    """The order at a line next to the empty one has filled; UnitError for any other line (then `recover` from the position)."""
    if abs(line - state.empty) != 1 or not state.bottom <= line <= state.bottom + ladder.cells:
        raise UnitError(f"a fill at line {line} does not follow from the empty line {state.empty}; read the position and recover")
    return msgspec.structs.replace(state, empty=line)


def on_price(ladder: GridLadder, state: GridState, start: int, end: int) -> tuple[GridState, list[int]]:
    """The price walks from `start` to `end`: the next state, and the lines filled on the way, in their order."""
    filled: list[int] = []
    way = 1 if end > start else -1
    while True:
        line = state.empty + way
        edge = state.bottom + ladder.cells if way > 0 else state.bottom
        if state.empty != edge:
            if way * (end - ladder.lines[line]) < ladder.through:
                return state, filled
            state = on_fill(ladder, state, line)
            filled.append(line)
        elif _may_move(ladder, line, way) and way * (end - ladder.lines[line]) >= 0:
            state = GridState(state.empty + way, state.anchor + way, state.bottom + way)
        else:
            return state, filled


def _may_move(ladder: GridLadder, line: int, way: int) -> bool:
    return (ladder.trail_up if way > 0 else ladder.trail_down) > 0 and 0 <= line < len(ladder.lines)


def recover(ladder: GridLadder, state: GridState, held: int) -> GridState:
    """The state that belongs to a position read from the venue; UnitError where no state of this grid holds it."""
    steps, rest = divmod(held, ladder.lots)
    empty = state.anchor - steps
    if rest or not state.bottom <= empty <= state.bottom + ladder.cells:
        raise UnitError(f"a position of {held} lots is none of this grid's: {ladder.lots} lots a line, "
                        f"{ladder.lots * (state.anchor - state.bottom - ladder.cells)} to {ladder.lots * (state.anchor - state.bottom)}")
    return msgspec.structs.replace(state, empty=empty)
