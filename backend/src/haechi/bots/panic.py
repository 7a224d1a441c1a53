"""Everything of one person stops: the kill switch first, which needs no database, then orders, bots and positions at the desks.

What can only be written later is written when the database is back; what could not be done is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from haechi.bots.allocation import HOLDING
from haechi.bots.models import STOP_AND_CLOSE, Bot
from haechi.bots.service import Bots
from haechi.errors import HaechiError, NotPermitted
from haechi.identity.audit import Act, record
from haechi.platform.clock import instant
from haechi.platform.db import Session
from haechi.platform.house import House
from haechi.trading import by_hand
from haechi.trading.desk import Desk
from haechi.trading.desks import Desks
from haechi.trading.kill_files import NotKept
from haechi.trading.kill_switch import Kills
from haechi.trading.models import OPEN, SENT, UNKNOWN, Account, Booking, Order
from haechi.trading.order_schemas import PanicAnswer
from haechi.trading.owner import MANUAL_OWNER
from haechi.trading.scribe import Unwritten

ACT_S_MAX = 20  # for one account, bot or position; what takes longer goes on at its desk
UNDER_WAY: set[asyncio.Task[None]] = set()  # closings that nobody waits for

log = structlog.get_logger(__name__)


class Panic:
    """Of one person, now."""

    def __init__(self, house: House, user_id: str, address: str) -> None:
        self.house, self.user_id, self.address = house, user_id, address
        self.desks, self.bots, self.kills = house.part(Desks), house.part(Bots), house.part(Kills)
        self.canceling = 0
        self.stopped: set[str] = set()
        self.closing: list[str] = []
        self.failed: list[str] = []

    def switch_on(self, reason: str) -> None:
        """At once, in memory and on the disk."""
        try:
            self.kills.turn_on("user", self.user_id, by=self.user_id, reason=reason or "panic")
        except NotKept as error:
            self.failed.append(error.message)

    async def act(self, *, close: bool) -> PanicAnswer:
        """What is open in this process first: it waits for nothing. Then what only the database knows of."""
        seen = self._mine()
        await self._all(seen)
        await self._bots()
        await self._written(close=close)
        others = await self._others(close=close)
        await self._all(others)
        seen += others
        if close:
            await asyncio.gather(*(self._tried(f"{symbol} of account {desk.account_id}", unbroken(self._close(desk, symbol)))
                                   for desk in seen for symbol in desk.holdings.symbols()
                                   if desk.holdings.quantity(MANUAL_OWNER, symbol)))
        switch = self.kills.read("user", self.user_id)
        return PanicAnswer(on=switch is not None, since=instant(switch.since_ms) if switch and switch.since_ms else None,
                           bots=sorted(self.stopped), canceling=self.canceling, closing=self.closing, failed=self.failed)

    def _mine(self) -> list[Desk]:
        return [desk for desk in self.desks.open.values() if desk.user_id == self.user_id]

    async def _all(self, desks: Iterable[Desk]) -> None:
        await asyncio.gather(*(self._tried(f"orders of account {desk.account_id}", self._withdraw(desk)) for desk in desks))

    async def _withdraw(self, desk: Desk) -> None:
        self.canceling += len(desk.orders.adding())
        await desk.withdraw()

    async def _bots(self) -> None:
        """Those that run here are told at once; their rows say so too, as soon as they can be written."""
        mine = [(bot_id, runner) for bot_id, runner in self.bots.runners.items()
                if runner.owner.user_id == self.user_id and not runner.ended.is_set()]
        for bot_id, _ in mine:
            self.stopped.add(bot_id)
            if self.bots.supervisor is not None:
                self.bots.supervisor.told[bot_id] = True
        await asyncio.gather(*(self._tried(f"bot {bot_id}", self.bots.halt(bot_id, flatten=True)) for bot_id, _ in mine))

    async def _written(self, *, close: bool) -> None:
        now, user_id, address = self.house.clock.now(), self.user_id, self.address

        async def work(session: Session) -> list[str]:
            found = list((await session.execute(select(Bot.id).where(Bot.user_id == user_id, HOLDING))).scalars())
            await session.execute(update(Bot).where(Bot.user_id == user_id, Bot.id.in_(found)).values(STOP_AND_CLOSE))
            await record(session, Act("panic.on", user_id, user_id, address, {"close": close, "bots": found}), now)
            return found

        try:
            self.stopped.update(await self.desks.scribe.write(work))
        except Unwritten:
            self.desks.scribe.later(work)
            self.failed.append("The database does not answer: that your bots are to stay stopped is written when it does.")
        if self.bots.supervisor is not None:
            self.bots.supervisor.wake()

    async def _others(self, *, close: bool) -> list[Desk]:
        """Desks of accounts where something rests, or is held, that no desk of this process is open for."""
        alive = select(Order.account_id).where(Order.user_id == self.user_id, Order.status.in_((SENT, OPEN, UNKNOWN)))
        held = select(Booking.account_id).where(Booking.user_id == self.user_id, Booking.bot_id == MANUAL_OWNER, Booking.symbol != "")
        try:
            async with self.house.database.reading() as session:
                wanted = Account.id.in_(alive) | Account.id.in_(held) if close else Account.id.in_(alive)
                query = select(Account.id).where(Account.user_id == self.user_id, Account.closed_at.is_(None), wanted)
                ids = list((await session.execute(query)).scalars())
        except (SQLAlchemyError, OSError):
            self.failed.append("The database does not answer: accounts that are not at work now were not looked at.")
            return []
        found: list[Desk] = []
        for account_id in [one for one in ids if one not in self.desks.open]:
            await self._tried(f"account {account_id}", self._opened(account_id, found))
        return found

    async def _opened(self, account_id: str, found: list[Desk]) -> None:
        found.append(await self.desks.desk_of(account_id))

    async def _close(self, desk: Desk, symbol: str) -> None:
        await by_hand.close(desk, desk.owner(MANUAL_OWNER), symbol, None)
        self.closing.append(f"{desk.account_id}:{symbol}")

    async def _tried(self, what: str, work: Awaitable[None]) -> None:
        """One that fails holds up no other."""
        try:
            async with asyncio.timeout(ACT_S_MAX):
                await work
        except Exception as error:
            why = error.message if isinstance(error, HaechiError) else type(error).__name__
            why = "still under way" if isinstance(error, TimeoutError) else why
            log.warning("panic_incomplete", user_id=self.user_id, what=what, why=why)
            self.failed.append(f"{what}: {why}")


async def unbroken(work: Coroutine[Any, Any, None]) -> None:
    """Goes on when nobody waits for it any more: an order is not cut between its writing and its sending."""
    task = asyncio.create_task(work)
    UNDER_WAY.add(task)
    task.add_done_callback(ended)
    await asyncio.shield(task)


def ended(task: asyncio.Task[None]) -> None:
    UNDER_WAY.discard(task)
    if not task.cancelled() and task.exception() is not None:
        log.warning("panic_not_closed", why=repr(task.exception()))


async def calm(house: House, user_id: str, address: str) -> PanicAnswer:
    """Off again; nothing starts by itself. Raises NotPermitted for a switch that the operator turned on, NotKept."""
    kills = house.part(Kills)
    switch = kills.read("user", user_id)
    if switch is not None and switch.by != user_id:
        raise NotPermitted("The operator of this server turned this switch on; only the operator turns it off.", code="operators_switch")
    async with house.database.writing() as session:
        await record(session, Act("panic.off", user_id, user_id, address), house.clock.now())
    kills.turn_off("user", user_id)
    return PanicAnswer(on=False)
