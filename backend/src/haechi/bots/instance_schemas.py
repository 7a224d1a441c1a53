"""Bodies and answers of /bot-instances. Money, prices and percentages are text."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from haechi.bots.models import Bot
from haechi.bots.schemas import Overrides, StartBody, Strategy
from haechi.bots.words import reason
from haechi.platform.paging import Page

BOT = "019ab0c4d5e6a1b2c3d4e5f60718293a"
ACCOUNT = "019ab0c4d5e6a1b2c3d4e5f607182900"


def printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("one line of text without control characters, nor spaces around it")
    return text


Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
Percent = Annotated[Decimal, Field(gt=0, le=100, max_digits=8, decimal_places=4, allow_inf_nan=False)]
AccountId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Timeframe = Annotated[str, Field(min_length=2, max_length=8)]
Params = Annotated[dict[str, int | float | str], Field(max_length=64)]


class CreateBody(BaseModel):
    """A bot that does not run yet. allocation: percent of the account's equity that it may use; account_id: your paper account if none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{
        "name": "quiet rsi", "strategy": "rsi", "symbol": "BTCUSDT", "timeframe": "1m", "params": {"period": 14},
        "overrides": {"stop_loss.percent": 2}, "allocation": "10"}]})

    name: Name | None = None
    strategy: Strategy = "rsi"
    symbol: Symbol | None = None
    timeframe: Timeframe | None = None
    params: Params = {}
    overrides: Overrides = {}
    allocation: Percent = Decimal(10)
    account_id: AccountId | None = None

    def wish(self) -> StartBody:
        """As the one-bot form would ask for it; the capital is known at the start."""
        return StartBody(strategy=self.strategy, symbol=self.symbol, timeframe=self.timeframe, params=self.params, overrides=self.overrides)


class UpdateBody(BaseModel):
    """Only what is named changes. While the bot runs that can be its name; everything else wants it stopped."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "still rsi"}]})

    name: Name | None = None
    strategy: Strategy | None = None
    symbol: Symbol | None = None
    timeframe: Timeframe | None = None
    params: Params | None = None
    overrides: Overrides | None = None
    allocation: Percent | None = None
    account_id: AccountId | None = None


class StopBody(BaseModel):
    """flatten: close what is held; false leaves it, with its stop at the exchange."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"flatten": True}]})

    flatten: bool = True


class InstanceAnswer(BaseModel):
    """desired: what you want. observed: what is: starting, running, stopping, stopped, recovering or failed; reason: why it is not running.

    retry_at: of the next try while it recovers. shown: what its mind knows while it runs.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": BOT, "name": "quiet rsi", "kind": "strategy", "account_id": ACCOUNT, "strategy": "rsi", "symbol": "BTCUSDT",
        "timeframe": "1m", "params": {"period": 14}, "overrides": {}, "allocation": "10", "capital": "1000", "desired": "running",
        "observed": "running", "flatten": True, "reason": "", "attempts": 0, "retry_at": None, "created_at": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:00Z", "ended_at": None, "shown": {"position": "0.012", "equity": "1012.50000000"}}]})

    id: str
    name: str
    kind: str
    account_id: str
    strategy: str
    symbol: str
    timeframe: str
    params: dict[str, Any]
    overrides: dict[str, Any]
    allocation: str
    capital: str
    desired: str
    observed: str
    flatten: bool
    reason: str
    attempts: int
    retry_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    shown: dict[str, Any]

    @classmethod
    def of(cls, bot: Bot, retry_at: datetime | None, shown: dict[str, Any], language: str = "en") -> InstanceAnswer:
        return cls(id=bot.id, name=bot.name, kind=bot.kind, account_id=bot.account_id, strategy=bot.strategy, symbol=bot.symbol,
                   timeframe=bot.timeframe, params=bot.spec.get("params") or {}, overrides=bot.spec.get("overrides") or {},
                   allocation=f"{bot.allocation:f}", capital=f"{bot.capital:f}", desired=bot.desired, observed=bot.observed,
                   flatten=bot.flatten, reason=reason(language, bot.reason), attempts=bot.attempts, retry_at=retry_at,
                   created_at=bot.created_at, started_at=bot.started_at, ended_at=bot.ended_at, shown=shown)


InstancesPage = Page[InstanceAnswer]


class RefusedAnswer(BaseModel):
    """A bot that was not started, and why."""

    id: str
    code: str
    message: str


class StartedAnswer(BaseModel):
    """changed: bots that are on their way now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"changed": [BOT], "refused": []}]})

    changed: list[str]
    refused: list[RefusedAnswer] = []


