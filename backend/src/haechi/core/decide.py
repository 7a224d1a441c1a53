"""The close of a bar: mark, statistics, protections (step 4), then the wishes for the next bar (step 5).

Rules: docs/engine.md, "Size", "Entries", "Plan" (protections), "Wishes at the close", "Equity and statistics".
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled, inlined
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .money import rate_ceil, rate_floor, risk_lots
from .position import equity
from .walk import legs

Array = Any
B_ENTER_LONG, B_ENTER_SHORT, B_EXIT_LONG, B_EXIT_SHORT = 1, 2, 4, 8


@inlined
def mark(state: Array, stats: Array, worth: int) -> None:
    """One close's equity: highest so far and deepest drawdown."""
    if worth > state[0, TOP]:
        state[0, TOP] = worth
    else:
        stats[MAX_DRAWDOWN] = max(stats[MAX_DRAWDOWN], drawdown(worth, state[0, TOP]))


@inlined
def drawdown(worth: int, top: int) -> float:
    return 1.0 - worth / top


@compiled
def sample(state: Array, stats: Array, worth: int) -> None:
    """One daily return into the sums of Sharpe and Sortino."""
    change = worth / state[0, SAMPLE_EQUITY] - 1.0 if state[0, SAMPLE_EQUITY] > 0 else 0.0
    state[0, SAMPLE_EQUITY] = worth
    state[0, SAMPLES] += 1
    stats[RETURN_SUM] += change
    stats[RETURN_SQUARES] += change * change
    fall = min(change, 0.0)
    stats[DOWNSIDE_SQUARES] += fall * fall


@inlined
def close_day(state: Array, stats: Array, ts: int) -> None:
    """The first bar of a new UTC day: yesterday's last equity becomes a sample and the day's start."""
    day = ts // DAY_MS
    if state[0, DAY] == day:
        return
    if state[0, DAY] >= 0:
        sample(state, stats, state[0, LAST_EQUITY])
    state[0, DAY] = day
    state[0, DAY_EQUITY] = state[0, LAST_EQUITY]


@compiled
def settle_close(state: Array, plans: Array, stats: Array, ts: int) -> int:
    """Step 4 for the whole account, marks already set; returns the equity.

    The close before is marked now, not when it was settled: the last one of all is replaced by what `finish` leaves.
    """
    mark(state, stats, state[0, LAST_EQUITY])
    close_day(state, stats, ts)
    worth = equity(state, plans)
    for r in range(1, state.shape[0]):
        if state[r, LOTS] != 0:
            state[0, BARS_IN] += 1
            break
    protect(state, plans, worth)
    if state[0, FLATTEN] == 1:
        _flatten(state)
    state[0, LAST_EQUITY] = worth
    state[0, INSTANT] += 1
    return worth


@inlined
def protect(state: Array, plans: Array, worth: int) -> None:
    """Account-wide pauses; sets FLATTEN when a rule that flattens was broken at this close."""
    state[0, FLATTEN] = 0
    m = 0  # one account: the same rules in every market's plan
    if plans[m, DAILY_LOSS] > 0 and worth <= state[0, DAY_EQUITY] - _part(state[0, DAY_EQUITY], plans[m, DAILY_LOSS]):
        state[0, BLOCKED_DAY] = state[0, DAY]
        state[0, FLATTEN] |= plans[m, DAILY_FLATTEN]
    if plans[m, DRAWDOWN] > 0:
        _protect_drawdown(state, plans, worth)
    if plans[m, LOSING_STREAK] > 0 and state[0, STREAK] >= plans[m, LOSING_STREAK]:
        state[0, STREAK_UNTIL] = state[0, INSTANT] + plans[m, STREAK_BARS]
        state[0, STREAK] = 0


@compiled
def _flatten(state: Array) -> None:
    """Everything is to be closed at its next open, markets without a bar at this instant included."""
    for r in range(1, state.shape[0]):
        state[r, ENTRY_KIND] = state[r, ENTRY_FRESH] = 0  # a wish that waits for its market's next bar goes too
        if state[r, LOTS] != 0:
            state[r, EXIT_WISH] = BY_PROTECTION


@compiled
def _part(amount: int, rate: int) -> int:
    return rate_ceil(amount, rate) if amount > 0 else 0


@compiled
def _protect_drawdown(state: Array, plans: Array, worth: int) -> None:
    m = 0
    now = state[0, INSTANT]
    if now < state[0, DRAWDOWN_UNTIL]:
        return
    if state[0, DRAWDOWN_UNTIL] > 0:
        state[0, DRAWDOWN_UNTIL] = 0
        state[0, PEAK] = worth
    state[0, PEAK] = max(state[0, PEAK], worth)
    if worth <= state[0, PEAK] - _part(state[0, PEAK], plans[m, DRAWDOWN]):
        state[0, DRAWDOWN_UNTIL] = now + plans[m, DRAWDOWN_BARS]
        state[0, FLATTEN] |= plans[m, DRAWDOWN_FLATTEN]


@inlined
def paused(state: Array) -> bool:
    """Whether a protection forbids entries at the close that was just settled."""
    now = state[0, INSTANT] - 1
    return now < state[0, DRAWDOWN_UNTIL] or now < state[0, STREAK_UNTIL] or state[0, BLOCKED_DAY] == state[0, DAY]


