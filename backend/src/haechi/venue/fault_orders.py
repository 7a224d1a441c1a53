"""Fills that come at a bad moment, and triggers that fail: what faults do to a member's orders."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from haechi.venue.fault_answers import content
from haechi.venue.fault_draws import Call, Fault
from haechi.venue.records import PLAN_EXECUTED, OrderRecord, PlanRecord, PublicTrade
from haechi.venue.refusal import Refusal

if TYPE_CHECKING:
    from haechi.venue.exchange import TickBar
    from haechi.venue.faults import Faults
    from haechi.venue.member import Member


def fill(member: Member, record: OrderRecord, lots: int) -> None:
    """Fill lots of an open limit order at its price, wherever the market stands."""
    order, account, m = member.resting[record.order_id], member.account, record.m
    if any(one is order for one in account.queued[m]):  # it waits for the next bar: let it rest now
        account.queued[m][:] = [one for one in account.queued[m] if one is not order]
        account.orders[m].append(order)
    member.floor.playing = m
    account.fill_part(m, order, lots)


def fill_in_pieces(member: Member, record: OrderRecord, pieces: int, dust: int, rng: random.Random) -> None:
    """All but `dust` lots, cut by chance."""
    lots = record.left - dust
    cuts = sorted(rng.sample(range(1, lots), min(pieces, lots) - 1))
    for start, end in zip([0, *cuts], [*cuts, lots], strict=True):
        if record.open:
            fill(member, record, end - start)


def has_room(record: OrderRecord | None, dust: int) -> bool:
    return record is not None and record.open and record.price > 0 and record.left > dust


def partial_fill_named(faults: Faults, fault: Fault) -> None:
    """Of the order that was named."""
    member, named = faults.member(fault.wanted.member), fault["order"]
    record = member.find(order_id=named) or member.find(client_oid=named)
    if record is None or not has_room(record, fault["dust_lots"]):
        raise Refusal("40768")
    fill_in_pieces(member, record, fault["pieces"], fault["dust_lots"], fault.rng)


def partial_fill(faults: Faults, fault: Fault, call: Call, response: web.StreamResponse) -> None:
    """Of the orders this answer tells of."""
    for record in made_by(faults, call, response):
        if has_room(record, fault["dust_lots"]):
            fill_in_pieces(faults.floor.members[call.member], record, fault["pieces"], fault["dust_lots"], fault.rng)


def made_by(faults: Faults, call: Call, response: web.StreamResponse) -> list[OrderRecord]:
    """The orders a successful place-order or batch-place-order answer names."""
    member = faults.floor.members.get(call.member)
    try:
        data = orjson.loads(content(response)).get("data")
    except (orjson.JSONDecodeError, AttributeError):  # another fault's half answer or html page
        return []
    if member is None or not isinstance(data, dict):
        return []
    rows = data.get("successList") or [data]
    found = [member.orders.get(str(row.get("orderId"))) for row in rows if isinstance(row, dict)]
    return [record for record in found if record is not None]


class TriggerEar:
    """Sink (floor.py) that hears a plan being triggered, just before the account asks whether it must fail."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def market(self, m: int) -> None:
        """Not its matter."""

    def traded(self, trade: PublicTrade) -> None:
        """Not its matter."""

    def barred(self, m: int, bar: TickBar) -> None:
        """Not its matter."""

    def member(self, member: Member, what: str, record: object) -> None:
        if what != "plan" or not isinstance(record, PlanRecord) or record.status != PLAN_EXECUTED or record.execute:
            return
        if any(True for _ in self.faults.due_trigger(member.name)):
            member.fail_plans += 1