class StatsAnswer(BaseModel):
    """trades: from flat to flat. pnl: realized and fees and funding together; fees and funding are negative where they cost.

    unrealized, exposure (position value over equity) and equity are null while the bot does not run.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "trades": 12, "won": 7, "win_rate": "0.5833", "pnl": "42.10000000", "realized": "51.00000000", "fees": "-8.90000000",
        "funding": "0.00000000", "today": "3.20000000", "unrealized": "1.00000000", "drawdown": "12.00000000", "exposure": "0.7200",
        "position": "0.012", "equity": "1042.10000000"}]})

    trades: int
    won: int
    win_rate: str | None
    pnl: str
    realized: str
    fees: str
    funding: str
    today: str
    unrealized: str | None
    drawdown: str
    exposure: str | None
    position: str
    equity: str | None


class SummaryAnswer(BaseModel):
    """All bots of yours. equity: of the accounts they use, open profit of those that run included."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "bots": 3, "states": {"running": 2, "stopped": 1}, "equity": "10042.10000000", "pnl": "42.10000000", "today": "3.20000000"}]})

    bots: int
    states: dict[str, int]
    equity: str
    pnl: str
    today: str


class CutAnswer(BaseModel):
    """What stood against an order: whose rule, and its numbers where it has some."""

    role: str
    rule: str
    asked: str = ""
    allowed: str = ""


class PartAnswer(BaseModel):
    """A part of a rule as written, and what it was: true, false, a number, or null while it is undefined. depth: 0 is the whole rule."""

    text: str
    value: bool | float | None
    depth: int


class RuleAnswer(BaseModel):
    rule: str
    holds: bool
    parts: list[PartAnswer]


class DecisionAnswer(BaseModel):
    """One bar: which rules held, what was wished (role, side, kind, lots), what stood against it. rules: of the one bar that was asked
    for, each with its values; empty for a strategy in Python, a bar gone by, and while the bot does not run."""

    time: datetime
    close: str
    held: list[str]
    position_lots: int
    wished: list[dict[str, Any]]
    against: str
    cut: list[CutAnswer]
    rules: list[RuleAnswer] = []


class RefusalAnswer(BaseModel):
    """An order that was wished and not taken; kept over restarts."""

    time: datetime
    role: str
    reason: str
    text: str


class WhyAnswer(BaseModel):
    """Newest first. decisions: of the last bars, since the bot was last launched."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "decisions": [{"time": "2026-01-01T00:00:00Z", "close": "60000.1", "held": ["enter_long"], "position_lots": 0, "wished": [],
                       "against": "cooldown", "cut": [],
                       "rules": [{"rule": "enter_long", "holds": True, "parts": [
                           {"text": "crosses_above(r, 30)", "value": True, "depth": 0}, {"text": "r", "value": 31.25, "depth": 1}]}]}],
        "refusals": [{"time": "2026-01-01T00:00:00Z", "role": "entry", "reason": "leverage", "text": "entry refused: leverage."}]}]})

    decisions: list[DecisionAnswer]
    refusals: list[RefusalAnswer]


State = Literal["starting", "running", "stopping", "stopped", "recovering", "failed"]
KindName = Literal["strategy", "grid"]
