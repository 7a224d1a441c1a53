"""One bar from its open to its close: what is met on the way, in which order, and at what price it fills.

Rules: docs/engine.md, "Time" (2, 3), "Readings of one bar", "Fills". Levels rest on the legs (levels.py); here the price moves.
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled, inlined
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .levels import on_price
from .money import slipped
from .position import enter, leave, liquidate, refresh_liquidation

Array = Any
NEVER = 2**62
# what can be met on the way, in the order that breaks ties
(M_LIQUIDATION, M_STOP, M_TARGET, M_ENTRY, M_STEP) = (0, 1, 2, 6, 7)


@inlined
def legs(plans: Array, m: int) -> int:
    """How many legs a market has: one net position, or two in hedge mode."""
    return 2 if plans[m, HEDGE] == 1 else 1


@inlined
def idle(state: Array, plans: Array, m: int) -> bool:
    """Nothing is held and nothing rests: the price may go where it likes."""
    for r in range(1 + 2 * m, 1 + 2 * m + legs(plans, m)):
        if state[r, LOTS] != 0 or state[r, ENTRY_KIND] != 0:
            return False
    return True


@compiled
def open_point(state: Array, plans: Array, trades: Array, m: int, price: int, ts: int, wishes: bool) -> None:
    """Step 2 at an open: liquidation, the wishes of the bar before (if any are due), then what is satisfied."""
    if idle(state, plans, m):
        return
    first = 1 + 2 * m
    for r in range(first, first + legs(plans, m)):
        if _beyond(state, r, price):
            liquidate(state, plans, trades, r, ts)
    if wishes:
        for r in range(first, first + legs(plans, m)):
            if state[r, EXIT_WISH] != 0:
                _market_exit(state, plans, trades, r, price, ts)
        for r in range(first, first + legs(plans, m)):
            if state[r, ENTRY_FRESH] == 1:
                _arrive(state, plans, r, price, ts)
    for r in range(first, first + legs(plans, m)):
        while _fill_satisfied(state, plans, trades, r, price, ts):
            pass
    for r in range(first, first + legs(plans, m)):
        on_price(state, plans, r, price)


@inlined
def _beyond(state: Array, r: int, price: int) -> bool:
    """The price is at or beyond the liquidation price."""
    if state[r, LOTS] > 0:
        return price <= state[r, LIQUIDATION]
    return state[r, LOTS] < 0 and price >= state[r, LIQUIDATION]


@compiled
def _market_exit(state: Array, plans: Array, trades: Array, r: int, price: int, ts: int) -> None:
    m = (r - 1) // 2
    reason = state[r, EXIT_WISH]
    state[r, EXIT_WISH] = 0
    if reason == 0 or state[r, LOTS] == 0:
        return
    side = -1 if state[r, LOTS] > 0 else 1
    leave(state, plans, trades, r, abs(state[r, LOTS]), slipped(price, side, plans[m, SLIPPAGE]), plans[m, TAKER], reason, ts)


@compiled
def _arrive(state: Array, plans: Array, r: int, price: int, ts: int) -> None:
    """A new entry order reaches the market at the open."""
    m = (r - 1) // 2
    state[r, ENTRY_FRESH] = 0
    side, kind = state[r, ENTRY_SIDE], state[r, ENTRY_KIND]
    if kind == MARKET:
        _enter(state, plans, r, slipped(price, side, plans[m, SLIPPAGE]), plans[m, TAKER], ts, price)
    elif kind == LIMIT or kind == POST_ONLY:
        if side * price > side * state[r, ENTRY_LIMIT]:
            return
        if kind == POST_ONLY:
            state[r, ENTRY_KIND] = 0
            state[0, REFUSED + R_POST_ONLY] += 1
        else:
            _enter(state, plans, r, price, plans[m, TAKER], ts, price)
    else:
        _trigger_at(state, plans, r, price, ts)


@compiled
def _trigger_at(state: Array, plans: Array, r: int, price: int, ts: int) -> bool:
    """A stop or stop-limit entry where the price stands: fills, turns into a limit order, or waits (False)."""
    m = (r - 1) // 2
    side = state[r, ENTRY_SIDE]
    if side * price < side * state[r, ENTRY_TRIGGER]:
        return False
    if state[r, ENTRY_KIND] == STOP_ENTRY:
        _enter(state, plans, r, slipped(price, side, plans[m, SLIPPAGE]), plans[m, TAKER], ts, price)
    elif side * price <= side * state[r, ENTRY_LIMIT]:
        _enter(state, plans, r, price, plans[m, TAKER], ts, price)
    else:
        state[r, ENTRY_KIND] = LIMIT
    return True


@compiled
def _enter(state: Array, plans: Array, r: int, price: int, rate: int, ts: int, point: int) -> None:
    """The entry order fills; refused or not, it is gone."""
    state[r, ENTRY_KIND] = 0
    enter(state, plans, r, state[r, ENTRY_SIDE], state[r, ENTRY_LOTS], price, rate, ts, point)


@compiled
def _step(state: Array, plans: Array, r: int, price: int, ts: int, point: int) -> None:
    """The DCA step fills; a refused one ends the ladder."""
    m = (r - 1) // 2
    side = 1 if state[r, LOTS] > 0 else -1
    lots = state[r, STEP_LOTS]
    state[r, STEPS_DONE] += 1
    if not enter(state, plans, r, side, lots, price, plans[m, MAKER], ts, point):
        state[r, STEPS_DONE] = plans[m, LADDER_STEPS]
        state[r, STEP_PRICE], state[r, STEP_LOTS] = 0, 0


@compiled
def _fill_satisfied(state: Array, plans: Array, trades: Array, r: int, price: int, ts: int) -> bool:
    """Fill the first thing that rests on a leg and is satisfied at this open; False if there is none."""
    m = (r - 1) // 2
    through = 1 if plans[m, READING] == ADVERSE else 0
    if state[r, LOTS] != 0:
        side = 1 if state[r, LOTS] > 0 else -1
        if state[r, STOP] > 0 and side * price <= side * state[r, STOP]:
            leave(state, plans, trades, r, abs(state[r, LOTS]), slipped(price, -side, plans[m, SLIPPAGE]), plans[m, TAKER],
                  state[r, STOP_REASON], ts)
            return True
        for k in range(4):
            if state[r, TARGET_PRICE + k] > 0 and side * price >= side * state[r, TARGET_PRICE + k] + through:
                _take_target(state, plans, trades, r, k, price, ts)
                return True
    if state[r, ENTRY_KIND] > 0 and state[r, ENTRY_FRESH] == 0 and _entry_at(state, plans, r, price, ts, through):
        return True
    if state[r, STEP_PRICE] > 0:
        side = 1 if state[r, LOTS] > 0 else -1
        if side * price <= side * state[r, STEP_PRICE] - through:
            _step(state, plans, r, price, ts, price)
            return True
    return False


@compiled
def _entry_at(state: Array, plans: Array, r: int, price: int, ts: int, through: int) -> bool:
    """A resting entry order at an open."""
    if state[r, ENTRY_KIND] == STOP_ENTRY or state[r, ENTRY_KIND] == STOP_LIMIT:
        return _trigger_at(state, plans, r, price, ts)
    side = state[r, ENTRY_SIDE]
    if side * price > side * state[r, ENTRY_LIMIT] - through:
        return False
    _enter(state, plans, r, price, plans[(r - 1) // 2, MAKER], ts, price)
    return True


@compiled
def _take_target(state: Array, plans: Array, trades: Array, r: int, k: int, price: int, ts: int) -> None:
    lots = min(state[r, TARGET_LOTS + k], abs(state[r, LOTS]))
    state[r, TARGET_PRICE + k] = 0
    leave(state, plans, trades, r, lots, price, plans[(r - 1) // 2, MAKER], BY_TARGET, ts)


@compiled
def walk(state: Array, plans: Array, trades: Array, m: int, ts: int, o: int, h: int, l: int, c: int) -> None:  # noqa: E741
    """Step 3: from the open over both extremes to the close."""
    if idle(state, plans, m):
        return
    low_first = _low_first(state, plans, m, o, h, l, c)
    one, two = (l, h) if low_first else (h, l)
    _leg(state, plans, trades, m, ts, o, one)
    _leg(state, plans, trades, m, ts, one, two)
    _leg(state, plans, trades, m, ts, two, c)
    _leg(state, plans, trades, m, ts, c, c)  # what the close itself made of break-even and trailing is met at once


@inlined
def _low_first(state: Array, plans: Array, m: int, o: int, h: int, l: int, c: int) -> bool:  # noqa: E741
    """Which extreme comes first under the plan's reading."""
    first = 1 + 2 * m
    for r in range(first, first + legs(plans, m)):
        if state[r, LOTS] == 0:
            continue
        long = state[r, LOTS] > 0
        if plans[m, READING] == ADVERSE and _stop_within(state, r, long, h, l):
            return long
        if plans[m, READING] == BENIGN and _target_within(state, r, long, h, l):
            return not long
    return c >= o


