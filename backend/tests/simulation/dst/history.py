"""What happened, written down by those who did it: the exchange's side and the requests that reached it. The checker reads only this,
the members' records and the database."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import msgspec

from haechi.venue.member import Member
from haechi.venue.records import FillRecord, OrderRecord, PlanRecord


class Request(msgspec.Struct):
    """An order that the house sent. opens: it would make the position larger, by the venue's own records when it came in.

    blind_ms, killed_ms: for how long each had been so when it was sent (−1: it was not so). stale_ms: how old the newest thing was that
    the house had heard or read of that market. reads: what this run of it had read of the account before. doubts: orders of unknown
    outcome in the table.
    """

    ms: int
    member: str
    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    price: Decimal | None
    trigger: Decimal | None
    reduce_only: bool
    opens: bool = False
    accepted: bool = False
    blind_ms: int = -1
    killed_ms: int = -1
    stale_ms: int = -1
    doubts: int = 0
    reads: frozenset[str] = frozenset()


class Line(msgspec.Struct, frozen=True):
    """One thing at the venue."""

    ms: int
    member: str
    what: str
    facts: tuple[str, ...]


class History:
    """Of one run. `lines` is the trace; `starts`, `stops`: when the house came up and fell (ms)."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lines: list[Line] = []
        self.starts: list[int] = []
        self.stops: list[int] = []
        self.stirs: Callable[[str], None] = lambda member: None
        self.hits: Counter[str] = Counter()
        self.cancels: list[tuple[str, str]] = []  # member, client id: what the house wished away

    def venue(self, ms: int, member: Member, what: str, record: object) -> None:
        match record:
            case FillRecord():
                facts = (name_of(member, record.order_id), str(record.m), str(record.side), str(record.lots), str(record.price), str(record.fee),
                         str(record.profit))
            case OrderRecord():
                facts = (name_of(member, record.order_id), str(record.m), str(record.side), str(record.lots), str(record.price), record.kind,
                         record.status, str(record.filled), record.reason)
            case PlanRecord():
                facts = (record.client_oid, str(record.m), str(record.side), str(record.lots), str(record.trigger), record.plan_type,
                         record.status, record.reason)
            case _:
                return
        self.stirs(member.name)
        self.lines.append(Line(ms, member.name, what, facts))

    def text(self, member: str = "") -> str:
        return "\n".join(f"{one.ms} {one.member} {one.what} {' '.join(one.facts)}" for one in self.lines if member in ("", one.member))

    def digest(self, *more: str) -> str:
        return hashlib.sha256("\n".join([self.text(), *more]).encode()).hexdigest()

    def deeds(self, member: str) -> list[tuple[str, ...]]:
        """What one member did and met, without moments and numbers that others' doings shift: for comparing two runs."""
        return [(one.what, *one.facts[1:]) for one in self.lines if one.member == member]


def name_of(member: Member, order_id: str) -> str:
    """The client id an order, or the plan it came from, went out under."""
    order = member.orders.get(order_id)
    if order is None:
        return order_id
    plan = member.plans.get(order.client_oid)
    return plan.client_oid if plan is not None else order.client_oid
