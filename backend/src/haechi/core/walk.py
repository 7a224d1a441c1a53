"""One bar from its open to its close: what is met on the way, in which order, and at what price it fills.

Rules: docs/engine.md, "Time" (2, 3), "Readings of one bar", "Fills". Levels rest on the legs (levels.py); here the price moves.
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .levels import on_price
from .money import slipped
from .position import enter, leave, liquidate, refresh_liquidation

Array = Any
NEVER = 2**62
# what can be met on the way, in the order that breaks ties
(M_LIQUIDATION, M_STOP, M_TARGET, M_ENTRY, M_STEP) = (0, 1, 2, 6, 7)


@compiled
def legs(plan: Array) -> int:
    """How many legs a market has: one net position, or two in hedge mode."""
    return 2 if plan[HEDGE] == 1 else 1


@compiled
def open_point(state: Array, plans: Array, trades: Array, m: int, price: int, ts: int, wishes: bool) -> None:
    """Step 2 at an open: liquidation, the wishes of the bar before (if any are due), then what is satisfied."""
    plan = plans[m]
    first = 1 + 2 * m
    for r in range(first, first + legs(plan)):
        if _beyond(state[r], price):
            liquidate(state, plans, trades, r, ts)
    if wishes:
        for r in range(first, first + legs(plan)):
            _market_exit(state, plans, trades, r, price, ts)
        for r in range(first, first + legs(plan)):
            if state[r, ENTRY_FRESH] == 1:
                _arrive(state, plans, r, price, ts)
    for r in range(first, first + legs(plan)):
        while _fill_satisfied(state, plans, trades, r, price, ts):
            pass
    for r in range(first, first + legs(plan)):
        on_price(plan, state[r], price)


@compiled
def _beyond(leg: Array, price: int) -> bool:
    """The price is at or beyond the liquidation price."""
    if leg[LOTS] > 0:
        return price <= leg[LIQUIDATION]
    return leg[LOTS] < 0 and price >= leg[LIQUIDATION]


@compiled
def _market_exit(state: Array, plans: Array, trades: Array, r: int, price: int, ts: int) -> None:
    leg, plan = state[r], plans[(r - 1) // 2]
    reason = leg[EXIT_WISH]
    leg[EXIT_WISH] = 0
    if reason == 0 or leg[LOTS] == 0:
        return
    side = -1 if leg[LOTS] > 0 else 1
    leave(state, plans, trades, r, abs(leg[LOTS]), slipped(price, side, plan[SLIPPAGE]), plan[TAKER], reason, ts)


@compiled
def _arrive(state: Array, plans: Array, r: int, price: int, ts: int) -> None:
    """A new entry order reaches the market at the open."""
    leg, plan = state[r], plans[(r - 1) // 2]
    leg[ENTRY_FRESH] = 0
    side, kind = leg[ENTRY_SIDE], leg[ENTRY_KIND]
    if kind == MARKET:
        _enter(state, plans, r, slipped(price, side, plan[SLIPPAGE]), plan[TAKER], ts, price)
    elif kind == LIMIT or kind == POST_ONLY:
        if side * price > side * leg[ENTRY_LIMIT]:
            return
        if kind == POST_ONLY:
            leg[ENTRY_KIND] = 0
            state[0, REFUSED + R_POST_ONLY] += 1
        else:
            _enter(state, plans, r, price, plan[TAKER], ts, price)
    else:
        _trigger_at(state, plans, r, price, ts)


@compiled
def _trigger_at(state: Array, plans: Array, r: int, price: int, ts: int) -> bool:
    """A stop or stop-limit entry where the price stands: fills, turns into a limit order, or waits (False)."""
    leg, plan = state[r], plans[(r - 1) // 2]
    side = leg[ENTRY_SIDE]
    if side * price < side * leg[ENTRY_TRIGGER]:
        return False
    if leg[ENTRY_KIND] == STOP_ENTRY:
        _enter(state, plans, r, slipped(price, side, plan[SLIPPAGE]), plan[TAKER], ts, price)
    elif side * price <= side * leg[ENTRY_LIMIT]:
        _enter(state, plans, r, price, plan[TAKER], ts, price)
    else:
        leg[ENTRY_KIND] = LIMIT
    return True


@compiled
def _enter(state: Array, plans: Array, r: int, price: int, rate: int, ts: int, point: int) -> None:
    """The entry order fills; refused or not, it is gone."""
    leg = state[r]
    leg[ENTRY_KIND] = 0
    enter(state, plans, r, leg[ENTRY_SIDE], leg[ENTRY_LOTS], price, rate, ts, point)


@compiled
def _step(state: Array, plans: Array, r: int, price: int, ts: int, point: int) -> None:
    """The DCA step fills; a refused one ends the ladder."""
    leg, plan = state[r], plans[(r - 1) // 2]
    side = 1 if leg[LOTS] > 0 else -1
    lots = leg[STEP_LOTS]
    leg[STEPS_DONE] += 1
    if not enter(state, plans, r, side, lots, price, plan[MAKER], ts, point):
        leg[STEPS_DONE] = plan[LADDER_STEPS]
        leg[STEP_PRICE], leg[STEP_LOTS] = 0, 0


@compiled
def _fill_satisfied(state: Array, plans: Array, trades: Array, r: int, price: int, ts: int) -> bool:
    """Fill the first thing that rests on a leg and is satisfied at this open; False if there is none."""
    leg, plan = state[r], plans[(r - 1) // 2]
    through = 1 if plan[READING] == ADVERSE else 0
    if leg[LOTS] != 0:
        side = 1 if leg[LOTS] > 0 else -1
        if leg[STOP] > 0 and side * price <= side * leg[STOP]:
            leave(state, plans, trades, r, abs(leg[LOTS]), slipped(price, -side, plan[SLIPPAGE]), plan[TAKER],
                  leg[STOP_REASON], ts)
            return True
        for k in range(4):
            if leg[TARGET_PRICE + k] > 0 and side * price >= side * leg[TARGET_PRICE + k] + through:
                _take_target(state, plans, trades, r, k, price, ts)
                return True
    if leg[ENTRY_KIND] > 0 and leg[ENTRY_FRESH] == 0 and _entry_at(state, plans, r, price, ts, through):
        return True
    if leg[STEP_PRICE] > 0:
        side = 1 if leg[LOTS] > 0 else -1
        if side * price <= side * leg[STEP_PRICE] - through:
            _step(state, plans, r, price, ts, price)
            return True
    return False


@compiled
def _entry_at(state: Array, plans: Array, r: int, price: int, ts: int, through: int) -> bool:
    """A resting entry order at an open."""
    leg = state[r]
    if leg[ENTRY_KIND] == STOP_ENTRY or leg[ENTRY_KIND] == STOP_LIMIT:
        return _trigger_at(state, plans, r, price, ts)
    side = leg[ENTRY_SIDE]
    if side * price > side * leg[ENTRY_LIMIT] - through:
        return False
    _enter(state, plans, r, price, plans[(r - 1) // 2, MAKER], ts, price)
    return True


@compiled
def _take_target(state: Array, plans: Array, trades: Array, r: int, k: int, price: int, ts: int) -> None:
    leg = state[r]
    lots = min(leg[TARGET_LOTS + k], abs(leg[LOTS]))
    leg[TARGET_PRICE + k] = 0
    leave(state, plans, trades, r, lots, price, plans[(r - 1) // 2, MAKER], BY_TARGET, ts)


@compiled
def walk(state: Array, plans: Array, trades: Array, m: int, ts: int, o: int, h: int, l: int, c: int) -> None:  # noqa: E741
    """Step 3: from the open over both extremes to the close."""
    low_first = _low_first(state, plans[m], m, o, h, l, c)
    one, two = (l, h) if low_first else (h, l)
    _leg(state, plans, trades, m, ts, o, one)
    _leg(state, plans, trades, m, ts, one, two)
    _leg(state, plans, trades, m, ts, two, c)
    _leg(state, plans, trades, m, ts, c, c)  # what the close itself made of break-even and trailing is met at once


@compiled
def _low_first(state: Array, plan: Array, m: int, o: int, h: int, l: int, c: int) -> bool:  # noqa: E741
    """Which extreme comes first under the plan's reading."""
    first = 1 + 2 * m
    for r in range(first, first + legs(plan)):
        leg = state[r]
        if leg[LOTS] == 0:
            continue
        long = leg[LOTS] > 0
        if plan[READING] == ADVERSE and _stop_within(leg, long, h, l):
            return long
        if plan[READING] == BENIGN and _target_within(leg, long, h, l):
            return not long
    return c >= o


