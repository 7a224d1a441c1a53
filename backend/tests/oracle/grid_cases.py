"""Random grids on random markets, and the comparison of the engine with the reference on them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil

import msgspec
from comparison import market_of
from hypothesis import assume
from hypothesis import strategies as st
from markets import Weather, a_feed
from reference import Feed
from reference.grid import Grid, GridRun, affordable_lots

from haechi.core.grid import GridOutcome, run_grid
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.units import UnitError

TIMEFRAMES = (60_000, 3_600_000, 14_400_000)


@dataclass(frozen=True)
class GridCase:
    """One run: what both sides are given."""

    feed: Feed
    plan: GridPlan
    costs: Costs
    reading: str


@st.composite
def grid_cases(draw: st.DrawFn, *, only: str = "") -> GridCase:
    """`only`: long, short, neutral, geometric, trigger, stops, take_profit, trailing or liquidation is always on."""
    swing = draw(st.sampled_from((0.004, 0.01, 0.03, 0.08)))
    capital = Decimal(draw(st.sampled_from((100, 777, 10_000, 100_000))))
    weather = Weather(
        seed=draw(st.integers(0, 2**31)), bars=draw(st.integers(2, 80)), swing=swing, timeframe_ms=draw(st.sampled_from(TIMEFRAMES)),
        signal_rate=0.0, fine=0, funding=draw(st.booleans()), holes=draw(st.booleans()))
    feed = _without_minimums(a_feed(weather, 0, capital))
    costs = Costs(slippage=Decimal(draw(st.sampled_from(("0", "0.0001", "0.00123", "0.006")))), capital=capital)
    plan = draw(plans(feed, swing, capital, only))
    return GridCase(feed, plan, costs, draw(st.sampled_from(("path", "path", "adverse", "benign"))))


def _without_minimums(feed: Feed) -> Feed:
    """Any size may be ordered and any leverage taken: what is refused before the start has tests of its own."""
    tiers = tuple(msgspec.structs.replace(tier, leverage_max=125) for tier in feed.instrument.tiers)
    feed.instrument = msgspec.structs.replace(feed.instrument, min_quantity=Decimal(0), min_value=Decimal(0), tiers=tiers)
    return feed


@st.composite
def plans(draw: st.DrawFn, feed: Feed, swing: float, capital: Decimal, only: str) -> GridPlan:
    """A range near the first price, sometimes beside it; what would be refused as nonsense is left out."""
    price, tick = feed.bars[0].open, feed.instrument.tick
    width = draw(st.sampled_from((2, 5, 12))) * swing
    lower = max(20, round(price * (1 - width * draw(st.sampled_from((-0.3, 0.2, 0.5, 0.5, 0.8, 1.2))))))
    upper = lower + max(8, round(price * width))
    cells = min(draw(st.integers(2, 40)), (upper - lower) // 4)
    exposure = draw(st.sampled_from((8, 20, 40) if only == "liquidation" else (Decimal("0.3"), 1, 3, 8, 20)))
    direction = only if only in ("long", "short", "neutral") else draw(st.sampled_from(("long", "short", "neutral")))
    spacing = "geometric" if only == "geometric" else draw(st.sampled_from(("arithmetic", "geometric")))
    levels = {name: at * tick for name, at in draw(_levels(price, lower, upper, swing, only)).items()}
    profit = draw(st.sampled_from((0.05, 0.3, 1.0))) if only == "take_profit" or draw(st.integers(0, 4)) == 0 else 0.0
    trails = [draw(st.integers(0, 5)) if only == "trailing" or draw(st.integers(0, 4)) == 0 else 0 for _ in range(2)]
    lots = capital * exposure / (cells * max(upper, price) * tick * feed.instrument.lot)
    return GridPlan(
        lower=lower * tick, upper=upper * tick, cells=max(2, cells), direction=direction, spacing=spacing,
        leverage=min(125, ceil(exposure * Decimal("1.2")) + 1), trail_up=trails[0], trail_down=trails[1],
        take_profit=(capital * exposure * Decimal(str(swing * profit))).quantize(Decimal("0.000001")) if profit else None, **levels,
        **_size(draw(st.booleans()), feed.instrument, max(1, int(lots)), capital))


@st.composite
def _levels(draw: st.DrawFn, price: int, lower: int, upper: int, swing: float, only: str) -> dict[str, int]:
    """Trigger and stops in ticks, near the price and near the ends of the range."""
    wanted = {name: only == part or draw(st.integers(0, 3)) == 0
              for name, part in (("trigger", "trigger"), ("stop_lower", "stops"), ("stop_upper", "stops"))}
    anchors = {"trigger": price, "stop_lower": lower, "stop_upper": upper}
    found = {name: max(10, round(anchors[name] * (1 + swing * draw(st.sampled_from((-3, -1, -0.4, 0, 0.4, 1, 3))))))
             for name in wanted if wanted[name]}
    if found.get("stop_lower", 0) >= upper or found.get("stop_lower", 0) >= found.get("stop_upper", upper):
        del found["stop_lower"]
    if found.get("stop_upper", upper) <= lower:
        del found["stop_upper"]
    if not found.get("stop_lower", 0) < found.get("trigger", price) < found.get("stop_upper", 2**40):
        found.pop("trigger", None)
    return found


def _size(by_money: bool, instrument: Instrument, lots: int, capital: Decimal) -> dict[str, Decimal]:
    return {"investment": capital * Decimal("0.83")} if by_money else {"quantity": instrument.quantity(lots)}


def start_price(case: GridCase) -> int:
    """The price in ticks a grid is sized for."""
    return case.feed.instrument.ticks(case.plan.trigger) if case.plan.trigger else case.feed.bars[0].open


def reference_of(case: GridCase) -> GridRun:
    """The reference's run."""
    plan, instrument = case.plan, case.feed.instrument

    def ticks(value: Decimal | None) -> int | None:
        return None if value is None else instrument.ticks(value)

    def grid(lots: int) -> Grid:
        return Grid(ticks(plan.lower) or 0, ticks(plan.upper) or 0, plan.cells, lots, plan.spacing, plan.direction, ticks(plan.trigger),
                    ticks(plan.stop_lower), ticks(plan.stop_upper), plan.take_profit or Decimal(0), plan.trail_up, plan.trail_down)

    if plan.quantity is not None:
        lots = int(plan.quantity / instrument.lot)
    else:
        lots = affordable_lots(grid(0), instrument, case.costs.slippage, plan.investment or Decimal(0), plan.leverage, start_price(case))
    run = GridRun(grid(lots), instrument, case.costs.slippage, case.costs.capital, case.reading)
    return run.play(case.feed.bars, case.feed.funding_by_bar())


