"""Orders that may still fill, as the desk knows them: in memory, made again from the table at every start."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from haechi.exchanges.port import NewOrder
from haechi.trading.models import OPEN, UNKNOWN, Order

ENDED_KEPT = 5_000  # a late fill finds its order here; older ones are looked up in the table


class Ticket(msgspec.Struct, frozen=True):
    """An order that somebody wishes. role: what it is for; intent: text that names this wish for ever, None where the client id does.

    repairs: it takes back what was closed too much; on a netted account that is no reduce-only order for the exchange.
    """

    role: str
    symbol: str
    side: str
    quantity: Decimal
    kind: str = "market"
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    leverage: int = 1
    intent: str | None = None
    repairs: bool = False

    def order(self, client_id: str) -> NewOrder:
        return NewOrder(client_id, self.symbol, self.side, self.quantity, self.kind, self.price, self.trigger, self.reduce_only)


@dataclass
class Working:
    """status as in models; sent_ms: our clock when it left, 0 before; canceling: we asked for its end; foreign: not made by us."""

    order: NewOrder
    owner: str
    role: str
    status: str
    sent_ms: int
    filled: Decimal = Decimal(0)
    leverage: int = 1
    exchange_id: str = ""
    canceling: bool = False
    foreign: bool = False
    asked_ms: int = 0  # when it was last looked for

    @property
    def id(self) -> str:
        return self.order.client_id

    @property
    def left(self) -> Decimal:
        return self.order.quantity - self.filled

    def rests_as(self, ticket: Ticket) -> bool:
        """Whether what is left of it is the order that is wished."""
        mine = self.order
        return (mine.symbol, mine.side, mine.kind, mine.price, mine.trigger, mine.reduce_only, self.left) == (
            ticket.symbol, ticket.side, ticket.kind, ticket.price, ticket.trigger, ticket.reduce_only, ticket.quantity)


def working_of(row: Order) -> Working:
    """From the table. What was on its way is unknown until the exchange says."""
    order = NewOrder(row.id, row.symbol, row.side, row.quantity, row.kind, row.price, row.trigger, row.reduce_only)
    return Working(order, row.bot_id, row.role, OPEN if row.status == OPEN else UNKNOWN, row.sent_ms or row.created_ms, row.filled,
                   row.leverage, row.exchange_id)


class Orders:
    """All of one account. `ended` are the newest that are over."""

    def __init__(self) -> None:
        self.working: dict[str, Working] = {}
        self.ended: dict[str, Working] = {}

    def add(self, one: Working) -> None:
        self.working[one.id] = one

    def find(self, client_id: str) -> Working | None:
        return self.working.get(client_id) or self.ended.get(client_id)

    def end(self, one: Working, status: str) -> None:
        one.status = status
        if self.working.pop(one.id, None) is not None:
            self.ended[one.id] = one
            if len(self.ended) > ENDED_KEPT:
                del self.ended[next(iter(self.ended))]

    def of(self, owner: str, symbol: str | None = None) -> list[Working]:
        return [one for one in self.working.values() if one.owner == owner and symbol in (None, one.order.symbol)]

    def adding(self) -> list[Working]:
        """What could still take on risk."""
        return [one for one in self.working.values() if not one.order.reduce_only and not one.foreign]
