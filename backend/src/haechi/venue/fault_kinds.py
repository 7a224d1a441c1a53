"""The faults there are: when each is drawn, what it takes, and how an order for one is read.

When: refuse: a request comes; the fault may answer in the exchange's place. prepare: the request will be executed. world: it was
executed. answer: its answer is about to leave. push: a frame is about to be sent. clock: the time is read. trigger: a plan's trigger
was met. act: at once, or with `path` when such a request was executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from haechi.errors import BadInput
from haechi.venue.fault_fields import (
    COUNT_MAX,
    DAY_MS,
    MILLION,
    Field,
    move,
    names,
    nonzero,
    per_million,
    positive,
    symbol,
    text,
    whole,
    word,
    yes_or_no,
)
from haechi.venue.wire.codes import MESSAGES

WITHIN_DAY = whole(0, DAY_MS)
WITHOUT_END = None
AT_ONCE_MAX = 100
HANG = Field(WITHIN_DAY, "ms the connection hangs before it drops", 10_000)
STANDS = Field(whole(1, 30 * DAY_MS), "ms it stands from its first draw; left out: until it is deleted")
SIDE = Field(word("long", "short"), "which leg, in hedge mode; left out: the one that is held")
FILTERS = {
    "member": Field(text, "only this member's requests and pushes"),
    "symbol": Field(symbol, "only what names this symbol"),
    "path": Field(text, "only this REST path; an ending * stands for the rest"),
    "channel": Field(text, "only this channel of the streams"),
}
DRAWING = {
    "probability": Field(per_million, "of each draw, 0 to 1", MILLION),
    "seed": Field(whole(0, 2**63 - 1), "of its draws; left out: the venue's seed and the fault's number"),
    "after": Field(whole(0, COUNT_MAX), "so many are let pass first", 0),
}
COUNT = Field(whole(1, COUNT_MAX), "how many times")
REST, STREAM = ("member", "symbol", "path"), ("member", "symbol", "channel")
WRONG = {
    "code": Field(text, "a code of the exchange in place of an html page"),
    "message": Field(text, "the sentence with the code; left out: the exchange's"),
}


@dataclass(frozen=True)
class Kind:
    """count: how many times when the order does not say; None: until it is deleted."""

    when: str
    says: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    filters: tuple[str, ...] = REST
    needs: tuple[str, ...] = ()
    count: int | None = 1

    def known(self) -> dict[str, Field]:
        return {**{name: FILTERS[name] for name in self.filters}, "count": COUNT, **DRAWING, **self.fields}


@dataclass(frozen=True)
class Wanted:
    """An order for a fault, read. `own` are the kind's own fields."""

    name: str
    kind: Kind
    member: str | None
    symbol: str | None
    path: str | None
    channel: str | None
    count: int | None
    probability: int
    seed: int | None
    after: int
    own: Mapping[str, Any]

    @property
    def at_once(self) -> bool:
        """It acts when it is ordered, and is not drawn later."""
        if self.name == "dropped_stream":
            return self.channel is None
        if self.name == "partial_fill":
            return self.own["order"] is not None
        return self.kind.when == "act" and self.path is None


def act(says: str, needs: tuple[str, ...], **fields: Field) -> Kind:
    return Kind("act", says, fields, needs=needs)


def html(status: int) -> Field:
    return Field(whole(200, 599), "HTTP status", status)


