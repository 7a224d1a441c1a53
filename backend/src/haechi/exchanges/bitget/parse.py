"""Bitget's orders, plan orders, fills, positions, balances, bills, contracts and bars as values. Raises Unreadable, invents nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from haechi.exchanges.bitget.answers import Unreadable
from haechi.exchanges.bitget.text import (
    Item,
    exact,
    field,
    item,
    items,
    maybe,
    number,
    number_or_none,
    side,
    symbol,
    time_ms,
    whole,
    word,
)
from haechi.exchanges.port import Balance, Bar, Position

STATUSES = {"live": "live", "new": "live", "init": "live", "partially_filled": "live", "partial_fill": "live", "filled": "filled",
            "full_fill": "filled", "canceled": "canceled", "cancelled": "canceled"}
PLAN_STATUSES = {"live": "live", "not_trigger": "live", "executing": "executed", "executed": "executed", "fail_execute": "failed",
                 "cancelled": "canceled", "canceled": "canceled"}
# planType of the orders-algo stream -> of REST; partial and whole-position TP/SL
STREAM_PLANS = {"pl": "normal_plan", "tp": "profit_plan", "sl": "loss_plan", "ptp": "pos_profit", "psl": "pos_loss",
                "track": "track_plan", "mtpsl": "moving_plan", "amount": "normal_plan"}
PLANS = frozenset(STREAM_PLANS.values())
LIQUIDATION_WORDS = ("burst", "reduce_close", "reduce_buy", "reduce_sell")


class OrderReport(msgspec.Struct, frozen=True):
    """kind: market | limit | post_only. status: live | filled | canceled. price 0: none. source: orderSource, '' where not told."""

    order_id: str
    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    filled: Decimal
    price: Decimal
    status: str
    reduce_only: bool
    source: str
    reason: str
    updated_ms: int


class PlanReport(msgspec.Struct, frozen=True):
    """price 0: at the market when triggered. child_id: the order it became. status: live | executed | failed | canceled."""

    order_id: str
    client_id: str
    symbol: str
    side: str
    plan: str
    quantity: Decimal
    trigger: Decimal
    price: Decimal
    status: str
    reduce_only: bool
    child_id: str
    updated_ms: int


class FillReport(msgspec.Struct, frozen=True):
    """fee: what was paid in the margin coin (positive = paid); profit before fees. client_id '' where the exchange does not tell it."""

    trade_id: str
    order_id: str
    client_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    profit: Decimal
    maker: bool
    trade_side: str
    time_ms: int

    @property
    def liquidation(self) -> bool:
        return self.trade_side.lower().startswith(LIQUIDATION_WORDS)


class Payment(msgspec.Struct, frozen=True):
    """A bill of the wallet. amount and fee with Bitget's signs: + comes in."""

    bill_id: str
    symbol: str
    amount: Decimal
    fee: Decimal
    business: str
    time_ms: int


class Terms(msgspec.Struct, frozen=True):
    """How a symbol is set for the account."""

    hedge: bool
    cross: bool
    leverage: int
    leverage_short: int


def order(content: Any) -> OrderReport:
    """Of detail, pending, history and the orders stream."""
    one = item(content)
    status = word(one, "status", "state").lower()
    if status not in STATUSES:
        raise Unreadable(f"order status {status!r:.30}")
    kind, force = word(one, "orderType").lower(), maybe(one, "force").lower()
    return OrderReport(word(one, "orderId"), maybe(one, "clientOid"), symbol(one), side(one, names_position=True),
                       "post_only" if force == "post_only" and kind == "limit" else kind, number(one, "size"),
                       number_or_none(one, "accBaseVolume", "baseVolume") or Decimal(0),
                       (number_or_none(one, "price") or Decimal(0)) if kind == "limit" else Decimal(0), STATUSES[status], reduces(one),
                       maybe(one, "orderSource"), maybe(one, "cancelReason"), updated(one))


def reduces(one: Item) -> bool:
    """Reduce-only in one-way mode, or the closing side of hedge mode."""
    hedged = maybe(one, "posMode") == "hedge_mode"
    return maybe(one, "reduceOnly").lower() in ("yes", "true") or (hedged and "close" in maybe(one, "tradeSide").lower())


def updated(one: Item) -> int:
    """uTime is "" on what never changed."""
    return time_ms(one, "uTime" if maybe(one, "uTime") else "cTime")


def plan(content: Any) -> PlanReport:
    """Of plan lists and the orders-algo stream. What protects a position always reduces it."""
    one = item(content)
    status = word(one, "planStatus", "status").lower()
    kind = word(one, "planType")
    kind = STREAM_PLANS.get(kind, kind)
    if status not in PLAN_STATUSES or kind not in PLANS:
        raise Unreadable(f"plan order {kind!r:.30} with status {status!r:.30}")
    limit = word(one, "orderType").lower() == "limit"
    price = number_or_none(one, "executePrice", "price") if limit else None
    protects = kind not in ("normal_plan", "track_plan")
    return PlanReport(word(one, "orderId"), maybe(one, "clientOid"), symbol(one), side(one, names_position=True), kind,
                      number_or_none(one, "size") or Decimal(0), number(one, "triggerPrice"), price or Decimal(0), PLAN_STATUSES[status],
                      protects or reduces(one), maybe(one, "executeOrderId"), updated(one))


