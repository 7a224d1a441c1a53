"""A house order in Bitget's words, and back. Quantities and prices leave as the exact text of their Decimal."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from haechi.core.instrument import Instrument
from haechi.exchanges.bitget.endpoints import PLACE_ORDER, PLACE_PLAN, PLACE_TPSL, Endpoint
from haechi.exchanges.bitget.parse import OrderReport, PlanReport
from haechi.exchanges.port import NewOrder, OpenOrder

PRODUCT, COIN = "USDT-FUTURES", "USDT"
CLIENT_ID = re.compile(r"[0-9A-Za-z_+#-]{1,49}")
KINDS = ("market", "limit", "post_only", "stop", "stop_limit")
PRICED = ("limit", "post_only", "stop_limit")
TRIGGERED = ("stop", "stop_limit")
TRIGGER_TYPE = "fill_price"  # the last trade, as the engine's stops are met; liquidation alone looks at the mark price


def wrong(order: NewOrder, one: Instrument) -> str:
    """'' or the house's word for what no exchange would take; nothing is sent then."""
    price, trigger = order.price or Decimal(0), order.trigger or Decimal(0)
    if order.side not in ("buy", "sell"):
        return "side"
    if order.kind not in KINDS:
        return "kind"
    if not CLIENT_ID.fullmatch(order.client_id):
        return "client_id"
    if any(not given.is_finite() for given in (order.quantity, price, trigger)) or price % one.tick or trigger % one.tick:
        return "precision"
    if order.quantity % one.lot:
        return "precision"
    if order.quantity <= 0:
        return "below_minimum"
    if (order.kind in PRICED) != (price > 0) or (order.kind in TRIGGERED) != (trigger > 0):
        return "price"
    return ""


def plan_type(order: NewOrder) -> str:
    """'' for an order of the book. A reducing stop is attached to the position, so it never opens anything and ends with it.

    loss_plan, with its own size, rather than pos_loss: there may be only one pos_loss, so it could not be replaced before the old
    one is cancelled, and it would close what another bot of the same account holds.
    """
    if order.kind not in TRIGGERED:
        return ""
    return "loss_plan" if order.reduce_only else "normal_plan"


def placing(order: NewOrder, *, cross: bool) -> tuple[Endpoint, dict[str, Any]]:
    """Which request places it, and with what."""
    common: dict[str, Any] = {"symbol": order.symbol, "productType": PRODUCT, "marginCoin": COIN, "size": text(order.quantity),
                              "clientOid": order.client_id}
    kind = plan_type(order)
    if kind == "loss_plan":
        # holdSide is the position's side in one-way mode: a sell protects what was bought
        return PLACE_TPSL, {**common, "planType": kind, "triggerPrice": text(order.trigger), "triggerType": TRIGGER_TYPE,
                            "executePrice": text(order.price or Decimal(0)), "holdSide": "buy" if order.side == "sell" else "sell"}
    common |= {"marginMode": "crossed" if cross else "isolated", "side": order.side, "reduceOnly": "YES" if order.reduce_only else "NO",
               "orderType": "limit" if order.kind in PRICED else "market", "price": text(order.price) if order.price else None}
    if kind:
        return PLACE_PLAN, {**common, "planType": kind, "triggerPrice": text(order.trigger), "triggerType": TRIGGER_TYPE}
    force = {"limit": "gtc", "post_only": "post_only"}.get(order.kind)
    return PLACE_ORDER, {**common, "force": force}


def text(value: Decimal | None) -> str:
    """Plain digits, never an exponent."""
    if value is None:
        raise ValueError("a price that is needed is missing")
    return format(value, "f")


def urgent(order: NewOrder) -> bool:
    """Exits and stops have their own part of the request budget."""
    return order.reduce_only


def resting(report: OrderReport | PlanReport, name: str) -> OpenOrder:
    """What rests, as the house sees it, under our name for it. Orders made by hand may have kinds of their own: take_profit, trailing."""
    if isinstance(report, OrderReport):
        order = NewOrder(name, report.symbol, report.side, report.quantity, report.kind, report.price or None, None,
                         report.reduce_only)
        return OpenOrder(order, report.order_id, report.filled)
    kind = "stop_limit" if report.price else "stop"
    kind = {"profit_plan": "take_profit", "pos_profit": "take_profit", "track_plan": "trailing", "moving_plan": "trailing"}.get(
        report.plan, kind)
    order = NewOrder(name, report.symbol, report.side, report.quantity, kind, report.price or None, report.trigger,
                     report.reduce_only)
    return OpenOrder(order, report.order_id, Decimal(0))