KINDS: dict[str, Kind] = {
    # ---- requests and their answers
    "timeout_before": Kind("refuse", "The request is never executed; the connection hangs, then drops.", {"hang_ms": HANG}),
    "timeout_after": Kind("answer", "The request is executed; its answer never comes.", {"hang_ms": HANG}),
    "late_execution": Kind("refuse", "The connection hangs and drops; the request is executed later.", {
        "hang_ms": HANG, "delay_ms": Field(WITHIN_DAY, "ms from its coming to its execution", 20_000)}),
    "error_before": Kind("refuse", "An html error page, or a code; the request is not executed.", {"status": html(502), **WRONG}),
    "error_after": Kind("answer", "The request is executed; the answer is an html error page, or a code.", {"status": html(502), **WRONG}),
    "truncated_json": Kind("answer", "The request is executed; its answer ends in the middle."),
    "read_lag": Kind("prepare", "Reads show the member as it was before the write.", {
        "lag_ms": Field(WITHIN_DAY, "ms until a write is seen", 5_000)}),
    "duplicate_client_id": Kind("prepare", "What an order with a known client id meets.", {
        "policy": Field(word("reject", "new", "same"), "refused with 45034, taken as a new order, or answered with the old one",
                        required=True)}, count=WITHOUT_END),
    "rate_limit": Kind("refuse", "429.", {"wait_ms": Field(WITHIN_DAY, "told in the header Retry-After, in whole seconds", 1_000)}),
    "ban_until": Kind("refuse", "Every request is refused until a time, which is told.", {
        "for_ms": Field(whole(1, 30 * DAY_MS), "ms it stands from its first draw", required=True),
        "status": Field(whole(400, 499), "HTTP status", 403)}, count=WITHOUT_END),
    "maintenance": Kind("refuse", "Maintenance. 40200: everything; 45043: orders; 41114: orders of one symbol, which shows it.", {
        "code": Field(word("40200", "45043", "41114"), "what is answered", "40200"),
        "cancels": Field(yes_or_no, "true: cancelling goes on", default=False), "for_ms": STANDS}, count=WITHOUT_END),
    "clock_offset": Kind("clock", "The exchange's clock is off.", {
        "offset_ms": Field(whole(-DAY_MS, DAY_MS), "ms it is ahead (+) or behind (-)", required=True), "for_ms": STANDS},
        filters=(), count=WITHOUT_END),
    # ---- streams
    "push_duplicate": Kind("push", "A frame comes several times.", {
        "copies": Field(whole(2, 10), "how often it comes", 2),
        "gap_ms": Field(WITHIN_DAY, "ms between two of them", 0)}, STREAM),
    "push_reorder": Kind("push", "A frame is overtaken by later ones.", {
        "window_ms": Field(whole(1, DAY_MS), "it waits 1 ms to this, drawn", 500)}, STREAM),
    "push_late": Kind("push", "A frame comes late.", {"delay_ms": Field(whole(1, DAY_MS), "ms", 5_000)}, STREAM),
    "push_missing": Kind("push", "A frame never comes.", {}, STREAM),
    "silent_stream": Kind("push", "No data comes; the heartbeat goes on.", {"for_ms": STANDS}, STREAM, count=WITHOUT_END),
    "dropped_stream": Kind("push", "The connection is cut: at once, or with `channel` when a frame of it is due, which is lost.",
                           filters=STREAM),
    # ---- orders
    "partial_fill": Kind("world", "An order that rests is filled in pieces, but for a remainder.", {
        "order": Field(text, "id or client id: at once; left out: the next order that rests"),
        "pieces": Field(whole(1, 50), "how many fills", 1),
        "dust_lots": Field(whole(0, 10**6), "lots that stay", 1)}),
    "cancel_fill_race": Kind("prepare", "The order is filled before its cancelling is read."),
    "stop_rejected": Kind("trigger", "A triggered order fails (fail_execute).", filters=("member",), needs=("member",)),
    "manual_order": act("The member's owner places an order by hand.", ("member", "symbol"),
                        side=Field(word("buy", "sell"), "which way", required=True),
                        size=Field(positive, "in base units", required=True), price=Field(positive, "left out: at the market"),
                        reduce_only=Field(yes_or_no, "whether it only closes", default=False), hold_side=SIDE),
    "manual_transfer": act("The member's owner moves money.", ("member",),
                           amount=Field(nonzero, "quote money, in (+) or out (-)", required=True)),
    "mode_changed": act("The member's owner changes a setting; refused where the exchange would refuse it.", ("member",),
                        position_mode=Field(word("one_way_mode", "hedge_mode"), "needs no symbol"),
                        margin_mode=Field(word("crossed", "isolated"), "needs a symbol"),
                        leverage=Field(whole(1, 500), "needs a symbol")),
    # ---- what the exchange and the market do
    "gap_through_stop": act("The price jumps; everything between fills where it lands.", ("symbol",),
                            price=Field(positive, "where it lands"), fraction=Field(move, "or by how much: -0.05 is 5 % down")),
    "forced_liquidation": act("The position is taken over.", ("member", "symbol"), hold_side=SIDE),
    "adl": act("Auto-deleveraging closes a part of the position.", ("member", "symbol"), hold_side=SIDE,
               size=Field(positive, "in base units; left out: all"), price=Field(positive, "left out: where the market stands")),
    "delisting": act("The symbol is taken off: 40309; orders end, positions close at the last price.", ("symbol",)),
    # ---- keys
    "key_revoked": act("The member's keys are revoked: 40037.", ("member",), key=Field(text, "only this key"), for_ms=STANDS),
    "permission_reduced": act("The member's keys may do less: 40014.", ("member",), key=Field(text, "only this key"), for_ms=STANDS,
                              permissions=Field(names, "what is left of read, trade, transfer, withdraw", ("read",))),
    "ip_changed": act("The keys are bound to other addresses: 40018.", ("member",), key=Field(text, "only this key"), for_ms=STANDS,
                      ips=Field(names, "the addresses they are bound to", ("203.0.113.1",))),
}


