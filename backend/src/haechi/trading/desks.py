"""All desks of this process: each account's is opened once, from its tables, and reconciled before anybody gets it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import structlog
from sqlalchemy import Select, and_, func, make_url, select
from sqlalchemy.exc import IntegrityError

from haechi.core.holdings import CAPITAL, WALLET
from haechi.errors import NotFound
from haechi.exchanges.port import Traceable
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.platform.house import House
from haechi.platform.ids import new_id
from haechi.platform.points import reached
from haechi.trading import ledger
from haechi.trading.alarms import ADAPTERS, Alarms
from haechi.trading.desk import DAY_MS, Desk, Office
from haechi.trading.desk_door import kept_later
from haechi.trading.equity import EquityHistory, EquityNow
from haechi.trading.gate import Gate
from haechi.trading.kill_files import Switch
from haechi.trading.kill_switch import Kills
from haechi.trading.lease import RENEW_S, FileGuard, Lease
from haechi.trading.models import OPEN, SENT, UNKNOWN, Account, Booking, Entry, Order
from haechi.trading.reserve import Reserve
from haechi.trading.scribe import Scribe, away
from haechi.trading.working import working_of

ALIVE = (SENT, OPEN, UNKNOWN)
ZERO = Decimal(0)
AMOUNTS = ("quantity", "price", "trigger", "filled")

log = structlog.get_logger(__name__)


class Connected(Protocol):
    """trading/connections.py, as the desks see it."""

    async def exchange_of(self, account: Account) -> Traceable: ...

    async def close_of(self, account_id: str) -> None: ...


class Desks:
    """`open`: by account. Only the process that holds the lease opens any."""

    name = "desks"

    def __init__(self, database: Database, clock: Clock, connections: Connected, gate: Gate, reserve: Reserve, lease: Lease, *,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.database, self.clock, self.connections, self.lease, self.sleep = database, clock, connections, lease, sleep
        self.scribe = Scribe(database, fence=lease.fence, sleep=sleep)
        self.alarms = Alarms(self.scribe, clock)
        self.office = Office(self.scribe, gate, self.alarms, clock, reserve, lambda: lease.held,
                             unbeaten=lambda: lease.epoch > 0 and self.scribe.down, sleep=sleep)
        self.open: dict[str, Desk] = {}
        self._terms: dict[str, int] = {}  # account -> the lease's epoch when its desk was opened
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[Any]] = set()

    def condition(self) -> dict[str, Any]:
        return {"state": "down" if self.scribe.down else "up", "leading": self.lease.held, "desks": len(self.open),
                "commits": self.scribe.commits, "alarms": len(self.alarms.ringing)}

    # ---- leading

    async def lead(self) -> bool:
        """Take or keep the right to trade. False: another process has it; whatever was open here is closed.

        What was opened under an earlier term knows nothing of what others did between: it is closed before the right is taken anew.
        """
        before = self.lease.epoch
        if not before:
            await self._close_all()
        try:
            held = await self.lease.claim()
        except Exception as error:  # no database: ours as long as our own deadline says; exits leave until somebody else is known to lead
            log.warning("lease_not_renewed", error=type(error).__name__, exc_info=None if away(error) else error)
            return self.lease.held
        if held and not before and self.lease.epoch:
            await self._close_all(but=self.lease.epoch)  # opened while the claim was under way
            await self._hear_alarms()
        if held and self.office.reserve.pending and not self.scribe.down:
            await self._empty_reserve()
        if not held and self.open:
            log.error("lease_lost", desks=len(self.open))
            await self._close_all()
        return held

    async def keep_leading(self) -> None:
        """For ever."""
        while True:
            try:
                await self.lead()
            except Exception:  # a try that failed must not be the last one
                log.exception("not_leading")
            await self.sleep(RENEW_S)

    async def _hear_alarms(self) -> None:
        """Trading does not wait for them."""
        try:
            async with self.database.reading() as session:
                await self.alarms.load(session)
        except Exception:
            log.exception("alarms_unread")

    async def _empty_reserve(self) -> None:
        """What left without a database is put into its table before anybody counts orders."""
        reserve = self.office.reserve
        for record in reserve.pending:
            row = {name: Decimal(value) if name in AMOUNTS and value is not None else value for name, value in record.items()}
            try:
                await self.scribe.write(kept_later(row))
            except IntegrityError:  # its bot or account is gone: one line must not keep all others from trading
                log.exception("reserve_line_refused", client_id=record.get("id"))
                reserve.refused(record)
        reached("reserve_emptied")
        if reserve.pending:
            reserve.forget()

    # ---- opening

    async def desk_of(self, account_id: str) -> Desk:
        """Open and reconciled. Raises NotFound, and what the exchange raises when it cannot be reached or refuses the key."""
        async with self._locks[account_id]:
            while account_id not in self.open or self._terms[account_id] != self.lease.epoch:
                await self._shut(account_id)
                term = self.lease.epoch
                self.open[account_id], self._terms[account_id] = await self._opened(account_id), term
            return self.open[account_id]

    async def _opened(self, account_id: str) -> Desk:
        async with self.database.reading() as session:
            account = await session.get(Account, account_id)
        if account is None:
            raise NotFound("There is no such account.")
        exchange = await self.connections.exchange_of(account)
        async with self.database.reading() as session:
            desk = await self._restored(session, account, exchange)
        try:
            await desk.open()
            await desk.manual.resume()
        except BaseException:
            await desk.close()
            await self.connections.close_of(account_id)
            raise
        return desk

    async def _restored(self, session: Session, account: Account, exchange: Traceable) -> Desk:
        known, newest = await ledger.known_since(session, account.id)
        desk = Desk(account.user_id, account.id, account.mode, account.isolation, exchange, self._office_of(self.lease.epoch),
                    await ledger.holdings_of(session, account.id), known=dict.fromkeys(known), newest_ms=newest,
                    known_from_ms=await self._known_from(session, account.id, len(known)),
                    wallet=await ledger.balance_of(session, account.id, WALLET), taken_over_ms=await ledger.taken_over(session, account.id))
        rows = (await session.execute(select(Order).where(Order.account_id == account.id, Order.status.in_(ALIVE)))).scalars()
        for row in rows:
            desk.orders.add(working_of(row))
        for bot_id, last in (await session.execute(last_ids(account.id))).all():
            desk.bots.add(bot_id)
            number = last.rpartition("-")[2]
            desk.counters[bot_id or f"m{account.id}"] = int(number) if number.isdecimal() else 0
        desk.bots.discard("")
        await desk.manual.restore(session)
        await desk.over.restore(session)
        desk.day, desk.lost_today = self.clock.now_ms() // DAY_MS, await self._lost_today(session, account.id)
        return desk

    def _office_of(self, term: int) -> Office:
        """A desk trades under the term it was opened in: what it is in the middle of does not go on under a later one."""
        office = self.office
        return replace(office, leads=lambda: self.lease.epoch == term and office.leads(),
                       unbeaten=lambda: self.lease.epoch == term and office.unbeaten(),
                       key_refused=self._key_refused)

    def _key_refused(self, user_id: str, account_id: str, why: Exception) -> None:
        """Whoever keeps bots names who hears it; that may be after a desk has opened."""
        self.office.key_refused(user_id, account_id, why)

    async def _known_from(self, session: Session, account_id: str, known: int) -> int:
        """Events older than this may be booked without being remembered."""
        if known < ledger.KNOWN_KEPT:
            return 0
        query = select(Booking.time_ms).where(Booking.account_id == account_id).order_by(Booking.time_ms.desc()).offset(known - 1).limit(1)
        return (await session.execute(query)).scalar_one_or_none() or 0

    async def _lost_today(self, session: Session, account_id: str) -> Decimal:
        since = self.clock.now_ms() // DAY_MS * DAY_MS
        query = select(Entry.book, Entry.amount).where(Entry.account_id == account_id, Entry.time_ms >= since,
                                                       Entry.book.in_((WALLET, CAPITAL)))
        return -sum(((amount for _, amount in (await session.execute(query)).all())), ZERO)

    # ---- what others ask of them

    def parts(self, account_id: str, symbol: str) -> dict[str, Decimal]:
        """Whose part of a position is how much, signed; nothing of an account whose desk is closed."""
        desk = self.open.get(account_id)
        return {} if desk is None else {owner: desk.holdings.quantity(owner, symbol) for owner in desk.holdings.owners(symbol)}

    def alarmed(self, account_id: str, word: str, sentence: str) -> None:
        """An adapter's alarm."""
        desk = self.open.get(account_id)
        if desk is None:
            log.error("exchange_alarm", account_id=account_id, word=word, sentence=sentence)
            return
        single = f"{ADAPTERS}:{crc32(sentence.encode()):08x}"  # of one order or channel: each is told
        desk.alarm("", word, key=single if word in ("order_missing", "channel") else ADAPTERS, sentence=sentence)
        desk.check.soon()

    def worth(self) -> Iterator[EquityNow]:
        """Of every open account and of its bots at work."""
        for desk in self.open.values():
            if not desk.ready:
                continue
            yield EquityNow(desk.user_id, desk.account_id, "", desk.equity, desk.wallet, desk.unrealised)
            for face in desk.faces.values():
                if face.owner.bot_id:
                    worth, open_profit = face.allocated, desk.unrealised_of(face.owner.bot_id, face.symbol)
                    yield EquityNow(desk.user_id, desk.account_id, face.owner.bot_id, worth, worth - open_profit, open_profit)

    async def let_go(self, account_id: str) -> None:
        """Close a desk at which nothing goes on, so that its account may be closed or changed."""
        desk = self.open.get(account_id)
        if desk is not None and desk.idle:
            await self.close_desk(account_id)

    # ---- closing

    async def close_desk(self, account_id: str) -> None:
        async with self._locks[account_id]:
            await self._shut(account_id)

    async def _shut(self, account_id: str) -> None:
        desk = self.open.pop(account_id, None)
        if desk is not None:
            await desk.close()
            await self.connections.close_of(account_id)

    async def _close_all(self, *, but: int = -1) -> None:
        """but: those opened under this term stay."""
        for account_id in [one for one in self.open if self._terms[one] != but]:
            with suppress(Exception):
                await self.close_desk(account_id)

    async def close(self) -> None:
        await self._close_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.scribe.close()
        with suppress(Exception):
            await self.lease.release()

    # ---- kill switches

    def killed(self, switch: Switch) -> None:
        """What could take on risk is taken away: needs no table and no sum."""
        for desk in list(self.open.values()):
            if switch.scope == "platform" or switch.id == desk.user_id or switch.id in desk.bots:
                task = asyncio.get_running_loop().create_task(desk.withdraw(bot_id=switch.id if switch.scope == "bot" else None))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)


