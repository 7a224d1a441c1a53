"""Bodies and answers of /templates."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from haechi.bots.instance_schemas import AccountId, Name, Params, Percent, Symbol, Timeframe, printable
from haechi.bots.schemas import Overrides

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Away = Annotated[Decimal, Field(gt=0, lt=100, max_digits=8, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(gt=0, le=Decimal("1e8"), max_digits=20, allow_inf_nan=False)]
Line = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(printable)]


class GridTemplate(BaseModel):
    """Around the price at which it is used: below, above and the stops in percent of it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["grid"]
    below: Away
    above: Away
    cells: Annotated[int, Field(ge=2, le=200)]
    direction: Literal["long", "short", "neutral"] = "neutral"
    spacing: Literal["arithmetic", "geometric"] = "geometric"
    leverage: Annotated[int, Field(ge=1, le=20)] = 1
    stop_below: Away | None = None
    stop_above: Annotated[Decimal, Field(gt=0, lt=1000, allow_inf_nan=False)] | None = None
    trail_up: Annotated[int, Field(ge=0, le=1000)] = 0
    trail_down: Annotated[int, Field(ge=0, le=1000)] = 0


class TrendTemplate(BaseModel):
    """A strategy of the library with parameters and parts of its plan."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["trend"]
    strategy: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    timeframe: Timeframe | None = None
    params: Params = {}
    overrides: Overrides = {}


Plan = Annotated[GridTemplate | TrendTemplate, Field(discriminator="kind")]


class Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    en: Line
    ko: Line


class SaveTemplateBody(BaseModel):
    """The figures are made by the server: it back-tests the plan over the last candles of `symbol`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{
        "name": "wide_calm", "title": {"en": "Wide and calm", "ko": "넓고 느긋하게"},
        "about": {"en": "Few wide cells.", "ko": "넓은 칸 몇 개."},
        "plan": {"kind": "grid", "below": "8", "above": "8", "cells": 16}, "symbol": "BTCUSDT"}]})

    name: Slug
    title: Words
    about: Words
    plan: Plan
    symbol: Symbol


class UseTemplateBody(BaseModel):
    """investment: of a grid, what its worst case may need; a trend bot uses its allocation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{
        "symbol": "BTCUSDT", "allocation": "20", "investment": "500"}]})

    symbol: Symbol
    name: Name | None = None
    allocation: Percent = Decimal(10)
    account_id: AccountId | None = None
    investment: Money = Decimal(500)


class TemplateAnswer(BaseModel):
    """figures: of a back-test this software ran. `market` says on what: `synthetic` is an invented market, its figures are no promise."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "name": "wide_calm", "kind": "grid", "title": "Wide and calm", "about": "Few wide cells.", "shipped": False,
        "plan": {"kind": "grid", "below": "8", "above": "8", "cells": 16},
        "figures": {"market": "synthetic", "symbol": "BTCUSDT", "bars": 600, "capital": "1000", "total": "1.20000000"}}]})

    name: str
    kind: str
    title: str
    about: str
    shipped: bool
    plan: dict[str, Any]
    figures: dict[str, Any]


class TemplatesAnswer(BaseModel):
    items: list[TemplateAnswer]
