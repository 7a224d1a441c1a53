"""The engine: bars in, fills and wishes out. One bar at a time (`step`), or all of them in one call (`run_one`, `run_many`).

`run_one` may jump over bars on which nothing can happen; its results equal the dense walk bit for bit (quiet.py says why).
Everything here follows docs/engine.md, "Time".
"""

from __future__ import annotations

from typing import Any

from .compiled import compiled, inlined
from .decide import decide, mark, sample, settle_close
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .money import slipped
from .position import charge_funding, equity, leave
from .quiet import flat_jump, may_skip, quiet_end
from .walk import legs, open_point, refresh_cross, walk

Array = Any
# columns of the bar array int64[n, 5]
B_TS, B_OPEN, B_HIGH, B_LOW, B_CLOSE = 0, 1, 2, 3, 4


@compiled
def open_bar(state: Array, plans: Array, trades: Array, m: int, bars: Array, i: int, detail: Array, begin: int, end: int) -> None:
    """Steps 2 and 3 for bar i of market m; its finer bars are detail[begin:end], none if they are equal."""
    refresh_cross(state, plans, m)
    open_point(state, plans, trades, m, bars[i, B_OPEN], bars[i, B_TS], True)
    if begin == end:
        walk(state, plans, trades, m, bars[i, B_TS], bars[i, B_OPEN], bars[i, B_HIGH], bars[i, B_LOW], bars[i, B_CLOSE])
    for k in range(begin, end):
        if k > begin:
            open_point(state, plans, trades, m, detail[k, B_OPEN], detail[k, B_TS], False)
        walk(state, plans, trades, m, detail[k, B_TS], detail[k, B_OPEN], detail[k, B_HIGH], detail[k, B_LOW], detail[k, B_CLOSE])


@inlined
def mark_bar(state: Array, m: int, price: int) -> None:
    """The close is the market's new mark: only after every market has walked its bar of this instant."""
    for r in range(1 + 2 * m, 3 + 2 * m):
        state[r, MARK] = price


@inlined
def begin_bar(state: Array, m: int, index: int) -> None:
    for r in range(1 + 2 * m, 3 + 2 * m):
        state[r, BAR] = index


@compiled
def fund(state: Array, plans: Array, m: int, price: int, rate: int) -> None:
    """Step 1: one funding instant for a market."""
    for r in range(1 + 2 * m, 1 + 2 * m + legs(plans, m)):
        charge_funding(state, plans, r, price, rate)


@compiled
def step(state: Array, stats: Array, plans: Array, trades: Array, bars: Array, i: int, index: int, bits: int, atr: int, rate: int) -> int:
    """Bar i of bars int64[n, 5], the index-th of a single market: signal bits, funding rate (0: none). Returns the equity."""
    begin_bar(state, 0, index)
    if rate != 0:
        fund(state, plans, 0, bars[i, B_OPEN], rate)
    open_bar(state, plans, trades, 0, bars, i, bars, 0, 0)
    mark_bar(state, 0, bars[i, B_CLOSE])
    worth = settle_close(state, plans, stats, bars[i, B_TS])
    decide(state, plans, 0, bits, bars[i, B_CLOSE], atr)
    return worth


@compiled
def finish(state: Array, stats: Array, plans: Array, trades: Array, ends: Array) -> int:
    """Close what is open at the last closes; ends: int64[markets, 3] of exit time, close, number of bars."""
    for m in range(plans.shape[0]):
        for r in range(1 + 2 * m, 1 + 2 * m + legs(plans, m)):
            held = state[r, LOTS]
            if held != 0:
                state[r, BAR] = ends[m, 2]
                price = slipped(ends[m, 1], -1 if held > 0 else 1, plans[m, SLIPPAGE])
                leave(state, plans, trades, r, abs(held), price, plans[m, TAKER], BY_END, ends[m, 0])
    worth = equity(state, plans)
    mark(state, stats, worth)
    if state[0, DAY] >= 0:
        sample(state, stats, worth)
    return worth


