"""Order endpoints: place, change, cancel, close, and the lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from haechi.core.instrument import Instrument
from haechi.venue.records import OrderRecord, Preset
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest
from haechi.venue.wire import formats
from haechi.venue.wire.account import leg_of
from haechi.venue.wire.codes import message
from haechi.venue.wire.inputs import Call
from haechi.venue.wire.paging import listed, page
from haechi.venue.wire.routing import route

ORDER = "/api/v2/mix/order/"
FORCES = ("gtc", "ioc", "fok", "post_only")
STP = ("none", "cancel_taker", "cancel_maker", "cancel_both")
BATCH_MAX = 50
RECEIVE_WINDOW_MAX = 60_000


def direction(call: Call) -> tuple[int, int, bool]:
    """Real side, leg, and whether it closes. In hedge mode `side` names the position and `tradeSide` opens or closes it."""
    side = 1 if call.word("side", ("buy", "sell")) == "buy" else -1
    if not call.member.hedge:
        return side, 0, call.flag("reduceOnly")
    closes = call.word("tradeSide", ("open", "close"), "")
    if not closes:
        raise Refusal("40774")
    leg = 0 if side > 0 else 1
    return (-side if closes == "close" else side), leg, closes == "close"


def preset_of(call: Call, one: Instrument) -> Preset:
    return Preset(call.ticks("presetStopSurplusPrice", one), call.ticks("presetStopSurplusExecutePrice", one),
                  call.ticks("presetStopLossPrice", one), call.ticks("presetStopLossExecutePrice", one))


def use_margin_mode(call: Call, m: int) -> None:
    """An order names its margin mode; another one than the symbol's sets it, unless something is held or waits there."""
    cross = call.word("marginMode", ("isolated", "crossed")) == "crossed"
    if cross != call.member.cross(m):
        call.member.set_margin_mode(m, cross)


def read_order(call: Call, m: int) -> OrderRequest:
    one = call.floor.instruments[m]
    side, leg, closes = direction(call)
    kind = call.word("orderType", ("limit", "market"))
    force = call.word("force", FORCES, "gtc") if kind == "limit" else "gtc"
    price = call.ticks("price", one, None) if kind == "limit" else 0
    return OrderRequest(m, side, call.lots("size", one), kind, price, force, call.client_oid(), closes, leg, None, preset_of(call, one),
                        call.word("stpMode", STP, "none"))


