"""What an exchange really sends a grid: lines that fill in pieces, and lines that fill before their turn. Rules: docs/engine.md, "Grids".

A line moves the empty line only when it is whole and next to it. Until then its lots are kept beside the state, so that always
position = q(A − e) + bought parts − sold parts. Pure; prices in ticks, quantities in lots.
"""

from __future__ import annotations

import msgspec

from .grid_live import GridLadder, GridOrder, GridState, on_fill, position, recover, wanted_orders
from .units import UnitError


class GridHeld(msgspec.Struct, frozen=True):
    """A state, and the lots filled so far of lines that have not moved it yet: line -> lots, 1 to the lots of a line."""

    state: GridState
    parts: dict[int, int] = {}


class Crossed(msgspec.Struct, frozen=True):
    """A line that became whole in its turn: from the empty line before it."""

    before: int
    line: int
    reduces: bool


def held_lots(ladder: GridLadder, held: GridHeld) -> int:
    """Signed lots."""
    found = position(ladder, held.state)
    return found + sum(lots if line < held.state.empty else -lots for line, lots in held.parts.items())


def open_orders(ladder: GridLadder, held: GridHeld) -> list[GridOrder]:
    """What should rest now, with what is left of each line, nearest to the empty line first."""
    left = [msgspec.structs.replace(one, lots=one.lots - held.parts.get(one.line, 0)) for one in wanted_orders(ladder, held.state)]
    return sorted((one for one in left if one.lots), key=lambda one: (abs(one.line - held.state.empty), one.line))


def fill_line(ladder: GridLadder, held: GridHeld, line: int, lots: int) -> tuple[GridHeld, list[Crossed]]:
    """A piece of a line's order: signed lots. The next state, and the lines that became whole in their turn.

    Raises UnitError for a fill that no order of this state can have made (then `recovered` from the position).
    """
    state, now = held.state, held.parts.get(line, 0) + abs(lots)
    within = state.bottom <= line <= state.bottom + ladder.cells
    if not within or (lots > 0) != (line < state.empty) or line == state.empty or now > ladder.lots:
        raise UnitError(f"a fill of {lots} lots at line {line} does not follow from the empty line {state.empty} of lines {state.bottom} "
                        f"to {state.bottom + ladder.cells} with {ladder.lots} lots each, {held.parts.get(line, 0)} of them filled before")
    return _crossed(ladder, state, {**held.parts, line: now})


def _crossed(ladder: GridLadder, state: GridState, parts: dict[int, int]) -> tuple[GridHeld, list[Crossed]]:
    """Move the empty line over each whole line next to it."""
    found: list[Crossed] = []
    while True:
        line = next((one for one in (state.empty - 1, state.empty + 1) if parts.get(one) == ladder.lots), None)
        if line is None:
            return GridHeld(state, parts), found
        del parts[line]
        found.append(Crossed(state.empty, line, abs(state.anchor - line) < abs(state.anchor - state.empty)))
        state = on_fill(ladder, state, line)


def follow(ladder: GridLadder, held: GridHeld, price: int) -> GridHeld:
    """The range follows a price beyond its end by whole cells; not while the line that would leave it is filled in part."""
    state = held.state
    for way, most in ((1, ladder.trail_up), (-1, ladder.trail_down)):
        while most > 0 and _meets(ladder, state, price, way):
            leaving = state.bottom if way > 0 else state.bottom + ladder.cells
            if leaving in held.parts:
                break
            state = GridState(state.empty + way, state.anchor + way, state.bottom + way)
    return msgspec.structs.replace(held, state=state)


def _meets(ladder: GridLadder, state: GridState, price: int, way: int) -> bool:
    edge, line = state.bottom + ladder.cells if way > 0 else state.bottom, state.empty + way
    return state.empty == edge and 0 <= line < len(ladder.lines) and way * (price - ladder.lines[line]) >= 0


def recovered(ladder: GridLadder, held: GridHeld, lots: int) -> GridHeld:
    """The state of a position read from the exchange: as it is when it explains it, else one without parts; UnitError for none."""
    if lots == held_lots(ladder, held):
        return held
    return GridHeld(recover(ladder, held.state, lots))


def settled(ladder: GridLadder, held: GridHeld, lots: int) -> GridHeld:
    """The state of any position: as it is when it explains it, else the one of its whole lines, rounded to nothing. What `held_lots` does
    not say is left over, and closing it makes the position smaller."""
    if lots == held_lots(ladder, held):
        return held
    way, state = (1 if lots > 0 else -1), held.state
    room = state.anchor - state.bottom if way > 0 else state.bottom + ladder.cells - state.anchor
    return GridHeld(recover(ladder, state, way * min(abs(lots) // ladder.lots, room) * ladder.lots))


def resettled(ladder: GridLadder, lots: int, empty: int) -> GridState:
    """The state in which a new ladder goes on with a position. empty: the line nearest to the price, which a neutral grid takes.

    Raises UnitError, with numbers, where no line of the new ladder holds the position.
    """
    bottom, top = ladder.trail_down, ladder.trail_down + ladder.cells
    steps, rest = divmod(lots, ladder.lots)
    if ladder.direction == "neutral":
        state = GridState(empty, empty + steps, bottom)
    else:
        anchor = top if ladder.direction == "long" else bottom
        state = GridState(anchor - steps, anchor, bottom)
    if rest or not bottom <= state.empty <= top or not bottom <= state.anchor <= top:
        raise UnitError(f"a position of {lots} lots does not fit the new grid: {ladder.lots} lots a line on {ladder.cells} cells; change "
                        f"the quantity, the cells or the direction, or stop the grid and start anew")
    return state
