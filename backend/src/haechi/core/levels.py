"""The levels a plan hangs on a position: stop, targets, break-even, trailing, the next DCA step.

Rules and roundings: docs/engine.md, "Plan". `leg` is a row of state, `point` where the market stands in ticks.
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled, inlined
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .money import RATE, level_ceil, level_floor, rate_ceil, rate_floor

Array = Any


@compiled
def clear_levels(leg: Array) -> None:
    """A flat leg has no levels and no exit wish."""
    for field in (STOP, STOP_REASON, LIQUIDATION, BREAK_EVEN_AT, BREAK_EVEN_STOP, TRAIL_AT, TRAIL_ON, EXTREME, STEP_PRICE,
                  STEP_LOTS, EXIT_WISH):
        leg[field] = 0
    for k in range(4):
        leg[TARGET_PRICE + k] = 0
        leg[TARGET_LOTS + k] = 0


@compiled
def set_levels(plan: Array, leg: Array, point: int) -> None:
    """After an opening fill: all levels anew from the average entry."""
    long = leg[LOTS] > 0
    lots, cost = abs(leg[LOTS]), abs(leg[COST])
    leg[STOP], leg[STOP_REASON] = 0, BY_STOP
    if plan[STOP_LOSS] > 0:
        leg[STOP] = away(cost, lots, plan[STOP_LOSS], long)
    _set_targets(plan, leg, lots, cost, long)
    leg[BREAK_EVEN_AT] = 0
    if plan[BREAK_EVEN] > 0:
        leg[BREAK_EVEN_AT] = ahead(cost, lots, plan[BREAK_EVEN], long)
        leg[BREAK_EVEN_STOP] = ahead(cost, lots, 2 * plan[TAKER], long)
    leg[TRAIL_ON] = 0
    leg[EXTREME] = point
    if plan[TRAIL_DISTANCE] > 0:
        leg[TRAIL_AT] = ahead(cost, lots, plan[TRAIL_ACTIVATION], long)
    _set_step(plan, leg, long)


@compiled
def away(cost: int, lots: int, rate: int, long: bool) -> int:
    """Price at `rate` of the average against the position, to the tick nearer the entry."""
    return level_ceil(cost, lots, RATE - rate) if long else level_floor(cost, lots, RATE + rate)


@compiled
def ahead(cost: int, lots: int, rate: int, long: bool) -> int:
    """Price at `rate` of the average in favour of the position, to the tick farther from the entry."""
    return level_ceil(cost, lots, RATE + rate) if long else level_floor(cost, lots, RATE - rate)


@compiled
def _set_targets(plan: Array, leg: Array, lots: int, cost: int, long: bool) -> None:
    left = lots
    for k in range(plan[TARGETS]):
        percent = plan[TARGET_PERCENT + k]
        if long:
            price = max(level_floor(cost, lots, RATE + percent), cost // lots + 1)
        else:
            price = min(level_ceil(cost, lots, RATE - percent), (cost + lots - 1) // lots - 1)
        share = rate_floor(lots, plan[TARGET_SHARE + k])
        if plan[TARGETS_FULL] == 1 and k == plan[TARGETS] - 1:
            share = left
        left -= share
        leg[TARGET_PRICE + k] = price if share > 0 and price > 0 else 0
        leg[TARGET_LOTS + k] = share if price > 0 else 0


@compiled
def _set_step(plan: Array, leg: Array, long: bool) -> None:
    """The next DCA step, or the end of the ladder."""
    leg[STEP_PRICE], leg[STEP_LOTS] = 0, 0
    k = leg[STEPS_DONE]
    if k >= plan[LADDER_STEPS]:
        return
    distance, size = plan[plan[LADDER_AT] + 2 * k], plan[plan[LADDER_AT] + 2 * k + 1]
    lots = rate_floor(leg[FIRST_LOTS], size)
    first = leg[FIRST_PRICE]
    price = first - rate_ceil(first, distance) if long else first + rate_ceil(first, distance)
    small = lots < plan[MIN_LOTS] or lots * price * plan[UNIT] < plan[MIN_NOTIONAL]
    if distance >= RATE or price <= 0 or too_large(plan, leg, lots, price) or small:
        leg[STEPS_DONE] = plan[LADDER_STEPS]
    else:
        leg[STEP_PRICE], leg[STEP_LOTS] = price, lots


@compiled
def too_large(plan: Array, leg: Array, lots: int, price: int) -> bool:
    """Whether the position after this fill would leave the range in which all sums are exact."""
    if lots > LOTS_MAX - abs(leg[LOTS]) or price > LOTS_MAX:
        return True
    return abs(leg[COST]) + lots * price > NOTIONAL_MAX // plan[UNIT]


@inlined
def on_price(state: Array, plans: Array, r: int, price: int) -> None:
    """The market stands at `price`: break-even and trailing may tighten the stop."""
    if state[r, LOTS] == 0:
        return
    m = (r - 1) // 2
    side = 1 if state[r, LOTS] > 0 else -1
    if state[r, BREAK_EVEN_AT] > 0 and side * price >= side * state[r, BREAK_EVEN_AT]:
        state[r, BREAK_EVEN_AT] = 0
        _tighten(state, r, side, state[r, BREAK_EVEN_STOP], BY_STOP)
    if plans[m, TRAIL_DISTANCE] > 0:
        _trail(state, plans, r, side, price)


@compiled
def _trail(state: Array, plans: Array, r: int, side: int, price: int) -> None:
    m = (r - 1) // 2
    if state[r, TRAIL_ON] == 0 and (plans[m, TRAIL_ACTIVATION] == 0 or side * price >= side * state[r, TRAIL_AT]):
        state[r, TRAIL_ON] = 1
        state[r, EXTREME] = price
    if state[r, TRAIL_ON] == 1:
        if side * price > side * state[r, EXTREME]:
            state[r, EXTREME] = price
        _tighten(state, r, side, state[r, EXTREME] - side * rate_floor(state[r, EXTREME], plans[m, TRAIL_DISTANCE]), BY_TRAILING)


@compiled
def _tighten(state: Array, r: int, side: int, stop: int, reason: int) -> None:
    if state[r, STOP] == 0 or side * stop > side * state[r, STOP]:
        state[r, STOP], state[r, STOP_REASON] = stop, reason