@route("POST", ORDER + "place-order", needs="trade")
def place_order(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m = call.market()
    request = read_order(call, m)
    use_margin_mode(call, m)
    return ids(call.member.place(request))


def ids(order: OrderRecord) -> dict[str, str]:
    return {"orderId": order.order_id, "clientOid": order.client_oid}


def items(call: Call, name: str) -> list[dict[str, Any]]:
    """The list of a batch."""
    given = call.given.get(name)
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Refusal("40020" if given is not None else "40019", name)
    if len(given) > BATCH_MAX:
        raise Refusal("40912" if name == "orderIdList" else "40306")
    return given


def failure(no: Refusal, given: dict[str, Any]) -> dict[str, str]:
    """A client id that is known has a code of its own in batches."""
    code = "43118" if no.code == "45034" else no.code
    return {"orderId": str(given.get("orderId") or ""), "clientOid": str(given.get("clientOid") or ""),
            "errorMsg": message(code, no.values), "errorCode": code}


def each(call: Call, given: list[dict[str, Any]], act: Callable[[Call], OrderRecord | dict[str, str]]) -> dict[str, Any]:
    """One after the other; what is refused does not stop the rest."""
    done, failed = [], []
    for one in given:
        part = Call(call.floor, one, call.ip, call.key, call.who)
        try:
            made = act(part)
            done.append(ids(made) if isinstance(made, OrderRecord) else made)
        except Refusal as no:
            failed.append(failure(no, one))
    return {"successList": done, "failureList": failed}


@route("POST", ORDER + "batch-place-order", limit=5, needs="trade")
def batch_place_order(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m = call.market()
    given = items(call, "orderList")
    use_margin_mode(call, m)
    return each(call, given, lambda part: part.member.place(read_order(part, m)))


def named(call: Call) -> OrderRecord:
    """The order that orderId or clientOid names, of the symbol if one is given."""
    order_id, client_oid = call.order_id(), call.client_oid()
    if not order_id and not client_oid:
        raise Refusal("40924")
    found = call.member.find(order_id=order_id, client_oid=client_oid)
    m = call.symbol(needed=False)
    if found is None or (m is not None and found.m != m):
        raise Refusal("40768")
    return found


@route("POST", ORDER + "modify-order", needs="trade")
def modify_order(call: Call) -> Any:
    call.product()
    one, order = call.instrument, named(call)
    lots = call.lots("newSize", one) if call.text("newSize", "") else None
    price = call.ticks("newPrice", one) if call.text("newPrice", "") else None
    if (lots is None) != (price is None) and order.kind == "limit":
        lots, price = (order.lots, price) if lots is None else (lots, order.price)
    return ids(call.member.modify(order, new_client_oid=call.client_oid("newClientOid") or None, lots=lots, price=price,
                                  preset=new_preset(call, one, order)))


def new_preset(call: Call, one: Instrument, order: OrderRecord) -> Preset | None:
    """`0` deletes; absent leaves."""
    names = ("newPresetStopSurplusPrice", "newPresetStopLossPrice")
    if not any(call.text(name, "") for name in names):
        return None
    old = order.preset
    profit = call.ticks(names[0], one) if call.text(names[0], "") else old.profit
    loss = call.ticks(names[1], one) if call.text(names[1], "") else old.loss
    return Preset(profit, old.profit_execute if profit else 0, loss, old.loss_execute if loss else 0)


@route("POST", ORDER + "cancel-order", needs="trade")
def cancel_order(call: Call) -> Any:
    call.product()
    call.market()
    return ids(cancelled(call))


def cancelled(call: Call) -> OrderRecord:
    order = named(call)
    call.member.cancel(order)
    return order


@route("POST", ORDER + "batch-cancel-orders", needs="trade")
def batch_cancel(call: Call) -> Any:
    """Without a list, every order of the symbol."""
    if not call.ours():
        return {"successList": [], "failureList": []}
    m = call.symbol(needed=False)
    if call.given.get("orderIdList"):
        return each(call, items(call, "orderIdList"), cancelled)
    return cancel_every(call, m)


def cancel_every(call: Call, m: int | None) -> dict[str, Any]:
    done = call.member.open_orders(m)
    for order in done:
        call.member.cancel(order)
    return {"successList": [ids(order) for order in done], "failureList": []}


@route("POST", ORDER + "cancel-all-orders", needs="trade")
def cancel_all(call: Call) -> Any:
    sent, window = call.moment("requestTime"), call.moment("receiveWindow")
    if window is not None and window >= RECEIVE_WINDOW_MAX:
        raise Refusal("40079")
    if sent is not None and window is not None and abs(call.floor.wall_ms() - sent) > window:
        raise Refusal("40078")
    return cancel_every(call, None) if call.ours() else {"successList": [], "failureList": []}


@route("POST", ORDER + "close-positions", limit=1, needs="trade")
def close_positions(call: Call) -> Any:
    if not call.ours():
        raise Refusal("22002")
    m = call.symbol(needed=False)
    done, failed = call.member.flash_close(m, leg_of(call, needed=False))
    return {"successList": [{**ids(order), "symbol": formats.symbol_of(call.floor, order.m)} for order in done],
            "failureList": [{"orderId": "", "clientOid": "", "symbol": symbol, "errorMsg": message(code), "errorCode": code}
                            for symbol, code in failed]}


@route("POST", ORDER + "click-backhand", needs="trade")
def click_backhand(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m = call.market()
    side = call.word("side", ("buy", "sell"))
    leg = 1 if call.member.hedge and side == "sell" else 0
    lots = call.lots("size", call.instrument) if call.text("size", "") else None
    if lots is not None and lots <= 0:
        raise Refusal("40020", "size")
    return ids(call.member.backhand(m, leg, lots, call.client_oid()))


# ---- lists

@route("GET", ORDER + "detail")
def detail(call: Call) -> Any:
    call.product()
    call.market()
    try:
        order = named(call)
    except Refusal as no:
        raise Refusal("40109") if no.code == "40768" else no from None
    return formats.order(order, call.floor.instruments[order.m])


def chosen(call: Call, orders: list[OrderRecord]) -> Any:
    """A page of those that orderId, clientOid and symbol leave."""
    m, order_id, client_oid = call.symbol(needed=False), call.order_id(), call.client_oid()
    wanted = [one for one in orders if m in (None, one.m) and order_id in ("", one.order_id) and client_oid in ("", one.client_oid)]
    found, end = page(call, wanted, identity=lambda one: one.order_id, time=lambda one: one.created_ms)
    return listed("entrustedList", [formats.order(one, call.floor.instruments[one.m]) for one in found], end)


@route("GET", ORDER + "orders-pending")
def orders_pending(call: Call) -> Any:
    ours = call.ours()
    status = call.word("status", ("live", "partially_filled"), "")
    return chosen(call, [one for one in call.member.open_orders() if ours and status in ("", one.status)])


@route("GET", ORDER + "orders-history")
def orders_history(call: Call) -> Any:
    ours, source = call.ours(), call.text("orderSource", "").lower()
    return chosen(call, [one for one in call.member.orders.values() if ours and not one.open and source in ("", one.source)])


def fill_page(call: Call, days: int) -> Any:
    ours, m, order_id = call.ours(), call.symbol(needed=False), call.order_id()
    wanted = [one for one in call.member.fills if ours and m in (None, one.m) and order_id in ("", one.order_id)]
    found, end = page(call, wanted, identity=lambda one: one.trade_id, time=lambda one: one.time_ms, days=days)
    return listed("fillList", [formats.fill(one, call.floor.instruments[one.m]) for one in found], end)


@route("GET", ORDER + "fills")
def fills(call: Call) -> Any:
    return fill_page(call, 90)


@route("GET", ORDER + "fill-history")
def fill_history(call: Call) -> Any:
    return fill_page(call, 7)