def engine_of(case: GridCase, *, dense: bool = False) -> GridOutcome:
    return run_grid(market_of(case.feed), case.plan, case.costs, case.reading, dense=dense)


def assert_grids_agree(case: GridCase) -> GridOutcome:
    """Dense and skipping, the engine does what the reference does; returns the outcome."""
    try:
        engine_of(case)
    except UnitError as refusal:
        assert any(word in str(refusal) for word in ("below the least order", "needs", "finer than the tick", "would trail to")), refusal
        assume(False)
    wanted = reference_of(case)
    for dense in (False, True):
        outcome = engine_of(case, dense=dense)
        found = differences(outcome, wanted)
        assert not found, f"engine (dense={dense}) and reference differ:\n  " + "\n  ".join(found[:12]) + "\n" + told(case)
    return outcome


def differences(outcome: GridOutcome, wanted: GridRun) -> list[str]:
    """One sentence for each thing the two do not agree on."""
    found = []
    instrument = outcome.market.instrument
    here = [(fill.kind, fill.time if fill.kind != "end_of_data" else 0, instrument.lots(fill.quantity) * (1 if fill.side == "buy" else -1),
             instrument.ticks(fill.price), fill.fee) for fill in outcome.fills]
    there = [(fill.kind, fill.ts if fill.kind != "end_of_data" else 0, fill.lots, fill.price, Decimal(fill.fee).scaleb(-8))
             for fill in wanted.fills]
    for index in range(max(len(here), len(there))):
        one, other = here[index:index + 1], there[index:index + 1]
        if one != other:
            found.append(f"fill {index}: engine {one}, reference {other}")
    found += [f"equity at bar {index}: engine {int(one)}, reference {other}"
              for index, (one, other) in enumerate(zip(outcome.equity, wanted.equity, strict=True)) if int(one) != other]
    figures = {"end": (outcome.end_reason, wanted.ended or "end_of_data"), "matched": (outcome.matched, wanted.matched),
               "unmatched": (outcome.unmatched, wanted.unmatched), "fees": (outcome.fees, wanted.fees),
               "funding": (outcome.funding, wanted.funding), "final equity": (outcome.final_equity, wanted.wallet),
               "started": (outcome.start_bar is not None, wanted.empty is not None)}
    return found + [f"{name}: engine {one}, reference {other}" for name, (one, other) in figures.items() if one != other]


def told(case: GridCase) -> str:
    """The whole case in a form that can be read and typed in again."""
    bars = [f"  bar {index}: ts={bar.ts} {bar[1:]}" for index, bar in enumerate(case.feed.bars)]
    head = [f"reading={case.reading!r} {case.costs}", str(case.plan), str(case.feed.instrument), f"funding={case.feed.funding}"]
    return "\n".join(head + bars[:90])
