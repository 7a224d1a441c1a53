"""What a bot thinks: events in, wishes out. No clock, no network, no database, no history: a journal of the events replays it exactly,
and a snapshot of a kilobyte is all of it.

The strategy says when (bots/signals.py, one answer for all bots that run it), the engine says what; both are those of the back-test.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from haechi.bots.signals import Signal, said_of
from haechi.core.instrument import Instrument
from haechi.core.layout import TRADES
from haechi.core.live import LiveEngine, LiveState, Wanted
from haechi.core.plan import Costs
from haechi.core.timeframe import floor_to
from haechi.core.units import UnitError, scaled, text
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price

ONCE = "entry"  # what may be sent once for each bar that wished it; all else may be sent again and gets a number


class Spec(msgspec.Struct, frozen=True, tag="strategy"):
    """Everything a mind is made of: the head of its journal. `costs.capital` is what it may use."""

    strategy: str | dict[str, Any]
    params: dict[str, Any]
    overrides: dict[str, Any]
    instrument: Instrument
    costs: Costs
    timeframe_ms: int


class MindState(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds. bar_ts: open time of the last bar it closed; entry_ts: of the bar that wished the last entry."""

    engine: LiveState
    market: Decimal
    bar_ts: int
    entry_ts: int
    number: int


class Mind:
    """One bot's head. `heard` takes every event in order and returns the orders to send; `resting` is what should rest after it."""

    def __init__(self, spec: Spec) -> None:
        said = said_of(spec)
        self.spec, self.strategy = spec, said.strategy
        self.engine = LiveEngine(spec.instrument, said.plan, spec.costs)
        self.market = Decimal(0)  # the last price heard
        self.bar_ts = self.entry_ts = -1
        self._number = 0

    # ---- events

    def heard(self, event: Fill | Paid | Liquidated | Price | Bar, role: str = "", signal: Signal | None = None) -> list[Wanted]:
        """signal: with a Bar that completes one of the bot's timeframe."""
        one = self.spec.instrument
        match event:
            case Fill():
                self.engine.filled(role, 1 if event.side == "buy" else -1, one.lots(event.quantity), one.ticks(event.price),
                                   scaled(event.fee), self._bar_of(event.time_ms), one.ticks_nearest(event.market))
            case Paid():
                self.engine.funded(scaled(event.amount))
            case Liquidated():
                self.engine.liquidated(self._bar_of(event.time_ms), one.lots(event.quantity), one.ticks_nearest(event.price),
                                       scaled(event.loss))
            case Price():
                self.market = event.price
                self.engine.at_price(one.ticks_nearest(event.price))
            case Bar():
                self.market = event.close
                return [] if signal is None else self._closed(signal)
        return []

    def missed(self, bar: Bar, signal: Signal | None) -> list[Wanted]:
        """A bar that closed while nobody looked: its exits are still wished, its entry is not."""
        wishes = self.heard(bar, signal=signal)
        if any(wish.role == "entry" for wish in wishes):
            self.engine.forget_entry()
        return [wish for wish in wishes if wish.reduce_only]

    def _closed(self, signal: Signal) -> list[Wanted]:
        whole = signal.whole
        self.bar_ts = whole.ts
        wishes = self.engine.closed(whole.ts, self.spec.instrument.ticks(whole.close), signal.bits, signal.atr)
        if any(wish.role == "entry" for wish in wishes):
            self.entry_ts = whole.ts
        return wishes

    def refused(self, role: str, reason: str) -> None:
        self.engine.refused(role, reason)

    def resting(self) -> dict[str, Wanted]:
        return self.engine.resting()

    def wish_key(self, wanted: Wanted) -> str:
        """The name of this intent, to be asked for once per order that is made: an entry's is its bar's, so that it is sent once and
        never again; others count on, for an exit is sent until it is done. Take the snapshot after it."""
        if wanted.role == ONCE:
            return f"{wanted.role}@{self.entry_ts}"
        self._number += 1
        return f"{wanted.role}#{self._number}"

    # ---- saved and restored

    def snapshot(self) -> str:
        state = MindState(engine=self.engine.saved(), market=self.market, bar_ts=self.bar_ts, entry_ts=self.entry_ts, number=self._number)
        return msgspec.json.encode(state).decode()

    @classmethod
    def restored(cls, spec: Spec, snapshot: str) -> Mind:
        """Bit for bit the mind that was saved. Raises UnitError for a text that is no snapshot of this engine."""
        try:
            state = msgspec.json.decode(snapshot, type=MindState)
        except msgspec.DecodeError as error:
            raise UnitError(f"the bot's saved state cannot be read: {error}") from None
        mind = cls(spec)
        mind.engine.restore(state.engine)
        mind.market, mind.bar_ts, mind.entry_ts, mind._number = state.market, state.bar_ts, state.entry_ts, state.number
        return mind

    # ---- what the gate and the runner ask

    @property
    def leverage(self) -> int:
        return self.engine.plan.leverage

    @property
    def cross(self) -> bool:
        return self.engine.plan.margin == "cross"

    @property
    def protected(self) -> bool:
        """Whether the plan ever asks for a stop."""
        plan = self.engine.plan
        return plan.stop_loss is not None or plan.trailing is not None or plan.break_even is not None

    @property
    def watches_price(self) -> bool:
        return self.engine.watches_price

    @property
    def position(self) -> int:
        """Signed lots."""
        return self.engine.position

    @property
    def excess(self) -> int:
        """Signed lots that fills left beyond the position; the desk closes them under the role `repair`."""
        return self.engine.excess

    @property
    def against(self) -> str:
        """Why the last bar's entry signal became no wish: in_position, entry_resting, cool_down, paused, below_minimum …"""
        return self.engine.against

    @property
    def equity(self) -> int:
        """At the last close, in 1e-8."""
        return self.engine.equity

    @property
    def name(self) -> str:
        return self.strategy.name

    def _bar_of(self, time_ms: int) -> int:
        return floor_to(time_ms, self.spec.timeframe_ms)

    def shown(self) -> Mapping[str, Any]:
        """The state for people: money as text with eight decimals."""
        engine, one = self.engine, self.spec.instrument
        state = engine.machine.state
        return {"position": str(one.quantity(engine.position)), "equity": text(engine.equity if engine.bars else engine.wallet),
                "wallet": text(engine.wallet), "trades": int(state[0, TRADES]), "bars": engine.bars, "price": str(self.market)}
