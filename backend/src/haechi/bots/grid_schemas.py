"""Bodies and answers of /grid-bot. Money, prices and percentages are text; those of /grid/market are numbers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from haechi.bots.instance_schemas import ACCOUNT, BOT, AccountId, InstanceAnswer, Name, Percent, Symbol
from haechi.platform.paging import Page

Figure = Annotated[Decimal, Field(gt=0, le=Decimal("1e9"), max_digits=24, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=0, le=1000)]
PLAN: dict[str, Any] = {"symbol": "BTCUSDT", "lower": "55000", "upper": "65000", "cells": 20, "direction": "neutral",
                        "spacing": "geometric", "quantity": "0.001", "leverage": 3, "stop_lower": "52000",
                        "stop_upper": "68000"}
PLAN_SHOWN: dict[str, Any] = {**{name: value for name, value in PLAN.items() if name != "symbol"}, "lines": 21, "investment": None,
                              "trigger": None, "take_profit": None, "trail_up": 0, "trail_down": 0}


class AutoBody(BaseModel):
    """The range of the last `bars`: without the lowest and highest `percent` of them, or the last close ± `multiple` × ATR."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["percentile", "atr"] = "percentile"
    bars: Annotated[int, Field(ge=20, le=5000)] = 1440
    percent: Annotated[Decimal, Field(ge=0, lt=50, allow_inf_nan=False)] = Decimal(5)
    multiple: Annotated[Decimal, Field(gt=0, le=1000, allow_inf_nan=False)] = Decimal(20)


class PlanBody(BaseModel):
    """One grid. N `cells` have N + 1 `lines`: give one of the two. `range` manual: lower and upper; auto: from the last bars.

    Either `quantity` (base units a line) or `investment` (margin and fees of the worst case).
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{name: PLAN[name] for name in PLAN if name != "symbol"}]})

    range: Literal["manual", "auto"] = "manual"
    auto: AutoBody = AutoBody()
    lower: Figure | None = None
    upper: Figure | None = None
    cells: Annotated[int, Field(ge=2, le=200)] | None = None
    lines: Annotated[int, Field(ge=3, le=201)] | None = None
    direction: Literal["long", "short", "neutral"] = "neutral"
    spacing: Literal["arithmetic", "geometric"] = "arithmetic"
    quantity: Figure | None = None
    investment: Figure | None = None
    leverage: Annotated[int, Field(ge=1, le=125)] = 1
    trigger: Figure | None = None
    stop_lower: Figure | None = None
    stop_upper: Figure | None = None
    take_profit: Figure | None = None
    trail_up: Whole = 0
    trail_down: Whole = 0

    @model_validator(mode="after")
    def whole(self) -> PlanBody:
        if (self.cells is None) == (self.lines is None):
            raise ValueError("give either cells or lines (lines = cells + 1), and not both")
        if [self.lower is not None, self.upper is not None] != [self.range == "manual"] * 2:
            raise ValueError("a manual range needs lower and upper, an auto range takes neither")
        if (self.quantity is None) == (self.investment is None):
            raise ValueError("give either a quantity a line or an investment, and not both")
        return self


class CreateGridBody(PlanBody):
    """A grid bot that does not run yet. allocation: percent of the account's equity it may use; account_id: your paper account if none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "quiet grid", **PLAN, "allocation": "20"}]})

    name: Name | None = None
    symbol: Symbol
    allocation: Percent = Decimal(10)
    account_id: AccountId | None = None


class PreviewBody(PlanBody):
    """price: where it would start, the market's if none. backtest: the same grid over the market's last `bars` candles too.
    account_id: whose market it is, this server's own if none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{**PLAN, "capital": "1000", "backtest": True, "bars": 500}]})

    symbol: Symbol
    account_id: AccountId | None = None
    capital: Figure = Decimal(10_000)
    price: Figure | None = None
    backtest: bool = False
    bars: Annotated[int, Field(ge=2, le=5000)] = 1440


class PlanAnswer(BaseModel):
    lower: str
    upper: str
    cells: int
    lines: int
    direction: str
    spacing: str
    quantity: str | None
    investment: str | None
    leverage: int
    trigger: str | None
    stop_lower: str | None
    stop_upper: str | None
    take_profit: str | None
    trail_up: int
    trail_down: int


class ConfigAnswer(BaseModel):
    """The plan it has, and whether it is at work."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": BOT, "name": "quiet grid", "symbol": "BTCUSDT", "allocation": "20", "account_id": ACCOUNT, "desired": "running",
        "observed": "running", "plan": PLAN_SHOWN}]})

    id: str
    name: str
    symbol: str
    allocation: str
    account_id: str
    desired: str
    observed: str
    plan: PlanAnswer


