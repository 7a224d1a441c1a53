"""What the exchange tells of orders, positions and money: booked once, taken into the holdings, handed to whom it concerns."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update

from haechi.core.holdings import FEES, REALIZED, WALLET, Piece
from haechi.exchanges.port import Event, Fill, Gone, Liquidated, Moved, Paid
from haechi.platform.db import Session
from haechi.platform.points import reached
from haechi.trading import ledger
from haechi.trading.desk_door import ORDERS, moved
from haechi.trading.models import CANCELED, EXTERNAL, FILLED, REJECTED, UNKNOWN, Order
from haechi.trading.owner import EXTERNAL_OWNER, MANUAL_OWNER
from haechi.trading.scribe import Unwritten
from haechi.trading.working import Working, working_of

if TYPE_CHECKING:
    from haechi.trading.desk import Desk

ZERO = Decimal(0)
SEEN_KEPT = 100_000
FILLED_SO_FAR = (update(ORDERS).where(ORDERS.c.user_id == bindparam("of_user"), ORDERS.c.id == bindparam("of_id"))
                 .values(filled=bindparam("so_far"), updated_ms=bindparam("now")))


class Books:
    """Of one desk. A symbol's events are booked and handed on in the order they came; each returns when it has been acted on, and the
    next does not wait for that: what an order of sixty fills has made is known before the first of them is acted on."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def hear(self, event: Fill | Gone | Paid | Liquidated | Moved) -> None:
        async with self._turns["" if isinstance(event, Moved) else event.symbol]:
            handed = await self._taken(event)
        for acted in handed:
            await acted

    async def _taken(self, event: Fill | Gone | Paid | Liquidated | Moved) -> list[Awaitable[None]]:
        """Booked, and handed to whom it concerns: what ends when each of them has acted on it."""
        match event:
            case Fill():
                return await self._filled(event)
            case Gone():
                return self._gone(event)
            case _:
                return await self._shared(event)

    async def _filled(self, fill: Fill) -> list[Awaitable[None]]:
        desk = self.desk
        if await self._booked_before(fill.trade_id, fill.time_ms, ours=self.owner_of(fill.client_id) != EXTERNAL_OWNER):
            return []
        reached("before_fill")
        one = desk.orders.find(fill.client_id) or await self._from_table(fill.client_id)
        owner = one.owner if one is not None else self.owner_of(fill.client_id)
        pieces = desk.holdings.apply(fill, owner)
        role = one.role if one is not None else ""
        if one is not None:
            one.filled += fill.quantity
            if one.left <= 0:
                desk.orders.end(one, FILLED)
            elif one.status == UNKNOWN:
                one.status = "open"
        reached("before_booking")
        self._book(fill, pieces, order_id=one.id if one else fill.client_id[:48], one=one)
        desk.over.heard(owner, fill, one)
        return [acted for piece in pieces
                for acted in self._hand(piece.owner, fill if piece.owner == owner else part_of(fill, piece), role)]

    def _hand(self, owner: str, event: Event, role: str = "") -> list[Awaitable[None]]:
        """What ends when it has been acted on; nothing where nobody is at work."""
        face = self.desk.manual if owner == MANUAL_OWNER else self.desk.faces.get(owner)
        if face is not None:
            return [face.take(event, role)]
        self.desk.unheard.add(owner)
        return []

    def _gone(self, event: Gone) -> list[Awaitable[None]]:
        desk = self.desk
        one = desk.orders.working.get(event.client_id)
        if one is None:
            return []
        desk.orders.end(one, CANCELED if event.reason == "canceled" else REJECTED)
        desk.later(moved(desk.user_id, one.id, one.status, desk.clock.now_ms(), reason=event.reason[:32]))
        return [] if one.canceling else self._hand(one.owner, event, one.role)

    async def _shared(self, event: Paid | Liquidated | Moved) -> list[Awaitable[None]]:
        """An event of the whole position or of the wallet: each owner has its part of it."""
        name = event.payment_id if isinstance(event, Paid) else event.trade_id if isinstance(event, Liquidated) else event.movement_id
        if await self._booked_before(name, event.time_ms):
            return []
        pieces = self.desk.holdings.apply(event, EXTERNAL_OWNER)
        self._book(event, pieces, order_id="", one=None)
        if isinstance(event, Moved):
            return []
        handed: list[Awaitable[None]] = []
        for piece in pieces:
            part: Event
            if isinstance(event, Paid):
                part = Paid(event.payment_id, event.symbol, -piece.amounts.get(WALLET, ZERO), event.time_ms)
            else:
                part = Liquidated(event.trade_id, event.symbol, event.side, abs(piece.quantity), event.price,
                                  -piece.amounts.get(WALLET, ZERO), event.time_ms)
            handed += self._hand(piece.owner, part)
        return handed

    async def _booked_before(self, exchange_id: str, time_ms: int, *, ours: bool = False) -> bool:
        """Or before the account was taken over: the opening balance has it. ours: of an order of ours, so it cannot have."""
        desk = self.desk
        if exchange_id in desk.known or (time_ms <= desk.taken_over_ms and not ours):
            return True
        desk.known[exchange_id] = None  # at once: it may come twice in one moment
        if len(desk.known) > SEEN_KEPT:
            del desk.known[next(iter(desk.known))]
        desk.newest_ms = max(desk.newest_ms, time_ms)
        return time_ms <= desk.known_from_ms and await desk.check.in_books(exchange_id)

    def _book(self, event: Fill | Paid | Liquidated | Moved, pieces: list[Piece], *, order_id: str, one: Working | None) -> None:
        """Order, fill and ledger entries in one transaction; with no database now, then later: the exchange has it meanwhile."""
        desk = self.desk
        change = sum((piece.amounts.get(WALLET, ZERO) for piece in pieces), ZERO)
        desk.wallet += change
        if not isinstance(event, Moved):
            desk.loss_today(desk.clock.now_ms())
            desk.lost_today -= change
        user_id, account_id, now = desk.user_id, desk.account_id, desk.clock.now_ms()
        state = None if one is None else (one.id, one.filled, one.status)

        async def work(session: Session) -> None:
            fresh = await ledger.record(session, user_id=user_id, account_id=account_id, event=event, pieces=pieces, order_id=order_id)
            if fresh and state is not None:
                client_id, filled, status = state
                await session.execute(FILLED_SO_FAR, {"of_user": user_id, "of_id": client_id, "so_far": filled, "now": now})
                if status == FILLED:
                    await moved(user_id, client_id, FILLED, now)(session)
            reached("in_booking")

        desk.later(work, or_else=partial(self._unbooked, ledger.named(event)[1]))

    def _unbooked(self, exchange_id: str, fault: BaseException) -> None:
        """By a fault that is ours: the database is there and does not take it. A restart fetches it again; until then nothing is added."""
        self.desk.unbooked = f"{exchange_id}: {type(fault).__name__}"
        self.desk.alarm("", "unbooked", key="", told=exchange_id, fault=type(fault).__name__)

    async def _from_table(self, client_id: str) -> Working | None:
        """An order that ended long ago and fills after all."""
        desk = self.desk
        if not client_id:
            return None

        async def read(session: Session) -> Order | None:
            query = select(Order).where(Order.user_id == desk.user_id, Order.account_id == desk.account_id, Order.id == client_id)
            return (await session.execute(query)).scalar_one_or_none()

        try:
            row = await desk.scribe.write(read)
        except Unwritten:
            return None
        if row is None or row.origin == EXTERNAL:
            return None
        found = working_of(row)
        desk.orders.ended[found.id] = found
        return found

    def owner_of(self, client_id: str) -> str:
        """Of an order that no table has: its id says whose it is, when it is one of ours at all."""
        name = client_id.rpartition("-")[0]
        if name == f"m{self.desk.account_id}":
            return MANUAL_OWNER
        return name if name in self.desk.bots else EXTERNAL_OWNER


def part_of(fill: Fill, piece: Piece) -> Fill:
    """What somebody else's fill took from this owner's part: closed by hand at the exchange, as far as it knows."""
    return Fill(fill.trade_id, fill.client_id, fill.symbol, fill.side, abs(piece.quantity), fill.price, piece.amounts.get(FEES, ZERO),
                -piece.amounts.get(REALIZED, ZERO), fill.maker, fill.market, fill.time_ms)
