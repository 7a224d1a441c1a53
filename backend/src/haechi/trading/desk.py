"""Orders on their way out: judged, saved as SENT, committed, sent, settled. The only module that calls `exchange.place`.

Rules about whether an order may exist are in core/risk; what rests is compared with what should rest, and the difference moved,
the new order before the old one is taken away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import update

from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.risk import Intent, Limits, Refused, View, judge
from haechi.exchanges.port import Accepted, Exchange, Fill, Gone, Liquidated, NewOrder, Outcome, Paid, Rejected, Unknown
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.trading import ledger
from haechi.trading.models import CANCELED, FILLED, NEXT, OPEN, REJECTED, SENT, UNKNOWN, Booking, Order

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Owner:
    """Whose orders these are."""

    user_id: str
    account_id: str
    bot_id: str


@dataclass
class Desk:
    """One bot's orders on one symbol. `said` hears of refusals: (role, reason)."""

    owner: Owner
    instrument: Instrument
    leverage: int
    exchange: Exchange
    database: Database
    clock: Clock
    limits: Limits
    view: Callable[[int], View]
    said: Callable[[str, str], Awaitable[None]]
    sent: int = 0
    resting: dict[str, Wanted] = field(default_factory=dict)  # client id -> what it is, while it may fill
    roles: dict[str, str] = field(default_factory=dict)
    recent_ms: list[int] = field(default_factory=list)

    async def submit(self, wanted: Wanted, market: Decimal) -> None:
        """One order through the gate and out. Refusals, ours and the exchange's, go to `said`."""
        refused = self._judged(wanted, market)
        if refused is not None:
            await self.said(wanted.role, refused.rule)
            return
        order = self._order(wanted)
        await self._save(order, wanted)
        outcome = await self._place(order)
        await self._settle(order.client_id, wanted, outcome)

    def _judged(self, wanted: Wanted, market: Decimal) -> Refused | None:
        quantity = self.instrument.quantity(wanted.lots)
        price = self.instrument.price(wanted.price or wanted.trigger) if wanted.price or wanted.trigger else market
        intent = Intent(self.instrument.symbol, side_of(wanted), quantity, quantity * price, self.leverage, wanted.reduce_only)
        now = self.clock.now_ms()
        self.recent_ms = [one for one in self.recent_ms if one > now - MINUTE_MS]
        return judge(intent, self.view(len(self.recent_ms)), self.limits)

    def _order(self, wanted: Wanted) -> NewOrder:
        self.sent += 1
        one = self.instrument
        return NewOrder(f"{self.owner.bot_id}-{self.sent:06d}", one.symbol, side_of(wanted), one.quantity(wanted.lots), wanted.kind,
                        one.price(wanted.price) if wanted.price else None, one.price(wanted.trigger) if wanted.trigger else None,
                        wanted.reduce_only)

    async def _save(self, order: NewOrder, wanted: Wanted) -> None:
        """Committed before the wire: from here the order may exist."""
        now = self.clock.now_ms()
        row = Order(id=order.client_id, user_id=self.owner.user_id, account_id=self.owner.account_id, bot_id=self.owner.bot_id,
                    symbol=order.symbol, role=wanted.role, side=order.side, kind=order.kind, quantity=order.quantity, price=order.price,
                    trigger=order.trigger, reduce_only=order.reduce_only, status=SENT, reason="", exchange_id="", created_ms=now,
                    updated_ms=now)
        async with self.database.writing() as session:
            session.add(row)
        self.recent_ms.append(now)
        self.roles[order.client_id] = wanted.role
        self.resting[order.client_id] = wanted

    async def _place(self, order: NewOrder) -> Outcome:
        try:
            return await self.exchange.place(order)
        except (OSError, TimeoutError) as error:
            return Unknown(type(error).__name__)

    async def _settle(self, client_id: str, wanted: Wanted, outcome: Outcome) -> None:
        match outcome:
            case Accepted():
                await self._move(client_id, OPEN, exchange_id=outcome.exchange_id)
            case Rejected():
                self.resting.pop(client_id, None)
                await self._move(client_id, REJECTED, reason=outcome.reason)
                await self.said(wanted.role, outcome.reason)
            case Unknown():
                await self._move(client_id, UNKNOWN, reason=outcome.why)

    async def _move(self, client_id: str, status: str, **values: str) -> None:
        async with self.database.writing() as session:
            await self._moved(session, client_id, status, **values)

    async def _moved(self, session: Session, client_id: str, status: str, **values: str) -> None:
        """Along NEXT only: an order that ended stays ended, whatever arrives late."""
        before = [state for state, after in NEXT.items() if status in after]
        await session.execute(update(Order).where(Order.user_id == self.owner.user_id, Order.id == client_id, Order.status.in_(before))
                              .values(status=status, updated_ms=self.clock.now_ms(), **values))

    # ---- what rests

    async def converge(self, wanted: dict[str, Wanted], market: Decimal) -> None:
        """Make what rests equal what should rest: the new order first, then the old one goes."""
        missing = dict(wanted)
        wrong = []
        for client_id, there in self.resting.items():
            if missing.get(there.role) == there:
                del missing[there.role]
            elif there.kind != "market":
                wrong.append(client_id)
        for one in missing.values():
            await self.submit(one, market)
        for client_id in wrong:
            if client_id in self.resting:
                await self.cancel(client_id)

    async def clear(self, roles: set[str]) -> None:
        """Take away what rests in these roles: an entry whose bars are over makes room for the next."""
        for client_id, there in list(self.resting.items()):
            if there.role in roles and there.kind != "market":
                await self.cancel(client_id)

    async def cancel(self, client_id: str) -> None:
        outcome = await self.exchange.cancel(client_id)
        if isinstance(outcome, Accepted):
            self.resting.pop(client_id, None)
            await self._move(client_id, CANCELED)

    # ---- what came back, each in one transaction with its ledger entries

    async def booked(self, event: Fill | Paid | Liquidated) -> bool:
        """Order, fill and ledger together; False when the exchange's id was booked before: then nothing happens twice."""
        async with self.database.writing() as session:
            fresh = await ledger.book(session, self._booking(event), ledger.postings(event))
            if fresh and isinstance(event, Fill):
                await self._moved(session, event.client_id, FILLED)
        if isinstance(event, Fill):
            self.resting.pop(event.client_id, None)
        return fresh

    def _booking(self, event: Fill | Paid | Liquidated) -> Booking:
        owner = self.owner
        made = Booking(user_id=owner.user_id, account_id=owner.account_id, bot_id=owner.bot_id, symbol=event.symbol, time_ms=event.time_ms,
                       order_id="", side="", quantity=Decimal(0), price=Decimal(0))
        match event:
            case Fill():
                made.kind, made.exchange_id, made.order_id = "fill", event.trade_id, event.client_id
                made.side, made.quantity, made.price = event.side, event.quantity, event.price
            case Paid():
                made.kind, made.exchange_id = "funding", event.payment_id
            case Liquidated():
                made.kind, made.exchange_id = "liquidation", event.trade_id
                made.side, made.quantity, made.price = event.side, event.quantity, event.price
        return made

    async def gone(self, event: Gone) -> None:
        self.resting.pop(event.client_id, None)
        await self._move(event.client_id, CANCELED if event.reason == "canceled" else REJECTED, reason=event.reason)


def side_of(wanted: Wanted) -> str:
    return "buy" if wanted.side > 0 else "sell"
