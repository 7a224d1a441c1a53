"""What the server leans on, for people who are signed in: does it answer, how fast, and what went wrong last.

The database and the cache are asked; the exchange tells how it is; of what lies with others (Telegram, DeepSeek) only whether it is set
up is told: no request leaves for them here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from haechi.health.checks import DATABASE_TIMEOUT_S
from haechi.identity.current import CurrentUser
from haechi.markets.feed import Market
from haechi.platform.answers import errors
from haechi.platform.clock import Clock
from haechi.platform.db import unreachable
from haechi.platform.house import House, TheHouse
from haechi.platform.limits import Limiter
from haechi.platform.windows import RedisWindows

State = Literal["up", "down", "on", "off"]
UP: State = "up"
DOWN: State = "down"
ON: State = "on"
OFF: State = "off"
FAILURES = (SQLAlchemyError, RedisError, OSError, TimeoutError)

router = APIRouter(prefix="/api-status", tags=["health"])


class LastError(BaseModel):
    """The kind of the error and when it was; its words are in the server's log."""

    at: datetime
    kind: str


class ServiceAnswer(BaseModel):
    """state: up | down (asked now), on (set up, not asked), off (not set up). latency_ms: of this question."""

    state: State
    latency_ms: float | None = None
    last_error: LastError | None = None


class StatusAnswer(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{
        "database": {"state": "up", "latency_ms": 0.4, "last_error": None},
        "cache": {"state": "down", "latency_ms": None, "last_error": {"at": "2026-01-01T00:00:00Z", "kind": "ConnectionError"}},
        "exchange": {"state": "up", "latency_ms": None, "last_error": None}, "market": "synthetic",
        "telegram": {"state": "off", "latency_ms": None, "last_error": None},
        "deepseek": {"state": "off", "latency_ms": None, "last_error": None}}]})

    database: ServiceAnswer
    cache: ServiceAnswer
    exchange: ServiceAnswer
    market: str
    telegram: ServiceAnswer
    deepseek: ServiceAnswer


class Status:
    """The part of the house that remembers what went wrong last, since the server started."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.errors: dict[str, LastError] = {}

    def note(self, service: str, error: BaseException) -> None:
        self.errors[service] = LastError(at=self.clock.now(), kind=type(error).__name__)

    def database_failed(self, context: ExceptionContext) -> None:
        """Heard from the engine: while the database is away nobody gets as far as to ask for this page."""
        error = context.sqlalchemy_exception
        if context.is_disconnect or (error is not None and unreachable(error)):
            self.note("database", context.original_exception)

    async def asked(self, service: str, question: Callable[[], Awaitable[Any]]) -> ServiceAnswer:
        start = self.clock.monotonic()
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT_S):
                await question()
        except FAILURES as error:
            self.note(service, error)
            return ServiceAnswer(state=DOWN, last_error=self.errors[service])
        taken_ms = (self.clock.monotonic() - start) * 1000
        return ServiceAnswer(state=UP, latency_ms=round(taken_ms, 1), last_error=self.errors.get(service))

    async def cache(self, limiter: Limiter) -> ServiceAnswer:
        """Redis, where one is configured."""
        windows = limiter.windows
        if not isinstance(windows, RedisWindows):
            return ServiceAnswer(state=OFF)
        return await self.asked("cache", Redis(connection_pool=windows.pool).ping)

    def exchange(self, condition: dict[str, Any]) -> ServiceAnswer:
        """As the market tells; when it was last seen down is kept."""
        if condition["state"] == DOWN:
            self.errors["exchange"] = LastError(at=self.clock.now(), kind="MarketDown")
        return ServiceAnswer(state=condition["state"], last_error=self.errors.get("exchange"))


@router.get("", operation_id="api_status", summary="What the server leans on", responses=errors(401))
async def status(_user: CurrentUser, house: TheHouse) -> StatusAnswer:
    """Database, cache and exchange as they are now; Telegram and DeepSeek: whether they are set up."""
    settings, told, market = house.settings, house.part(Status), house.part(Market).condition()
    database, cache = await asyncio.gather(told.asked("database", house.database.ping), told.cache(house.part(Limiter)))
    return StatusAnswer(database=database, cache=cache, exchange=told.exchange(market), market=market["market"],
                        telegram=set_up(settings.telegram_bot_token.get_secret_value()),
                        deepseek=set_up(settings.deepseek_api_key.get_secret_value()))


def set_up(secret: str) -> ServiceAnswer:
    return ServiceAnswer(state=ON if secret else OFF)


@asynccontextmanager
async def open_status(house: House) -> AsyncIterator[Status]:
    told, engine = Status(house.clock), house.database.engine.sync_engine
    event.listen(engine, "handle_error", told.database_failed)
    try:
        yield told
    finally:
        event.remove(engine, "handle_error", told.database_failed)
