"""Looks after what a person does by hand on one account: the stops and targets of brackets, which rest at the exchange.

What fills is protected at once; one of stop and target cancels the other; what is closed in another way needs no protection. All of
it is in the table `brackets`, so that a restart goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import insert, select, update

from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Event, Fill
from haechi.platform.db import Session
from haechi.trading.brackets import ENTRY, VALUES, Guard, entry_number, is_exit
from haechi.trading.models import Booking, Bracket, Order
from haechi.trading.owner import MANUAL_OWNER, Owner
from haechi.trading.scribe import Unwritten, Work, nothing

if TYPE_CHECKING:
    from haechi.trading.desk import Desk

ZERO = Decimal(0)

log = structlog.get_logger(__name__)


class ManualFace:
    """Face (trading/desk.py) of the owner '', for all symbols of a desk. `guards`: brackets that are not over, by their entry's id."""

    symbol = ""
    watches_price = False
    protected = True

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.owner: Owner = desk.owner(MANUAL_OWNER)
        self.guards: dict[str, Guard] = {}
        self._again = False
        self._busy: asyncio.Task[object] | None = None
        self._lock = asyncio.Lock()
        self._loading = False

    @property
    def allocated(self) -> Decimal:
        return self.desk.equity

    def guarded(self, symbol: str) -> Decimal:
        """How much of a symbol must have a stop, signed."""
        mine = [one for one in self.guards.values() if one.symbol == symbol and one.wants_stop]
        return sum((one.left if one.side == "buy" else -one.left for one in mine), ZERO)

    # ---- brackets come and go

    def expect(self, guard: Guard) -> Work:
        """Before its entry is sent. The work writes it together with the entry's intent; with no intent it writes nothing."""
        self.guards[guard.id] = guard
        self.desk.attach(self)
        row = {"id": guard.id, "user_id": self.owner.user_id, "account_id": self.owner.account_id, "symbol": guard.symbol,
               "side": guard.side, "leverage": guard.leverage, "stop": guard.stop, "target": guard.target,
               "stop_percent": guard.stop_percent, "target_percent": guard.target_percent, "released": ZERO,
               "created_ms": guard.created_ms, "ended_ms": None}

        async def work(session: Session) -> None:
            found = await session.execute(select(Order.id).where(Order.user_id == row["user_id"], Order.id == row["id"]))
            if found.first() is not None:
                await session.execute(insert(Bracket), [row])

        return work

    async def drop(self, role: str) -> bool:
        """Give up a stop or target, because its owner says so. False: there is none such."""
        guard = self.guards.get(f"{self.owner.prefix}-{entry_number(role)}")
        if guard is None:
            return False
        guard.drop(role)
        self.desk.later(self._saving(dropped=True))
        await self._act()
        return True

    # ---- what the desk tells

    def take(self, event: Event, role: str = "") -> Awaitable[None]:
        if isinstance(event, Fill):
            self._count(event, role)
        return self._taken(event, role)

    async def _taken(self, event: Event, role: str) -> None:
        if isinstance(event, Fill) and role == ENTRY and event.client_id not in self.guards:
            await self._recall(event)
        if self.guards:
            await self._act()

    async def poke(self) -> None:
        await self._act()

    def _count(self, fill: Fill, role: str) -> None:
        """Nothing is awaited here: what is held and what is counted change together."""
        entry = fill.client_id if role == ENTRY else f"{self.owner.prefix}-{entry_number(role)}"
        guard, one = self.guards.get(entry), self.desk.orders.find(fill.client_id)
        if guard is None or one is None:
            return
        guard.count(one.id, one.filled)
        if one.id == guard.id and not guard.entry:
            guard.entry = fill.price

    async def _recall(self, fill: Fill) -> None:
        """An entry that fills after its end was told."""
        async def read(session: Session) -> Bracket | None:
            return (await session.execute(select(Bracket).where(Bracket.user_id == self.owner.user_id,
                                                                Bracket.id == fill.client_id))).scalar_one_or_none()

        async def alive_again(session: Session) -> None:
            await session.execute(update(Bracket).where(Bracket.user_id == self.owner.user_id, Bracket.id == fill.client_id)
                                  .values(ended_ms=None))

        try:
            row = await self.desk.scribe.write(read)
        except Unwritten:
            self.desk.alarm("", "naked", key=fill.client_id, symbol=fill.symbol, quantity=str(fill.quantity))
            return
        if row is not None:
            self.expect(Guard.of(row))
            self._count(fill, ENTRY)
            self.desk.later(alive_again)

    # ---- and what follows from it

    async def _act(self) -> None:
        """Until nothing is left to do; one at a time. What happens because of it is acted on by the same round."""
        self._again = True
        if self._loading or self._busy is asyncio.current_task():
            return
        async with self._lock:
            self._busy = asyncio.current_task()
            try:
                while self._again:
                    self._again = False
                    await self._converge()
            finally:
                self._busy = None

    async def _converge(self) -> None:
        self._release()
        await self._price()
        tickets = {role: ticket for guard in self.guards.values() for role, ticket in guard.tickets().items()}
        self.desk.rests.settle_roles(self.owner, tickets)
        if tickets or any(map(is_exit, self.desk.orders.of(MANUAL_OWNER))):
            await self.desk.rests.converge(self.owner, tickets, also=self._saving, among=is_exit)
        self._end()

    def _release(self) -> None:
        """What was closed in another way needs no exit any more, the oldest first."""
        for symbol, side in {(guard.symbol, guard.side) for guard in self.guards.values()}:
            held = self.desk.holdings.quantity(MANUAL_OWNER, symbol) * (1 if side == "buy" else -1)
            mine = [guard for guard in self.guards.values() if (guard.symbol, guard.side) == (symbol, side)]
            excess = sum((guard.left for guard in mine), ZERO) - max(held, ZERO)
            for guard in sorted(mine, key=lambda one: one.id):
                taken = min(guard.left, max(excess, ZERO))
                guard.released += taken
                excess -= taken

    async def _price(self) -> None:
        """Percents become prices. While the market's ticks cannot be asked for, the watcher rings and asks again."""
        for guard in self.guards.values():
            if not guard.unpriced or not guard.entry:
                continue
            try:
                one = self.desk.instruments.get(guard.symbol) or await self.desk.exchange.instrument(guard.symbol)
            except (Unreachable, Refused) as error:
                log.warning("bracket_without_price", order=guard.id, why=error.message)
                continue
            if one is not None:
                self.desk.instruments[guard.symbol] = one
                guard.price(one)
                self.desk.later(self._saving())

    def _end(self) -> None:
        """Nothing open, nothing to come, nothing rests: over."""
        working = self.desk.orders.working
        roles = {one.role for one in self.desk.orders.of(MANUAL_OWNER)}
        over = [guard for guard in self.guards.values() if guard.id not in working and (guard.bare or not guard.left)
                and not roles.intersection(guard.roles)]
        if not over:
            return
        self.desk.later(self._saving())
        for guard in over:
            del self.guards[guard.id]
        self.desk.later(self._ended([guard.id for guard in over]))
        if not self.guards:
            self.desk.detach(self)

    def forget(self, guard: Guard) -> None:
        """Its entry was refused before anything could fill."""
        if self.guards.pop(guard.id, None) is not None:
            self.desk.later(self._ended([guard.id]))
        if not self.guards:
            self.desk.detach(self)

    def _ended(self, ids: list[str]) -> Work:
        now, user_id = self.desk.clock.now_ms(), self.owner.user_id

        async def work(session: Session) -> None:
            await session.execute(update(Bracket).where(Bracket.user_id == user_id, Bracket.id.in_(ids)).values(ended_ms=now))

        return work

    def _saving(self, *, dropped: bool = False) -> Work:
        names = (*VALUES, "stop_percent", "target_percent") if dropped else VALUES
        rows = [(guard.id, {name: getattr(guard, name) for name in names}) for guard in self.guards.values()]
        user_id = self.owner.user_id

        async def work(session: Session) -> None:
            for guard_id, values in rows:
                await session.execute(update(Bracket).where(Bracket.user_id == user_id, Bracket.id == guard_id).values(**values))

        return work

    # ---- a restart

    async def restore(self, session: Session) -> None:
        """Before the desk is opened. What comes meanwhile is counted; nothing is done before `resume`."""
        query = select(Bracket).where(Bracket.user_id == self.owner.user_id, Bracket.account_id == self.owner.account_id,
                                      Bracket.ended_ms.is_(None))
        self.guards = {row.id: Guard.of(row) for row in (await session.execute(query)).scalars()}
        self._loading = bool(self.guards)
        if self.guards:
            self.desk.attach(self)

    async def resume(self) -> None:
        """When the desk is open: how far everything filled, by the books; then what should rest."""
        desk = self.desk
        for symbol in {guard.symbol for guard in self.guards.values()} | {one.order.symbol for one in desk.orders.of(MANUAL_OWNER)}:
            desk.follow(symbol)
        if not self._loading:
            return
        await desk.scribe.write(nothing)
        async with desk.scribe.database.reading() as session:
            for guard in self.guards.values():
                await self._fills(session, guard)
        self._loading = False
        await self._act()

    async def _fills(self, session: Session, guard: Guard) -> None:
        query = select(Order.id, Order.filled).where(Order.user_id == self.owner.user_id, Order.account_id == self.owner.account_id,
                                                     (Order.id == guard.id) | Order.role.in_(guard.roles))
        for order_id, filled in (await session.execute(query)).all():
            guard.count(order_id, filled)
        if not guard.entry:
            first = select(Booking.price).where(Booking.user_id == self.owner.user_id, Booking.order_id == guard.id)
            guard.entry = (await session.execute(first.order_by(Booking.id).limit(1))).scalar_one_or_none() or ZERO
