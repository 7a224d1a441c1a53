"""Bodies and answers of /admin."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from haechi.bots.models import Bot
from haechi.identity.audit import AuditEntry
from haechi.identity.models import User, UserSession
from haechi.identity.schemas import SessionAnswer, UserAnswer
from haechi.platform.clock import instant
from haechi.platform.ids import ID_CHARS
from haechi.trading.kill_files import Switch


def printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("one line of text without control characters")
    return text


Id = Annotated[str, Path(pattern=f"^[0-9a-f]{{{ID_CHARS}}}$")]
Line = AfterValidator(printable)


class RoleBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "admin"}]})

    role: Literal["user", "admin"]


class PersonAnswer(UserAnswer):
    """verified: the address was shown to be theirs. sessions: where they are signed in, newest first."""

    verified: bool
    sessions: list[SessionAnswer]

    @classmethod
    def with_sessions(cls, user: User, rows: list[UserSession]) -> PersonAnswer:
        return cls(**UserAnswer.of(user).model_dump(), verified=user.verified_at is not None,
                   sessions=[SessionAnswer.of(row, "") for row in rows])


class EndedAnswer(BaseModel):
    """How many sessions there were."""

    ended: int


class AnyBotAnswer(BaseModel):
    """A bot and whose it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "user_id": "019ab0c4d5e6a1b2c3d4e5f607182900", "strategy": "rsi", "symbol": "BTCUSDT",
        "timeframe": "1m", "desired": "running", "observed": "running", "reason": "", "capital": "10000",
        "created_at": "2026-01-01T00:00:00Z", "ended_at": None}]})

    id: str
    user_id: str
    strategy: str
    symbol: str
    timeframe: str
    desired: str
    observed: str
    reason: str
    capital: str
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, bot: Bot) -> AnyBotAnswer:
        return cls(id=bot.id, user_id=bot.user_id, strategy=bot.strategy, symbol=bot.symbol, timeframe=bot.timeframe, desired=bot.desired,
                   observed=bot.observed, reason=bot.reason, capital=str(bot.capital), created_at=bot.created_at, ended_at=bot.ended_at)


class EntryAnswer(BaseModel):
    """One act. `hash` binds it to the one before."""

    number: int
    at: datetime
    actor: str
    act: str
    subject: str
    address: str
    request_id: str
    details: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, entry: AuditEntry) -> EntryAnswer:
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class BrokenAnswer(BaseModel):
    number: int
    why: str


class ChainAnswer(BaseModel):
    """`count` and `head` (the newest hash): keep them elsewhere and give them to the next verification."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"holds": True, "count": 12, "head": "5f3e…", "broken": []}]})

    holds: bool
    count: int
    head: str
    broken: list[BrokenAnswer]


class KillBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "the exchange answers nonsense"}]})

    reason: Annotated[str, Field(max_length=200), Line] = ""


class SwitchAnswer(BaseModel):
    """since, by, reason: null while it is off; since is null too while the file of the switch cannot be read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "on": True, "since": "2026-01-01T00:00:00Z", "by": "019ab0c4d5e6a1b2c3d4e5f60718293a", "reason": "the exchange answers nonsense"}]})

    on: bool
    since: datetime | None = None
    by: str | None = None
    reason: str | None = None

    @classmethod
    def fields(cls, switch: Switch | None) -> dict[str, Any]:
        if switch is None:
            return {"on": False}
        return {"on": True, "since": instant(switch.since_ms) if switch.since_ms else None, "by": switch.by, "reason": switch.reason}


class KilledAnswer(SwitchAnswer):
    """stopping: bots that were told to stop by this request; failed: bots that could not be told, see the server's log."""

    stopping: int
    failed: int


class DayAnswer(BaseModel):
    """What began on this day (UTC)."""

    day: str
    people: int
    sessions: int
    bots: int
    backtests: int


class AnalyticsAnswer(BaseModel):
    """Now, and what began on each of the last days, newest first."""

    people: int
    suspended: int
    admins: int
    sessions: int
    bots: int
    backtests: int
    days: list[DayAnswer]


class LogLineAnswer(BaseModel):
    """fields: what else the line says; secrets are hidden."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "time": "2026-01-01T00:00:00Z", "level": "info", "event": "request", "fields": {"path": "/health", "status": 200}}]})

    time: str
    level: str
    event: str
    fields: dict[str, Any]
