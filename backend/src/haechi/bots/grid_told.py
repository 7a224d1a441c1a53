"""What a grid bot's orders and figures look like to its owner."""

from __future__ import annotations

from decimal import Decimal

from haechi.bots.grid_mind import GridMind
from haechi.bots.grid_schemas import GridOrdersAnswer, GridStatsAnswer, LineOrderAnswer
from haechi.bots.models import Bot
from haechi.core.units import text
from haechi.trading.models import OPEN, Order

YEAR_MS = 365 * 86_400_000


def orders_of(mind: GridMind | None, rows: list[Order]) -> GridOrdersAnswer:
    """rows: its orders that may fill."""
    if mind is None or mind.ladder is None or mind.memory.held is None:
        return GridOrdersAnswer(empty_line=None, orders=[], stop=None)
    resting, there = mind.resting(), {row.role for row in rows if row.status == OPEN}
    state, one = mind.memory.held.state, mind.spec.instrument
    lines = [_line(mind, line, there) for line in range(state.bottom, state.bottom + mind.ladder.cells + 1)]
    stop = resting.get("stop")
    said = None if stop is None else {"side": "buy" if stop.side > 0 else "sell", "trigger": f"{one.price(stop.trigger):f}",
                                      "quantity": f"{one.quantity(stop.lots):f}", "state": "resting" if "stop" in there else "wanted"}
    return GridOrdersAnswer(empty_line=state.empty - state.bottom, orders=lines, stop=said)


def _line(mind: GridMind, line: int, there: set[str]) -> LineOrderAnswer:
    assert mind.ladder is not None and mind.memory.held is not None
    held, one, ladder = mind.memory.held, mind.spec.instrument, mind.ladder
    state, part = held.state, held.parts.get(line, 0)
    role = mind.role_of(line)
    wanted = role in mind.resting()
    if line == state.empty:
        said = "empty"
    elif part == ladder.lots:
        said = "filled"
    else:
        said = "resting" if wanted and role in there else "wanted" if wanted else "off"
    return LineOrderAnswer(line=line - state.bottom, price=f"{one.price(ladder.lines[line]):f}", state=said,
                           side="buy" if line < state.empty else "sell" if line > state.empty else "",
                           quantity=f"{one.quantity(ladder.lots):f}", filled_quantity=f"{one.quantity(part):f}")


def stats_of(bot: Bot, mind: GridMind | None, now_ms: int) -> GridStatsAnswer:
    """At the last price heard."""
    if mind is None:
        return GridStatsAnswer(state=bot.observed)
    memory, one = mind.memory, mind.spec.instrument
    total = memory.worth(memory.point, one.unit) - memory.capital
    empty = None if memory.held is None else memory.held.state.empty - memory.held.state.bottom
    return GridStatsAnswer(
        state=bot.observed, ended_by=memory.ended_by, total=text(total), matched=text(memory.matched),
        unmatched=text(total - memory.matched + memory.fees + memory.funding), fees=text(memory.fees), funding=text(memory.funding),
        pairs=memory.pairs, apr=_apr(total, memory.capital, bot, now_ms), empty_line=empty,
        position=f"{one.quantity(memory.lots):f}", equity=text(memory.capital + total), capital=text(memory.capital),
        price=f"{mind.market:f}", corrections=memory.corrections)


def _apr(total: int, capital: int, bot: Bot, now_ms: int) -> str | None:
    """Simple, over the time since the start; None in its first minute."""
    began = None if bot.started_at is None else round(bot.started_at.timestamp() * 1000)
    ended = now_ms if bot.ended_at is None else round(bot.ended_at.timestamp() * 1000)
    if began is None or ended - began < 60_000 or capital <= 0:
        return None
    return f"{Decimal(total) / capital * YEAR_MS / (ended - began) * 100:.2f}"