@compiled
def _stop_within(leg: Array, long: bool, h: int, l: int) -> bool:  # noqa: E741
    if long:
        return l <= leg[STOP] or l <= leg[LIQUIDATION]
    return 0 < leg[STOP] <= h or h >= leg[LIQUIDATION]


@compiled
def _target_within(leg: Array, long: bool, h: int, l: int) -> bool:  # noqa: E741
    for k in range(4):
        price = leg[TARGET_PRICE + k]
        if price > 0 and (h >= price if long else l <= price):
            return True
    return False


@compiled
def _leg(state: Array, plans: Array, trades: Array, m: int, ts: int, a: int, b: int) -> None:
    """Walk a straight line from a to b, filling what is met on the way, nearest first."""
    plan = plans[m]
    first = 1 + 2 * m
    while True:
        best, what, row = NEVER, -1, -1
        for r in range(first, first + legs(plan)):
            distance, met = _nearest(state[r], plan, a, b)
            if distance < best:
                best, what, row = distance, met, r
        if what < 0:
            break
        point = a + best if b >= a else a - best
        _meet(state, plans, trades, row, what, point, best == 0, ts)
        a = point
        for r in range(first, first + legs(plan)):
            on_price(plan, state[r], a)
    for r in range(first, first + legs(plan)):
        on_price(plan, state[r], b)


