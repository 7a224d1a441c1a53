"""Our books against the exchange's: at the start before anything is sent, then on a timer, and at once when something is doubtful.

An order that is not on a list is looked for; a fill that nobody told of is fetched; what others did on the account is taken over as
theirs and never touched. A difference that stays stops new risk and rings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import insert, select

from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Balance, Fill, Gone, Liquidated, Moved, NewOrder, Paid, Rejected, Seen
from haechi.platform.db import Session
from haechi.platform.points import reached
from haechi.trading import ledger
from haechi.trading.alarms import ADAPTERS
from haechi.trading.desk_door import moved
from haechi.trading.models import CANCELED, EXTERNAL, FILLED, OPEN, PAPER, REJECTED, SENT, UNKNOWN, Booking, Order
from haechi.trading.owner import EXTERNAL_OWNER, MANUAL_OWNER
from haechi.trading.working import Working

if TYPE_CHECKING:
    from haechi.trading.desk import Desk

EVERY_S = 10
DOUBTFUL_S = 1  # while an order is unknown or something failed
PAUSE_S = 1 / 2  # the shortest time between two rounds
BEGIN_ROUNDS = 20  # at a start, until books that differ anew each time are taken for books that differ
OVERLAP_MS = 120_000  # fills may be shown later than they happened
DEEP_MS = 3 * 3_600_000  # and some much later
DEEP_EVERY = 30  # rounds
SETTLED_MS = 2_000  # an order just sent may not be on the lists yet
LOOKS_MAX = 20
UNKNOWN_ALARM_MS = 120_000
LAGS_MS = 120_000  # a list that shows an ended order for longer does not lag
KILLED_MAX = 20  # cancelled a round: an exchange takes about ten a second, and lists must be read besides
CUT = Decimal("0.000001")  # of a wallet: exchanges show it cut off at the 8th place, fees have more places
ZERO = Decimal(0)

log = structlog.get_logger(__name__)


class Check:
    """The reconciliation of one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.rounds = 0
        self.failures = 0
        self.reconciled_ms = 0
        self._wake = asyncio.Event()
        self._differed: object = None
        self._ended_shown: dict[str, int] = {}  # orders that are over and rest there all the same -> since when
        self._lock = asyncio.Lock()

    def soon(self) -> None:
        self._wake.set()

    async def live(self) -> None:
        while True:
            await self._pause()
            try:
                await self.once()
                self.failures = 0
                self.well()
            except (Unreachable, Refused) as error:
                self.failures += 1
                word = str((error.details or {}).get("word", ""))
                log.warning("not_reconciled", account_id=self.desk.account_id, why=error.message)
                if word == "key":
                    self.desk.office.key_refused(self.desk.user_id, self.desk.account_id, error)
                if self.failures >= 3 or word == "key":
                    self.desk.alarm("", "key" if word == "key" else "unreachable", key="", why=error.message)
            except Exception:  # a fault of ours must not end the reconciliation
                self.failures += 1
                log.exception("reconciliation_failed", account_id=self.desk.account_id)

    def well(self) -> None:
        """After a whole round: what can no longer be so. What an adapter said of one order stays."""
        desk = self.desk
        for code, key in desk.office.alarms.of(desk.account_id):
            over = (code in ("unreachable", "key") or (code == "without_database" and not desk.scribe.down)
                    or (code == "unbooked" and not desk.unbooked))
            if (key == "" and over) or (key == ADAPTERS and not desk.exchange.blind()):
                desk.calm("", code, key=key)

    async def _pause(self) -> None:
        """Until the timer or somebody who doubts; never shorter than PAUSE_S, so that no doubt becomes a storm."""
        desk = self.desk
        await desk.office.sleep(PAUSE_S)
        doubtful = self.failures or not desk.ready or desk.over.found or any(one.status == UNKNOWN for one in desk.orders.working.values())
        wait = (DOUBTFUL_S * min(2 ** min(self.failures, 4), 10) if doubtful else EVERY_S) - PAUSE_S
        if self._wake.is_set():
            self._wake.clear()
            return
        timer, wake = asyncio.ensure_future(desk.office.sleep(wait)), asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait([timer, wake], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (timer, wake):
                one.cancel()
            self._wake.clear()

    # ---- the first time

    async def begin(self) -> None:
        """Before the first order. A new account is taken over as it is; an old one is brought up to date. Books that differ are looked
        at until they agree or are known to differ; ten seconds of ever new differences are one too."""
        desk = self.desk
        if not desk.known:
            await self._take_over()
        await self.once(deep=True)
        for _ in range(BEGIN_ROUNDS):
            if desk.ready:
                return
            await desk.office.sleep(PAUSE_S)
            await self.once(deep=True)
        if not desk.ready:  # another difference each time: somebody trades here without a pause, and stops must be looked after
            self._differ(str(self._differed))
            desk.ready = True

    async def _take_over(self) -> None:
        """The first day: what is there is booked as it stands, before anything is sent; what happened before is no news."""
        desk = self.desk
        now = desk.clock.now_ms()
        since = 0 if desk.mode == PAPER else now - DEEP_MS
        for fill in await desk.exchange.fills_since(since):
            self._past(fill.trade_id, fill.time_ms)
        for paid in await desk.exchange.payments_since(since):
            self._past(paid.payment_id, paid.time_ms)
        for one in await desk.exchange.movements_since(since):
            self._past(one.movement_id, one.time_ms)
        positions, balance = await desk.exchange.positions(), await desk.exchange.balance()
        desk.taken_over_ms = desk.newest_ms or -1
        opening = Moved(ledger.OPENING, "opening", balance.wallet, now if desk.mode != PAPER else desk.newest_ms)
        pieces = desk.holdings.apply(opening, MANUAL_OWNER)
        adopted = [(one, desk.holdings.adopt(EXTERNAL_OWNER, one.symbol, one.quantity, one.entry)) for one in positions if one.quantity]

        async def work(session: Session) -> None:
            await ledger.record(session, user_id=desk.user_id, account_id=desk.account_id, event=opening, pieces=pieces,
                                order_id=str(desk.taken_over_ms))  # for the next start
            for position, parts in adopted:
                await ledger.adopting(desk.user_id, desk.account_id, position, parts, now)(session)

        await desk.scribe.write(work)
        desk.wallet = balance.wallet
        desk.known[opening.movement_id] = None
        desk.newest_ms = max(desk.newest_ms, opening.time_ms)

    def _past(self, exchange_id: str, time_ms: int) -> None:
        self.desk.known[exchange_id] = None
        self.desk.newest_ms = max(self.desk.newest_ms, time_ms)

    # ---- one round

    async def once(self, *, deep: bool = False) -> None:
        """Everything once. Raises Unreachable or Refused; what was found until then is kept."""
        async with self._lock:
            deep = deep or self.rounds % DEEP_EVERY == DEEP_EVERY - 1
            self.rounds += 1
            await self._events(deep=deep)
            await self._orders()
            await self._killed()
            agreed = await self._balances()
            self.desk.ready = self.desk.ready or self._differed is None or bool(self.desk.mismatch)
            reached("reconciled")
            self.reconciled_ms = self.desk.clock.now_ms()
            await self.desk.over.take_back(agreed)
            await self._again()

    async def _events(self, *, deep: bool) -> None:
        desk = self.desk
        since = max(desk.newest_ms - (DEEP_MS if deep else OVERLAP_MS), 0)
        found: list[Fill | Liquidated | Moved] = []
        found += await desk.exchange.fills_since(since, known=desk.known.__contains__)
        paid = await desk.exchange.payments_since(since)
        found += await desk.exchange.movements_since(since)
        await self._hear(sorted([*found, *paid], key=lambda one: one.time_ms))

    async def _hear(self, found: Sequence[Fill | Liquidated | Moved | Paid]) -> None:
        """All are booked before anybody has acted on the first."""
        await asyncio.gather(*(self.desk.hear(event) for event in found))

    async def _orders(self) -> None:
        """What should rest and does not is looked for, one by one; what rests and is not ours is noted."""
        desk = self.desk
        resting = await desk.exchange.open_orders()
        there = {one.order.client_id for one in resting}
        self._ended_shown = {name: since for name, since in self._ended_shown.items() if name in there}
        for rests in resting:
            if rests.order.client_id not in desk.orders.working:
                await self._stranger(rests.order, rests.exchange_id, rests.filled)
        settled = desk.clock.now_ms() - SETTLED_MS
        sought = [one for one in list(desk.orders.working.values())
                  if 0 < one.sent_ms <= settled and (one.id not in there or one.status != OPEN or one.canceling)]
        for one in sorted(sought, key=lambda one: one.asked_ms)[:LOOKS_MAX]:
            await self._look(one)

    async def _killed(self) -> None:
        """What a kill switch has not cancelled yet: its one try failed, or it went on while nobody was here."""
        desk = self.desk
        found = [one for one in desk.orders.adding()
                 if one.sent_ms and desk.rests.cancelable(one) and desk.gate.killed(desk.user_id, one.owner)]
        await asyncio.gather(*(desk.door.cancel(one) for one in found[:KILLED_MAX]))
        if len(found) > KILLED_MAX:
            self.soon()

    async def _look(self, one: Working) -> None:
        desk = self.desk
        one.asked_ms = desk.clock.now_ms()
        found = await desk.exchange.look(one.order, one.sent_ms)
        if one.id not in desk.orders.working:
            return  # it has ended while we asked
        match found:
            case Seen():
                await self._seen(one, found)
            case Rejected():
                await self._ended(one, REJECTED, found.reason)
            case _:
                if desk.clock.now_ms() - one.sent_ms > UNKNOWN_ALARM_MS:
                    desk.alarm(one.owner, "unknown_order", key=one.id, order=one.id, symbol=one.order.symbol)

    async def _seen(self, one: Working, found: Seen) -> None:
        desk = self.desk
        desk.calm(one.owner, "unknown_order", key=one.id)
        one.exchange_id = found.exchange_id or one.exchange_id
        if found.filled > one.filled:
            since = max(min(one.sent_ms, desk.newest_ms) - OVERLAP_MS, 0)
            await self._hear(await desk.exchange.fills_since(since, known=desk.known.__contains__))
        if found.filled > one.filled or one.id not in desk.orders.working:
            return  # its fills are not shown yet: not over for us
        if found.status == "open":
            if one.status != OPEN:
                one.status = OPEN
                desk.later(moved(desk.user_id, one.id, OPEN, desk.clock.now_ms(), exchange_id=one.exchange_id))
            if one.canceling:
                one.canceling = False  # the cancelling did not arrive: whoever wants it away asks again
                if not one.foreign:
                    await self._poke(one.owner)
            return
        await self._ended(one, {"filled": FILLED, "canceled": CANCELED}.get(found.status, REJECTED), found.reason or found.status)

    async def _ended(self, one: Working, status: str, reason: str) -> None:
        desk = self.desk
        desk.orders.end(one, status)
        desk.calm(one.owner, "unknown_order", key=one.id)
        desk.later(moved(desk.user_id, one.id, status, desk.clock.now_ms(), reason=reason[:32], exchange_id=one.exchange_id))
        face = desk.faces.get(one.owner)
        if face is None or status == FILLED:
            return
        if one.canceling:
            await face.poke()
        else:
            await face.take(Gone(one.id, one.order.symbol, reason, desk.clock.now_ms()), one.role)

    async def _stranger(self, order: NewOrder, exchange_id: str, filled: Decimal) -> None:
        """Resting there, and not known to be ours and open. One of ours comes back to its owner, where no table has it or it is over here
        and goes on resting there: else nobody would take it away."""
        desk = self.desk
        now = desk.clock.now_ms()
        known = desk.orders.ended.get(order.client_id)
        if known is not None:
            if now - self._ended_shown.setdefault(order.client_id, now) <= LAGS_MS:
                return  # a list that lags behind
            log.error("ended_order_rests", account_id=desk.account_id, client_id=order.client_id)
        owner = desk.books.owner_of(order.client_id) if known is None else known.owner
        ours = owner in (MANUAL_OWNER, *desk.bots) if known is None else not known.foreign
        one = Working(order, owner if ours else EXTERNAL_OWNER, "lost" if ours else "external", OPEN, now, filled, 1, exchange_id,
                      foreign=not ours)
        desk.orders.add(one)
        row = {"id": order.client_id[:48] or f"x{exchange_id}"[:48], "user_id": desk.user_id, "account_id": desk.account_id,
               "bot_id": "" if one.owner == EXTERNAL_OWNER else one.owner, "symbol": order.symbol, "role": one.role, "side": order.side,
               "kind": order.kind, "quantity": order.quantity, "price": order.price, "trigger": order.trigger,
               "reduce_only": order.reduce_only, "status": OPEN, "reason": "", "exchange_id": exchange_id, "intent": None,
               "origin": "bot" if ours else EXTERNAL, "filled": filled, "leverage": 0, "decision": 0, "sent_ms": now, "created_ms": now,
               "updated_ms": now}

        async def work(session: Session) -> None:
            query = select(Order.id).where(Order.user_id == desk.user_id, Order.id == row["id"])
            if (await session.execute(query)).first() is None:
                await session.execute(insert(Order), [row])

        desk.later(work)
        log.warning("order_adopted", account_id=desk.account_id, client_id=order.client_id, ours=ours)

    # ---- the sums

    async def _balances(self) -> set[str]:
        """Positions and wallet. A difference seen twice, with nothing on its way, is one. Returns the symbols on which both sides hold
        the same and nothing is on its way."""
        desk = self.desk
        positions = {one.symbol: one.quantity for one in await desk.exchange.positions() if one.quantity}
        booked = {symbol: desk.holdings.total(symbol) for symbol in desk.holdings.symbols()}
        moving = {one.order.symbol for one in desk.orders.working.values() if one.status in (SENT, UNKNOWN)}
        mine = {symbol: quantity for symbol, quantity in booked.items() if quantity}
        self._compare(positions, mine, await desk.exchange.balance(), busy=bool(moving))
        return {symbol for symbol, quantity in booked.items() if quantity == positions.get(symbol, ZERO)} - moving

    def _compare(self, positions: dict[str, Decimal], mine: dict[str, Decimal], balance: Balance, *, busy: bool) -> None:
        desk = self.desk
        differs = "" if positions == mine else f"positions {shown(positions)} at the exchange, {shown(mine)} in the books"
        if not differs and abs(balance.wallet - desk.wallet) > CUT:
            differs = f"wallet {balance.wallet} at the exchange, {desk.wallet} in the books"
        if not differs or busy:
            self._differed = None
            if not differs:
                desk.mismatch = ""
                desk.calm("", "books_differ", key="")
            return
        if self._differed != differs:
            self._differed = differs
            if not desk.mismatch:
                self.soon()  # it may be on its way
        elif desk.mismatch != differs:
            self._differ(differs)
            self.rounds = DEEP_EVERY - 1  # once the next round looks further back; what stays is left to the timer
            self.soon()

    def _differ(self, differs: str) -> None:
        self.desk.mismatch = differs
        self.desk.alarm("", "books_differ", key="", difference=differs)

    async def _again(self) -> None:
        """Who waits for another try, and what is no longer there."""
        due = self.desk.rests.due_again(self.desk.clock.now_ms())
        for face in [face for face in self.desk.faces.values() if face.owner.bot_id in due]:
            await face.poke()

    async def _poke(self, owner: str) -> None:
        face = self.desk.faces.get(owner)
        if face is not None:
            await face.poke()

    async def in_books(self, exchange_id: str) -> bool:
        """Whether an old event is booked, by the table."""
        desk = self.desk

        async def read(session: Session) -> bool:
            query = select(Booking.id).where(Booking.user_id == desk.user_id, Booking.account_id == desk.account_id,
                                             Booking.exchange_id == exchange_id)
            return (await session.execute(query)).first() is not None

        return bool(await desk.scribe.write(read))


def shown(quantities: dict[str, Decimal]) -> str:
    return ", ".join(f"{symbol} {quantity.normalize():f}" for symbol, quantity in sorted(quantities.items())) or "none"
