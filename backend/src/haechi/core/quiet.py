"""Exact skipping of bars on which nothing can happen.

A bar is quiet for a position when its range touches no level at which anything is met or moved, no funding falls on it, no day
begins with it, and no signal that matters closes it: then the dense walk would only mark it. A block of bars is jumped when
its whole range is quiet and no close in it can be a new deepest drawdown; float division is monotone, so the comparison is exact.
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled, inlined
from .decide import B_ENTER_LONG, B_ENTER_SHORT, drawdown, mark, sample
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .walk import NEVER

Array = Any
BLOCK = 32
# columns of blocks int64[ceil(n / BLOCK), 5]: range of the block, range of its closes, first bar in it that begins a UTC day
HIGHEST, LOWEST, CLOSE_HIGHEST, CLOSE_LOWEST = 0, 1, 2, 3
B_TS, B_OPEN, B_HIGH, B_LOW, B_CLOSE = 0, 1, 2, 3, 4


@compiled
def make_blocks(bars: Array, blocks: Array) -> None:
    """Fill int64[ceil(n / BLOCK), 4] with the ranges of each block of bars int64[n, 5]."""
    n = bars.shape[0]
    for k in range(blocks.shape[0]):
        high, low, top, bottom = 0, NEVER, 0, NEVER
        for i in range(k * BLOCK, min(n, (k + 1) * BLOCK)):
            high, low = max(high, bars[i, B_HIGH]), min(low, bars[i, B_LOW])
            top, bottom = max(top, bars[i, B_CLOSE]), min(bottom, bars[i, B_CLOSE])
        blocks[k, HIGHEST], blocks[k, LOWEST], blocks[k, CLOSE_HIGHEST], blocks[k, CLOSE_LOWEST] = high, low, top, bottom


@compiled
def may_skip(plan: Array) -> bool:
    """Protections look at every close, and two cross legs move each other's liquidation price: then no bar is quiet."""
    watched = plan[DAILY_LOSS] + plan[DRAWDOWN] + plan[LOSING_STREAK]
    return watched == 0 and plan[HEDGE] == 0


@compiled
def flat_jump(state: Array, stats: Array, bars: Array, signal_bars: Array, heard: int, i: int, n: int) -> int:
    """Flat from bar i on: the next bar to process. Days that pass without a position are sampled here."""
    if state[1, ENTRY_KIND] > 0:
        return i
    j = signal_bars[heard] if heard < signal_bars.shape[0] else n - 1
    j = min(j, n - 1)
    if j <= i:
        return i
    skipped = j - i
    day = bars[j - 1, B_TS] // DAY_MS
    if day != state[0, DAY]:
        sample(state, stats, state[0, LAST_EQUITY])
        _sample_days(state, bars, i, j)
        state[0, DAY] = day
        state[0, DAY_EQUITY] = state[0, LAST_EQUITY]
    state[0, INSTANT] += skipped
    return j


@compiled
def _sample_days(state: Array, bars: Array, i: int, j: int) -> None:
    """Count the days that begin in bars i…j−1 after the first of them: flat days have return 0."""
    day = state[0, DAY]
    begun = 0
    k = i
    while k < j:
        today = bars[k, B_TS] // DAY_MS
        if today != day:
            begun += 1
            day = today
        k = _next_day(bars, k, j, today)
    state[0, SAMPLES] += begun - 1


@compiled
def _next_day(bars: Array, k: int, j: int, today: int) -> int:
    """First bar after k (up to j) that begins another day: doubling steps, then halving."""
    stride = 1
    while k + stride < j and bars[k + stride, B_TS] // DAY_MS == today:
        k += stride
        stride *= 2
    high = min(k + stride, j)
    while k + 1 < high:
        middle = (k + high) // 2
        if bars[middle, B_TS] // DAY_MS == today:
            k = middle
        else:
            high = middle
    return high


