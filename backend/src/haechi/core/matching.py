"""How resting orders meet the price: the venue's matching, by the rules of docs/engine.md ("Readings", "Fills") under `path`.

Orders are values of whole ticks and lots; the price moves on straight lines. What a fill does to an account is `position.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .money import slipped
from .walk import NEVER

FORCES = ("market", "limit", "post_only", "stop", "stop_limit")


@dataclass(slots=True)
class Order:
    """One order of one account. side +1 buys, −1 sells; `lots` still open; price and trigger in ticks, 0 where the kind has none.

    leg: 0 the net or long position, 1 the short one of hedge mode. rising: whether a rising market meets the trigger; None: as a
    stop does, a buy's above and a sell's below.
    """

    number: int
    client_id: str
    side: int
    lots: int
    kind: str
    price: int = 0
    trigger: int = 0
    reduce_only: bool = False
    leg: int = 0
    rising: bool | None = None

    @property
    def rank(self) -> int:
        """What comes first at one distance: stops, then reducing limits, then what opens."""
        if not self.reduce_only:
            return 2
        return 0 if self.kind == "stop" else 1


class Met(NamedTuple):
    """An order and the distance from where the price stands."""

    order: Order
    distance: int


def level(order: Order) -> tuple[int, bool]:
    """The price that matters, and whether it is met by a rising market."""
    if order.kind in ("stop", "stop_limit"):
        return order.trigger, order.side > 0 if order.rising is None else order.rising
    return order.price, order.side < 0


def distance(order: Order, a: int, b: int) -> int:
    """How far from a on the way to b the order is met: 0 if it is satisfied where the price stands, NEVER if not on this way."""
    at, rising = level(order)
    if a >= at if rising else a <= at:
        return 0
    if b >= at if rising else b <= at:
        return abs(at - a)
    return NEVER


def nearest(orders: Iterable[Order], a: int, b: int) -> Met | None:
    """The order met first on the way from a to b."""
    best: Met | None = None
    for order in orders:
        away = distance(order, a, b)
        if away < NEVER and (best is None or (away, order.rank, order.number) < (best.distance, best.order.rank, best.order.number)):
            best = Met(order, away)
    return best


class Execution(NamedTuple):
    """What an order does where the price stands. price 0: it fills not, but rests from now on as `kind`."""

    price: int
    maker: bool
    kind: str


def arriving(order: Order, point: int, slippage: int) -> Execution | None:
    """A new order reaches the market; None: a post-only order that would cross, which is refused."""
    if order.kind == "market":
        return Execution(slipped(point, order.side, slippage), False, "market")
    if order.kind in ("stop", "stop_limit"):
        return triggered(order, point, slippage) if distance(order, point, point) == 0 else Execution(0, False, order.kind)
    if order.side * point > order.side * order.price:
        return Execution(0, True, order.kind)
    return None if order.kind == "post_only" else Execution(point, False, "limit")


def triggered(order: Order, point: int, slippage: int) -> Execution:
    """A stop or stop-limit order whose trigger is met at `point`."""
    if order.kind == "stop":
        return Execution(slipped(point, order.side, slippage), False, "stop")
    if order.side * point <= order.side * order.price:
        return Execution(point, False, "stop_limit")
    return Execution(0, True, "limit")  # beyond its limit: rests there


def at_open(order: Order, point: int, slippage: int) -> Execution:
    """A resting order that is satisfied at an open: a gap fills at the open."""
    if order.kind in ("stop", "stop_limit"):
        return triggered(order, point, slippage)
    return Execution(point, True, order.kind)


def on_way(order: Order, point: int, slippage: int) -> Execution:
    """A resting order met on a leg: limits at their price, stops where they trigger."""
    if order.kind in ("stop", "stop_limit"):
        return triggered(order, point, slippage)
    return Execution(order.price, True, order.kind)


def path(o: int, h: int, l: int, c: int) -> tuple[int, int, int, int, int]:  # noqa: E741
    """The points a bar is walked through; the last, empty leg meets what the close itself brought about."""
    return (o, l, h, c, c) if c >= o else (o, h, l, c, c)
