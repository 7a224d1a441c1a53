"""Orders out and away, each with the outcome that the evidence allows. A client id is sent once; if its answer is lost, it is sought."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from haechi.exchanges.bitget import parse
from haechi.exchanges.bitget.answers import Answer, Reply, Silence, Unreadable, outcome
from haechi.exchanges.bitget.clock import ServerClock
from haechi.exchanges.bitget.codes import Kind
from haechi.exchanges.bitget.endpoints import CANCEL_ORDER, CANCEL_PLAN
from haechi.exchanges.bitget.events import Events
from haechi.exchanges.bitget.evidence import Evidence
from haechi.exchanges.bitget.market import Market
from haechi.exchanges.bitget.parse import OrderReport
from haechi.exchanges.bitget.requests import COIN, PRODUCT, placing, plan_type, resting, urgent, wrong
from haechi.exchanges.bitget.rest import Rest
from haechi.exchanges.bitget.terms import AccountTerms, unasked
from haechi.exchanges.bitget.text import Item
from haechi.exchanges.bitget.tracking import Book, Tracked
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Accepted, NewOrder, Outcome, Rejected, Still, Unknown

CANCELS_MAX = 3
# Until then a request that went out may still be carried out, and until then a lookup may show what was before: 30 s of timestamp
# window, 60 s of late execution, 30 s of a reading side that lags. Only a "not found" after that says that it never arrived.
LATEST_MS = 120_000

log = structlog.get_logger(__name__)


class Orders:
    """`restless` is called when something has to be looked after soon."""

    def __init__(self, rest: Rest, book: Book, evidence: Evidence, events: Events, terms: AccountTerms, market: Market,
                 restless: Callable[[], None]) -> None:
        self.rest, self.book, self.evidence, self.events = rest, book, evidence, events
        self.terms, self.market, self.restless = terms, market, restless

    @property
    def clock(self) -> ServerClock:
        return self.rest.clock

    # ---- out

    async def place(self, order: NewOrder, *, still: Still | None = None) -> Outcome:
        known = self.book.find(order.client_id)
        if known is not None and not known.lost:
            return await self.resolve(order.client_id) if known.unknown else Accepted(known.exchange_id)
        try:
            instrument = await self.market.instrument(order.symbol)
        except (Unreachable, Refused) as error:
            return unasked(error)
        if instrument is None:
            return Rejected("symbol", order.symbol)
        refused = wrong(order, instrument)
        if refused:
            return Rejected(refused)
        terms = await self.terms.ready(order.symbol)
        if not isinstance(terms, parse.Terms):
            return terms
        self.book.orders.pop(order.client_id, None)  # one that never arrived may be sent again
        one = self.book.add(Tracked(order, plan_type(order), self.clock.now_ms(), unknown=True))
        endpoint, body = placing(order, cross=terms.cross)
        reply = await self.rest.ask(endpoint, body, urgent=urgent(order), still=still)
        one.sent_ms = self.clock.now_ms()
        return await self._placed(one, reply)

    async def _placed(self, one: Tracked, reply: Reply) -> Outcome:
        if isinstance(reply, Answer) and reply.ok:
            one.unknown = False
            self.book.link(one, order_id_of(reply.data))
            if not one.exchange_id:
                self.restless()
            return Accepted(one.exchange_id)
        if isinstance(reply, Answer) and reply.meaning.kind is Kind.DUPLICATE:
            return await self._duplicate(one, reply)
        if not one.unknown:
            return Accepted(one.exchange_id)  # a stream has told of it before this answer came, whatever it says
        made = outcome(reply)
        if isinstance(made, Rejected):
            one.unknown, one.ended = False, True
            self.book.orders.pop(one.id, None)
            if isinstance(reply, Answer) and reply.meaning.kind is Kind.MODE:
                self.terms.forget(one.order.symbol)
            return made
        log.warning("bitget_order_unknown", client_id=one.id, why=made.why if isinstance(made, Unknown) else "")
        self.restless()
        return made

    async def _duplicate(self, one: Tracked, reply: Answer) -> Outcome:
        """Our ids are unique: that this one is taken proves that the order exists."""
        log.warning("bitget_order_duplicate", client_id=one.id, code=reply.code)
        one.unknown = False
        try:
            await self.look(one)
        except (Unreachable, Refused):
            self.restless()
        return Accepted(one.exchange_id)

    # ---- evidence

    async def resolve(self, client_id: str, *, order: NewOrder | None = None, sent_ms: int | None = None) -> Outcome:
        """What became of an order. After a restart the order itself must be given, with the time it was sent (our clock; else now)."""
        one = self.book.find(client_id)
        if one is None and order is not None:
            sent = self.clock.now_ms() if sent_ms is None else sent_ms + (self.clock.offset_ms or 0)
            one = self.book.add(Tracked(order, plan_type(order), sent, unknown=True))
        if one is None:
            return Unknown("this order was not sent in this run; give the order itself to look for it")
        try:
            found = await self.look(one)
        except (Unreachable, Refused) as error:
            return Unknown(error.message)
        if found:
            return Accepted(one.exchange_id)
        if one.lost:
            return Rejected("never_arrived")
        if not one.unknown:
            return Unknown("it was accepted, and is now on no list")
        left = one.sent_ms + LATEST_MS - self.clock.now_ms()
        if left > 0:
            return Unknown(f"not there; what was sent may still arrive for {left} ms")
        one.unknown, one.ended, one.lost = False, True, True
        return Rejected("never_arrived")

    async def look(self, one: Tracked) -> bool:
        """Find it wherever it may be, and tell what it has become. False: nowhere, as the exchange says."""
        if not one.plan or one.child_id:
            report = await (self.evidence.detail(one.order.symbol, order_id=one.child_id) if one.child_id else
                            self.evidence.order(one.order.symbol, one.id, strange=lambda order_id: order_id not in self.book.by_exchange))
            if report is not None:
                await self.events.ordered(report)
            return report is not None
        plan = await self.evidence.plan(one.order.symbol, one.id, one.plan)
        if plan is None:
            return False
        await self.events.planned(plan)
        if one.child_id and not one.ended:
            await self.look(one)
        return True

    # ---- away

    async def cancel(self, client_id: str) -> Outcome:
        try:
            one = self.book.find(client_id) or await self.adopt(client_id)
        except (Unreachable, Refused) as error:
            return Unknown(error.message)
        if one is None:
            return Rejected("no_order")
        reply = await self._cancelling(one)  # also what is over for us: it may rest there all the same
        made = canceled(reply, one)
        if isinstance(made, Accepted):
            one.dropped, one.unknown = True, False
            return made
        self.restless()
        if isinstance(made, Rejected) and made.reason == "no_order":
            return await self._not_there(one, made)
        return made

    async def _cancelling(self, one: Tracked) -> Reply:
        """Cancelling twice does no harm, so silence is asked again."""
        reply: Reply = Silence("not asked")
        for _ in range(CANCELS_MAX):
            reply = await self._cancel_once(one)
            if not isinstance(reply, Silence):
                break
        return reply

    async def _cancel_once(self, one: Tracked) -> Reply:
        order_id = one.child_id or one.exchange_id
        named = {"orderId": order_id} if order_id else {"clientOid": one.id}
        common: dict[str, Any] = {"symbol": one.order.symbol, "productType": PRODUCT, "marginCoin": COIN}
        if one.plan and not one.child_id:
            return await self.rest.ask(CANCEL_PLAN, {**common, "orderIdList": [named], "planType": one.plan}, urgent=True)
        return await self.rest.ask(CANCEL_ORDER, {**common, **named}, urgent=True)

    async def _not_there(self, one: Tracked, made: Rejected) -> Outcome:
        """Filled, ended or never there? A plan may have become an order, which can still be cancelled."""
        was_plan = bool(one.plan and not one.child_id)
        try:
            found = await self.look(one)
        except (Unreachable, Refused) as error:
            return Unknown(error.message)
        if not found and one.unknown:
            return Unknown("not there yet")
        if was_plan and one.child_id and not one.ended:
            again = canceled(await self._cancelling(one), one)
            one.dropped = one.dropped or isinstance(again, Accepted)
            return again
        return made

    async def adopt(self, client_id: str) -> Tracked | None:
        """An order of ours from before a restart, found among what rests."""
        for report in await self.evidence.open_reports():
            name = await self.events.named(report) if isinstance(report, OrderReport) else report.client_id
            if name == client_id:
                plan = "" if isinstance(report, OrderReport) else report.plan
                return self.book.add(Tracked(resting(report, client_id).order, plan, self.clock.now_ms(), report.order_id))
        return None


def order_id_of(data: Any) -> str:
    """'' where the exchange leaves it out: the order is accepted all the same."""
    try:
        return parse.ids(data)[0]
    except Unreadable:
        return ""


def canceled(reply: Reply, one: Tracked) -> Outcome:
    """Of a cancel request; plans answer with lists of what went and what did not."""
    if not isinstance(reply, Answer) or not reply.ok or not one.plan or one.child_id:
        return outcome(reply, one.exchange_id)
    mine = {one.exchange_id, one.id} - {""}
    try:
        done, failed = (parse.lists(reply.data, name) for name in ("successList", "failureList"))
    except Unreadable as error:
        return Unknown(str(error))
    if any(mine & set(map(str, item.values())) for item in done):
        return Accepted(one.exchange_id)
    for item in failed:
        if mine & set(map(str, item.values())):
            return not_canceled(item, reply.status)
    return Unknown("the answer does not name the order")


def not_canceled(item: Item, status: int) -> Outcome:
    """Recorded lists have no code, only the words `notExistend`."""
    code, words = str(item.get("errorCode") or ""), str(item.get("errorMsg") or "")
    if not code and "notexist" in words.lower():
        return Rejected("no_order")
    return outcome(Answer(code, words, None, status))
