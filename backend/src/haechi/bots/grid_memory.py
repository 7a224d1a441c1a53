"""What a grid bot knows besides its plan, and how its money is booked: one value that goes to JSON and back unchanged.

Money in 1e-8, prices in ticks, quantities in lots. The bookkeeping is the back-test's (core/grid_state.py `book`).
"""

from __future__ import annotations

import msgspec

from haechi.core.grid_live import GridLadder
from haechi.core.grid_parts import Crossed, GridHeld
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.money import share_floor
from haechi.core.plan import Costs
from haechi.core.units import scaled

STOP, TAKE_PROFIT, LIQUIDATION = "stop", "take_profit", "liquidation"
LINE = "line"
EDIT = 10_000  # a role's number is edits × this + line: an order of before an edit is never taken for one of after it


class GridSpec(msgspec.Struct, frozen=True, tag="grid"):
    """Everything a grid bot is made of: the head of its journal."""

    grid: GridPlan
    instrument: Instrument
    costs: Costs
    timeframe_ms: int


class GridMemory(msgspec.Struct):
    """held: None before the start. sized: the price its lots were reckoned at; first: the first price heard; point: the last; close: the
    last bar's. start_left: signed lots of the start that have not filled; begun_ms: of the price that began it; put_off: it was refused,
    asked for again after the next close. aside: lines refused, asked for again at the next close.
    exit_due, exit_left: whether an exit must be sent, and lots of one that is on its way; number: of the last intent. settled: how often
    the position said where the grid stands; stuck: lots no line explains, which the exchange does not let go.
    """

    plan: GridPlan
    capital: int
    wallet: int
    held: GridHeld | None = None
    lots: int = 0
    cost: int = 0
    sized: int = 0
    first: int = 0
    point: int = 0
    close: int = 0
    start_left: int = 0
    begun_ms: int = 0
    put_off: bool = False
    aside: set[int] = msgspec.field(default_factory=set)
    ended_by: str = ""
    exit_due: bool = False
    exit_left: int = 0
    settled: int = 0
    stuck: int = 0
    edits: int = 0
    number: int = 0
    bars: int = 0
    fills: int = 0
    matched: int = 0
    pairs: int = 0
    fees: int = 0
    funding: int = 0
    corrections: int = 0

    @classmethod
    def fresh(cls, spec: GridSpec) -> GridMemory:
        capital = scaled(spec.costs.capital)
        return cls(spec.grid, capital, capital)

    def worth(self, price: int, unit: int) -> int:
        """Equity at a price."""
        return self.wallet + (self.lots * price - self.cost) * unit

    def book(self, lots: int, price: int, fee: int, unit: int) -> None:
        """A fill of signed lots, by the grid's own average price: other bots on the same net position change nothing here."""
        closing = min(abs(lots), abs(self.lots)) if self.lots * lots < 0 else 0
        if closing:
            released = self.cost if closing == abs(self.lots) else int(share_floor(self.cost, closing, abs(self.lots)))
            signed = closing if lots > 0 else -closing
            self.wallet += (-signed * price - released) * unit
            self.cost -= released
            self.lots += signed
            lots -= signed
        self.lots += lots
        self.cost += lots * price
        self.wallet -= fee
        self.fees += fee
        self.fills += 1

    def paid(self, amount: int) -> None:
        self.wallet -= amount
        self.funding += amount

    def liquidated(self, lots: int, loss: int) -> None:
        """So many lots were closed, 0 or more than are held: all. loss: what the wallet lost by it."""
        self.wallet -= loss
        held = abs(self.lots)
        if not 0 < lots < held:
            self.lots = self.cost = 0
            return
        self.cost -= int(share_floor(self.cost, lots, held))
        self.lots -= lots if self.lots > 0 else -lots

    def crossed(self, one: Crossed, ladder: GridLadder, unit: int) -> None:
        """A whole line that makes the position smaller has earned its cell."""
        if one.reduces:
            self.matched += ladder.lots * abs(ladder.lines[one.line] - ladder.lines[one.before]) * unit
            self.pairs += 1

    def corrected(self, lots: int) -> None:
        """The exchange holds otherwise, and no fill says how: what differs is taken at the last price, without fee. Counted."""
        average = self.cost // self.lots if self.lots else self.point
        self.cost += (lots - self.lots) * (self.point or average)
        self.lots = lots
        self.corrections += 1


def role_of(line: int, edits: int) -> str:
    return f"{LINE}{edits * EDIT + line}"


def line_of(role: str, edits: int) -> int | None:
    """The line of a role; None for an order of before the last edit and for what is no line."""
    number = role.removeprefix(LINE)
    if not role.startswith(LINE) or not number.isdecimal():
        return None
    made, line = divmod(int(number), EDIT)
    return line if made == edits else None
