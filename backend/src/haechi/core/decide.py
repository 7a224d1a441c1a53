"""The close of a bar: mark, statistics, protections (step 4), then the wishes for the next bar (step 5).

Rules: docs/engine.md, "Size", "Entries", "Plan" (protections), "Wishes at the close", "Equity and statistics".
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .money import rate_ceil, rate_floor, risk_lots
from .position import equity
from .walk import legs

Array = Any
B_ENTER_LONG, B_ENTER_SHORT, B_EXIT_LONG, B_EXIT_SHORT = 1, 2, 4, 8


@compiled
def mark(state: Array, stats: Array, worth: int) -> None:
    """One close's equity: highest so far and deepest drawdown."""
    if worth > state[0, TOP]:
        state[0, TOP] = worth
    else:
        stats[MAX_DRAWDOWN] = max(stats[MAX_DRAWDOWN], drawdown(worth, state[0, TOP]))


@compiled
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


@compiled
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
    protect(state, plans[0], worth)
    if state[0, FLATTEN] == 1:
        _flatten(state)
    state[0, LAST_EQUITY] = worth
    state[0, INSTANT] += 1
    return worth


@compiled
def protect(state: Array, plan: Array, worth: int) -> None:
    """Account-wide pauses; sets FLATTEN when a rule that flattens was broken at this close."""
    account = state[0]
    account[FLATTEN] = 0
    if plan[DAILY_LOSS] > 0 and worth <= account[DAY_EQUITY] - _part(account[DAY_EQUITY], plan[DAILY_LOSS]):
        account[BLOCKED_DAY] = account[DAY]
        account[FLATTEN] |= plan[DAILY_FLATTEN]
    if plan[DRAWDOWN] > 0:
        _protect_drawdown(account, plan, worth)
    if plan[LOSING_STREAK] > 0 and account[STREAK] >= plan[LOSING_STREAK]:
        account[STREAK_UNTIL] = account[INSTANT] + plan[STREAK_BARS]
        account[STREAK] = 0


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
def _protect_drawdown(account: Array, plan: Array, worth: int) -> None:
    now = account[INSTANT]
    if now < account[DRAWDOWN_UNTIL]:
        return
    if account[DRAWDOWN_UNTIL] > 0:
        account[DRAWDOWN_UNTIL] = 0
        account[PEAK] = worth
    account[PEAK] = max(account[PEAK], worth)
    if worth <= account[PEAK] - _part(account[PEAK], plan[DRAWDOWN]):
        account[DRAWDOWN_UNTIL] = now + plan[DRAWDOWN_BARS]
        account[FLATTEN] |= plan[DRAWDOWN_FLATTEN]


@compiled
def paused(account: Array) -> bool:
    """Whether a protection forbids entries at the close that was just settled."""
    now = account[INSTANT] - 1
    return now < account[DRAWDOWN_UNTIL] or now < account[STREAK_UNTIL] or account[BLOCKED_DAY] == account[DAY]


@compiled
def decide(state: Array, plan: Array, m: int, bits: int, price: int, atr: int) -> None:
    """Step 5: exit and entry wishes of one market for the next open. price: this close; atr in ticks, 0 if undefined."""
    both = B_ENTER_LONG | B_ENTER_SHORT
    if plan[HEDGE] == 0 and bits & both == both:
        bits -= both
    for k in range(legs(plan)):
        heard = bits
        if plan[HEDGE] == 1:
            heard = bits & (B_ENTER_SHORT | B_EXIT_SHORT if k == 1 else B_ENTER_LONG | B_EXIT_LONG)
        _decide_leg(state, plan, state[1 + 2 * m + k], heard, price, atr)