def fill(one: Item, *, stream: bool, coin: str = "USDT") -> FillReport:
    """Of fills, fill-history (`side` names the position in hedge mode) and the fill stream (`side` is the real direction)."""
    return FillReport(word(one, "tradeId"), word(one, "orderId"), maybe(one, "clientOid"), symbol(one),
                      side(one, names_position=not stream), number(one, "baseVolume"), number(one, "price"), -paid(one, coin),
                      number_or_none(one, "profit") or Decimal(0), maybe(one, "tradeScope").lower() in ("maker", "m"),
                      maybe(one, "tradeSide"), time_ms(one, "cTime"))


def rest_fill(content: Any) -> FillReport:
    return fill(item(content), stream=False)


def stream_fill(content: Any) -> FillReport:
    return fill(item(content), stream=True)


def paid(one: Item, coin: str) -> Decimal:
    """Fees in the margin coin, negative as Bitget gives them. A fee deducted in another coin (BGB) leaves the futures wallet alone."""
    total = Decimal(0)
    for detail in items(field(one, "feeDetail")):
        if word(detail, "feeCoin").upper() == coin:
            total += number(detail, "totalFee", "fee")
    return total


def position(content: Any) -> Position:
    one = item(content)
    quantity = number(one, "total")
    held = word(one, "holdSide").lower()
    if held not in ("long", "short"):
        raise Unreadable(f"holdSide {held!r:.20}")
    stop = number_or_none(one, "liquidationPrice")
    return Position(symbol(one), quantity if held == "long" else -quantity, number(one, "openPriceAvg"),
                    stop if stop is not None and stop > 0 else None)


def balance(content: Any) -> Balance:
    """Of one margin coin. accountEquity counts unrealised profit at mark; the wallet is without it. available: for new cross orders."""
    one = item(content)
    total = number_or_none(one, "unrealizedPL")
    if total is None and "crossedUnrealizedPL" in one:
        total = number(one, "crossedUnrealizedPL") + number(one, "isolatedUnrealizedPL")
    if total is None and one.get("unrealizedPL") != "":  # "" is what an account without positions shows
        raise Unreadable("unrealizedPL is missing")
    total = total or Decimal(0)
    equity = number(one, "accountEquity")
    return Balance(equity - total, equity, max(number(one, "crossedMaxAvailable"), Decimal(0)))


def payment(content: Any) -> Payment:
    one = item(content)
    return Payment(word(one, "billId"), maybe(one, "symbol").upper(), number(one, "amount"), number_or_none(one, "fee") or Decimal(0),
                   word(one, "businessType"), time_ms(one, "cTime"))


def terms(content: Any) -> Terms:
    """The recorded spelling since 2024; the documented one has crossedMarginLeverage for both."""
    one = item(content)
    cross = word(one, "marginMode").lower() in ("crossed", "cross")
    crossed = whole(one, "crossedMarginLeverage", "crossMarginLeverage")
    long = crossed if cross else whole(one, "isolatedLongLever", "fixedLongLeverage")
    short = crossed if cross else whole(one, "isolatedShortLever", "fixedShortLeverage")
    return Terms(word(one, "posMode") == "hedge_mode", cross, long, short)


def bar(row: Any, *, of: str, timeframe_ms: int) -> Bar:
    """[open time, open, high, low, close, base volume, …]; the volume is for indicators only, so it may be a float."""
    if not isinstance(row, list) or len(row) < 6:
        raise Unreadable(f"a bar is {row!r:.60}")
    opened, high, low, closed = (exact(text) for text in row[1:5])
    if not 0 < low <= min(opened, closed) <= max(opened, closed) <= high:
        raise Unreadable(f"an impossible bar: {row!r:.120}")
    return Bar(of, timeframe_ms, int(exact(row[0])), opened, high, low, closed, msgspec.convert(exact(row[5]), float, strict=False))


def bars(content: Any, *, of: str, timeframe_ms: int) -> list[Bar]:
    """Oldest first, each open time once."""
    if not isinstance(content, list):
        raise Unreadable("no list of bars")
    found = [bar(row, of=of, timeframe_ms=timeframe_ms) for row in content]
    return sorted({one.ts: one for one in found}.values(), key=lambda one: one.ts)


def ids(content: Any) -> tuple[str, str]:
    """(orderId, clientOid) of what was placed, changed or cancelled; orderId '' where the exchange leaves it out."""
    made = item(content)
    return maybe(made, "orderId"), maybe(made, "clientOid")


def lists(content: Any, *names: str) -> list[Item]:
    """The list inside `data`, under whichever of these names; a bare list is itself."""
    if isinstance(content, list) or content is None:
        return items(content)
    return items(item(content).get(next((name for name in names if name in content), names[0])))
