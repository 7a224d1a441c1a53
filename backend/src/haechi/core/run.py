"""One back-test: markets, a plan and costs in, trades and equity out. The door from values to the engine's flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from . import engine
from . import layout as at
from .bars import Bars
from .encode import encode, pack
from .instrument import Instrument
from .outcome import Outcome, statistics_of
from .plan import Costs, Plan
from .quiet import BLOCK, SPAN, make_blocks
from .signals import Signals
from .units import UnitError, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAPITAL_MAX = 1_000_000_000
EMPTY = np.zeros(0, dtype=np.int64)
NO_DETAIL = np.zeros((0, 5), dtype=np.int64)
MINUTE_MS = 60_000


@dataclass(frozen=True, eq=False)
class Funding:
    """Settlements: int64[k] ts in ms, int64[k] rate in 1e-8; positive: longs pay shorts."""

    ts: NDArray[np.int64]
    rate: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Market:
    """One symbol of a back-test; detail: finer bars walked inside the bars."""

    instrument: Instrument
    bars: Bars
    signals: Signals
    funding: Funding | None = None
    detail: Bars | None = None
    _columns: dict[str, NDArray[np.int64]] = field(default_factory=dict, repr=False)


def run(markets: Sequence[Market], plan: Plan, costs: Costs, reading: str = "adverse", *, dense: bool = False) -> Outcome:
    """Back-test one plan over one or several markets on one wallet.

    reading: adverse | benign | path. dense: walk every bar even where nothing can happen (same results, slower).
    Raises UnitError for figures the engine cannot mean.
    """
    for market in markets:
        check(market)
    plans = pack([encode(plan, market.instrument, costs, reading) for market in markets])
    ends = np.array([[m.bars.ts[-1] + m.bars.timeframe_ms, m.bars.close_ticks[-1], len(m.bars)] for m in markets], dtype=np.int64)
    rows = 4096
    while True:
        machine = Machine.fresh(len(markets), costs, rows)
        timeline, worth = (_one if len(markets) == 1 else _many)(machine, list(markets), plans, dense)
        worth[-1] = engine.finish(machine.state, machine.stats, plans, machine.trades, ends)
        count = int(machine.state[0, at.TRADES])
        if count <= rows:
            break
        rows = count + 16
    return Outcome(markets=tuple(markets), reading=reading, capital=scaled(costs.capital), table=machine.trades[:count], ts=timeline,
                   equity=worth, statistics=statistics_of(machine.state, machine.stats, len(timeline)),
                   refusals=machine.refusals())


@dataclass(frozen=True, eq=False)
class Machine:
    """The engine's memory: state, statistics and trade rows (layout.py)."""

    state: NDArray[np.int64]
    stats: NDArray[np.float64]
    trades: NDArray[np.int64]

    @classmethod
    def fresh(cls, markets: int, costs: Costs, rows: int) -> Machine:
        """A new account with the capital and nothing else."""
        if not 0 < costs.capital <= CAPITAL_MAX:
            raise UnitError(f"capital must be greater than 0 and at most {CAPITAL_MAX}, got {costs.capital}")
        state = np.zeros((1 + 2 * markets, at.WIDTH), dtype=np.int64)
        for name in (at.WALLET, at.DAY_EQUITY, at.LAST_EQUITY, at.PEAK, at.TOP, at.SAMPLE_EQUITY):
            state[0, name] = scaled(costs.capital)
        state[0, at.DAY] = state[0, at.BLOCKED_DAY] = -1
        state[0, at.BLOCKED_DAY] = -2
        return cls(state, np.zeros(at.STATS), np.zeros((rows, at.TRADE), dtype=np.int64))

    def refusals(self) -> dict[str, int]:
        """How often each rule refused a wish, where it did."""
        counts = self.state[0, at.REFUSED:at.REFUSED + len(at.REFUSALS)]
        return {name: int(count) for name, count in zip(at.REFUSALS, counts, strict=True) if count}


def check(market: Market) -> None:
    """Refuse arrays that do not belong together."""
    n = len(market.bars)
    if n < 2:
        raise UnitError(f"{market.bars.symbol}: a back-test needs at least 2 bars, got {n}")
    if len(market.signals.bits) != n or (market.signals.atr is not None and len(market.signals.atr) != n):
        raise UnitError(f"{market.bars.symbol}: signals for {len(market.signals.bits)} bars, but there are {n} bars")
    if market.bars.tick != market.instrument.tick:
        raise UnitError(f"{market.bars.symbol}: bars on tick {market.bars.tick}, instrument on tick {market.instrument.tick}")


def bar_columns(bars: Bars) -> NDArray[np.int64]:
    """int64[n, 5] of ts, open, high, low, close; made once for a Bars object."""
    kept = bars._cache.get("columns")
    if kept is None:
        kept = np.ascontiguousarray(np.column_stack([bars.ts, bars.open_ticks, bars.high_ticks, bars.low_ticks, bars.close_ticks]))
        bars._cache["columns"] = kept
    return kept  # type: ignore[return-value]


