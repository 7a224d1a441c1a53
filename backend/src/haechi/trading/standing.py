"""Opens the desks where orders still rest, a bracket protects something or anything is held: after a start nobody else would look
there when no bot comes to work, as with one that has failed or was stopped without closing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import bindparam, func, or_, select

from haechi.platform.db import Database, Session
from haechi.platform.house import House
from haechi.trading.desks import ALIVE, Desks
from haechi.trading.models import Account, Booking, Bracket, Order
from haechi.trading.owner import Owner

EVERY_S = 30
AGAIN_S = 5  # while a desk cannot be opened
FIRST_S = 1  # until this process may trade

STANDING = select(Account.id, Account.user_id).where(Account.closed_at.is_(None), or_(
    Account.id.in_(select(Order.account_id).where(Order.status.in_(ALIVE))),
    Account.id.in_(select(Bracket.account_id).where(Bracket.ended_ms.is_(None))),
    Account.id.in_(bindparam("held", expanding=True))))

log = structlog.get_logger(__name__)


class Standing:
    """A desk that cannot be opened is tried again, and rings."""

    name = "standing"

    def __init__(self, database: Database, desks: Desks, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.database, self.desks, self.sleep = database, desks, sleep
        self.held: set[str] | None = None  # in whose books something was held at the start, until its desk is open; None: not looked for
        self.epoch = 0  # of the right to trade under which that was looked for
        self.failed = False  # a desk could not be opened at the last look

    def condition(self) -> dict[str, Any]:
        return {"state": "up"}

    async def run(self) -> None:
        """For ever. A look that fails is made again."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("standing_orders_not_looked_for")
            await self.sleep(FIRST_S if self.held is None else AGAIN_S if self.failed else EVERY_S)

    async def look(self) -> None:
        """One look. Only the process that may trade opens desks."""
        lease = self.desks.lease
        if not lease.held:
            return
        if lease.epoch != self.epoch:  # another process has traded meanwhile, or none
            self.held, self.epoch = None, lease.epoch
        async with self.database.reading() as session:
            held = await self._holding(session) if self.held is None else self.held
            found = (await session.execute(STANDING, {"held": sorted(held)})).all()
        self.held = held
        closed = [one for one in found if one[0] not in self.desks.open]
        opened = await asyncio.gather(*(self._opened(account_id, user_id) for account_id, user_id in closed))
        self.failed = not all(opened)
        self.held &= {account_id for account_id, _ in found} - set(self.desks.open)

    async def _holding(self, session: Session) -> set[str]:
        """Accounts in whose books somebody holds something."""
        newest = select(func.max(Booking.id)).where(Booking.symbol != "").group_by(Booking.account_id, Booking.symbol, Booking.bot_id)
        rows = (await session.execute(select(Booking.account_id, Booking.held).where(Booking.id.in_(newest)))).all()
        return {account_id for account_id, held in rows if held}

    async def _opened(self, account_id: str, user_id: str) -> bool:
        owner = Owner(user_id, account_id, "")
        try:
            await self.desks.desk_of(account_id)
        except Exception as error:
            log.warning("desk_not_opened", account_id=account_id, why=getattr(error, "message", type(error).__name__))
            self.desks.alarms.ring(owner, "unattended", why=getattr(error, "message", type(error).__name__))
            return False
        self.desks.alarms.clear(owner, "unattended")
        return True


@asynccontextmanager
async def open_standing(house: House) -> AsyncIterator[Standing]:
    standing = Standing(house.database, house.part(Desks))
    task = asyncio.create_task(standing.run())
    try:
        yield standing
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
