"""What rests is made what should rest: the new order first, then the old one goes; what was refused is tried again, later each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from haechi.core.risk import PASSING, Refused
from haechi.exchanges.port import Accepted, Rejected
from haechi.trading.desk_door import Answer, Sent
from haechi.trading.models import UNKNOWN
from haechi.trading.owner import Owner
from haechi.trading.scribe import Work
from haechi.trading.working import Ticket, Working

if TYPE_CHECKING:
    from haechi.trading.desk import Desk

BACK_OFF_MS = (1_000, 2_000, 5_000, 15_000, 60_000)
STOP_BACK_OFF_MS = (1_000, 1_000, 2_000, 5_000)  # protection is tried more eagerly
DOUBT_MS = 2_000  # a stop that may or may not be there is placed again after this
STOP = "stop"
THROUGH = frozenset({"trigger", "price"})  # the market is beyond the stop already


def is_stop(role: str) -> bool:
    """That of a bracket carries its entry's number."""
    return role.partition(":")[0] == STOP


@dataclass
class Backing:
    """How often a role was refused in a row, and when it may be tried again. hidden: what reduces, and the account as a whole holds
    nothing that it could reduce, for the other side is held beside it; when that changes, it is tried at once."""

    tries: int = 0
    next_ms: int = 0
    hidden: Ticket | None = None


