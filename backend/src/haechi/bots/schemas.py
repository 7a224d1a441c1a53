"""Bodies of /bot."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from haechi.platform.paging import Page


def writable(document: Any) -> Any:
    """Its text can be kept: half of a surrogate pair is no character, and nothing can write it."""
    try:
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError("text with half a character in it (a lone surrogate)") from None
    return document


Strategy = Annotated[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | dict[str, Any], AfterValidator(writable)]
Overrides = Annotated[dict[str, Any], Field(max_length=64), AfterValidator(writable)]
Money = Annotated[Decimal, Field(gt=0, le=Decimal("1e8"), allow_inf_nan=False)]


class StartBody(BaseModel):
    """Everything has a default: an empty body starts the `rsi` strategy on the first market with 10,000 of paper money."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{
        "strategy": "rsi", "symbol": "BTCUSDT", "timeframe": "1m", "params": {"period": 14}, "capital": "10000"}]})

    strategy: Strategy = "rsi"
    symbol: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")] | None = None
    timeframe: Annotated[str, Field(min_length=2, max_length=8)] | None = None
    params: Annotated[dict[str, int | float | str], Field(max_length=64)] = {}
    overrides: Overrides = {}
    capital: Money = Decimal(10_000)


class OpenOrderAnswer(BaseModel):
    """Prices and quantities are text."""

    role: str
    side: str
    kind: str
    quantity: str
    price: str | None
    trigger: str | None
    status: str


class BotAnswer(BaseModel):
    """What really is. `observed`: starting, running, stopping, stopped or failed. `synthetic`: the market is invented."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "strategy": "rsi", "symbol": "BTCUSDT", "timeframe": "1m", "mode": "paper",
        "market": "synthetic", "desired": "running", "observed": "running", "reason": "", "capital": "10000", "position": "0.012",
        "equity": "10012.50000000", "wallet": "10010.00000000", "trades": 4, "bars": 301, "price": "60012.3",
        "created_at": "2026-01-01T00:00:00Z", "open_orders": []}]})

    id: str
    strategy: str
    symbol: str
    timeframe: str
    mode: Literal["paper"]
    market: str
    desired: str
    observed: str
    reason: str
    capital: str
    position: str | None = None
    equity: str | None = None
    wallet: str | None = None
    trades: int | None = None
    bars: int | None = None
    price: str | None = None
    created_at: datetime
    open_orders: list[OpenOrderAnswer]


class LineAnswer(BaseModel):
    """One line of the log, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "time": "2026-01-01T00:00:00Z", "code": "started", "text": "Started: rsi on BTCUSDT, 1m."}]})

    time: datetime
    code: str
    text: str


LinesPage = Page[LineAnswer]
