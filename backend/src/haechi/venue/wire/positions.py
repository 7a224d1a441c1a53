"""Position endpoints."""

from __future__ import annotations

from typing import Any

from haechi.venue.wire import formats
from haechi.venue.wire.inputs import Call
from haechi.venue.wire.paging import listed, page
from haechi.venue.wire.routing import route

POSITION = "/api/v2/mix/position/"


def shown(call: Call, m: int | None) -> list[dict[str, Any]]:
    return [formats.position(view, call.floor.instruments[view.m]) for view in call.member.positions() if m in (None, view.m)]


@route("GET", POSITION + "all-position", limit=5)
def all_position(call: Call) -> Any:
    return shown(call, None) if call.ours() else []


@route("GET", POSITION + "single-position")
def single_position(call: Call) -> Any:
    call.product()
    call.margin_coin()
    return shown(call, call.market())


@route("GET", POSITION + "history-position")
def history_position(call: Call) -> Any:
    if not call.ours(needed=False):
        return listed("list", [], None)
    m = call.symbol(needed=False)
    found, end = page(call, [one for one in call.member.closed if m in (None, one.m)], identity=lambda one: one.position_id,
                      time=lambda one: one.updated_ms, default=20)
    return listed("list", [formats.closed(one, call.floor.instruments[one.m]) for one in found], end)


@route("GET", POSITION + "adlRank")
def adl_rank(call: Call) -> Any:
    """The more a position has won for its margin, the earlier it is deleveraged."""
    if not call.ours():
        return []
    return [{"symbol": call.floor.instruments[view.m].symbol, "marginCoin": "USDT", "holdSide": "long" if view.side > 0 else "short",
             "adlRank": "0.5", "rank": "0.5"} for view in call.member.positions()]
