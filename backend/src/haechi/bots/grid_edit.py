"""A running grid with another range, other cells or stops: what can be kept is kept, what cannot is refused with numbers."""

from __future__ import annotations

import msgspec

from haechi.bots.grid_memory import GridMemory
from haechi.bots.grid_mind import GridMind
from haechi.core.grid_live import GridLadder, begin
from haechi.core.grid_parts import GridHeld, resettled
from haechi.core.grid_plan import GridPlan
from haechi.core.units import UnitError


def edited(mind: GridMind, plan: GridPlan) -> GridMind:
    """The same grid under another plan; `mind` stays as it is. Other stops or goal: everything else is kept.

    Other lines: the position says where the empty line is, orders of the old lines give way to the new. Raises UnitError.
    """
    new = GridMind(msgspec.structs.replace(mind.spec, grid=plan))
    new.memory = msgspec.json.decode(msgspec.json.encode(mind.memory), type=GridMemory)
    new.memory.plan = plan
    new.read_plan()
    if mind.ladder is not None and mind.memory.held is not None:
        _check(mind, new)
        _settle(new, mind.ladder, mind.memory.held)
    return new


def _check(mind: GridMind, new: GridMind) -> None:
    old, plan, memory = mind.spec.grid, new.spec.grid, new.memory
    if memory.ended_by:
        raise UnitError(f"the grid has ended ({memory.ended_by}); start it anew to change it")
    if plan.leverage != old.leverage:
        raise UnitError(f"leverage {old.leverage} cannot become {plan.leverage} while the grid runs; stop it first")
    if memory.start_left:
        raise UnitError(f"{memory.start_left} lots of the start have not filled yet; change the grid when they have")
    if memory.point <= new.stop_lower or 0 < new.stop_upper <= memory.point:
        raise UnitError(f"the price {mind.market} is at or beyond the new stops (lower {plan.stop_lower}, upper {plan.stop_upper})")


def _settle(new: GridMind, old: GridLadder, held: GridHeld) -> None:
    """Sized anew only for another range, size or number of cells: other stops do not change the lots of a line."""
    memory = new.memory
    new.ladder = new.laid()
    if new.ladder == old:
        return
    if held.parts:
        parts = ", ".join(f"line {line}: {lots}" for line, lots in sorted(held.parts.items()))
        raise UnitError(f"lines are filled in part ({parts} of {old.lots} lots); change the lines when they are whole")
    memory.sized = memory.point
    new.ladder = new.laid()
    memory.held = GridHeld(resettled(new.ladder, memory.lots, begin(new.ladder, memory.point).empty))
    memory.edits += 1
    memory.aside.clear()