class Rests:
    """Of one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._backing: dict[tuple[str, str], Backing] = {}

    async def converge(self, owner: Owner, wanted: Mapping[str, Ticket], *, also: Callable[[], Work],
                       among: Callable[[Working], bool] = lambda _one: True,
                       may_add: Callable[[], bool] = lambda: True) -> list[tuple[Ticket, Answer]]:
        """Make what rests equal what should rest: the new order first, then the old one goes. Answers of what was sent.

        What protects stays until the exchange has confirmed what replaces it, and while nothing else stops what is to be taken back.

        also: makes the work that is written with what is sent. among: whose orders these are; others of the owner are left alone.
        may_add: asked after that, whether what adds risk may leave now.
        """
        desk = self.desk
        missing, wrong, kept = {role: self._fitting(ticket) for role, ticket in wanted.items()}, [], set[str]()
        for one in filter(among, desk.orders.of(owner.bot_id)):
            ticket = missing.get(one.role)
            if one.order.kind == "market" and ticket is None:
                continue
            right = ticket is not None and one.rests_as(ticket) and not one.canceling and not self._lost_sight(one)
            if right or (ticket is not None and self._may_be_there(one)):
                del missing[one.role]
                if not (right and one.status == "open"):
                    kept.add(one.role)
            else:
                wrong.append(one)
        now = desk.clock.now_ms()
        due = [ticket for ticket in missing.values() if self._due(self.backing_of(owner, ticket.role), now)]
        work = also() if due else None
        due = due if may_add() else [ticket for ticket in due if ticket.reduce_only]
        answers = list(zip(due, await desk.send(owner, due, also=work), strict=True)) if due else []
        kept |= {ticket.role for ticket in missing.values() if ticket not in due}
        for ticket, answer in answers:
            if not await self.tried(owner, ticket, answer):
                kept.add(ticket.role)
        for one in [one for one in wrong if one.role in wanted or not desk.over.stopped_by(one)]:
            if one.id in desk.orders.working and not (one.role in kept and one.order.reduce_only) and self.cancelable(one):
                await desk.door.cancel(one)
        return answers

    def _lost_sight(self, one: Working) -> bool:
        """A stop whose sending nobody answered for so long that another one is better than none."""
        return one.status == UNKNOWN and one.order.reduce_only and self.desk.clock.now_ms() - one.sent_ms >= DOUBT_MS

    def _may_be_there(self, one: Working) -> bool:
        """It is on its way, or may be: what adds risk gets no second one before the exchange has said. One that could not be taken away
        may have filled, and nobody has told it yet."""
        if one.canceling and not one.order.reduce_only:
            return True
        return (one.status != "open" and not self._lost_sight(one)) or (one.order.kind == "market" and not self._lost_sight(one))

    def cancelable(self, one: Working) -> bool:
        """Not asked a moment ago."""
        return not one.canceling or self.desk.clock.now_ms() - one.asked_ms >= DOUBT_MS

    def backing_of(self, owner: Owner, role: str) -> Backing:
        return self._backing.setdefault((owner.bot_id, role), Backing())

    async def tried(self, owner: Owner, ticket: Ticket, answer: Answer) -> bool:
        """Count it; a stop that the market has passed is closed at the market. False: the old one stays where it is."""
        desk = self.desk
        if isinstance(answer, Sent) and isinstance(answer.outcome, Accepted):
            self._backing.pop((owner.bot_id, ticket.role), None)
            return True
        backing = self.backing_of(owner, ticket.role)
        if isinstance(answer, Refused) and answer.rule in PASSING:  # too many at once, nothing is wrong with it: a large grid is laid so
            backing.tries, backing.next_ms = max(backing.tries, 1), desk.clock.now_ms() + BACK_OFF_MS[0]
            return not ticket.reduce_only
        none = isinstance(answer, Sent) and isinstance(answer.outcome, Rejected) and answer.outcome.reason == "no_position"
        backing.hidden = ticket if none and ticket.reduce_only and not self._reduces(ticket) else None
        steps = STOP_BACK_OFF_MS if is_stop(ticket.role) and backing.hidden is None else BACK_OFF_MS
        backing.next_ms = desk.clock.now_ms() + steps[min(backing.tries, len(steps) - 1)]
        backing.tries += 1
        if is_stop(ticket.role) and isinstance(answer, Sent) and isinstance(answer.outcome, Rejected):
            return await self._stop_refused(owner, ticket, answer.outcome, backing.tries)
        return not ticket.reduce_only

    async def _stop_refused(self, owner: Owner, ticket: Ticket, refused: Rejected, tries: int) -> bool:
        desk = self.desk
        if refused.reason == "no_position":
            desk.check.soon()
            return False
        desk.alarm(owner.bot_id, "stop_refused", key=f"{owner.bot_id}:{ticket.symbol}", reason=refused.reason, tries=tries)
        if refused.reason in THROUGH or tries >= len(STOP_BACK_OFF_MS):
            close = Ticket(ticket.role, ticket.symbol, ticket.side, ticket.quantity, "market", reduce_only=True, leverage=ticket.leverage)
            answer = (await desk.send(owner, [close]))[0]
            return isinstance(answer, Sent) and isinstance(answer.outcome, Accepted)
        return False

    def due_again(self, now: int) -> set[str]:
        """Of whom something waits for another try that is due."""
        return {owner for (owner, _), backing in self._backing.items() if backing.tries and self._due(backing, now)}

    def _due(self, backing: Backing, now: int) -> bool:
        return backing.next_ms <= now or (backing.hidden is not None and self._reduces(backing.hidden))

    def _reduces(self, ticket: Ticket) -> bool:
        return self.desk.reducible(ticket.symbol, ticket.side) > 0

    def _fitting(self, ticket: Ticket) -> Ticket:
        """A stop of no more than the account as a whole holds: where the person holds a part of it against the bot on a net position, a
        larger one is refused, and what is left of the position would stand without any."""
        room = self.desk.reducible(ticket.symbol, ticket.side)
        if ticket.reduce_only and ticket.trigger is not None and 0 < room < ticket.quantity:
            return msgspec.structs.replace(ticket, quantity=room)
        return ticket

    def settle_roles(self, owner: Owner, wanted: Mapping[str, Ticket]) -> None:
        """What is no longer wished needs no other try."""
        for name, role in [key for key in self._backing if key[0] == owner.bot_id and key[1] not in wanted]:
            del self._backing[name, role]
