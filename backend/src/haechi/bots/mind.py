"""What a bot thinks: events in, wishes out. No clock, no network, no database: a journal of the events replays it exactly.

The strategy says when, the engine says what; both are those of the back-test.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.language import rules_of
from haechi.core.layout import DAY_EQUITY, TRADES
from haechi.core.live import LiveEngine, Wanted
from haechi.core.plan import Costs
from haechi.core.signals import Signals
from haechi.core.strategies import Coded, Written, find
from haechi.core.units import scaled, text
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price

COLUMNS = 5


class Spec(msgspec.Struct, frozen=True, tag="strategy"):
    """Everything a mind is made of: the head of its journal. `costs.capital` is what it may use."""

    strategy: str | dict[str, Any]
    params: dict[str, Any]
    overrides: dict[str, Any]
    instrument: Instrument
    costs: Costs
    timeframe_ms: int


class History:
    """The bars since the bot's first one. Recursive indicators start there, so none is ever dropped."""

    def __init__(self, symbol: str, timeframe_ms: int, tick: Decimal) -> None:
        self.symbol, self.timeframe_ms, self.tick = symbol, timeframe_ms, tick
        self.count = 0
        self._rows = np.zeros((1024, COLUMNS), dtype=np.int64)
        self._volume = np.zeros(1024)

    def add(self, ts: int, o: int, h: int, low: int, c: int, volume: float) -> None:
        if self.count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._volume = np.concatenate([self._volume, np.zeros_like(self._volume)])
        self._rows[self.count], self._volume[self.count] = (ts, o, h, low, c), volume
        self.count += 1

    def bars(self) -> Bars:
        ts, o, h, low, c = (self._rows[:self.count, k] for k in range(COLUMNS))
        return Bars(self.symbol, self.timeframe_ms, self.tick, ts, o, h, low, c, self._volume[:self.count])


class Mind:
    """One bot's head. `heard` takes every event in order and returns the orders to send; `resting` is what should rest after it."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.strategy = find(spec.strategy)
        self.engine = LiveEngine(spec.instrument, self.strategy.plan(spec.params, spec.overrides), spec.costs)
        self.history = History(spec.instrument.symbol, spec.timeframe_ms, spec.instrument.tick)
        self.market = Decimal(0)  # the last price heard
        self._rules = rules_of(self.strategy.document, spec.params, spec.overrides) if isinstance(self.strategy, Written) else None
        self._part: list[Bar] = []  # the shorter bars of the one under way

    def learn(self, bar: Bar) -> None:
        """A bar from before the start: known to the indicators, not acted on."""
        self._remember(bar)
        self.market = bar.close

    def heard(self, event: Fill | Paid | Liquidated | Price | Bar, role: str = "") -> list[Wanted]:
        one = self.spec.instrument
        match event:
            case Fill():
                self.engine.filled(role, 1 if event.side == "buy" else -1, one.lots(event.quantity), one.ticks(event.price),
                                   scaled(event.fee), self._bar_of(event.time_ms), one.ticks(event.market))
            case Paid():
                self.engine.funded(scaled(event.amount))
            case Liquidated():
                self.engine.liquidated(self._bar_of(event.time_ms))
            case Price():
                self.market = event.price
                self.engine.at_price(one.ticks(event.price))
            case Bar():
                self.market = event.close
                return self._closed(event)
        return []

    def refused(self, role: str, reason: str) -> None:
        self.engine.refused(role, reason)

    def resting(self) -> dict[str, Wanted]:
        return self.engine.resting()

    # ---- what the gate and the runner ask

    @property
    def leverage(self) -> int:
        return self.engine.plan.leverage

    @property
    def cross(self) -> bool:
        return self.engine.plan.margin == "cross"

    @property
    def watches_price(self) -> bool:
        return self.engine.watches_price

    @property
    def position(self) -> int:
        """Signed lots."""
        return self.engine.position

    @property
    def equity(self) -> int:
        """At the last close, in 1e-8."""
        return self.engine.equity

    @property
    def loss_today(self) -> int:
        return max(int(self.engine.machine.state[0, DAY_EQUITY]) - self.equity, 0)

    @property
    def name(self) -> str:
        return self.strategy.name

    def _bar_of(self, time_ms: int) -> int:
        return time_ms // self.spec.timeframe_ms * self.spec.timeframe_ms

    def _closed(self, bar: Bar) -> list[Wanted]:
        whole = self._joined(bar)
        if whole is None:
            return []
        self._remember(whole)
        bits, atr = self._signal()
        return self.engine.closed(whole.ts, self.spec.instrument.ticks(whole.close), bits, atr)

    def _joined(self, bar: Bar) -> Bar | None:
        """The bar of the bot's timeframe that this one completes, or None."""
        self._part.append(bar)
        length = self.spec.timeframe_ms
        if bar.timeframe_ms == length or bar.ts + bar.timeframe_ms >= self._bar_of(bar.ts) + length:
            parts, self._part = self._part, []
            return Bar(bar.symbol, length, self._bar_of(parts[0].ts), parts[0].open, max(one.high for one in parts),
                       min(one.low for one in parts), parts[-1].close, sum(one.volume for one in parts))
        return None

    def _remember(self, bar: Bar) -> None:
        o, h, low, c = (self.spec.instrument.ticks(price) for price in (bar.open, bar.high, bar.low, bar.close))
        self.history.add(bar.ts, o, h, low, c, bar.volume)

    def _signal(self) -> tuple[int, int]:
        """The last bar's bits, and its ATR in ticks (0: undefined or not needed)."""
        found = self._signals(self.history.bars())
        if found.atr is None or not np.isfinite(found.atr[-1]):
            return int(found.bits[-1]), 0
        return int(found.bits[-1]), int(np.floor(found.atr[-1] / float(self.spec.instrument.tick) + 0.5))

    def _signals(self, bars: Bars) -> Signals:
        if self._rules is not None and isinstance(self.strategy, Written):
            from haechi.core.language import Evaluator

            return Evaluator(self.strategy.document, bars).signals_of(self._rules)
        assert isinstance(self.strategy, Coded)
        return self.strategy.over(bars).signals(self.spec.params)

    def shown(self) -> Mapping[str, Any]:
        """The state for people: money as text with eight decimals."""
        engine, one = self.engine, self.spec.instrument
        state = engine.machine.state
        return {"position": str(one.quantity(engine.position)), "equity": text(engine.equity if engine.bars else engine.wallet),
                "wallet": text(engine.wallet), "trades": int(state[0, TRADES]), "bars": engine.bars, "price": str(self.market)}