@compiled
def _distance(a: int, b: int, level: int, rising: bool) -> int:
    """How far from a on the way to b the level is met; 0 if already satisfied at a, NEVER if not on this way."""
    if rising:
        if a >= level:
            return 0
        return level - a if b >= level else NEVER
    if a <= level:
        return 0
    return a - level if b <= level else NEVER


@compiled
def _nearest(leg: Array, plan: Array, a: int, b: int) -> tuple[int, int]:
    """The nearest thing one leg meets between a and b: (distance, what), NEVER if nothing."""
    through = 1 if plan[READING] == ADVERSE else 0
    best, what = NEVER, -1
    if leg[LOTS] != 0:
        long = leg[LOTS] > 0
        if leg[LIQUIDATION] > 0:
            best, what = _closer(best, what, _distance(a, b, leg[LIQUIDATION], not long), M_LIQUIDATION)
        if leg[STOP] > 0:
            best, what = _closer(best, what, _distance(a, b, leg[STOP], not long), M_STOP)
        for k in range(4):
            if leg[TARGET_PRICE + k] > 0:
                level = leg[TARGET_PRICE + k] + (through if long else -through)
                best, what = _closer(best, what, _distance(a, b, level, long), M_TARGET + k)
    if leg[ENTRY_KIND] > 0:
        best, what = _closer(best, what, _entry_distance(leg, a, b, through), M_ENTRY)
    if leg[STEP_PRICE] > 0:
        long = leg[LOTS] > 0
        level = leg[STEP_PRICE] - (through if long else -through)
        best, what = _closer(best, what, _distance(a, b, level, not long), M_STEP)
    return best, what


@compiled
def _closer(best: int, what: int, distance: int, other: int) -> tuple[int, int]:
    """The nearer of two; the earlier on a tie."""
    return (distance, other) if distance < best else (best, what)


@compiled
def _entry_distance(leg: Array, a: int, b: int, through: int) -> int:
    side = leg[ENTRY_SIDE]
    if leg[ENTRY_KIND] == STOP_ENTRY or leg[ENTRY_KIND] == STOP_LIMIT:
        return _distance(a, b, leg[ENTRY_TRIGGER], side > 0)
    return _distance(a, b, leg[ENTRY_LIMIT] - side * through, side < 0)


@compiled
def _meet(state: Array, plans: Array, trades: Array, r: int, what: int, point: int, standing: bool, ts: int) -> None:
    """Fill what was met at `point`; standing: it was satisfied already where the price stood."""
    leg, plan = state[r], plans[(r - 1) // 2]
    side = 1 if leg[LOTS] > 0 else -1
    if what == M_LIQUIDATION:
        liquidate(state, plans, trades, r, ts)
    elif what == M_STOP:
        base = point if standing else leg[STOP]
        leave(state, plans, trades, r, abs(leg[LOTS]), slipped(base, -side, plan[SLIPPAGE]), plan[TAKER], leg[STOP_REASON], ts)
    elif what == M_ENTRY:
        if leg[ENTRY_KIND] == STOP_ENTRY or leg[ENTRY_KIND] == STOP_LIMIT:
            _trigger_at(state, plans, r, point, ts)
        else:
            _enter(state, plans, r, leg[ENTRY_LIMIT], plan[MAKER], ts, point)
    elif what == M_STEP:
        _step(state, plans, r, leg[STEP_PRICE], ts, point)
    else:
        _take_target(state, plans, trades, r, what - M_TARGET, leg[TARGET_PRICE + what - M_TARGET], ts)


@compiled
def refresh_cross(state: Array, plans: Array, m: int) -> None:
    """Cross margin: the wallet moved, so the liquidation prices did."""
    if plans[m, CROSS] == 1:
        refresh_liquidation(state, plans, m)
