"""Random cases for the comparison: `cases()` is a Hypothesis strategy of whole runs with all features mixed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from markets import Weather, a_feed
from reference import Feed

from haechi.core.plan import Costs, Entry, Ladder, Plan, Protections, Size, Target, Trailing

TIMEFRAMES = (60_000, 3_600_000, 14_400_000, 86_400_000, 3 * 86_400_000)
READINGS = ("adverse", "benign", "path")
OFF = st.none()


@dataclass(frozen=True)
class Case:
    """One run: what both sides are given."""

    feeds: tuple[Feed, ...]
    plan: Plan
    costs: Costs
    reading: str

    def with_plan(self, **changes: Any) -> Case:
        return replace(self, plan=_changed(self.plan, changes))


def _changed(plan: Plan, changes: dict[str, Any]) -> Plan:
    values = {name: getattr(plan, name) for name in plan.__struct_fields__}
    return Plan(**(values | changes))


@st.composite
def cases(draw: st.DrawFn, *, symbols: int = 1, fine: bool = False, only: str = "") -> Case:
    """`symbols`: at most so many on one wallet; `fine`: with finer bars.

    `only`: cross, hedge, ladder, orders, stops or protections is always on; large: near the limits of int64.
    """
    swing = draw(st.sampled_from((0.004, 0.01, 0.03, 0.08)))
    capital = Decimal(draw(st.sampled_from((400_000_000, 999_999_999) if only == "large" else (100, 777, 10_000, 100_000))))
    weather = Weather(
        seed=draw(st.integers(0, 2**31)), bars=draw(st.integers(5, 60)), swing=swing, timeframe_ms=draw(st.sampled_from(TIMEFRAMES)),
        signal_rate=draw(st.sampled_from((0.1, 0.3, 0.6))), fine=draw(st.sampled_from((2, 3, 5))) if fine else 0,
        funding=draw(st.booleans()), holes=draw(st.booleans()))
    number = draw(st.integers(2, symbols)) if symbols > 1 else 1
    feeds = tuple(a_feed(weather, index, capital) for index in range(number))
    costs = Costs(slippage=Decimal(draw(st.sampled_from(("0", "0.0001", "0.00123", "0.006")))), capital=capital)
    return Case(feeds, draw(plans(swing, capital, only)), costs, draw(st.sampled_from(READINGS)))


def percents(swing: float, low: float = 0.05, high: float = 3.0) -> st.SearchStrategy[Decimal]:
    """Fractions around a bar's usual range, so that what they place is met often."""
    return st.integers(int(low * 100), int(high * 100)).map(lambda n: Decimal(max(round(swing * n * 1_000), 1)).scaleb(-5))


@st.composite
def plans(draw: st.DrawFn, swing: float, capital: Decimal, only: str) -> Plan:
    ladder = draw(ladders(swing) if only == "ladder" else OFF | ladders(swing))
    stop = draw(percents(swing) if only == "stops" else OFF | percents(swing))
    return Plan(
        size=draw(sizes(capital, stop)), leverage=draw(st.sampled_from((1, 2, 5, 10, 25, 50))),
        margin="cross" if only == "cross" else draw(st.sampled_from(("isolated", "cross"))),
        hedge=True if only == "hedge" else draw(st.booleans()), entry=draw(entries(swing, only)), stop_loss=stop,
        targets=draw(targets(swing, 1 if ladder else 4)), break_even=draw(OFF | percents(swing, 0.02, 1.5)),
        trailing=draw(OFF | trailings(swing)), ladder=ladder, time_stop=draw(st.sampled_from((0, 0, 0, 1, 3, 7))),
        cool_down=draw(st.sampled_from((0, 0, 1, 3))),
        protections=draw(protections(swing) if only == "protections" else st.just(Protections()) | protections(swing)),
        on_opposite=draw(st.sampled_from(("close", "reverse", "ignore"))))


@st.composite
def sizes(draw: st.DrawFn, capital: Decimal, stop: Decimal | None) -> Size:
    kinds = ["equity_fraction", "equity_fraction", "fixed_quote", "fixed_quantity", "volatility_target"]
    kind = draw(st.sampled_from(kinds + (["risk_fraction"] if stop is not None else [])))
    share = draw(st.sampled_from(("0.02", "0.1", "0.25", "0.5", "0.9")))
    if kind == "fixed_quote":
        return Size(kind, capital * Decimal(share) * draw(st.sampled_from((1, 3, 10))))
    if kind == "fixed_quantity":
        return Size(kind, draw(st.sampled_from((Decimal("0.0105"), Decimal("0.37"), Decimal(3), Decimal(1_234), Decimal(3_000_000)))))
    return Size(kind, Decimal(share) if kind == "equity_fraction" else Decimal(share) / 5)


@st.composite
def entries(draw: st.DrawFn, swing: float, only: str) -> Entry:
    kinds = ("limit", "post_only", "stop", "stop_limit")
    kind = draw(st.sampled_from(kinds if only == "orders" else ("market", "market", *kinds)))
    offset = draw(st.just(Decimal(0)) | percents(swing, 0.02, 1.0))
    return Entry(kind, offset if kind != "market" else Decimal(0),
                 draw(st.just(Decimal(0)) | percents(swing, 0.02, 0.6)) if kind == "stop_limit" else Decimal(0),
                 draw(st.sampled_from((1, 2, 5))) if kind != "market" else 1)


@st.composite
def targets(draw: st.DrawFn, swing: float, most: int) -> tuple[Target, ...]:
    number = draw(st.integers(0, most))
    steps = sorted({draw(percents(swing)) for _ in range(number)})
    share = draw(st.sampled_from((Decimal("0.1"), Decimal("0.33333333"), Decimal(1))))
    full = draw(st.booleans())
    parts = [min(share, Decimal(1) / len(steps)).quantize(Decimal("0.00000001"), rounding="ROUND_DOWN") for _ in steps]
    if full and parts:
        parts[-1] = 1 - sum(parts[:-1], Decimal(0))
    return tuple(Target(percent, part) for percent, part in zip(steps, parts, strict=True))


@st.composite
def trailings(draw: st.DrawFn, swing: float) -> Trailing:
    return Trailing(draw(percents(swing, 0.02, 1.5)), draw(st.just(Decimal(0)) | percents(swing)))


@st.composite
def ladders(draw: st.DrawFn, swing: float) -> Ladder:
    return Ladder(draw(st.integers(1, 6)), draw(percents(swing, 0.05, 1.5)), Decimal(draw(st.sampled_from(("1", "1.5", "0.8", "2.25")))),
                  Decimal(draw(st.sampled_from(("1", "0.5", "1.7")))), Decimal(draw(st.sampled_from(("1", "1.37", "2", "0.5")))))


@st.composite
def protections(draw: st.DrawFn, swing: float) -> Protections:
    daily, drawdown = draw(st.booleans()), draw(st.booleans())
    streak = draw(st.sampled_from((0, 1, 2, 3)))
    return Protections(
        daily_loss=draw(percents(swing, 0.1, 3)) if daily else Decimal(0), daily_loss_flatten=daily and draw(st.booleans()),
        drawdown=draw(percents(swing, 0.1, 3)) if drawdown else Decimal(0), drawdown_bars=draw(st.integers(1, 8)) if drawdown else 0,
        drawdown_flatten=drawdown and draw(st.booleans()),
        losing_streak=streak, losing_streak_bars=draw(st.integers(1, 6)) if streak else 0)