def last_ids(account_id: str) -> Select[str, str]:
    """Of each owner its last client id: the longest first, for as text the millionth is less than the one before it."""
    ours = Order.account_id == account_id, Order.origin != "external"
    length = func.length(Order.id)
    most = select(Order.bot_id, func.max(length).label("length")).where(*ours).group_by(Order.bot_id).subquery()
    longest = and_(most.c.bot_id == Order.bot_id, most.c.length == length)
    return select(Order.bot_id, func.max(Order.id)).join(most, longest).where(*ours).group_by(Order.bot_id)


@asynccontextmanager
async def open_desks(house: House) -> AsyncIterator[Desks]:
    from haechi.trading.connections import Connections

    folder = house.settings.haechi_var.resolve()
    guard = FileGuard(Path(f"{make_url(house.database.url).database}.trading")) if house.database.kind == "sqlite" else None
    lease = Lease(house.database, house.clock, new_id(house.clock.now_ms()), guard=guard)
    connections = house.part(Connections)
    reserve = Reserve(folder / "reserve.jsonl", room=house.settings.reserve_mib << 20)
    desks = Desks(house.database, house.clock, connections, house.part(Gate), reserve, lease)
    connections.owners, connections.alarm, connections.let_go = desks.parts, desks.alarmed, desks.let_go
    kills = house.part(Kills)
    kills.listeners.append(desks.killed)
    await desks.lead()
    history = EquityHistory(house.database, house.clock, desks.worth)
    tasks = [asyncio.create_task(desks.keep_leading()), asyncio.create_task(history.run())]
    try:
        yield desks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        kills.listeners.remove(desks.killed)
        await desks.close()
        desks.office.reserve.close()
