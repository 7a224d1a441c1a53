"""Bodies of /backtest."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from haechi.platform.paging import Page
from haechi.research.models import Backtest

BARS_UPLOADED_MAX = 20_000  # about 3 MB of JSON; longer histories belong in the candle store
PARAMS_MAX = 64

Money = Annotated[Decimal, Field(gt=0, le=Decimal("1e12"), allow_inf_nan=False)]
Rate = Annotated[Decimal, Field(ge=0, lt=Decimal("0.1"), allow_inf_nan=False)]
Price = Annotated[float, Field(gt=0, lt=1e12, allow_inf_nan=False)]
Step = Annotated[Decimal, Field(gt=0, le=Decimal("1e6"), allow_inf_nan=False)]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Timeframe = Annotated[str, Field(min_length=2, max_length=8)]


class Strict(BaseModel):
    """A misspelt field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class StoredData(Strict):
    """Candles from the store, `from` <= time < `to`. `venue` is needed only when several have the symbol."""

    symbol: Symbol
    timeframe: Timeframe
    venue: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")] = None
    start: AwareDatetime | None = Field(default=None, alias="from")
    end: AwareDatetime | None = Field(default=None, alias="to")


class UploadedBar(Strict):
    """`time`: when it opened."""

    time: AwareDatetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Annotated[float, Field(ge=0, lt=1e18, allow_inf_nan=False)]


class UploadedData(Strict):
    """Candles sent along, oldest first."""

    symbol: Symbol
    timeframe: Timeframe
    bars: Annotated[list[UploadedBar], Field(min_length=2, max_length=BARS_UPLOADED_MAX)]


class CostsBody(Strict):
    """What trading costs, as fractions (0.0006 is 0.06 %)."""

    maker: Rate = Decimal("0.0002")
    taker: Rate = Decimal("0.0006")
    slippage: Rate = Decimal("0.0001")


class BacktestBody(Strict):
    """What to test. `strategy`: a library name, or a whole document. `params` set its parameters, `overrides` parts of its plan.

    `tick`, `lot`: smallest price and quantity step of the contract.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{
        "strategy": "ema", "params": {"fast": 12, "slow": 26}, "data": {
            "symbol": "BTCUSDT", "timeframe": "1h", "from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        "tick": "0.1", "lot": "0.001", "capital": "10000",
        "costs": {"maker": "0.0002", "taker": "0.0006", "slippage": "0.0001"}, "reading": "adverse"}]})

    strategy: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | dict[str, Any]
    params: Annotated[dict[str, int | float | str | bool], Field(max_length=PARAMS_MAX)] = {}
    overrides: Annotated[dict[str, Any], Field(max_length=PARAMS_MAX)] = {}
    data: StoredData | UploadedData
    tick: Step
    lot: Step
    capital: Money = Decimal(10_000)
    costs: CostsBody = CostsBody()
    reading: Literal["adverse", "benign", "path"] = "adverse"

    @property
    def strategy_name(self) -> str:
        """For lists: the library name, or what the document calls itself."""
        if isinstance(self.strategy, str):
            return self.strategy
        name = self.strategy.get("name")
        return name[:64] if isinstance(name, str) and name else "document"


class BacktestAnswer(BaseModel):
    """`progress`: 0 to 1. `metrics` are there when the status is `done`, `error` when it is `failed`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "status": "done", "progress": 1.0, "strategy": "ema", "symbol": "BTCUSDT",
        "timeframe": "1h", "created_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:01Z", "metrics": {"final_equity": "10312.50", "trades": 41}, "error": None}]})

    id: str
    status: Literal["queued", "running", "done", "failed"]
    progress: float
    strategy: str
    symbol: str
    timeframe: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    metrics: dict[str, Any] | None
    error: str | None

    @classmethod
    def of(cls, row: Backtest, progress: float) -> BacktestAnswer:
        names = ("id", "status", "strategy", "symbol", "timeframe", "created_at", "started_at", "finished_at", "metrics", "error")
        return cls(progress=progress, **{name: getattr(row, name) for name in names})


class EquityAnswer(BaseModel):
    """Equity at the close of bars, oldest first; of long runs the lows and highs of equal stretches."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "points": [{"time": "2025-01-01T00:00:00Z", "equity": "10000.00000000"}]}]})

    points: list[dict[str, str]]


TradesPage = Page[dict[str, Any]]
BacktestsPage = Page[BacktestAnswer]
