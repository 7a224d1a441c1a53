"""Bodies of /account/risk-settings."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9_-]{1,31}$")]


Exact = Field(allow_inf_nan=False, max_digits=24, decimal_places=8)
Value = Annotated[Decimal, Exact, Field(gt=0, le=Decimal(10) ** 9)]
Least = Annotated[Decimal, Exact, Field(ge=0, le=Decimal(10) ** 9)]
Percent = Annotated[Decimal, Exact, Field(gt=0, le=100)]
Exposure = Annotated[Decimal, Exact, Field(gt=0, le=125)]

EXAMPLE: dict[str, Any] = {"daily_loss_limit": "500", "max_leverage": 10, "max_positions": 5, "max_exposure": "20", "order_value_min": "0",
           "order_value_max": "1000000", "price_collar_percent": "5", "price_distance_percent": "80", "orders_per_minute": 1200,
           "duplicate_window_ms": 1000, "allowed_symbols": []}


class RiskBody(BaseModel):
    """What is left out stays as it is. allowed_symbols: an empty list allows all of them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [
        {"daily_loss_limit": "250", "max_leverage": 5, "max_positions": 3, "allowed_symbols": ["BTCUSDT", "ETHUSDT"]}]})

    daily_loss_limit: Value | None = None
    max_leverage: Annotated[int, Field(ge=1, le=100)] | None = None
    max_positions: Annotated[int, Field(ge=1, le=50)] | None = None
    max_exposure: Exposure | None = None
    order_value_min: Least | None = None
    order_value_max: Value | None = None
    price_collar_percent: Percent | None = None
    price_distance_percent: Percent | None = None
    orders_per_minute: Annotated[int, Field(ge=1, le=6_000)] | None = None
    duplicate_window_ms: Annotated[int, Field(ge=0, le=60_000)] | None = None
    allowed_symbols: Annotated[list[Symbol], Field(max_length=200)] | None = None

    def over(self, before: dict[str, Any]) -> dict[str, Any]:
        """The values with these changes."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        if "allowed_symbols" in given:
            given["allowed_symbols"] = sorted(set(given["allowed_symbols"])) or None
        return before | given


class RiskAnswer(BaseModel):
    """Money and percent are text. The operator's own limits may be tighter; the tightest counts."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    daily_loss_limit: str
    max_leverage: int
    max_positions: int
    max_exposure: str
    order_value_min: str
    order_value_max: str
    price_collar_percent: str
    price_distance_percent: str
    orders_per_minute: int
    duplicate_window_ms: int
    allowed_symbols: list[str]

    @classmethod
    def of(cls, values: dict[str, Any]) -> RiskAnswer:
        told = {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in values.items()}
        return cls(**told | {"allowed_symbols": values["allowed_symbols"] or []})
