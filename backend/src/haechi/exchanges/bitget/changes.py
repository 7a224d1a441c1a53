"""Orders changed: another size, price or trigger of what rests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from haechi.exchanges.bitget.answers import outcome
from haechi.exchanges.bitget.endpoints import MODIFY_ORDER, MODIFY_PLAN, MODIFY_TPSL
from haechi.exchanges.bitget.orders import Orders
from haechi.exchanges.bitget.requests import COIN, PRODUCT, text, urgent, wrong
from haechi.exchanges.bitget.terms import unasked
from haechi.exchanges.bitget.tracking import Tracked
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Accepted, NewOrder, Outcome, Rejected


class Changes:
    """Of the orders that `orders` has sent."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders

    async def modify(self, client_id: str, *, new_client_id: str, quantity: Decimal | None = None, price: Decimal | None = None,
                     trigger: Decimal | None = None) -> Outcome:
        """Another size, price or trigger. An order of the book becomes a new one under new_client_id; a plan keeps its id."""
        one = self.orders.book.find(client_id)
        if one is None or one.ended:
            return Rejected("no_order")
        old = one.order
        changed = NewOrder(old.client_id if one.plan else new_client_id, old.symbol, old.side, quantity or old.quantity, old.kind,
                           price or old.price, trigger or old.trigger, old.reduce_only)
        try:
            instrument = await self.orders.market.instrument(old.symbol)
        except (Unreachable, Refused) as error:
            return unasked(error)
        refused = wrong(changed, instrument) if instrument is not None else "symbol"
        if refused or one.child_id:
            return Rejected(refused or "not_modifiable")
        return await (self._modify_plan(one, changed) if one.plan else self._modify_order(one, changed))

    async def _modify_order(self, one: Tracked, changed: NewOrder) -> Outcome:
        if self.orders.book.find(changed.client_id) is not None:
            return Rejected("duplicate")
        new = self.orders.book.add(Tracked(changed, "", self.orders.clock.now_ms(), unknown=True))
        reply = await self.orders.rest.ask(MODIFY_ORDER, {
            "symbol": changed.symbol, "productType": PRODUCT, "orderId": one.exchange_id or None,
            "clientOid": None if one.exchange_id else one.id, "newClientOid": changed.client_id, "newSize": text(changed.quantity),
            "newPrice": text(changed.price)}, urgent=urgent(changed))
        new.sent_ms = self.orders.clock.now_ms()
        made = outcome(reply)
        if isinstance(made, Rejected):
            self.orders.book.orders.pop(new.id, None)
            return made
        one.dropped = isinstance(made, Accepted)  # its end is no news then: it lives on as the new one
        self.orders.restless()  # the new order is made afterwards, under an id that is not told: looked for until it is found
        return made

    async def _modify_plan(self, one: Tracked, changed: NewOrder) -> Outcome:
        named = {"orderId": one.exchange_id} if one.exchange_id else {"clientOid": one.id}
        price = text(changed.price) if changed.price else None
        if one.plan == "normal_plan":
            body: dict[str, Any] = {**named, "productType": PRODUCT, "newSize": text(changed.quantity), "newPrice": price,
                                    "newTriggerPrice": text(changed.trigger)}
            reply = await self.orders.rest.ask(MODIFY_PLAN, body, urgent=urgent(changed))
        else:
            body = {**named, "productType": PRODUCT, "marginCoin": COIN, "symbol": changed.symbol, "size": text(changed.quantity),
                    "triggerPrice": text(changed.trigger), "executePrice": price}
            reply = await self.orders.rest.ask(MODIFY_TPSL, body, urgent=urgent(changed))
        made = outcome(reply, one.exchange_id)
        if isinstance(made, Accepted):
            one.order = changed
        return made