@inlined
def band(plan: Array, leg: Array) -> tuple[int, int]:
    """The prices between which nothing of this position is met or moved: (below, above), both excluded."""
    below, above = 0, NEVER
    long = leg[LOTS] > 0
    for level in (leg[LIQUIDATION], leg[STOP], leg[STEP_PRICE]):
        if level > 0:
            below, above = (max(below, level), above) if long else (below, min(above, level))
    for k in range(4):
        if leg[TARGET_PRICE + k] > 0:
            below, above = _favour(below, above, leg[TARGET_PRICE + k], long)
    if leg[BREAK_EVEN_AT] > 0:
        below, above = _favour(below, above, leg[BREAK_EVEN_AT], long)
    if plan[TRAIL_DISTANCE] > 0:
        below, above = _favour(below, above, leg[EXTREME] if leg[TRAIL_ON] == 1 else leg[TRAIL_AT], long)
    return below, above


@inlined
def _favour(below: int, above: int, level: int, long: bool) -> tuple[int, int]:
    return (below, min(above, level)) if long else (max(below, level), above)


@inlined
def _next_heard(plan: Array, leg: Array, bits: Array, signal_bars: Array, heard: int, exits: bool) -> int:
    """The next bar whose signal can matter to a position, NEVER if there is none."""
    if plan[ON_OPPOSITE] == IGNORE and not exits:
        return NEVER
    opposite = B_ENTER_SHORT if leg[LOTS] > 0 else B_ENTER_LONG
    while heard < signal_bars.shape[0]:
        j = signal_bars[heard]
        if exits or bits[j] & opposite:
            return j
        heard += 1
    return NEVER


@compiled
def quiet_end(state: Array, stats: Array, plan: Array, bars: Array, blocks: Array, bits: Array, signal_bars: Array,
              heard: int, exits: bool, i: int, until: int, worth: Array) -> int:
    """In a position from bar i on: mark quiet bars, return the first that must be walked (at most `until`)."""
    leg = state[1]
    if leg[EXIT_WISH] != 0 or leg[ENTRY_KIND] > 0:
        return i
    until = min(until, _next_heard(plan, leg, bits, signal_bars, heard, exits))
    if plan[TIME_STOP] > 0:
        until = min(until, leg[ENTRY_BAR] + plan[TIME_STOP] - 1)
    today = (state[0, DAY] + 1) * DAY_MS  # the next day's first bar is walked: it samples the day before
    mark(state, stats, state[0, LAST_EQUITY])
    below, above = band(plan, leg)
    base = state[0, WALLET] - leg[COST] * plan[UNIT]
    a_tick = leg[LOTS] * plan[UNIT]
    j = i
    while j < until:
        if j % BLOCK == 0 and j + BLOCK <= until and bars[j + BLOCK - 1, B_TS] < today:
            k = j // BLOCK
            if blocks[k, LOWEST] > below and blocks[k, HIGHEST] < above and _block(state, stats, blocks[k], base, a_tick):
                if worth.shape[0] > 0:
                    for q in range(j, j + BLOCK):
                        worth[q] = base + a_tick * bars[q, B_CLOSE]
                j += BLOCK
                continue
        if bars[j, B_LOW] <= below or bars[j, B_HIGH] >= above or bars[j, B_TS] >= today:
            break
        now = base + a_tick * bars[j, B_CLOSE]
        mark(state, stats, now)
        if worth.shape[0] > 0:
            worth[j] = now
        j += 1
    if j > i:
        state[0, BARS_IN] += j - i
        state[0, INSTANT] += j - i
        leg[MARK] = bars[j - 1, B_CLOSE]
        state[0, LAST_EQUITY] = base + a_tick * bars[j - 1, B_CLOSE]
    return j


@inlined
def _block(state: Array, stats: Array, block: Array, base: int, a_tick: int) -> bool:
    """Mark a whole quiet block at once, if no close in it can be a new deepest drawdown."""
    best = base + a_tick * (block[CLOSE_HIGHEST] if a_tick > 0 else block[CLOSE_LOWEST])
    worst = base + a_tick * (block[CLOSE_LOWEST] if a_tick > 0 else block[CLOSE_HIGHEST])
    top = max(best, state[0, TOP])
    if drawdown(worst, top) > stats[MAX_DRAWDOWN]:
        return False
    state[0, TOP] = top
    return True
