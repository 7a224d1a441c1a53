"""What the exchange knows of an order: asked in every place where it may be, because one empty list proves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import structlog

from haechi.exchanges.bitget import parse
from haechi.exchanges.bitget.answers import Answer, Unreadable
from haechi.exchanges.bitget.codes import Kind
from haechi.exchanges.bitget.endpoints import BILLS, FILLS, OPEN_ORDERS, OPEN_PLANS, ORDER, ORDER_HISTORY, PLAN_HISTORY, Endpoint
from haechi.exchanges.bitget.parse import FillReport, OrderReport, Payment, PlanReport
from haechi.exchanges.bitget.requests import COIN, PRODUCT
from haechi.exchanges.bitget.rest import Rest, failed
from haechi.exchanges.bitget.text import Item, maybe
from haechi.exchanges.errors import Unreachable

PAGE = 100
PAGES_MAX = 50
FOREIGN_LOOKUPS_MAX = 20  # orders of the newest fills asked about to find one of ours
PLAN_LISTS = ("normal_plan", "track_plan", "profit_loss")
OUR_PLANS = {"normal_plan": "normal_plan", "loss_plan": "profit_loss"}  # what we place -> the list it is on

Report = OrderReport | PlanReport
Value = TypeVar("Value")
log = structlog.get_logger(__name__)


class Evidence:
    """Reads only. Raises Unreachable when there is no usable answer, Refused when there is a clear no."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.foreign: set[str] = set()  # ids of orders that are certainly not the one sought

    # ---- lists, newest first

    async def pages(self, endpoint: Endpoint, name: str, cursor: str, **params: Any) -> AsyncIterator[Item]:
        """All items of a paged list; `cursor` is the field the next page begins after."""
        older = None
        for _ in range(PAGES_MAX):
            data = await self.rest.read(endpoint, {"productType": PRODUCT, **params, "limit": str(PAGE), "idLessThan": older})
            found = readable(endpoint, listing(name), data)
            for one in found:
                yield one
            last = maybe(found[-1], cursor) if found else ""
            if len(found) < PAGE or not last or last == older:
                return
            older = last
        raise Unreachable(f"Bitget's {endpoint.path} has more than {PAGES_MAX * PAGE} entries for one question")

    async def open_reports(self) -> list[Report]:
        """Everything that rests: orders of the book, and plans of every kind."""
        found: list[Report] = []
        async for one in self.pages(OPEN_ORDERS, "entrustedList", "orderId"):
            found += one_of_list(OPEN_ORDERS, parse.order, one)
        for kind in PLAN_LISTS:
            async for one in self.pages(OPEN_PLANS, "entrustedList", "orderId", planType=kind):
                found += one_of_list(OPEN_PLANS, parse.plan, one)
        return found

    async def fills(self, *, known: Callable[[str], bool] | None = None, **params: Any) -> list[FillReport]:
        """Oldest first. With `known`: pages back until one that holds a known trade; with startTime: to there."""
        found: list[FillReport] = []
        async for one in self._back_to(known, FILLS, "fillList", "tradeId", **params):
            found += one_of_list(FILLS, parse.rest_fill, one)
        return sorted(reversed(found), key=lambda fill: fill.time_ms)

    async def payments(self, *, known: Callable[[str], bool] | None = None, **params: Any) -> list[Payment]:
        """Funding, oldest first; as `fills`."""
        return await self.bills(known=known, businessType="contract_settle_fee", **params)

    async def bills(self, *, known: Callable[[str], bool] | None = None, **params: Any) -> list[Payment]:
        """Changes of the margin coin's wallet, oldest first; as `fills`."""
        found: list[Payment] = []
        async for one in self._back_to(known, BILLS, "bills", "billId", **params):
            if maybe(one, "coin").upper() in ("", COIN):
                found += one_of_list(BILLS, parse.payment, one)
        return sorted(reversed(found), key=lambda paid: paid.time_ms)

    async def _back_to(self, known: Callable[[str], bool] | None, endpoint: Endpoint, name: str, identity: str,
                       **params: Any) -> AsyncIterator[Item]:
        """Whole pages, to the first that holds something known: what came late is between the known ones of that page."""
        count, met = 0, False
        async for one in self.pages(endpoint, name, identity, **params):
            if met and count % PAGE == 0:
                return
            count += 1
            met = met or (known is not None and known(maybe(one, identity)))
            yield one

    # ---- one order

    async def detail(self, symbol: str, *, client_id: str | None = None, order_id: str | None = None) -> OrderReport | None:
        """None: the exchange says that it does not know it."""
        reply = await self.rest.ask(ORDER, {"symbol": symbol, "productType": PRODUCT, "orderId": order_id, "clientOid": client_id},
                                    urgent=True)
        if isinstance(reply, Answer) and not reply.ok and reply.meaning.kind is Kind.NOT_FOUND:
            return None
        if not isinstance(reply, Answer) or not reply.ok:
            raise failed(ORDER, reply)
        return readable(ORDER, parse.order, reply.data) if reply.data else None

    async def order(self, symbol: str, client_id: str, *, strange: Callable[[str], bool] = lambda _: True) -> OrderReport | None:
        """By our id: detail, then the open ones, the history, and at last the orders of the newest fills. strange: whose order id
        is not known to be another order's."""
        found = await self.detail(symbol, client_id=client_id)
        if found is not None and found.client_id == client_id:
            return found
        for endpoint in (OPEN_ORDERS, ORDER_HISTORY):
            async for one in self.pages(endpoint, "entrustedList", "orderId", symbol=symbol, clientOid=client_id):
                if maybe(one, "clientOid") == client_id:
                    return readable(endpoint, parse.order, one)
        return await self._of_fills(symbol, client_id, strange)

    async def _of_fills(self, symbol: str, client_id: str, strange: Callable[[str], bool]) -> OrderReport | None:
        data = await self.rest.read(FILLS, {"productType": PRODUCT, "symbol": symbol, "limit": str(PAGE)})
        looked: set[str] = set()
        for one in readable(FILLS, listing("fillList"), data):
            for fill in one_of_list(FILLS, parse.rest_fill, one):
                order_id = fill.order_id
                if order_id in looked or order_id in self.foreign or not strange(order_id) or len(looked) >= FOREIGN_LOOKUPS_MAX:
                    continue
                looked.add(order_id)
                found = await self.detail(symbol, order_id=order_id)
                if found is not None and found.client_id == client_id:
                    return found
                if found is not None and len(self.foreign) < 10_000:
                    self.foreign.add(order_id)
        return None

    async def plan(self, symbol: str, client_id: str, kind: str) -> PlanReport | None:
        """By our id, among the resting and the past ones."""
        for endpoint in (OPEN_PLANS, PLAN_HISTORY):
            async for one in self.pages(endpoint, "entrustedList", "orderId", symbol=symbol, planType=OUR_PLANS[kind], clientOid=client_id):
                if maybe(one, "clientOid") == client_id:
                    return readable(endpoint, parse.plan, one)
        return None

    async def parent(self, symbol: str, order_id: str, kind: str) -> PlanReport | None:
        """The plan that became this order."""
        data = await self.rest.read(PLAN_HISTORY, {"productType": PRODUCT, "symbol": symbol, "planType": OUR_PLANS[kind],
                                                   "limit": str(PAGE)}, urgent=True)
        for one in readable(PLAN_HISTORY, listing("entrustedList"), data):
            if maybe(one, "executeOrderId") == order_id:
                return readable(PLAN_HISTORY, parse.plan, one)
        return None


def listing(name: str) -> Callable[[Any], list[Item]]:
    return lambda data: parse.lists(data, name)


def readable(endpoint: Endpoint, read: Callable[[Any], Value], content: Any) -> Value:
    """An answer that cannot be read is as good as none."""
    try:
        return read(content)
    except Unreadable as error:
        raise Unreachable(f"Bitget's answer of {endpoint.path} cannot be read: {error}") from None


def one_of_list(endpoint: Endpoint, read: Callable[[Item], Value], content: Item) -> list[Value]:
    """One strange item (a kind of order we do not know, made by hand) must not hide the others: it is left out, and logged."""
    try:
        return [read(content)]
    except Unreadable as error:
        log.error("bitget_item_unreadable", path=endpoint.path, why=str(error))
        return []