def wanted(order: object) -> Wanted:
    """Reads an order for a fault; BadInput names what is wrong with it."""
    if not isinstance(order, dict):
        raise BadInput('a fault is ordered with a JSON object such as {"kind": "timeout_before"}')
    name = order.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(name, str):
        raise BadInput(f"there is no fault {name!r}; there are {', '.join(KINDS)}")
    known = kind.known()
    for given in order:
        if given != "kind" and given not in known:
            raise BadInput(f"{name} does not take {given!r}; it takes {', '.join(known)}")
    values = {one: _value(name, kind, one, known[one], order.get(one)) for one in known}
    common = {one: values.pop(one, None) for one in ("member", "symbol", "path", "channel", "count", "probability", "seed", "after")}
    count = kind.count if common.pop("count") is None else order["count"]
    made = Wanted(name, kind, count=count, own=values, **common)
    _check_pairs(made)
    return made


def _value(name: str, kind: Kind, one: str, known: Field, given: object) -> Any:
    if given is not None:
        return known.read(one, given)
    if known.required or one in kind.needs:
        raise BadInput(f"{name} needs {one!r}")
    return known.default


def _check_pairs(made: Wanted) -> None:
    """What one field alone cannot say."""
    name, own = made.name, made.own
    if name == "maintenance" and own["code"] == "41114" and made.symbol is None:
        raise BadInput("maintenance with code 41114 is of one symbol: name it")
    if name == "gap_through_stop" and (own["price"] is None) == (own["fraction"] is None):
        raise BadInput("gap_through_stop needs either 'price' or 'fraction'")
    if name == "partial_fill" and own["order"] is not None and made.member is None:
        raise BadInput("partial_fill of one 'order' needs its 'member'")
    if name == "mode_changed":
        _check_setting(made)
    if name in ("error_before", "error_after"):
        _check_sentence(made)
    if made.at_once and (made.after or (made.count or 1) > AT_ONCE_MAX):
        raise BadInput(f"{name} acts at once, at most {AT_ONCE_MAX} times; for later ones say at which 'path' (or 'channel') it is drawn")


def _check_setting(made: Wanted) -> None:
    settings = [one for one in ("position_mode", "margin_mode", "leverage") if made.own[one] is not None]
    if len(settings) != 1:
        raise BadInput("mode_changed needs one of 'position_mode', 'margin_mode', 'leverage'")
    if settings != ["position_mode"] and made.symbol is None:
        raise BadInput(f"mode_changed with {settings[0]!r} needs 'symbol'")


def _check_sentence(made: Wanted) -> None:
    code, message = made.own["code"], made.own["message"]
    if code is None and message is not None:
        raise BadInput(f"{made.name} takes 'message' only with 'code'")
    if code is not None and message is None and code not in MESSAGES:
        raise BadInput(f"code {code} is not in the exchange's list: say the 'message' that goes with it")
