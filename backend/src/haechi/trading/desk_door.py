"""The door to the exchange: the only place where an order leaves. Judged, saved as SENT, committed, then sent, each once.

Without a database only what makes a position smaller may leave, after it was kept in the reserve. Rules about whether an order may
exist are in core/risk.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

import msgspec
import structlog
from sqlalchemy import Table, Update, bindparam, false, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from haechi.core.risk import Refused
from haechi.exchanges.errors import Refused as ExchangeRefused
from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import Accepted, Outcome, Rejected, Still, Unknown
from haechi.platform.db import Session
from haechi.platform.points import reached
from haechi.trading.gate import Approved
from haechi.trading.lease import LeaseLost
from haechi.trading.models import BOT, CANCELED, MANUAL, NEXT, OPEN, REJECTED, SENT, UNKNOWN, Order
from haechi.trading.owner import Owner
from haechi.trading.reserve import Full
from haechi.trading.scribe import Unwritten, Work
from haechi.trading.working import Ticket, Working

if TYPE_CHECKING:
    from haechi.trading.desk import Desk

log = structlog.get_logger(__name__)


class Sent(msgspec.Struct, frozen=True):
    """It left under this id, with this outcome."""

    client_id: str
    outcome: Outcome


Answer = Sent | Refused
Passed = Sequence[tuple[Approved, Working]]
ORDERS = cast(Table, Order.__table__)
INSERT_ORDERS = insert(ORDERS)


class Door:
    """Of one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def send(self, owner: Owner, tickets: Sequence[Ticket], *, also: Work | None = None) -> list[Answer]:
        """Each ticket's answer, in their order. `also` is written in the same transaction, whether or not anything may leave."""
        judged = [self._judged(owner, ticket) for ticket in tickets]
        passed = [(approved, one) for approved, one in judged if one is not None and isinstance(approved, Approved)]
        try:
            refused = await self._written(owner, passed, also)
            return [await self._answered(owner, verdict, one, refused) for verdict, one in judged]
        except BaseException:  # who waited for it was cancelled, or a fault of ours
            self._broken_off(owner, [one for _, one in passed])
            raise
        finally:
            for _, one in passed:
                self.desk.intents.pop(one.id, None)

    async def _answered(self, owner: Owner, verdict: Approved | Refused, one: Working | None, refused: dict[str, Refused]) -> Answer:
        if one is None or isinstance(verdict, Refused):
            return cast(Refused, verdict)
        if one.id in refused:
            self.desk.orders.working.pop(one.id, None)
            return refused[one.id]
        return self._too_late(owner, one) or Sent(one.id, await self._place(verdict, one, partial(self._may_leave, owner, one)))

    def _broken_off(self, owner: Owner, ones: Sequence[Working]) -> None:
        """What has not left does not exist; of what was leaving nobody knows, so it is looked for. Neither may stand as on its way."""
        desk = self.desk
        for one in [one for one in ones if one.status == SENT and one.id in desk.orders.working]:
            if not one.sent_ms:
                del desk.orders.working[one.id]
                desk.later(forgotten(one.id, owner.user_id))
                continue
            one.status = UNKNOWN
            desk.later(moved(owner.user_id, one.id, UNKNOWN, desk.clock.now_ms(), reason="broken_off"))
            desk.check.soon()

    def _barred(self, owner: Owner, one: Working) -> str:
        """What came up after the judgement: `doubt` when nobody knows what became of an order before it, a kill switch's scope, `lease`
        when another process may trade, '' nothing. What reduces risk still leaves, also with a lease that could not be renewed for want
        of a database, until another process is known to have it."""
        desk = self.desk
        if not one.order.reduce_only and any(other.status == UNKNOWN for other in desk.orders.working.values()):
            return "doubt"
        scope = "" if one.order.reduce_only else desk.gate.killed(owner.user_id, owner.bot_id)
        if scope or desk.office.leads() or (one.order.reduce_only and desk.office.unbeaten()):
            return scope
        return "lease"

    def _may_leave(self, owner: Owner, one: Working) -> bool:
        return one.id in self.desk.orders.working and not self._barred(owner, one)

    def _too_late(self, owner: Owner, one: Working) -> Refused | None:
        """What came up while the intent was being committed."""
        desk, why = self.desk, self._barred(owner, one)
        if not why:
            return None
        desk.orders.end(one, REJECTED)
        desk.later(moved(desk.user_id, one.id, REJECTED, desk.clock.now_ms(), reason="not_sent"))
        if why == "doubt":
            return Refused("doubt", one.order.symbol, "nothing while an order is of unknown outcome")
        return Refused("lease", one.order.symbol, "another process trades now") if why == "lease" else Refused(
            "killed", one.order.symbol, f"nothing while the kill switch of the {why} is on")

    def _judged(self, owner: Owner, ticket: Ticket) -> tuple[Approved | Refused, Working | None]:
        desk = self.desk
        now = desk.clock.now_ms()
        verdict = desk.gate.judge(owner, desk.intent(ticket), desk.view(owner, ticket.symbol), now_ms=now)
        if isinstance(verdict, Refused):
            return verdict, None
        one = Working(ticket.order(desk.next_id(owner)), owner.bot_id, ticket.role, SENT, 0, leverage=ticket.leverage)
        desk.orders.add(one)
        desk.intents[one.id] = ticket.intent
        return verdict, one

    # ---- on paper first

    async def _written(self, owner: Owner, passed: Passed, also: Work | None, *, again: bool = False) -> dict[str, Refused]:
        """Commit the intents. What may not be sent after all, by client id. again: one of them was refused as a repetition before."""
        refused = self._hopeless(passed)
        passed = [(approved, one) for approved, one in passed if one.id not in refused]
        if passed or also is not None:
            refused |= await self._tried(owner, passed, also, again=again)
        return refused

    def _hopeless(self, passed: Passed) -> dict[str, Refused]:
        """New risk while the database is known to be away: not tried, so that nothing has to be taken back either."""
        if not self.desk.scribe.stuck:
            return {}
        return {one.id: Refused("journal", one.role, "the database does not answer") for _, one in passed if not one.order.reduce_only}

    async def _tried(self, owner: Owner, passed: Passed, also: Work | None, *, again: bool) -> dict[str, Refused]:
        try:
            await self._commit(owner, passed, also)
        except IntegrityError as clash:
            if not again:
                return await self._without_repeats(owner, passed, also)
            log.exception("intent_unwritten", account_id=owner.account_id)
            return self._reserved(owner, passed, type(clash).__name__)
        except Unwritten as why:
            return self._reserved(owner, passed, str(why))
        except LeaseLost as why:
            return {one.id: Refused("lease", str(why), "one process") for _, one in passed}
        except Exception as fault:  # of the database or ours: whatever it is, it must not keep anybody in the market
            log.exception("intent_unwritten", account_id=owner.account_id)
            return self._reserved(owner, passed, type(fault).__name__)
        return {}

    async def _commit(self, owner: Owner, passed: Passed, also: Work | None) -> None:
        rows = [self._row(owner, approved, one) for approved, one in passed]

        async def work(session: Session) -> None:
            if rows:
                await session.execute(INSERT_ORDERS, rows)
            if also is not None:
                await also(session)
            reached("in_intent")

        reached("before_intent")
        await self.desk.scribe.write(work)
        reached("after_intent")

    async def _without_repeats(self, owner: Owner, passed: Passed, also: Work | None) -> dict[str, Refused]:
        """One of these wishes became an order before: what adds risk is sent at most once. What reduces risk gets another name, for it may
        be the name that the table has already."""
        refused = {one.id: Refused("sent_before", one.role, "once") for _, one in passed if not one.order.reduce_only}
        rest = [(approved, one) for approved, one in passed if one.id not in refused]
        for _, one in rest:
            self._renamed(owner, one)
        return refused | await self._written(owner, rest, also, again=True)

    def _renamed(self, owner: Owner, one: Working) -> None:
        desk = self.desk
        del desk.orders.working[one.id]
        desk.intents.pop(one.id, None)
        one.order = msgspec.structs.replace(one.order, client_id=desk.next_id(owner))
        desk.orders.add(one)

    def _reserved(self, owner: Owner, passed: Passed, why: str) -> dict[str, Refused]:
        """No durable intent, no new risk. Exits go on: kept in the reserve, and in the table as soon as there is one."""
        refused = {}
        for approved, one in passed:
            row = self._row(owner, approved, one)
            if not one.order.reduce_only:
                refused[one.id] = Refused("journal", one.role, why)
                self.desk.later(forgotten(one.id, owner.user_id))
                continue
            try:
                self.desk.reserve.keep(plain(row))
                reached("reserve_kept")
            except Full as full:
                log.error("reserve_full", client_id=one.id, why=str(full))  # an exit that is not kept is still better than none
            self.desk.alarm(owner.bot_id, "without_database", key="", why=why)
            self.desk.later(kept_later(row))
        return refused

    def _row(self, owner: Owner, approved: Approved, one: Working) -> dict[str, Any]:
        order, now = one.order, self.desk.clock.now_ms()
        return {"id": one.id, "user_id": owner.user_id, "account_id": owner.account_id, "bot_id": owner.bot_id, "symbol": order.symbol,
                "role": one.role, "side": order.side, "kind": order.kind, "quantity": order.quantity, "price": order.price,
                "trigger": order.trigger, "reduce_only": order.reduce_only, "status": SENT, "reason": "", "exchange_id": "",
                "intent": self.desk.intents.get(one.id), "origin": BOT if owner.bot_id else MANUAL, "filled": one.filled,
                "leverage": one.leverage, "decision": approved.decision, "sent_ms": now, "created_ms": now, "updated_ms": now}

    # ---- then out

    async def _place(self, approved: Approved, one: Working, still: Still) -> Outcome:
        """Only what the gate approved and the journal has gets here. still: asked once more when it has waited for its turn."""
        one.sent_ms = self.desk.clock.now_ms()
        reached("before_place")
        if one.order.trigger is not None:
            reached("before_stop")
        try:
            outcome = await self.desk.exchange.place(one.order, still=still)
        except (Unreachable, ExchangeRefused, OSError, TimeoutError) as error:
            outcome = Unknown(type(error).__name__)
        except Exception as fault:  # an adapter's fault says nothing about the order
            log.exception("place_failed", client_id=one.id)
            outcome = Unknown(type(fault).__name__)
        reached("after_place")
        if one.order.trigger is not None:
            reached("after_stop")
        self._settle(one, outcome)
        reached("after_outcome")
        return outcome

    def _settle(self, one: Working, outcome: Outcome) -> None:
        """A stream may have told more meanwhile: what it told stays."""
        desk = self.desk
        if one.id not in desk.orders.working or one.filled > 0 or one.status == OPEN:
            return
        match outcome:
            case Accepted():
                one.status, one.exchange_id = OPEN, outcome.exchange_id
                desk.later(moved(desk.user_id, one.id, OPEN, desk.clock.now_ms(), exchange_id=outcome.exchange_id))
            case Rejected():
                desk.orders.end(one, REJECTED)
                desk.later(moved(desk.user_id, one.id, REJECTED, desk.clock.now_ms(), reason=outcome.reason[:32]))
            case Unknown():
                one.status = UNKNOWN
                desk.later(moved(desk.user_id, one.id, UNKNOWN, desk.clock.now_ms(), reason=outcome.why[:32]))
                desk.check.soon()

    async def cancel(self, one: Working) -> Outcome:
        """Take it away. What filled meanwhile comes as fills; silence leaves it as it is, and it is looked for. Once another process may
        trade, the orders are that one's."""
        if not (self.desk.office.leads() or self.desk.office.unbeaten()):
            return Rejected("lease")
        one.canceling, one.asked_ms = True, self.desk.clock.now_ms()
        reached("before_cancel")
        try:
            outcome = await self.desk.exchange.cancel(one.id)
        except (Unreachable, ExchangeRefused, OSError, TimeoutError) as error:
            outcome = Unknown(type(error).__name__)
        except Exception as fault:  # as in _place; the other orders of the account must not wait behind it
            log.exception("cancel_failed", client_id=one.id)
            outcome = Unknown(type(fault).__name__)
        reached("after_cancel")
        if isinstance(outcome, Accepted) and one.id in self.desk.orders.working:
            self.desk.orders.end(one, CANCELED)
            self.desk.later(moved(self.desk.user_id, one.id, CANCELED, self.desk.clock.now_ms()))
        elif not isinstance(outcome, Accepted):
            self.desk.check.soon()
        return outcome