def bar_blocks(bars: Bars, size: int = BLOCK) -> NDArray[np.int64]:
    """The ranges of blocks of bars (quiet.py); made once for a Bars object."""
    name = f"ranges of {size}"
    kept = bars._cache.get(name)
    if kept is None:
        kept = np.zeros((-(-len(bars) // size), 4), dtype=np.int64)
        make_blocks(bar_columns(bars), kept, size)
        bars._cache[name] = kept
    return kept  # type: ignore[return-value]


def funding_rows(market: Market) -> NDArray[np.int64]:
    """int64[k, 2]: the bar that each settlement falls on, and its rate."""
    if market.funding is None:
        return np.zeros((0, 2), dtype=np.int64)
    ts = (market.funding.ts + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
    order = np.argsort(ts, kind="stable")
    ts, rate = ts[order], market.funding.rate[order]
    inside = (ts >= market.bars.ts[0]) & (ts <= market.bars.ts[-1])
    rows = np.column_stack([np.searchsorted(market.bars.ts, ts[inside]), rate[inside]])
    return np.ascontiguousarray(rows, dtype=np.int64)


def detail_rows(market: Market) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Finer bars int64[k, 5], and where each bar's begin (n + 1 numbers); empty where there are none."""
    if market.detail is None:
        return NO_DETAIL, EMPTY
    edges = np.append(market.bars.ts, market.bars.ts[-1] + market.bars.timeframe_ms)
    starts = np.searchsorted(market.detail.ts, edges)
    ends = np.searchsorted(market.detail.ts, market.bars.ts + market.bars.timeframe_ms)
    if (ends < starts[1:]).any():  # bars of a gap belong to no coarse bar
        keep = np.zeros(len(market.detail), dtype=np.bool_)
        for start, end in zip(starts[:-1], ends, strict=True):
            keep[start:end] = True
        return bar_columns(market.detail)[keep], np.append(0, np.cumsum(ends - starts[:-1]))
    rows = bar_columns(market.detail)[starts[0]:starts[-1]]
    return np.ascontiguousarray(rows), np.ascontiguousarray(starts - starts[0])


def atr_ticks(market: Market) -> NDArray[np.int64]:
    """ATR in ticks (nearest), 0 where it is not defined; empty where no size needs it."""
    if market.signals.atr is None:
        return EMPTY
    values = np.nan_to_num(market.signals.atr / float(market.instrument.tick), nan=0.0, posinf=0.0, neginf=0.0)
    return np.floor(values + 0.5).astype(np.int64)


def _one(machine: Machine, markets: list[Market], plans: NDArray[np.int64], dense: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    market = markets[0]
    worth = np.zeros(len(market.bars), dtype=np.int64)
    drive(machine, market, plans, funding_rows(market), detail_rows(market), signal_rows(market.signals), worth, dense=dense)
    return market.bars.ts, worth


def signal_rows(signals: Signals) -> tuple[NDArray[np.int64], bool]:
    """The bars that carry a signal, and whether any of them is an exit."""
    heard = np.flatnonzero(signals.bits)
    return heard, bool((signals.bits[heard] & 12).any())


def drive(machine: Machine, market: Market, plans: NDArray[np.int64], funding: NDArray[np.int64],  # noqa: PLR0913
          detail: tuple[NDArray[np.int64], NDArray[np.int64]], heard: tuple[NDArray[np.int64], bool], worth: NDArray[np.int64], *,
          dense: bool, atr: NDArray[np.int64] | None = None) -> None:
    """One market through the engine; worth: int64[n] for the equity, or empty; atr: int64[n] in ticks if made already."""
    engine.run_one(machine.state, machine.stats, plans, machine.trades, bar_columns(market.bars), market.signals.bits,
                   atr_ticks(market) if atr is None else atr, funding, detail[0], detail[1], bar_blocks(market.bars),
                   bar_blocks(market.bars, SPAN), heard[0], heard[1], worth, dense)


def _many(machine: Machine, markets: list[Market], plans: NDArray[np.int64], dense: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    timeline = np.unique(np.concatenate([m.bars.ts for m in markets]))
    funding = [funding_rows(m) for m in markets]
    detail, detail_at = _joined_detail(markets)
    with_atr = any(m.signals.atr is not None for m in markets)
    atr = [EMPTY]
    if with_atr:
        atr = [atr_ticks(m) if m.signals.atr is not None else np.zeros(len(m.bars), dtype=np.int64) for m in markets]
    worth = np.zeros(len(timeline), dtype=np.int64)
    engine.run_many(machine.state, machine.stats, plans, machine.trades, np.concatenate([bar_columns(m.bars) for m in markets]),
                    np.concatenate([m.signals.bits for m in markets]), np.concatenate(atr), np.concatenate(funding),
                    detail, detail_at, _offsets([len(m.bars) for m in markets]), _offsets([len(f) for f in funding]), timeline, worth)
    return timeline, worth


def _offsets(lengths: list[int]) -> NDArray[np.int64]:
    return np.append(0, np.cumsum(lengths)).astype(np.int64)


def _joined_detail(markets: list[Market]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if all(m.detail is None for m in markets):
        return NO_DETAIL, EMPTY
    parts, starts, base = [], [], 0
    for market in markets:
        rows, at_bar = detail_rows(market)
        if market.detail is None:
            at_bar = np.zeros(len(market.bars) + 1, dtype=np.int64)
        parts.append(rows)
        starts.append(at_bar[:-1] + base)
        base += len(rows)
    return np.concatenate(parts), np.append(np.concatenate(starts), base).astype(np.int64)
