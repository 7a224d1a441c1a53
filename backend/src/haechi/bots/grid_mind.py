"""What a grid bot thinks: one integer, the empty line. Buys rest below it, sells above. Rules: docs/engine.md, "Grids".

Its fills are those of core.grid.run_grid under the reading `path`. The stop of what is held rests at the exchange; where nothing is held,
or on the side where a stop order cannot rest (`watched`), the mind itself ends the grid. It knows the exchange only by its events.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from haechi.bots.grid_memory import LIQUIDATION, STOP, TAKE_PROFIT, GridMemory, GridSpec, line_of, role_of
from haechi.bots.unfit import Unfit
from haechi.core.grid_live import GridLadder, begin, ladder_of, position
from haechi.core.grid_parts import GridHeld, fill_line, follow, held_lots, open_orders, recovered, settled
from haechi.core.grid_plan import GridPlan, whole_ticks
from haechi.core.live import Wanted
from haechi.core.units import UnitError, scaled, text
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price

__all__ = ["GridMind", "GridSpec"]
START, EXIT, ODD = "start", "exit", "odd"
# Refusals that asking again cannot mend: the grid cannot keep its promise and stops with this reason.
FINAL = frozenset({"margin", "leverage", "below_minimum", "too_large", "symbol", "precision", "kind", "side", "price"})


class GridMind:
    """The same face as `Mind`: events in, orders out, and what should rest."""

    name = "grid"
    cross = True
    watches_price = True

    def __init__(self, spec: GridSpec) -> None:
        self.spec = spec
        self.memory = GridMemory.fresh(spec)
        self.ladder: GridLadder | None = None
        self.read_plan()

    def read_plan(self) -> None:
        plan, one = self.spec.grid, self.spec.instrument
        self.trigger, self.stop_lower, self.stop_upper = (
            whole_ticks(getattr(plan, name), one, name) for name in ("trigger", "stop_lower", "stop_upper"))
        self.goal = None if plan.take_profit is None else self.memory.capital + scaled(plan.take_profit, what="take_profit")

    # ---- what is asked of it

    @property
    def leverage(self) -> int:
        return self.spec.grid.leverage

    @property
    def market(self) -> Decimal:
        """The last price heard."""
        return self.spec.instrument.price(self.memory.point)

    @property
    def position(self) -> int:
        """Signed lots."""
        return self.memory.lots

    @property
    def wallet(self) -> int:
        return self.memory.wallet

    @property
    def equity(self) -> int:
        """At the last close, in 1e-8."""
        return self.memory.worth(self.memory.close, self.spec.instrument.unit) if self.memory.close else self.memory.wallet

    @property
    def protected(self) -> bool:
        """Whether a stop order ever rests: the stop on the side where the grid can lose."""
        direction = self.spec.grid.direction
        return bool(self.stop_lower and direction != "short") or bool(self.stop_upper and direction != "long")

    @property
    def excess(self) -> int:
        """Lots beyond the plan: a grid has none, what no line explains is a UnitError."""
        return 0

    @property
    def against(self) -> str:
        """Why a signal became no wish: a grid has no signals."""
        return ""

    @property
    def ended_by(self) -> str:
        """'' while it works, else stop | take_profit | liquidation | start: of which only a part was to be had."""
        return self.memory.ended_by

    @property
    def finished(self) -> bool:
        """It has ended and holds nothing more."""
        return bool(self.memory.ended_by) and not self.memory.lots

    @property
    def watched(self) -> tuple[int, ...]:
        """Prices in ticks at which the mind itself acts: a venue that tells them exactly makes the back-test's fills to the tick."""
        if self.memory.ended_by:
            return ()
        if self.ladder is None:
            return (self.trigger,) if self.trigger else ()
        lots = self.memory.lots
        return tuple(stop for stop, rests in ((self.stop_lower, lots > 0), (self.stop_upper, lots < 0)) if stop and not rests)

    # ---- events

    def heard(self, event: Fill | Paid | Liquidated | Price | Bar, role: str = "", signal: object = None) -> list[Wanted]:
        """signal: grids have none; the argument is that of every mind."""
        one = self.spec.instrument
        match event:
            case Fill():
                self._filled(event, role)
            case Paid():
                self.memory.paid(scaled(event.amount))
            case Liquidated():
                self.memory.liquidated(one.lots(event.quantity), scaled(event.loss))
                self._end(LIQUIDATION)
                self.memory.exit_due, self.memory.exit_left = bool(self.memory.lots), 0  # of a part: the rest leaves too
            case Price():
                return [*self._priced(one.ticks_nearest(event.price), event), *self._leaving()]
            case Bar():
                return [*self._closed(one.ticks_nearest(event.close)), *self._leaving()]
        return self._leaving()

    def _closes(self, event: Price) -> bool:
        """The venue in this process tells a bar's close at its last millisecond; what it decides is then still traded there."""
        return event.time_ms % self.spec.timeframe_ms == self.spec.timeframe_ms - 1

    def _priced(self, price: int, event: Price) -> list[Wanted]:
        memory = self.memory
        memory.first, memory.point = memory.first or price, price
        if memory.ended_by:
            return []
        if self.ladder is None:
            return self._begun(price, event.time_ms) if self._starts(price) else []
        assert memory.held is not None
        memory.held = follow(self.ladder, memory.held, price)
        self._judge_stops(price)
        if self._closes(event):
            self._judge_goal(price)
        return []

    def _closed(self, close: int) -> list[Wanted]:
        memory = self.memory
        memory.close = memory.point = close
        memory.bars += 1
        memory.put_off = False
        memory.aside.clear()
        self._judge_goal(close)
        if memory.ended_by == STOP and memory.lots:
            memory.exit_due = True  # the stop at the exchange did not do it by now
        return self._odd()

    def _odd(self) -> list[Wanted]:
        """Lots that no line explains, a piece of an order of before an edit or what others left of a line, are closed at the bar's end:
        until then the rest of them may come."""
        memory = self.memory
        if self.ladder is None or memory.held is None or memory.ended_by or memory.start_left:
            return []
        odd = memory.lots - held_lots(self.ladder, memory.held)
        if odd and (odd * memory.lots <= 0 or abs(odd) > abs(memory.lots)):  # lines have filled since: closing it would not reduce
            self._settle()
            odd = memory.lots - held_lots(self.ladder, memory.held)
        if not odd or odd == memory.stuck:
            return []
        return [Wanted(ODD, -1 if odd > 0 else 1, abs(odd), "market", reduce_only=True)]

    def _settle(self) -> None:
        """The position says where the grid stands."""
        memory = self.memory
        assert self.ladder is not None and memory.held is not None
        memory.held = settled(self.ladder, memory.held, memory.lots + memory.start_left)
        memory.settled += 1

    def _starts(self, price: int) -> bool:
        """Without a trigger at once; else when the price has come to it from where it was heard first."""
        trigger, first = self.trigger, self.memory.first
        return not self.memory.put_off and (not trigger or price == trigger or (first < trigger) == (price > trigger))

    def _begun(self, price: int, time_ms: int) -> list[Wanted]:
        """The ladder, and what to take at once."""
        memory = self.memory
        memory.begun_ms = time_ms
        memory.sized = self.trigger or price
        self.ladder = self.laid()
        memory.held = GridHeld(begin(self.ladder, price))
        memory.start_left = position(self.ladder, memory.held.state)
        self._judge_stops(price)
        if memory.ended_by or not memory.start_left:
            return []
        return [Wanted(START, 1 if memory.start_left > 0 else -1, abs(memory.start_left), "market")]

    def _not_begun(self) -> None:
        """The start was not taken, so no line may rest: it is begun anew after the next close. What a part of it made leaves again."""
        memory = self.memory
        if memory.lots:
            self._end(START)
            memory.exit_due = True
            return
        self.ladder = memory.held = None
        memory.start_left = memory.sized = 0
        memory.put_off = True

    def laid(self) -> GridLadder:
        """The lines of its plan, with the lots they were sized for. Raises Unfit where money or market do not allow them."""
        try:
            return ladder_of(self.spec.grid, self.spec.instrument, self.spec.costs, self.memory.sized)
        except UnitError as error:
            raise Unfit(str(error)) from None

    def _judge_stops(self, price: int) -> None:
        """A price at or beyond a stop ends the grid; what is held leaves by the stop order at the exchange where that rests."""
        memory = self.memory
        if memory.ended_by or memory.start_left:
            return
        lower, upper = bool(self.stop_lower) and price <= self.stop_lower, bool(self.stop_upper) and price >= self.stop_upper
        if lower or upper:
            self._end(STOP)
            memory.exit_due = (lower and memory.lots < 0) or (upper and memory.lots > 0)

    def _judge_goal(self, close: int) -> None:
        memory = self.memory
        if self.goal is None or memory.ended_by or memory.held is None or memory.start_left:
            return
        if memory.worth(close, self.spec.instrument.unit) >= self.goal:
            self._end(TAKE_PROFIT)
            memory.exit_due = True

    def _end(self, reason: str) -> None:
        self.memory.ended_by = self.memory.ended_by or reason
        self.memory.start_left = 0

    def _leaving(self) -> list[Wanted]:
        """The exit of a grid that has ended, once; again when the exchange took it not or something filled after it."""
        memory = self.memory
        if not memory.ended_by or not memory.lots or not memory.exit_due or memory.exit_left:
            return []
        memory.exit_due, memory.exit_left = False, abs(memory.lots)
        return [Wanted(EXIT, -1 if memory.lots > 0 else 1, abs(memory.lots), "market", reduce_only=True)]

    def _filled(self, fill: Fill, role: str) -> None:
        memory, one = self.memory, self.spec.instrument
        lots, price = one.lots(fill.quantity) * (1 if fill.side == "buy" else -1), one.ticks(fill.price)
        memory.point = one.ticks_nearest(fill.market)
        memory.book(lots, price, scaled(fill.fee), one.unit)
        if role == EXIT:
            memory.exit_left = max(0, memory.exit_left - abs(lots))
            memory.exit_due = bool(memory.ended_by)
        elif role == STOP:
            self._end(STOP)
        elif memory.ended_by:
            memory.exit_due = True  # it was on its way when the grid ended
        elif memory.held is None:  # of a start that was given up: no line knows of it
            self._end(START)
            memory.exit_due = True
        elif role == START:
            left = memory.start_left - lots
            memory.start_left = left if left * memory.start_left > 0 else 0
            self._judge_stops(memory.point)
        elif role != ODD:
            self._line_filled(role, lots)

    def _line_filled(self, role: str, lots: int) -> None:
        memory, line = self.memory, line_of(role, self.memory.edits)
        assert self.ladder is not None and memory.held is not None
        if line is None:  # an order of before the last edit, or none of the grid's
            self._settle()
            return
        try:
            memory.held, crossed = fill_line(self.ladder, memory.held, line, lots)
        except UnitError:
            if not memory.settled:
                raise
            self._settle()  # the line was wanted before the position said where the grid stands
            return
        for one in crossed:
            memory.crossed(one, self.ladder, self.spec.instrument.unit)

    def refused(self, role: str, reason: str) -> None:
        """Not taken, or gone. A line, and the start, are asked for again at the next close; Unfit where that cannot mend it."""
        memory = self.memory
        if role == STOP:
            memory.exit_due = memory.exit_due or bool(memory.ended_by)
        elif role == ODD:
            if reason in FINAL and self.ladder is not None and memory.held is not None:
                memory.stuck = memory.lots - held_lots(self.ladder, memory.held)
        elif not memory.ended_by:
            line = line_of(role, memory.edits)
            if role == START:
                self._not_begun()
            elif line is not None:
                memory.aside.add(line)
            if reason in FINAL:
                raise Unfit(f"the exchange refused {role or 'an order'} of the grid: {reason}")

    # ---- what rests

    def resting(self) -> dict[str, Wanted]:
        """The stop first, then the lines, nearest first."""
        return {one.role: one for one in [*self._stop(), *self._lines()]}

    def _stop(self) -> list[Wanted]:
        lots = self.memory.lots
        trigger = self.stop_lower if lots > 0 else self.stop_upper
        return [Wanted(STOP, -1 if lots > 0 else 1, abs(lots), "stop", trigger=trigger, reduce_only=True)] if lots and trigger else []

    def _lines(self) -> list[Wanted]:
        """None beyond a stop: there the grid has ended."""
        memory = self.memory
        if self.ladder is None or memory.held is None or memory.ended_by:
            return []
        return [Wanted(role_of(one.line, memory.edits), 1 if one.side == "buy" else -1, one.lots, "limit", price=one.price)
                for one in open_orders(self.ladder, memory.held)
                if one.line not in memory.aside and one.price > self.stop_lower and not 0 < self.stop_upper <= one.price]

    def role_of(self, line: int) -> str:
        """The role of a line's order now."""
        return role_of(line, self.memory.edits)

    # ---- recovery and edits

    def recover(self, lots: int) -> None:
        """The exchange holds this many signed lots: the state that belongs to it. UnitError, with numbers, where there is none."""
        memory = self.memory
        if memory.held is None or self.ladder is None or memory.ended_by:
            if lots and not memory.ended_by:
                raise UnitError(f"a position of {lots} lots is there before the grid has started")
            memory.exit_due = bool(lots)
        else:
            memory.held = recovered(self.ladder, memory.held, lots + memory.start_left)
        if lots != memory.lots:
            memory.corrected(lots)

    def edited(self, plan: GridPlan) -> GridMind:
        """This grid with another range, other cells or stops (bots/grid_edit.py), as a mind of its own. UnitError for what it cannot be."""
        from haechi.bots.grid_edit import edited

        return edited(self, plan)

    # ---- names of intents

    def wish_key(self, wanted: Wanted) -> str:
        """A start is sent once and never again, one that is begun anew has another price's moment; a line or an exit is sent until it is
        done, each time under another name."""
        if wanted.role == START:
            return f"{START}@{self.memory.begun_ms}"
        self.memory.number += 1
        return f"{wanted.role}#{self.memory.number}"

    # ---- to and from text

    def snapshot(self) -> str:
        return msgspec.json.encode(self.memory).decode()

    @classmethod
    def restored(cls, spec: GridSpec, snapshot: str) -> GridMind:
        """The same mind again. A plan that was changed since is an edit of the one in the snapshot."""
        memory = msgspec.json.decode(snapshot, type=GridMemory)
        made = cls(msgspec.structs.replace(spec, grid=memory.plan))
        made.memory = memory
        made.read_plan()
        if memory.held is not None:
            made.ladder = made.laid()
        return made if memory.plan == spec.grid else made.edited(spec.grid)

    def shown(self) -> Mapping[str, Any]:
        one, memory = self.spec.instrument, self.memory
        return {"position": str(one.quantity(memory.lots)), "equity": text(self.equity), "wallet": text(memory.wallet),
                "trades": memory.fills, "bars": memory.bars, "price": str(self.market)}