@cache
def moving(status: str, *names: str) -> Update:
    """The statement that moves an order on to `status`, with these columns besides. Built once: building costs more than running, and a
    list of IN is built anew each time."""
    one = ORDERS.c
    before = or_(false(), *(one.status == state for state, after in NEXT.items() if status in after))
    known = one.user_id == bindparam("of_user"), one.id == bindparam("of_id"), before
    return update(ORDERS).where(*known).values({name: bindparam(f"new_{name}") for name in ("status", "updated_ms", *names)})


def moved(user_id: str, client_id: str, status: str, now_ms: int, **values: Any) -> Work:
    """Along NEXT only: an order that ended stays ended, whatever arrives late."""
    new = {f"new_{name}": value for name, value in {"status": status, "updated_ms": now_ms, **values}.items()}

    async def work(session: Session) -> None:
        await session.execute(moving(status, *sorted(values)), {"of_user": user_id, "of_id": client_id, **new})
        reached("in_outcome")

    return work


def forgotten(client_id: str, user_id: str) -> Work:
    """Nobody knows whether the intent was written; its order was certainly not sent."""
    async def work(session: Session) -> None:
        await session.execute(update(Order).where(Order.user_id == user_id, Order.id == client_id, Order.status == SENT)
                              .values(status=REJECTED, reason="not_sent"))

    return work


def kept_later(row: dict[str, Any]) -> Work:
    """Into the table, unless it is there: its commit may have gone well without our knowing."""
    async def work(session: Session) -> None:
        found = (await session.execute(select(Order.id).where(Order.user_id == row["user_id"], Order.id == row["id"]))).first()
        if found is None:  # only exits come here: the name of their wish is no bar
            await session.execute(insert(Order), [{**row, "intent": None}])

    return work


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Amounts as text."""
    return {name: value if value is None or isinstance(value, (int, str, bool)) else str(value) for name, value in row.items()}