class LineOrderAnswer(BaseModel):
    """One line. state: empty | wanted (should rest, does not yet) | resting | filled; filled_quantity: of an order filled in part."""

    line: int
    price: str
    side: str
    state: str
    quantity: str
    filled_quantity: str


class GridOrdersAnswer(BaseModel):
    """Lowest line first; empty until the grid has started. stop: the stop order of what is held, null if none should rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "empty_line": 10, "orders": [{"line": 9, "price": "59500", "side": "buy", "state": "resting", "quantity": "0.001",
                                      "filled_quantity": "0"}], "stop": None}]})

    empty_line: int | None
    orders: list[LineOrderAnswer]
    stop: dict[str, str] | None


class GridStatsAnswer(BaseModel):
    """total = matched + unmatched − fees − funding, exactly. apr: percent a year of what it may use. Null: it has not been at work."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "state": "running", "ended_by": "", "total": "12.30000000", "matched": "10.00000000", "unmatched": "3.00000000",
        "fees": "0.60000000", "funding": "0.10000000", "pairs": 14, "apr": "61.40", "empty_line": 9, "position": "0.001",
        "equity": "2012.30000000", "capital": "2000.00000000", "price": "60012.3", "corrections": 0}]})

    state: str
    ended_by: str = ""
    total: str | None = None
    matched: str | None = None
    unmatched: str | None = None
    fees: str | None = None
    funding: str | None = None
    pairs: int | None = None
    apr: str | None = None
    empty_line: int | None = None
    position: str | None = None
    equity: str | None = None
    capital: str | None = None
    price: str | None = None
    corrections: int | None = None


class WarningAnswer(BaseModel):
    code: str
    text: str


class PreviewLine(BaseModel):
    """side: of the order that would rest there at the start; `empty` for the line nearest to the price. value: of that order."""

    line: int
    price: str
    side: str
    value: str


class GridBacktestAnswer(BaseModel):
    """The same grid over the market's last candles. market: `synthetic` is an invented one, and says nothing about the future."""

    market: str
    bars: int
    first: datetime
    last: datetime
    fills: int
    pairs: int
    total: str
    matched: str
    unmatched: str
    fees: str
    funding: str
    max_drawdown: str
    ended_by: str


class PreviewAnswer(BaseModel):
    """What the grid comes to. needed: margin and fees of all entries of the larger side. most_cells: of which every one still earns.

    break_even_percent: how far apart lines must be to earn their fees. liquidation_down, _up: where a straight fall or rise ends it,
    null: nowhere. loss_at_stop_lower, _upper: of a straight way to the stop. long_most, short_most: most that is held.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "symbol": "BTCUSDT", "price": "60000", "cells": 20, "lines": [{"line": 0, "price": "55000", "side": "buy", "value": "55.00000000"}],
        "quantity": "0.001", "at_once": "0", "start_fee": "0.00000000", "needed": "190.20000000", "order_value_least": "55.00000000",
        "order_value_most": "65.00000000", "cell_profit_least": "0.43000000", "cell_profit_most": "0.52000000",
        "cell_percent_least": "0.7900", "cell_percent_most": "0.7900", "break_even_percent": "0.040008", "most_cells": 417,
        "liquidation_down": None, "liquidation_up": None, "loss_at_stop_lower": "55.40000000", "loss_at_stop_upper": "61.00000000",
        "long_most": "0.01", "short_most": "0.01", "warnings": [], "backtest": None}]})

    symbol: str
    price: str
    cells: int
    lines: list[PreviewLine]
    quantity: str
    at_once: str
    start_fee: str
    needed: str
    order_value_least: str
    order_value_most: str
    cell_profit_least: str
    cell_profit_most: str
    cell_percent_least: str
    cell_percent_most: str
    break_even_percent: str
    most_cells: int | None
    liquidation_down: str | None
    liquidation_up: str | None
    loss_at_stop_lower: str | None
    loss_at_stop_upper: str | None
    long_most: str
    short_most: str
    warnings: list[WarningAnswer]
    backtest: GridBacktestAnswer | None


class MarketAnswer(BaseModel):
    """Numbers, not text. change_24h: percent against a day ago, or against the oldest candle there is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "symbol": "BTCUSDT", "price": 60000.1, "high_24h": 61000.0, "low_24h": 59000.5, "change_24h": 1.25}]})

    symbol: str
    price: float
    high_24h: float
    low_24h: float
    change_24h: float


GridsPage = Page[InstanceAnswer]


def plan_answer(plan: dict[str, Any]) -> PlanAnswer:
    """Of a GridPlan as it is saved: figures are text there already."""
    return PlanAnswer(lines=plan["cells"] + 1, **plan)
