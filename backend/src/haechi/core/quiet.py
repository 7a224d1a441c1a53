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
SPAN = 480  # a third of a day of minutes: spans begin where days do
# columns of blocks int64[ceil(n / BLOCK), 4], and of spans likewise: range of the bars, range of their closes
HIGHEST, LOWEST, CLOSE_HIGHEST, CLOSE_LOWEST = 0, 1, 2, 3
B_TS, B_OPEN, B_HIGH, B_LOW, B_CLOSE = 0, 1, 2, 3, 4


@compiled
def make_blocks(bars: Array, blocks: Array, size: int) -> None:
    """Fill int64[ceil(n / size), 4] with the ranges of each `size` bars of int64[n, 5]."""
    n = bars.shape[0]
    for k in range(blocks.shape[0]):
        high, low, top, bottom = 0, NEVER, 0, NEVER
        for i in range(k * size, min(n, (k + 1) * size)):
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
def quiet_end(state: Array, stats: Array, plan: Array, bars: Array, blocks: Array, spans: Array, bits: Array, signal_bars: Array,
              heard: int, exits: bool, i: int, until: int, worth: Array) -> int:
    """In a position from bar i on: mark quiet bars, return the first that must be walked (at most `until`)."""
    leg = state[1]
    if leg[EXIT_WISH] != 0 or leg[ENTRY_KIND] > 0:
        return i
    until = min(until, _next_heard(plan, leg, bits, signal_bars, heard, exits))
    if plan[TIME_STOP] > 0:
        until = min(until, leg[ENTRY_BAR] + plan[TIME_STOP] - 1)
    mark(state, stats, state[0, LAST_EQUITY])
    below, above = band(plan, leg)
    base = state[0, WALLET] - leg[COST] * plan[UNIT]
    a_tick = leg[LOTS] * plan[UNIT]
    j = i
    while j < until and bars[j, B_LOW] > below and bars[j, B_HIGH] < above:
        day = bars[j, B_TS] // DAY_MS
        if day != state[0, DAY]:
            last = state[0, LAST_EQUITY] if j == i else base + a_tick * bars[j - 1, B_CLOSE]
            sample(state, stats, last)
            state[0, DAY], state[0, DAY_EQUITY] = day, last
        end = until if bars[until - 1, B_TS] // DAY_MS == day else _next_day(bars, j, until, day)
        there = _quiet_day(state, stats, bars, blocks, spans, j, end, below, above, base, a_tick, worth)
        j = there
        if there < end:
            break
    if j > i:
        state[0, BARS_IN] += j - i
        state[0, INSTANT] += j - i
        leg[MARK] = bars[j - 1, B_CLOSE]
        state[0, LAST_EQUITY] = base + a_tick * bars[j - 1, B_CLOSE]
    return j


@inlined
def _quiet_day(state: Array, stats: Array, bars: Array, blocks: Array, spans: Array, j: int, end: int, below: int, above: int, base: int,
               a_tick: int, worth: Array) -> int:
    """Mark quiet bars of one day from j on, at most to `end`; the first that must be walked."""
    top, deepest = state[0, TOP], stats[MAX_DRAWDOWN]
    limit = unworthy(top, deepest)
    while j < end:
        jump = 0
        if j % BLOCK == 0 and j + BLOCK <= end:
            jump, best = _jump(blocks, spans, j, end, below, above, base, a_tick, top, limit, deepest)
            if best != top:
                top = best
                limit = unworthy(top, deepest)
        if jump > 0:
            if worth.shape[0] > 0:
                for q in range(j, j + jump):
                    worth[q] = base + a_tick * bars[q, B_CLOSE]
            j += jump
            continue
        if bars[j, B_LOW] <= below or bars[j, B_HIGH] >= above:
            break
        now = base + a_tick * bars[j, B_CLOSE]
        if now > top:
            top = now
            limit = unworthy(top, deepest)
        elif now < limit:
            deepest = max(deepest, drawdown(now, top))
            limit = unworthy(top, deepest)
        if worth.shape[0] > 0:
            worth[j] = now
        j += 1
    state[0, TOP], stats[MAX_DRAWDOWN] = top, deepest
    return j


@inlined
def unworthy(top: int, deepest: float) -> int:
    """An equity from which on no drawdown from `top` can be deeper, floats and all: what is below must be divided."""
    return int(top * (1.0 - deepest)) + 2 + (top >> 40)


@inlined
def _jump(blocks: Array, spans: Array, j: int, end: int, below: int, above: int, base: int, a_tick: int, top: int, limit: int,
          deepest: float) -> tuple[int, int]:
    """How many bars from the beginning of a block can be marked at once (a span, a block, or 0), and the highest equity after them."""
    if j % SPAN == 0 and j + SPAN <= end:
        found, best = _quiet(spans[j // SPAN], below, above, base, a_tick, top, limit, deepest)
        if found:
            return SPAN, best
    found, best = _quiet(blocks[j // BLOCK], below, above, base, a_tick, top, limit, deepest)
    return (BLOCK, best) if found else (0, top)


@inlined
def _quiet(block: Array, below: int, above: int, base: int, a_tick: int, top: int, limit: int, deepest: float) -> tuple[bool, int]:
    """Whether nothing is met in a range of bars and no close in it can be a new deepest drawdown; the highest equity after it."""
    if block[LOWEST] <= below or block[HIGHEST] >= above:
        return False, top
    best = base + a_tick * (block[CLOSE_HIGHEST] if a_tick > 0 else block[CLOSE_LOWEST])
    worst = base + a_tick * (block[CLOSE_LOWEST] if a_tick > 0 else block[CLOSE_HIGHEST])
    if best <= top:
        return worst >= limit or drawdown(worst, top) <= deepest, top
    return drawdown(worst, best) <= deepest, best