@compiled
def run_one(state: Array, stats: Array, plans: Array, trades: Array, bars: Array, bits: Array, atr: Array, funding: Array,
            detail: Array, detail_at: Array, blocks: Array, spans: Array, signal_bars: Array, exits: bool, worth: Array,
            dense: bool) -> None:
    """All bars of one market. Shapes: docs of `haechi.core.run`. worth: int64[n] gets the equity at each close, or is empty."""
    n = bars.shape[0]
    plan = plans[0]
    skipping = not dense and detail_at.shape[0] == 0 and may_skip(plan)
    i, paid, heard, begin, end = 0, 0, 0, 0, 0
    while i < n:
        begin_bar(state, 0, i)
        while paid < funding.shape[0] and funding[paid, 0] <= i:
            fund(state, plans, 0, bars[i, B_OPEN], funding[paid, 1])
            paid += 1
        if detail_at.shape[0] > 0:
            begin, end = detail_at[i], detail_at[i + 1]
        open_bar(state, plans, trades, 0, bars, i, detail, begin, end)
        mark_bar(state, 0, bars[i, B_CLOSE])
        equity_now = settle_close(state, plans, stats, bars[i, B_TS])
        if worth.shape[0] > 0:
            worth[i] = equity_now
        if i < n - 1:
            decide(state, plans, 0, bits[i], bars[i, B_CLOSE], atr[i] if atr.shape[0] > 0 else 0)
        i += 1
        if not skipping or i >= n:
            continue
        while heard < signal_bars.shape[0] and signal_bars[heard] < i:
            heard += 1
        if state[1, LOTS] == 0 and state[2, LOTS] == 0:
            j = flat_jump(state, stats, bars, signal_bars, heard, i, n)
            while paid < funding.shape[0] and funding[paid, 0] < j:
                paid += 1
        else:
            until = funding[paid, 0] if paid < funding.shape[0] else n
            j = quiet_end(state, stats, plan, bars, blocks, spans, bits, signal_bars, heard, exits, i, min(until, n - 1), worth)
        if worth.shape[0] > 0 and state[1, LOTS] == 0 and state[2, LOTS] == 0:
            worth[i:j] = state[0, LAST_EQUITY]
        i = j


@compiled
def run_many(state: Array, stats: Array, plans: Array, trades: Array, bars: Array, bits: Array, atr: Array, funding: Array,
             detail: Array, detail_at: Array, offsets: Array, funding_at: Array, timeline: Array, worth: Array) -> None:
    """Several markets on one wallet: arrays one after the other, market m at offsets[m]…; timeline: the merged instants."""
    markets = plans.shape[0]
    at = offsets[:markets].copy()
    paid = funding_at[:markets].copy()
    here = at.copy()
    for t in range(timeline.shape[0]):
        for m in range(markets):  # all begin before one walks: its liquidation may close another's position
            here[m] = -1
            if at[m] < offsets[m + 1] and bars[at[m], B_TS] == timeline[t]:
                here[m] = at[m]
                at[m] += 1
                begin_bar(state, m, here[m] - offsets[m])
        for m in range(markets):
            j = here[m]
            if j < 0:
                continue
            index = j - offsets[m]
            while paid[m] < funding_at[m + 1] and funding[paid[m], 0] <= index:
                fund(state, plans, m, bars[j, B_OPEN], funding[paid[m], 1])
                paid[m] += 1
            begin, end = 0, 0
            if detail_at.shape[0] > 0:
                begin, end = detail_at[j], detail_at[j + 1]
            open_bar(state, plans, trades, m, bars, j, detail, begin, end)
        for m in range(markets):
            if here[m] >= 0:
                mark_bar(state, m, bars[here[m], B_CLOSE])
        worth[t] = settle_close(state, plans, stats, timeline[t])
        if t == timeline.shape[0] - 1:
            break
        for m in range(markets):
            j = here[m]
            if j >= 0 and j < offsets[m + 1] - 1:
                decide(state, plans, m, bits[j], bars[j, B_CLOSE], atr[j] if atr.shape[0] > 0 else 0)
