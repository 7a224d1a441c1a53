"""What a grid bot thinks: one integer, the empty line. Buys rest below it, sells above. Rules: docs/engine.md, "Grids".

It starts at the first price it hears and works its lines from then on. Stops, take-profit and triggers are judged by back-tests
only, so far; a plan that has one is refused here rather than traded without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from haechi.core.grid_live import GridLadder, GridState, begin, ladder_of, on_fill, position, wanted_orders
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.money import share_floor
from haechi.core.plan import Costs
from haechi.core.units import UnitError, scaled, text
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price

START = "start"
LINE = "line"


class GridSpec(msgspec.Struct, frozen=True, tag="grid"):
    """Everything a grid bot is made of: the head of its journal."""

    grid: GridPlan
    instrument: Instrument
    costs: Costs
    timeframe_ms: int


class GridMind:
    """The same face as `Mind`: events in, orders out, and what should rest."""

    name = "grid"
    cross = True
    watches_price = True

    def __init__(self, spec: GridSpec) -> None:
        plan = spec.grid
        if any(getattr(plan, field) for field in ("trigger", "stop_lower", "stop_upper", "take_profit", "trail_up", "trail_down")):
            raise UnitError("a grid bot has no trigger, stops, take-profit or trailing range yet; back-tests do")
        self.spec = spec
        self.leverage = plan.leverage
        self.market = Decimal(0)
        self.ladder: GridLadder | None = None
        self.state: GridState | None = None
        self.position = self._cost = self.bars = self.fills = 0
        self.wallet = scaled(spec.costs.capital)
        self._opened, self._last = self.wallet, 0

    def learn(self, bar: Bar) -> None:
        """A grid has no use for the past."""
        self.market = bar.close

    def heard(self, event: Fill | Paid | Liquidated | Price | Bar, role: str = "") -> list[Wanted]:
        match event:
            case Fill():
                self._filled(event, role)
            case Paid():
                self.wallet -= scaled(event.amount)
            case Liquidated():
                self.wallet -= scaled(event.loss)
                self.position = self._cost = 0
                self.ladder = self.state = None
            case Price():
                self.market = event.price
                return self._begun(self.spec.instrument.ticks(event.price))
            case Bar():
                self.market, self._last = event.close, self.spec.instrument.ticks(event.close)
                self.bars += 1
        return []

    def _begun(self, price: int) -> list[Wanted]:
        """At the first price: the ladder, and what to take at once."""
        if self.ladder is not None or self.fills:
            return []
        self.ladder = ladder_of(self.spec.grid, self.spec.instrument, self.spec.costs, price)
        self.state = begin(self.ladder, price)
        at_once = position(self.ladder, self.state)
        return [Wanted(START, 1 if at_once > 0 else -1, abs(at_once), "market")] if at_once else []

    def _filled(self, fill: Fill, role: str) -> None:
        one = self.spec.instrument
        lots, price = one.lots(fill.quantity) * (1 if fill.side == "buy" else -1), one.ticks(fill.price)
        if self.position and (self.position > 0) != (lots > 0):
            self._cost -= share_floor(self._cost, abs(lots), abs(self.position))
        else:
            self._cost += lots * price
        self.position += lots
        self.wallet += scaled(fill.realized) - scaled(fill.fee)
        self.fills += 1
        if role.startswith(LINE) and self.ladder is not None and self.state is not None:
            self.state = on_fill(self.ladder, self.state, int(role.removeprefix(LINE)))

    def refused(self, role: str, reason: str) -> None:
        """A line the exchange would not take: the grid cannot keep its promise and stops with this reason."""
        raise UnitError(f"the exchange refused {role or 'an order'} of the grid: {reason}")

    def resting(self) -> dict[str, Wanted]:
        if self.ladder is None or self.state is None:
            return {}
        return {f"{LINE}{one.line}": Wanted(f"{LINE}{one.line}", 1 if one.side == "buy" else -1, one.lots, "limit", price=one.price)
                for one in wanted_orders(self.ladder, self.state)}

    @property
    def equity(self) -> int:
        return self.wallet + (self.position * self._last - self._cost) * self.spec.instrument.unit if self._last else self.wallet

    @property
    def loss_today(self) -> int:
        """Since the start: a grid's loss is judged as a whole."""
        return max(self._opened - self.equity, 0)

    def shown(self) -> Mapping[str, Any]:
        one = self.spec.instrument
        return {"position": str(one.quantity(self.position)), "equity": text(self.equity), "wallet": text(self.wallet),
                "trades": self.fills, "bars": self.bars, "price": str(self.market)}
