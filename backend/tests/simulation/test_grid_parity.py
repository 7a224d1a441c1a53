"""The live grid on the venue makes the back-test's fills, event by event: random grids with everything a plan may have.

The venue is walked in steps that stop where the mind watches, as a market that trades every price does. After every event the mind may be
put to text and restored. HAECHI_GRIDS sets how many grids are drawn of each kind.
"""

from __future__ import annotations

import os
import random
from decimal import Decimal
from typing import Any

import pytest

from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.core.bars import Bars
from haechi.core.grid import GridFill, GridMarket, GridOutcome, due_rows, run_grid
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.matching import path
from haechi.core.plan import Costs
from haechi.core.run import Funding, bar_columns
from haechi.exchanges.port import Accepted, Event, Fill, Gone, NewOrder
from haechi.markets.synthetic import synthetic_bars
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor

GRIDS = int(os.environ.get("HAECHI_GRIDS", "4"))
ONE = Instrument("BTCUSDT", tick=Decimal("0.1"), lot=Decimal("0.001"))
COSTS = Costs(slippage=Decimal("0.0001"), capital=Decimal(10_000))
MINUTE = 60_000
BARS = 900
KINDS = ("plain", "trigger", "stops", "take_profit", "trailing", "all")


class Trader:
    """A desk in its smallest form: sends what is wished, makes what rests equal what should rest, the new order first."""

    def __init__(self, venue: Venue, spec: GridSpec, draw: random.Random) -> None:
        self.mind, self.paper, self.draw = GridMind(spec), venue.open_account("a", spec.costs), draw
        self.there: dict[str, Wanted] = {}
        self.roles: dict[str, str] = {}
        self.fills: list[tuple[str, Decimal, Decimal, Decimal]] = []
        self.restored = self.number = 0
        self.paper.listen(self, symbol=spec.instrument.symbol, prices=True)

    async def hear(self, event: Event) -> None:
        if isinstance(event, Gone):
            role = self.roles[event.client_id]
            self.there.pop(event.client_id, None)
            self.mind.refused(role, event.reason)
            wishes: list[Wanted] = []
        else:
            role = ""
            if isinstance(event, Fill):
                role = self.roles[event.client_id]
                self.there.pop(event.client_id, None)
                self.fills.append((event.side, event.price, event.quantity, event.fee))
            wishes = self.mind.heard(event, role)
        if self.draw.random() < 0.02:
            self.mind = GridMind.restored(self.mind.spec, self.mind.snapshot())
            self.restored += 1
        for wish in wishes:
            await self.send(wish)
        await self.converge()

    async def send(self, wish: Wanted) -> None:
        self.number += 1
        one = self.mind.spec.instrument
        order = NewOrder(f"a-{self.number}", one.symbol, "buy" if wish.side > 0 else "sell", one.quantity(wish.lots), wish.kind,
                         one.price(wish.price) if wish.price else None, one.price(wish.trigger) if wish.trigger else None, wish.reduce_only)
        self.roles[order.client_id] = wish.role
        if wish.kind != "market":
            self.there[order.client_id] = wish
        assert isinstance(await self.paper.place(order), Accepted), wish

    async def converge(self) -> None:
        missing, wrong = dict(self.mind.resting()), []
        for client_id, wish in self.there.items():
            if missing.get(wish.role) == wish:
                del missing[wish.role]
            else:
                wrong.append(client_id)
        for wish in missing.values():
            await self.send(wish)
        for client_id in wrong:
            if await self.paper.cancel(client_id) == Accepted(client_id):
                self.there.pop(client_id, None)