@inlined
def _stop_within(state: Array, r: int, long: bool, h: int, l: int) -> bool:  # noqa: E741
    if long:
        return l <= state[r, STOP] or l <= state[r, LIQUIDATION]
    return 0 < state[r, STOP] <= h or h >= state[r, LIQUIDATION]


@inlined
def _target_within(state: Array, r: int, long: bool, h: int, l: int) -> bool:  # noqa: E741
    for k in range(4):
        price = state[r, TARGET_PRICE + k]
        if price > 0 and (h >= price if long else l <= price):
            return True
    return False


@inlined
def _leg(state: Array, plans: Array, trades: Array, m: int, ts: int, a: int, b: int) -> None:
    """Walk a straight line from a to b, filling what is met on the way, nearest first."""
    first = 1 + 2 * m
    while True:
        best, what, row = NEVER, -1, -1
        for r in range(first, first + legs(plans, m)):
            distance, met = _nearest(state, plans, r, a, b)
            if distance < best:
                best, what, row = distance, met, r
        if what < 0:
            break
        point = a + best if b >= a else a - best
        _meet(state, plans, trades, row, what, point, best == 0, ts)
        a = point
        for r in range(first, first + legs(plans, m)):
            on_price(state, plans, r, a)
    for r in range(first, first + legs(plans, m)):
        on_price(state, plans, r, b)


