"""Our picture against the exchange's, on a timer always and at once when something is doubtful. Streams only make it quicker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from haechi.exchanges.bitget.events import Events
from haechi.exchanges.bitget.evidence import Evidence
from haechi.exchanges.bitget.orders import LATEST_MS, Orders
from haechi.exchanges.bitget.rest import Rest, of_key
from haechi.exchanges.bitget.tracking import Book, Tracked
from haechi.exchanges.errors import Refused, Unreachable

EVERY_MS = 10_000
BLIND_MS = 3_000  # while the private stream is down
KEY_REFUSED_MS = 60_000  # a key that is gone is not asked about in a hurry
PAYMENTS_MS = 60_000
SETTLED_MS = 2_000  # an order just sent may not be on the lists yet
STREAM_LATE_MS = 10_000  # so long after REST a stream may tell of a fill
LOOKUPS_MAX = 10  # orders looked for in one round; the others in the next

log = structlog.get_logger(__name__)


class Reconciliation:
    """`feed` looks after bars and prices; `blind` says that the private stream is down; `lied`: it should have told and did not."""

    def __init__(self, rest: Rest, book: Book, evidence: Evidence, events: Events, orders: Orders, *,
                 sleep: Callable[[int], Awaitable[None]], feed: Callable[[], Awaitable[None]], blind: Callable[[], bool],
                 lied: Callable[[str], None], alarm: Callable[[str, str], None]) -> None:
        self.rest, self.book, self.evidence, self.events, self.orders = rest, book, evidence, events, orders
        self.sleep, self.feed, self.blind, self.lied, self.alarm = sleep, feed, blind, lied, alarm
        self.rounds = 0
        self.done_ms: int | None = None  # monotonic time of the last round without a failure
        self.key_refused = False
        self.first_by_rest: dict[str, int] = {}
        self.catching_up = True  # the private stream is new: what it missed before is no lie of its
        self._paid_ms: int | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # ---- the timer

    def start(self) -> None:
        self._task = asyncio.create_task(self._live())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def soon(self) -> None:
        """Something is doubtful: do not wait for the timer."""
        self._wake.set()

    async def _live(self) -> None:
        while True:
            wait = BLIND_MS if self.blind() or self.book.unknown() else EVERY_MS
            try:
                await self.once()
            except Refused as error:
                wait = self._refused(error)
            except Unreachable as error:
                self.alarm("unreachable", error.message)
            except Exception:  # a fault of ours must not end the reconciliation
                log.exception("bitget_reconciliation_failed")
            await self._pause(wait)

    def _refused(self, error: Refused) -> int:
        word = str((error.details or {}).get("word", "refused"))
        self.alarm(word, error.message)
        self.key_refused = of_key(error)
        return KEY_REFUSED_MS if self.key_refused else EVERY_MS

    async def _pause(self, ms: int) -> None:
        """Until the time is over or somebody says `soon`; a second at least, so that no doubt becomes a storm."""
        await self.sleep(1_000)
        waits = [asyncio.ensure_future(self.sleep(ms - 1_000)), asyncio.ensure_future(self._wake.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            self._wake.clear()

    # ---- one round

    async def prime(self) -> None:
        """What happened before now is not told as news."""
        for fill in await self.evidence.fills(known=lambda _: True):
            self.events.skip(fill.trade_id)
        for paid in await self.evidence.payments(known=lambda _: True):
            self.events.skip(paid.bill_id)

    async def once(self) -> None:
        self.rounds += 1
        if self.rest.clock.due:
            await self.rest.measure()
        await self.fills()
        await self.open_orders()
        now = self.rest.budget.address.monotonic()
        if self._paid_ms is None or now - self._paid_ms >= PAYMENTS_MS:
            await self.payments()
            self._paid_ms = now
        await self.feed()
        self.done_ms, self.key_refused = now, False

    def stream_opened(self) -> None:
        self.catching_up = True
        self.soon()

    async def fills(self) -> None:
        excused, self.catching_up = self.catching_up or self.blind(), False
        reports = await self.evidence.fills(known=self.events.known)
        now = self.rest.budget.address.monotonic()
        fresh = [report.trade_id for report in reports if not self.events.known(report.trade_id)]
        await self.events.filled(reports)
        await self.events.homeless_again()
        if not excused:
            self.first_by_rest |= dict.fromkeys(fresh, now)
        late = [trade for trade, since in self.first_by_rest.items() if now - since >= STREAM_LATE_MS]
        if late and not self.blind():
            self.lied(f"it has not told of {len(late)} fills")
        for trade in late:
            del self.first_by_rest[trade]

    def streamed(self, trade_id: str) -> None:
        """The stream has told of this fill."""
        self.first_by_rest.pop(trade_id, None)

    async def payments(self) -> None:
        for payment in await self.evidence.payments(known=self.events.known):
            await self.events.paid(payment)

    async def open_orders(self) -> None:
        """What should rest and does not is looked for, one by one: a list that lacks an order is no evidence about it."""
        settled = self.rest.clock.now_ms() - SETTLED_MS
        waiting = [one for one in self.book.open() if one.sent_ms <= settled]
        if not waiting:
            return
        there = {name for report in await self.evidence.open_reports() for name in (report.order_id, report.client_id)}
        missing = [one for one in waiting if not {one.id, one.exchange_id, one.child_id} & there]
        for one in waiting:
            if one.unknown and one not in missing:
                await self._found(one)
        for one in sorted(missing, key=lambda one: one.missing)[:LOOKUPS_MAX]:
            await self._look(one)

    async def _found(self, one: Tracked) -> bool | None:
        """None: the exchange will not talk about this one; the others and the rest of the round must not wait for it."""
        try:
            return await self.orders.look(one)
        except Refused as error:
            if of_key(error):
                raise
            log.warning("bitget_order_refused", client_id=one.id, why=error.message)
            self._missing(one, error.message)
            return None

    def _missing(self, one: Tracked, why: str) -> None:
        """Rings once."""
        if not one.missing:
            one.missing = True
            self.alarm("order_missing", f"Order {one.id} of {one.order.symbol} cannot be found at Bitget; look there. {why}".strip())

    async def _look(self, one: Tracked) -> None:
        found = await self._found(one)
        if found is None or found or one.ended:
            return
        now = self.rest.clock.now_ms()
        if one.unknown and now - one.sent_ms > LATEST_MS:
            one.lost = True
            await self.events.lost(one, "never_arrived", now)
        elif not one.unknown:
            self._missing(one, "It was accepted and is now on no list.")
