"""What faults do to a request before it is executed, and to its answer after.

Refusing ones may answer in the exchange's place; a preparing one changes what the request will meet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from haechi.venue import fault_orders
from haechi.venue.fault_answers import content, drop, envelope, half, page
from haechi.venue.fault_draws import Call, Fault
from haechi.venue.records import OrderRecord
from haechi.venue.wire.codes import RATE, message

if TYPE_CHECKING:
    from haechi.venue.faults import Faults
    from haechi.venue.floor import Floor

ORDERS = "/api/v2/mix/order/"
PLACES = tuple(ORDERS + end for end in ("place-order", "batch-place-order"))
CANCELS = tuple(ORDERS + end for end in ("cancel-order", "batch-cancel-orders", "cancel-all-orders"))
CANCELS_ANY = (*CANCELS, ORDERS + "cancel-plan-order")

Refuses = Callable[["Faults", Fault, web.Request, Call], Awaitable[web.StreamResponse | None]]
Prepares = Callable[["Faults", Fault, Call], None]
Answers = Callable[["Faults", Fault, web.Request, web.StreamResponse], Awaitable[web.StreamResponse]]


def call_of(floor: Floor, request: web.Request, body: bytes) -> Call:
    """A request as faults see it: unchecked, and whatever is wrong with it is for the route to say."""
    fields: dict[str, object] = dict(request.query)
    if body:
        try:
            read = orjson.loads(body)
        except orjson.JSONDecodeError:
            read = None
        if isinstance(read, dict):
            fields.update(read)
    key, named = floor.keys.get(request.headers.get("ACCESS-KEY", "")), fields.get("symbol")
    return Call(request.method, request.path, key.member if key is not None else "", named.upper() if isinstance(named, str) else "",
                fields, body)


# ---- in the exchange's place

async def timeout_before(faults: Faults, fault: Fault, request: web.Request, _call: Call) -> web.StreamResponse | None:
    await faults.wait(fault["hang_ms"])
    drop(request)


async def late_execution(faults: Faults, fault: Fault, request: web.Request, call: Call) -> web.StreamResponse | None:
    """Executed apart from this handler, which a server may cancel when its connection is gone."""
    faults.execute_later(request, call, fault["delay_ms"])
    await faults.wait(fault["hang_ms"])
    drop(request)


async def error_before(faults: Faults, fault: Fault, _request: web.Request, _call: Call) -> web.StreamResponse | None:
    return wrong(faults, fault)


async def rate_limit(faults: Faults, fault: Fault, _request: web.Request, _call: Call) -> web.StreamResponse | None:
    headers = {"x-mbx-used-remain-limit": "0", "Retry-After": str(seconds(fault["wait_ms"]))}
    return envelope(RATE, message(RATE), faults.floor.wall_ms(), status=429, headers=headers)


async def ban_until(faults: Faults, fault: Fault, _request: web.Request, _call: Call) -> web.StreamResponse | None:
    ends, now = fault.ends, faults.now()
    if ends is None:
        return None
    until = faults.floor.wall_ms() + ends - now
    return envelope(RATE, f"{message(RATE)}; this address is banned until {until}", faults.floor.wall_ms(), status=fault["status"],
                    headers={"Retry-After": str(seconds(ends - now))})


async def maintenance(faults: Faults, fault: Fault, _request: web.Request, _call: Call) -> web.StreamResponse | None:
    return envelope(fault["code"], message(fault["code"]), faults.floor.wall_ms())


def wrong(faults: Faults, fault: Fault) -> web.Response:
    if fault["code"] is None:
        return page(fault["status"])
    return envelope(fault["code"], fault["message"] or message(fault["code"]), faults.floor.wall_ms(), status=fault["status"])


def seconds(ms: int) -> int:
    return -(-ms // 1000)


# ---- before it is executed

def read_lag(faults: Faults, fault: Fault, call: Call) -> None:
    faults.views.freeze(faults.floor.members[call.member], faults.now() + fault["lag_ms"])


def duplicate_client_id(faults: Faults, fault: Fault, _call: Call) -> None:
    faults.set_policy(fault["policy"])


def cancel_fill_race(faults: Faults, _fault: Fault, call: Call) -> None:
    member = faults.floor.members[call.member]
    for order in orders_named(faults, call):
        fault_orders.fill(member, order, order.left)
    faults.floor.commit()


# ---- its answer

async def timeout_after(faults: Faults, fault: Fault, request: web.Request, _response: web.StreamResponse) -> web.StreamResponse:
    await faults.wait(fault["hang_ms"])
    drop(request)


async def error_after(faults: Faults, fault: Fault, _request: web.Request, _response: web.StreamResponse) -> web.StreamResponse:
    return wrong(faults, fault)


async def truncated_json(_faults: Faults, fault: Fault, _request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    length = len(content(response))
    return half(response, fault.rng.randrange(1, length)) if length > 1 else response


# ---- whether a kind concerns a request at all, beyond its filters

def orders_named(faults: Faults, call: Call) -> Iterator[OrderRecord]:
    """The open orders that a cancelling names."""
    member = faults.floor.members.get(call.member)
    if member is None or call.path not in CANCELS:
        return
    rows = call.fields.get("orderIdList") or [call.fields]
    named = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    for order in member.open_orders(faults.floor.market.get(call.symbol) if call.symbol else None):
        alone = not any(row.get("orderId") or row.get("clientOid") for row in named)
        by_name = any(order.order_id == str(row.get("orderId")) or order.client_oid == str(row.get("clientOid")) for row in named)
        if order.price and (by_name or (alone and call.path != CANCELS[0])):
            yield order


def known_client_id(faults: Faults, call: Call) -> bool:
    member = faults.floor.members.get(call.member)
    if member is None or call.path not in PLACES:
        return False
    rows = call.fields.get("orderList") or [call.fields]
    return isinstance(rows, list) and any(isinstance(row, dict) and row.get("clientOid") in member.by_client for row in rows)


def fits(faults: Faults, fault: Fault, call: Call) -> bool:
    """Whether the kind has anything to do with this request."""
    if fault.name == "read_lag":
        return call.method == "POST" and call.member in faults.floor.members
    if fault.name == "duplicate_client_id":
        return known_client_id(faults, call)
    if fault.name == "cancel_fill_race":
        return any(True for _ in orders_named(faults, call))
    if fault.name == "maintenance":
        return maintained(fault, call)
    return True


def maintained(fault: Fault, call: Call) -> bool:
    if fault["cancels"] and call.path in CANCELS_ANY:
        return False
    return fault["code"] == "40200" or (call.method == "POST" and call.path.startswith(ORDERS))


REFUSE: dict[str, Refuses] = {
    "timeout_before": timeout_before, "late_execution": late_execution, "error_before": error_before, "rate_limit": rate_limit,
    "ban_until": ban_until, "maintenance": maintenance,
}
PREPARE: dict[str, Prepares] = {
    "read_lag": read_lag, "duplicate_client_id": duplicate_client_id, "cancel_fill_race": cancel_fill_race,
}
ANSWER: dict[str, Answers] = {"timeout_after": timeout_after, "error_after": error_after, "truncated_json": truncated_json}