@compiled
def decide(state: Array, plans: Array, m: int, bits: int, price: int, atr: int) -> None:
    """Step 5: exit and entry wishes of one market for the next open. price: this close; atr in ticks, 0 if undefined."""
    both = B_ENTER_LONG | B_ENTER_SHORT
    if plans[m, HEDGE] == 0 and bits & both == both:
        bits -= both
    for k in range(legs(plans, m)):
        heard = bits
        if plans[m, HEDGE] == 1:
            heard = bits & (B_ENTER_SHORT | B_EXIT_SHORT if k == 1 else B_ENTER_LONG | B_EXIT_LONG)
        _decide_leg(state, plans, 1 + 2 * m + k, heard, price, atr)


@compiled
def _decide_leg(state: Array, plans: Array, r: int, bits: int, price: int, atr: int) -> None:
    if state[r, ENTRY_KIND] > 0 and _drop_entry(state, r, bits):
        state[r, ENTRY_KIND] = 0
    state[r, EXIT_WISH] = _exit_wish(state, plans, r, bits)
    side = 0
    if bits & B_ENTER_LONG:
        side = 1
    elif bits & B_ENTER_SHORT:
        side = -1
    m = (r - 1) // 2
    free = state[r, LOTS] == 0 or (state[r, EXIT_WISH] == BY_REVERSE and plans[m, ON_OPPOSITE] == REVERSE)
    if side != 0 and free and state[r, ENTRY_KIND] == 0 and state[r, BAR] >= state[r, COOL_UNTIL] and not paused(state):
        _wish_entry(state, plans, r, side, price, atr)


@inlined
def _drop_entry(state: Array, r: int, bits: int) -> bool:
    """A resting entry goes when its bars are over, everything is flattened, or its side is to exit."""
    side_exit = B_EXIT_LONG if state[r, ENTRY_SIDE] > 0 else B_EXIT_SHORT
    return state[r, BAR] >= state[r, ENTRY_UNTIL] or state[0, FLATTEN] == 1 or bits & side_exit != 0


@inlined
def _exit_wish(state: Array, plans: Array, r: int, bits: int) -> int:
    """Why the position should be closed at the next open, 0 if it should not."""
    if state[r, LOTS] == 0:
        return 0
    m = (r - 1) // 2
    long = state[r, LOTS] > 0
    if state[0, FLATTEN] == 1:
        return BY_PROTECTION
    if plans[m, TIME_STOP] > 0 and state[r, BAR] - state[r, ENTRY_BAR] + 1 >= plans[m, TIME_STOP]:
        return BY_TIME
    if bits & (B_EXIT_LONG if long else B_EXIT_SHORT):
        return BY_SIGNAL
    if plans[m, HEDGE] == 0 and plans[m, ON_OPPOSITE] != IGNORE and bits & (B_ENTER_SHORT if long else B_ENTER_LONG):
        return BY_REVERSE
    return 0


@compiled
def _wish_entry(state: Array, plans: Array, r: int, side: int, price: int, atr: int) -> None:
    m = (r - 1) // 2
    lots = wished_lots(state, plans, m, price, atr)
    refused = -1
    if lots < 0:
        refused = R_VOLATILITY
    elif lots > LOTS_MAX or lots * price > NOTIONAL_MAX // plans[m, UNIT]:
        refused = R_TOO_LARGE
    elif lots < plans[m, MIN_LOTS] or lots * price * plans[m, UNIT] < plans[m, MIN_NOTIONAL]:
        refused = R_MINIMUM
    if refused >= 0:
        state[0, REFUSED + refused] += 1
        return
    state[r, ENTRY_KIND], state[r, ENTRY_SIDE], state[r, ENTRY_LOTS] = plans[m, PLAN_ENTRY], side, lots
    state[r, ENTRY_FRESH], state[r, ENTRY_UNTIL] = 1, state[r, BAR] + plans[m, ENTRY_BARS]
    shift = rate_ceil(price, plans[m, ENTRY_OFFSET])
    if plans[m, PLAN_ENTRY] == LIMIT or plans[m, PLAN_ENTRY] == POST_ONLY:
        state[r, ENTRY_LIMIT] = price - side * shift
    else:
        state[r, ENTRY_TRIGGER] = price + side * shift
        state[r, ENTRY_LIMIT] = state[r, ENTRY_TRIGGER] + side * rate_ceil(state[r, ENTRY_TRIGGER], plans[m, LIMIT_OFFSET])


@compiled
def wished_lots(state: Array, plans: Array, m: int, price: int, atr: int) -> int:
    """Lots of a new entry, rounded down; −1 where the volatility is not known."""
    kind, amount, unit = plans[m, SIZE_KIND], plans[m, SIZE_AMOUNT], plans[m, UNIT]
    worth = min(max(state[0, LAST_EQUITY], 0), EQUITY_MAX)
    if kind == EQUITY_FRACTION:
        return rate_floor(worth, amount * plans[m, LEVERAGE]) // (price * unit)
    if kind == FIXED_QUOTE:
        return amount // (price * unit)
    if kind == FIXED_QUANTITY:
        return amount
    if kind == RISK_FRACTION:
        return risk_lots(worth, amount, price * unit, plans[m, STOP_LOSS])
    if atr <= 0:
        return -1
    return rate_floor(worth, amount) // (atr * unit)