@inlined
def _distance(a: int, b: int, level: int, rising: bool) -> int:
    """How far from a on the way to b the level is met; 0 if already satisfied at a, NEVER if not on this way."""
    if rising:
        if a >= level:
            return 0
        return level - a if b >= level else NEVER
    if a <= level:
        return 0
    return a - level if b <= level else NEVER


@inlined
def _nearest(state: Array, plans: Array, r: int, a: int, b: int) -> tuple[int, int]:
    """The nearest thing one leg meets between a and b: (distance, what), NEVER if nothing."""
    m = (r - 1) // 2
    through = 1 if plans[m, READING] == ADVERSE else 0
    best, what = NEVER, -1
    if state[r, LOTS] != 0:
        long = state[r, LOTS] > 0
        if state[r, LIQUIDATION] > 0:
            best, what = _closer(best, what, _distance(a, b, state[r, LIQUIDATION], not long), M_LIQUIDATION)
        if state[r, STOP] > 0:
            best, what = _closer(best, what, _distance(a, b, state[r, STOP], not long), M_STOP)
        for k in range(4):
            if state[r, TARGET_PRICE + k] > 0:
                level = state[r, TARGET_PRICE + k] + (through if long else -through)
                best, what = _closer(best, what, _distance(a, b, level, long), M_TARGET + k)
    if state[r, ENTRY_KIND] > 0:
        best, what = _closer(best, what, _entry_distance(state, r, a, b, through), M_ENTRY)
    if state[r, STEP_PRICE] > 0:
        long = state[r, LOTS] > 0
        level = state[r, STEP_PRICE] - (through if long else -through)
        best, what = _closer(best, what, _distance(a, b, level, not long), M_STEP)
    return best, what


@inlined
def _closer(best: int, what: int, distance: int, other: int) -> tuple[int, int]:
    """The nearer of two; the earlier on a tie."""
    return (distance, other) if distance < best else (best, what)


@inlined
def _entry_distance(state: Array, r: int, a: int, b: int, through: int) -> int:
    side = state[r, ENTRY_SIDE]
    if state[r, ENTRY_KIND] == STOP_ENTRY or state[r, ENTRY_KIND] == STOP_LIMIT:
        return _distance(a, b, state[r, ENTRY_TRIGGER], side > 0)
    return _distance(a, b, state[r, ENTRY_LIMIT] - side * through, side < 0)


@compiled
def _meet(state: Array, plans: Array, trades: Array, r: int, what: int, point: int, standing: bool, ts: int) -> None:
    """Fill what was met at `point`; standing: it was satisfied already where the price stood."""
    m = (r - 1) // 2
    side = 1 if state[r, LOTS] > 0 else -1
    if what == M_LIQUIDATION:
        liquidate(state, plans, trades, r, ts)
    elif what == M_STOP:
        base = point if standing else state[r, STOP]
        price = slipped(base, -side, plans[m, SLIPPAGE])
        leave(state, plans, trades, r, abs(state[r, LOTS]), price, plans[m, TAKER], state[r, STOP_REASON], ts)
    elif what == M_ENTRY:
        if state[r, ENTRY_KIND] == STOP_ENTRY or state[r, ENTRY_KIND] == STOP_LIMIT:
            _trigger_at(state, plans, r, point, ts)
        else:
            _enter(state, plans, r, state[r, ENTRY_LIMIT], plans[m, MAKER], ts, point)
    elif what == M_STEP:
        _step(state, plans, r, state[r, STEP_PRICE], ts, point)
    else:
        _take_target(state, plans, trades, r, what - M_TARGET, state[r, TARGET_PRICE + what - M_TARGET], ts)


@compiled
def refresh_cross(state: Array, plans: Array, m: int) -> None:
    """Cross margin: the wallet moved, so the liquidation prices did."""
    if plans[m, CROSS] == 1:
        refresh_liquidation(state, plans, m)