async def played(market: GridMarket, plan: GridPlan, draw: random.Random) -> Trader:
    """All bars through the venue."""
    venue = Venue([ONE], timeframe_ms=MINUTE)
    Floor(venue, clock=lambda: int(market.bars.ts[0]))  # the venue's accounts are its members
    trader = Trader(venue, GridSpec(plan, ONE, COSTS, MINUTE), draw)
    assert isinstance(await trader.paper.set_leverage(ONE.symbol, plan.leverage, cross=True), Accepted)
    rates: dict[int, list[int]] = {}
    for bar, rate in due_rows(market).tolist():
        rates.setdefault(bar, []).append(rate)
    for i, row in enumerate(bar_columns(market.bars).tolist()):
        ts, points = row[0], path(*row[1:])
        await venue.opens(0, ts, points[0], rates.get(i, ()))
        for part in range(1, 5):
            await walk(venue, trader, ts + part * (MINUTE - 1) // 4, points[part - 1], points[part])
        await venue.closes({ONE.symbol: TickBar(*row, 1.0)})
    return trader


async def walk(venue: Venue, trader: Trader, ts: int, start: int, end: int) -> None:
    """A leg, with a stop at each price the mind watches on it; what it watches may change on the way."""
    while True:
        ahead = [level for level in trader.mind.watched if min(start, end) < level < max(start, end)]
        start = min(ahead, key=lambda level: abs(level - start)) if ahead else end
        await venue.moves(0, ts if start == end else ts - 1, start)
        if start == end:
            return


def a_market(draw: random.Random) -> GridMarket:
    made = synthetic_bars(draw.randrange(10**6), BARS, start_ms=1_767_225_600_000, price=Decimal(60_000), tick=ONE.tick)
    bars = Bars.of(symbol=ONE.symbol, timeframe_ms=MINUTE, tick=ONE.tick, **made.columns())
    due = bars.ts[::240]
    return GridMarket(ONE, bars, Funding(due, due % 7 * 5_000 - 10_000))


def a_plan(draw: random.Random, market: GridMarket, direction: str, spacing: str, kind: str) -> GridPlan:
    """A range around part of where the market goes."""
    bars = market.bars
    low, high, first = int(bars.low_ticks.min()), int(bars.high_ticks.max()), int(bars.open_ticks[0])
    width = high - low
    lower = low + draw.randrange(width // 3)
    upper = max(lower + width // 4, high - draw.randrange(width // 3))
    if kind == "trailing":
        lower, upper = first - width // 12, first + width // 12
    given: dict[str, Any] = {}
    if kind in ("trigger", "all"):
        given["trigger"] = ONE.price(draw.randrange(low, high))
    if kind in ("stops", "all"):
        trigger = given.get("trigger", ONE.price(first))
        given["stop_lower"] = min(ONE.price(lower + draw.randrange(-width // 8, width // 6)), trigger - 100)
        given["stop_upper"] = max(ONE.price(upper - draw.randrange(-width // 8, width // 6)), trigger + 100)
    if kind in ("take_profit", "all"):
        given["take_profit"] = Decimal(draw.randrange(2, 60))
    if kind in ("trailing", "all"):
        given |= {"trail_up": draw.randrange(12), "trail_down": draw.randrange(12)}
    return GridPlan(lower=ONE.price(lower), upper=ONE.price(upper), cells=draw.randrange(3, 25), direction=direction, spacing=spacing,
                    quantity=Decimal(draw.randrange(2, 12)) * Decimal("0.001"), leverage=10, **given)


def wanted_of(outcome: GridOutcome) -> tuple[list[GridFill], str]:
    """Without the closing after the last bar, which a bot does not know of."""
    return [fill for fill in outcome.fills if fill.kind != "end_of_data"], "" if outcome.end_reason == "end_of_data" else outcome.end_reason


def gapped_end(fills: list[GridFill], market: GridMarket) -> int | None:
    """A gap over lines and the stop at once: the back-test fills the lines before the stop, an exchange the stop that rests first. The
    number of fills before such a gap, None where there is none."""
    if not fills or fills[-1].kind != "stop":
        return None
    bar = fills[-1].bar
    opened = ONE.price(int(market.bars.open_ticks[bar]))
    before = [k for k, fill in enumerate(fills) if fill.bar < bar]
    lines = [fill for fill in fills if fill.bar == bar and fill.kind == "line" and fill.price == opened]
    return len(before) if lines else None


@pytest.mark.parametrize("spacing", ["arithmetic", "geometric"])
@pytest.mark.parametrize("direction", ["long", "short", "neutral"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_random_grid_makes_the_back_tests_fills(kind: str, direction: str, spacing: str) -> None:
    made = ended = 0
    for seed in range(GRIDS):
        draw = random.Random(f"{kind}-{direction}-{spacing}-{seed}")
        market = a_market(draw)
        plan = a_plan(draw, market, direction, spacing, kind)
        trader = await played(market, plan, draw)
        outcome = run_grid(market, plan, COSTS, "path")
        fills, reason = wanted_of(outcome)
        wanted = [(fill.side, fill.price, fill.quantity, fill.fee) for fill in fills]
        cut = gapped_end(fills, market)
        if cut is not None:
            assert trader.fills[:cut] == wanted[:cut], f"seed={seed}"
        else:
            assert trader.fills == wanted, f"seed={seed} {plan}"
            memory = trader.mind.memory
            assert (memory.matched, memory.pairs) == (outcome.matched, outcome.pairs), f"seed={seed}"
            assert reason or memory.lots == sum(int(fill.quantity / ONE.lot) * (1 if fill.side == "buy" else -1) for fill in fills)
            if reason:
                assert (memory.wallet, memory.fees, memory.funding) == (outcome.final_equity, outcome.fees, outcome.funding), f"seed={seed}"
        assert trader.mind.ended_by == reason, f"seed={seed}"
        made, ended = made + len(wanted), ended + bool(reason)
    assert made > 10 * GRIDS or kind in ("all", "trigger", "stops", "take_profit")
