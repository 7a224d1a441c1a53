"""The plan's part of a document as it is written: percents are percents (2 is 2 %), any number may be a $parameter."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .values import Number, Range, Text

Loss = Annotated[Number, Range(above=0, below=100)]
Gain = Annotated[Number, Range(above=0, high=1000)]
Bars = Annotated[Number, Range(low=1, high=1_000_000, whole=True)]
Fraction = Annotated[Number, Range(above=0, high=1, decimals=8)]
Scale = Annotated[Number, Range(above=0, high=10)]
Amount = Annotated[Number, Range(above=0, decimals=8)]
Tag = Annotated[str, Text(40, re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*", re.ASCII), "a tag of letters, digits, _ . : and -")]


class Shape(BaseModel):
    """No field that is not known; nothing changes after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Size(Shape):
    """How big an entry is: equity_fraction, risk_fraction, volatility_target take `fraction` (0.25 is a quarter)."""

    kind: Literal["equity_fraction", "fixed_quote", "fixed_quantity", "risk_fraction", "volatility_target"]
    fraction: Fraction | None = None
    quote: Amount | None = None
    quantity: Amount | None = None
    atr_period: Annotated[Number, Range(low=1, high=5000, whole=True)] | None = None


class Entry(Shape):
    kind: Literal["market", "limit", "post_only", "stop", "stop_limit"] = "market"
    offset: Annotated[Number, Range(low=0, below=100)] | None = None
    limit_offset: Annotated[Number, Range(low=0, below=100)] | None = None
    bars: Bars | None = None


class StopLoss(Shape):
    percent: Loss


class Target(Shape):
    percent: Gain
    share: Annotated[Number, Range(above=0, high=100)] = "100"


class BreakEven(Shape):
    percent: Gain


class Trailing(Shape):
    activation: Annotated[Number, Range(low=0, high=1000)] = "0"
    distance: Loss


class Dca(Shape):
    steps: Annotated[Number, Range(low=1, high=50, whole=True)]
    percent: Loss
    percent_scale: Scale = "1"
    size: Annotated[Number, Range(above=0, high=100)] = "1"
    size_scale: Scale = "1"


class BarCount(Shape):
    bars: Bars


class DailyLoss(Shape):
    percent: Annotated[Number, Range(above=0, high=100)]
    flatten: bool = False


class Drawdown(Shape):
    percent: Annotated[Number, Range(above=0, high=100)]
    bars: Bars
    flatten: bool = False


class LosingStreak(Shape):
    trades: Annotated[Number, Range(low=1, high=1000, whole=True)]
    bars: Bars


class Protections(Shape):
    """Pauses for the whole account; exits always work."""

    daily_loss: DailyLoss | None = None
    drawdown: Drawdown | None = None
    losing_streak: LosingStreak | None = None


class Tags(Shape):
    """Names of the rules as charts and trades show them."""

    enter_long: Tag | None = None
    enter_short: Tag | None = None
    exit_long: Tag | None = None
    exit_short: Tag | None = None


class PlanFields(Shape):
    """What becomes a `haechi.core.plan.Plan`."""

    size: Size
    leverage: Annotated[Number, Range(low=1, high=125, whole=True)] = "1"
    margin: Literal["isolated", "cross"] = "isolated"
    mode: Literal["one_way", "hedge"] = "one_way"
    entry: Entry = Entry()
    stop_loss: StopLoss | None = None
    take_profit: Annotated[list[Target], Field(max_length=4)] = []
    break_even: BreakEven | None = None
    trailing: Trailing | None = None
    dca: Dca | None = None
    time_stop: BarCount | None = None
    cool_down: BarCount | None = None
    protections: Protections = Protections()
    on_opposite: Literal["close", "reverse", "ignore"] = "close"
