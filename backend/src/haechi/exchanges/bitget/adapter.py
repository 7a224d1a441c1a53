"""The port (exchanges/port.py) of one Bitget account. Put together here; each part does one thing in its own file.

    async with opened(key, clock, timeframe_ms=60_000) as bitget:      # examined, reconciling
        bitget.listen(listener, symbol="BTCUSDT", prices=True)          # from now on its events
        outcome = await bitget.place(order)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import structlog

from haechi.core.instrument import Instrument
from haechi.exchanges.bitget import parse, streams
from haechi.exchanges.bitget.answers import Unreadable
from haechi.exchanges.bitget.budget import Address, Budget
from haechi.exchanges.bitget.changes import Changes
from haechi.exchanges.bitget.clock import ServerClock
from haechi.exchanges.bitget.ears import Ears
from haechi.exchanges.bitget.endpoints import ACCOUNTS, POSITIONS
from haechi.exchanges.bitget.events import Events
from haechi.exchanges.bitget.evidence import Evidence, listing, readable
from haechi.exchanges.bitget.examine import Examined, examine
from haechi.exchanges.bitget.feed import Feed
from haechi.exchanges.bitget.looking import Looking
from haechi.exchanges.bitget.market import Market
from haechi.exchanges.bitget.orders import Orders
from haechi.exchanges.bitget.parse import OrderReport
from haechi.exchanges.bitget.reconcile import Reconciliation
from haechi.exchanges.bitget.requests import COIN, PRODUCT, resting
from haechi.exchanges.bitget.rest import ADDRESS, Rest
from haechi.exchanges.bitget.sign import ApiKey
from haechi.exchanges.bitget.since import Since
from haechi.exchanges.bitget.streams import Stream
from haechi.exchanges.bitget.terms import AccountTerms
from haechi.exchanges.bitget.text import Item
from haechi.exchanges.bitget.tracking import Book, Tracked
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import (
    Balance,
    Bar,
    Fill,
    Known,
    Liquidated,
    Listener,
    Moved,
    NewOrder,
    OpenOrder,
    Outcome,
    Paid,
    Position,
    Rejected,
    Seen,
    Still,
    Unknown,
)
from haechi.platform.clock import Clock

PUBLIC_IDLE_MS = 15_000  # tickers come every second; without them a market in which nobody trades tells only of a bar's end
BLIND_AFTER_MS = 30_000  # three rounds of the reconciliation
BARS_EVERY_ROUNDS = 3  # the stream says when a bar has closed; REST looks whether it forgot one
PRIVATE_TOPICS = {("fill", "default"), ("orders", "default"), ("orders-algo", "default")}

log = structlog.get_logger(__name__)


async def sleep_ms(ms: int) -> None:
    await asyncio.sleep(ms / 1000)


def logged(word: str, sentence: str) -> None:
    log.error("bitget_alarm", word=word, sentence=sentence)


class Bitget:
    """Exchange of one key. Reads raise Unreachable or Refused; orders have outcomes. `alarm` hears (word, sentence) of what a person
    should know: key, unreachable, stream_stale, order_missing, channel …"""

    def __init__(self, session: aiohttp.ClientSession, key: ApiKey, clock: Clock, *, timeframe_ms: int, address: str = ADDRESS,
                 public: str = "", private: str = "", demo: bool = False, shared: Address | None = None,
                 sleep: Callable[[int], Awaitable[None]] = sleep_ms, alarm: Callable[[str, str], None] = logged) -> None:
        self.shared = shared or Address(lambda: int(clock.monotonic() * 1000))
        self.server_clock = ServerClock(clock)
        self.rest = Rest(session, Budget(self.shared, sleep), self.server_clock, key=key, address=address, demo=demo)
        self.market = Market(self.rest, timeframe_ms=timeframe_ms)
        self.book, self.evidence, self.ears, self.terms = Book(), Evidence(self.rest), Ears(), AccountTerms(self.rest)
        self.events = Events(self.book, self.evidence, self.ears.tell, self.shared.monotonic)
        self.orders = Orders(self.rest, self.book, self.evidence, self.events, self.terms, self.market, self._doubt)
        self.looking, self.since = Looking(self.orders), Since(self.evidence, self.events, self.server_clock)
        self.feed = Feed(self.market, self.ears)
        common: dict[str, Any] = {"clock": self.server_clock, "sleep": sleep, "measure": self.rest.measure,
                                  "alarm": alarm, "demo": demo}
        self.public = Stream(session, public or (streams.DEMO_PUBLIC if demo else streams.PUBLIC), name="public", heard=self.feed.heard,
                             idle_ms=PUBLIC_IDLE_MS, opened=self._doubt, **common)
        self.private = Stream(session, private or (streams.DEMO_PRIVATE if demo else streams.PRIVATE), name="private",
                              heard=self._account, opened=self._stream_opened, key=key, **common)
        self.private.topics = set(PRIVATE_TOPICS)
        self.reconciliation = Reconciliation(
            self.rest, self.book, self.evidence, self.events, self.orders, sleep=sleep, feed=self._look_at_market, alarm=alarm,
            blind=lambda: not self.private.ready, lied=self.private.distrust)
        self.examined: Examined | None = None
        self._wanting: set[asyncio.Task[None]] = set()

    # ---- life

    async def start(self) -> Examined:
        """Examine account and key, take over what rests, then listen and reconcile until `close`. Raises Refused or Unreachable."""
        self.examined = await examine(self.rest)
        await self.reconciliation.prime()
        for report in await self.evidence.open_reports():
            name = await self.events.named(report) if isinstance(report, OrderReport) else report.client_id
            if name:
                plan = "" if isinstance(report, OrderReport) else report.plan
                told = report.filled if isinstance(report, OrderReport) else Decimal(0)
                self.book.add(Tracked(resting(report, name).order, plan, self.server_clock.now_ms(), report.order_id, told=told))
        self.private.start()
        self.public.start()
        self.reconciliation.start()
        return self.examined

    async def close(self) -> None:
        """Nothing more is heard; what rests stays where it is."""
        for task in self._wanting:
            task.cancel()
        await self.reconciliation.close()
        await self.private.close()
        await self.public.close()
        self.ears.close()

    def _doubt(self) -> None:
        self.reconciliation.soon()

    def _stream_opened(self) -> None:
        self.reconciliation.stream_opened()

    # ---- orders

    async def place(self, order: NewOrder, *, still: Still | None = None) -> Outcome:
        return await self.orders.place(order, still=still)

    async def cancel(self, client_id: str) -> Outcome:
        return await self.orders.cancel(client_id)

    async def modify(self, client_id: str, *, new_client_id: str, quantity: Decimal | None = None, price: Decimal | None = None,
                     trigger: Decimal | None = None) -> Outcome:
        return await Changes(self.orders).modify(client_id, new_client_id=new_client_id, quantity=quantity, price=price, trigger=trigger)

    async def resolve(self, client_id: str, *, order: NewOrder | None = None, sent_ms: int | None = None) -> Outcome:
        return await self.orders.resolve(client_id, order=order, sent_ms=sent_ms)

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome:
        return await self.terms.set_leverage(symbol, leverage, cross=cross)

    # ---- what there is

    async def instrument(self, symbol: str) -> Instrument | None:
        return await self.market.instrument(symbol)

    async def bars(self, symbol: str, most: int, timeframe_ms: int | None = None) -> list[Bar]:
        found = await self.market.bars(symbol, most, timeframe_ms)
        self.feed.handed(symbol, found)
        return found

    async def open_orders(self) -> list[OpenOrder]:
        return [resting(report, (await self.events.named(report) if isinstance(report, OrderReport) else None) or report.client_id)
                for report in await self.evidence.open_reports()]

    async def positions(self) -> list[Position]:
        data = await self.rest.read(POSITIONS, {"productType": PRODUCT, "marginCoin": COIN}, urgent=True)
        return [readable(POSITIONS, parse.position, one) for one in readable(POSITIONS, listing("list"), data)]

    async def balance(self) -> Balance:
        data = await self.rest.read(ACCOUNTS, {"productType": PRODUCT}, urgent=True)
        for one in readable(ACCOUNTS, listing("list"), data):
            if str(one.get("marginCoin", "")).upper() == COIN:
                return readable(ACCOUNTS, parse.balance, one)
        raise Unreachable(f"Bitget shows no {COIN} futures balance; transfer {COIN} to the futures account")

    async def look(self, order: NewOrder, sent_ms: int) -> Seen | Rejected | Unknown:
        return await self.looking.look(order, sent_ms)

    async def fills_since(self, time_ms: int, *, known: Known | None = None) -> list[Fill | Liquidated]:
        return await self.since.fills(time_ms, known)

    async def payments_since(self, time_ms: int) -> list[Paid]:
        return await self.since.payments(time_ms)

    async def movements_since(self, time_ms: int) -> list[Moved]:
        return await self.since.movements(time_ms)

    def blind(self) -> str:
        """'' or why not to rely on what is told: key | stream | clock | reconciliation, then a sentence."""
        if self.private.refused or self.reconciliation.key_refused:
            return "key: Bitget refuses it"
        if not self.private.ready:
            return "stream: the private stream is not ready"
        if self.server_clock.offset_ms is None:
            return "clock: Bitget's time was not measured yet"
        done, now = self.reconciliation.done_ms, self.shared.monotonic()
        if done is None:
            return "reconciliation: there was none yet"
        return f"reconciliation: none since {(now - done) // 1000} s" if now - done > BLIND_AFTER_MS else ""

    # ---- events

    def listen(self, listener: Listener, *, symbol: str, prices: bool) -> None:
        self.ears.add(listener, symbol, prices=prices)
        self._want()

    def unlisten(self, listener: Listener) -> None:
        self.ears.remove(listener)
        self._want()

    def _want(self) -> None:
        self.public.idle_ms = PUBLIC_IDLE_MS + (0 if self.ears.priced() else self.market.timeframe_ms)
        task = asyncio.ensure_future(self.public.want(self.feed.topics()))
        self._wanting.add(task)
        task.add_done_callback(self._wanting.discard)
        self._doubt()

    async def _look_at_market(self) -> None:
        blind = not self.public.ready
        await self.feed.check(bars=blind or self.reconciliation.rounds % BARS_EVERY_ROUNDS == 1, prices=blind)

    async def _account(self, arg: Mapping[str, Any], data: Any) -> None:
        """The private stream, frame by frame. What cannot be settled or read now is left to the reconciliation, item by item."""
        for one in parse.lists(data, "list"):
            try:
                await self._report(str(arg.get("channel")), one)
            except (Unreachable, Refused) as error:
                log.warning("bitget_report_unsettled", why=error.message)
                self._doubt()
            except Unreadable as error:
                log.error("bitget_item_unreadable", channel=arg.get("channel"), why=str(error))
                self._doubt()

    async def _report(self, channel: str, one: Item) -> None:
        if channel == "fill":
            report = parse.stream_fill(one)
            self.reconciliation.streamed(report.trade_id)
            await self.events.filled([report])
        elif channel == "orders":
            await self.events.ordered(parse.order(one))
        elif channel == "orders-algo":
            await self.events.planned(parse.plan(one))


@asynccontextmanager
async def opened(key: ApiKey, clock: Clock, *, timeframe_ms: int, **given: Any) -> AsyncIterator[Bitget]:
    """A started adapter with a session of its own. given: as Bitget's keywords."""
    async with aiohttp.ClientSession(trust_env=True) as session:
        made = Bitget(session, key, clock, timeframe_ms=timeframe_ms, **given)
        try:
            await made.start()
            yield made
        finally:
            await made.close()
