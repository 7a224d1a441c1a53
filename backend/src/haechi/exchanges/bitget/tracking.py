"""The orders that went out under our client ids, and what is known of each. In memory only: what was sent is in the desk's own tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from haechi.exchanges.port import NewOrder

ENDED_KEPT = 20_000  # a late fill must still find its order


@dataclass
class Tracked:
    """plan: '' or the plan type it rests as; child_id: the order that plan became. sent_ms: their clock when it went out (the last try).

    told: how much of it was delivered as fills. unknown: no evidence yet whether it exists. dropped: we cancelled it and that was
    accepted, so its end is no news. lost: it never arrived, by the exchange's word. missing: an alarm said that it is on no list.
    """

    order: NewOrder
    plan: str
    sent_ms: int
    exchange_id: str = ""
    child_id: str = ""
    told: Decimal = Decimal(0)
    unknown: bool = False
    dropped: bool = False
    ended: bool = False
    lost: bool = False
    missing: bool = False

    @property
    def id(self) -> str:
        return self.order.client_id


@dataclass
class Book:
    """By client id, and by every exchange id an order is known under."""

    orders: dict[str, Tracked] = field(default_factory=dict)
    by_exchange: dict[str, str] = field(default_factory=dict)

    def add(self, one: Tracked) -> Tracked:
        """Under its client id; one that is there already is kept."""
        kept = self.orders.setdefault(one.id, one)
        if one.exchange_id:
            self.link(kept, one.exchange_id)
        if len(self.orders) > ENDED_KEPT + 1_000:
            self._forget()
        return kept

    def link(self, one: Tracked, exchange_id: str) -> None:
        """Also known as exchange_id. Its first one is its own, a second one that of the order its plan became."""
        if not exchange_id or self.by_exchange.get(exchange_id) == one.id:
            return
        self.by_exchange[exchange_id] = one.id
        if not one.exchange_id:
            one.exchange_id = exchange_id
        elif exchange_id != one.exchange_id:
            one.child_id = exchange_id

    def find(self, client_id: str = "", exchange_id: str = "") -> Tracked | None:
        return self.orders.get(client_id) or self.orders.get(self.by_exchange.get(exchange_id, ""))

    def owner(self, client_id: str, order_id: str) -> Tracked | None:
        """Under our id, the exchange's, or (the order a plan became) with the plan's id as its client id."""
        return self.find(client_id, order_id) or self.find(exchange_id=client_id)

    def open(self) -> list[Tracked]:
        """What may still fill, what is unknown included; oldest first."""
        return [one for one in self.orders.values() if not one.ended]

    def unknown(self) -> list[Tracked]:
        return [one for one in self.orders.values() if one.unknown and not one.ended]

    def _forget(self) -> None:
        for one in [one for one in self.orders.values() if one.ended][:1_000]:
            del self.orders[one.id]
            for exchange_id in (one.exchange_id, one.child_id):
                self.by_exchange.pop(exchange_id, None)