@compiled
def _decide_leg(state: Array, plan: Array, leg: Array, bits: int, price: int, atr: int) -> None:
    if leg[ENTRY_KIND] > 0 and _drop_entry(state, leg, bits):
        leg[ENTRY_KIND] = 0
    leg[EXIT_WISH] = _exit_wish(state, plan, leg, bits)
    side = 0
    if bits & B_ENTER_LONG:
        side = 1
    elif bits & B_ENTER_SHORT:
        side = -1
    free = leg[LOTS] == 0 or (leg[EXIT_WISH] == BY_REVERSE and plan[ON_OPPOSITE] == REVERSE)
    if side != 0 and free and leg[ENTRY_KIND] == 0 and leg[BAR] >= leg[COOL_UNTIL] and not paused(state[0]):
        _wish_entry(state, plan, leg, side, price, atr)


@compiled
def _drop_entry(state: Array, leg: Array, bits: int) -> bool:
    """A resting entry goes when its bars are over, everything is flattened, or its side is to exit."""
    side_exit = B_EXIT_LONG if leg[ENTRY_SIDE] > 0 else B_EXIT_SHORT
    return leg[BAR] >= leg[ENTRY_UNTIL] or state[0, FLATTEN] == 1 or bits & side_exit != 0


@compiled
def _exit_wish(state: Array, plan: Array, leg: Array, bits: int) -> int:
    """Why the position should be closed at the next open, 0 if it should not."""
    if leg[LOTS] == 0:
        return 0
    long = leg[LOTS] > 0
    if state[0, FLATTEN] == 1:
        return BY_PROTECTION
    if plan[TIME_STOP] > 0 and leg[BAR] - leg[ENTRY_BAR] + 1 >= plan[TIME_STOP]:
        return BY_TIME
    if bits & (B_EXIT_LONG if long else B_EXIT_SHORT):
        return BY_SIGNAL
    if plan[HEDGE] == 0 and plan[ON_OPPOSITE] != IGNORE and bits & (B_ENTER_SHORT if long else B_ENTER_LONG):
        return BY_REVERSE
    return 0


@compiled
def _wish_entry(state: Array, plan: Array, leg: Array, side: int, price: int, atr: int) -> None:
    lots = wished_lots(state, plan, price, atr)
    refused = -1
    if lots < 0:
        refused = R_VOLATILITY
    elif lots > LOTS_MAX or lots * price > NOTIONAL_MAX // plan[UNIT]:
        refused = R_TOO_LARGE
    elif lots < plan[MIN_LOTS] or lots * price * plan[UNIT] < plan[MIN_NOTIONAL]:
        refused = R_MINIMUM
    if refused >= 0:
        state[0, REFUSED + refused] += 1
        return
    leg[ENTRY_KIND], leg[ENTRY_SIDE], leg[ENTRY_LOTS] = plan[PLAN_ENTRY], side, lots
    leg[ENTRY_FRESH], leg[ENTRY_UNTIL] = 1, leg[BAR] + plan[ENTRY_BARS]
    shift = rate_ceil(price, plan[ENTRY_OFFSET])
    if plan[PLAN_ENTRY] == LIMIT or plan[PLAN_ENTRY] == POST_ONLY:
        leg[ENTRY_LIMIT] = price - side * shift
    else:
        leg[ENTRY_TRIGGER] = price + side * shift
        leg[ENTRY_LIMIT] = leg[ENTRY_TRIGGER] + side * rate_ceil(leg[ENTRY_TRIGGER], plan[LIMIT_OFFSET])


@compiled
def wished_lots(state: Array, plan: Array, price: int, atr: int) -> int:
    """Lots of a new entry, rounded down; −1 where the volatility is not known."""
    kind, amount, unit = plan[SIZE_KIND], plan[SIZE_AMOUNT], plan[UNIT]
    worth = min(max(state[0, LAST_EQUITY], 0), EQUITY_MAX)
    if kind == EQUITY_FRACTION:
        return rate_floor(worth, amount * plan[LEVERAGE]) // (price * unit)
    if kind == FIXED_QUOTE:
        return amount // (price * unit)
    if kind == FIXED_QUANTITY:
        return amount
    if kind == RISK_FRACTION:
        return risk_lots(worth, amount, price * unit, plan[STOP_LOSS])
    if atr <= 0:
        return -1
    return rate_floor(worth, amount) // (atr * unit)

