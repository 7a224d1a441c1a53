"""What protects an order made by hand: how much of it is open, and which stop and target that wants. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from haechi.core.instrument import Instrument
from haechi.trading.models import Bracket
from haechi.trading.working import Ticket, Working

ENTRY, STOP, TARGET = "bracket", "stop", "target"  # roles; those of exits carry their entry's number behind a colon
ZERO, HUNDRED = Decimal(0), Decimal(100)
AGAINST = {"buy": "sell", "sell": "buy"}
VALUES = ("stop", "target", "released")  # what changes in its row


@dataclass
class Guard:
    """A Bracket at work. filled: of the entry and of every exit, by order; entry: price of the first fill, 0 before."""

    id: str
    symbol: str
    side: str
    leverage: int
    stop: Decimal | None = None
    target: Decimal | None = None
    stop_percent: Decimal | None = None
    target_percent: Decimal | None = None
    released: Decimal = ZERO
    created_ms: int = 0
    filled: dict[str, Decimal] = field(default_factory=dict)
    entry: Decimal = ZERO

    @classmethod
    def of(cls, row: Bracket) -> Guard:
        return cls(row.id, row.symbol, row.side, row.leverage, row.stop, row.target, row.stop_percent, row.target_percent, row.released,
                   row.created_ms)

    @property
    def number(self) -> str:
        return self.id.rpartition("-")[2]

    @property
    def roles(self) -> tuple[str, str]:
        return f"{STOP}:{self.number}", f"{TARGET}:{self.number}"

    @property
    def left(self) -> Decimal:
        """What filled and is not closed."""
        closed = sum((amount for order_id, amount in self.filled.items() if order_id != self.id), ZERO)
        return max(self.filled.get(self.id, ZERO) - closed - self.released, ZERO)

    @property
    def wants_stop(self) -> bool:
        return self.stop is not None or self.stop_percent is not None

    @property
    def bare(self) -> bool:
        """Both of its orders were given up."""
        return not self.wants_stop and self.target is None and self.target_percent is None

    @property
    def unpriced(self) -> bool:
        return (self.stop is None and self.stop_percent is not None) or (self.target is None and self.target_percent is not None)

    def count(self, order_id: str, filled: Decimal) -> None:
        """In all, not in addition: told twice it counts once."""
        self.filled[order_id] = max(self.filled.get(order_id, ZERO), filled)

    def drop(self, role: str) -> None:
        """The person does not want this one any more."""
        if role == self.roles[0]:
            self.stop = self.stop_percent = None
        elif role == self.roles[1]:
            self.target = self.target_percent = None

    def price(self, one: Instrument) -> None:
        """From the first fill, to the nearest tick."""
        away = 1 if self.side == "buy" else -1
        if self.stop is None and self.stop_percent is not None:
            self.stop = nearest(self.entry * (1 - away * self.stop_percent / HUNDRED), one)
        if self.target is None and self.target_percent is not None:
            self.target = nearest(self.entry * (1 + away * self.target_percent / HUNDRED), one)

    def tickets(self) -> dict[str, Ticket]:
        """By role: what should rest at the exchange now."""
        if not self.left:
            return {}
        (stop, target), side, found = self.roles, AGAINST[self.side], {}
        if self.stop is not None:
            found[stop] = Ticket(stop, self.symbol, side, self.left, "stop", None, self.stop, True, self.leverage)
        if self.target is not None:
            found[target] = Ticket(target, self.symbol, side, self.left, "limit", self.target, None, True, self.leverage)
        return found


def nearest(price: Decimal, one: Instrument) -> Decimal:
    return one.price(max(1, one.ticks_nearest(price)))


def is_exit(one: Working) -> bool:
    """An order of a bracket; others made by hand are nobody's to change."""
    return entry_number(one.role) != ""


def entry_number(role: str) -> str:
    """Of which entry an exit is; '' where it is none."""
    name, _, number = role.partition(":")
    return number if name in (STOP, TARGET) else ""
