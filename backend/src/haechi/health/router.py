"""HTTP of health: for people, for load balancers and for whoever starts the server."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

import haechi
from haechi.errors import HaechiError
from haechi.health.checks import DOWN, UP, database_condition, parts_conditions, tables_condition
from haechi.platform.answers import errors
from haechi.platform.house import TheHouse

router = APIRouter(prefix="/health", tags=["health"])


class NotReady(HaechiError):
    """Alive, but not yet or no longer able to work."""

    status = 503
    code = "not_ready"


class HealthAnswer(BaseModel):
    """`parts`: what else lives in the server (jobs, bots …), each with its state."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "status": "ok", "version": "0.1.0", "environment": "development", "market": "synthetic",
        "database": {"state": "up", "kind": "sqlite", "latency_ms": 0.4}, "parts": {"jobs": {"state": "up", "unfinished": 0}}}]})

    status: Literal["ok", "degraded"]
    version: str
    environment: str
    market: str
    database: dict[str, Any]
    parts: dict[str, dict[str, Any]]


class LiveAnswer(BaseModel):
    status: Literal["ok"] = "ok"


@router.get("", operation_id="health", summary="How the server is",
            responses=errors() | {503: {"model": HealthAnswer, "description": "Something is down; the answer says what."}})
async def health(house: TheHouse, response: Response) -> HealthAnswer:
    """Version and state of every part. 503 when one is down."""
    database, parts = await database_condition(house), parts_conditions(house)
    well = all(one.get("state") != DOWN for one in [database, *parts.values()])
    response.status_code = 200 if well else 503
    return HealthAnswer(status="ok" if well else "degraded", version=haechi.__version__, environment=house.settings.environment,
                        market=house.settings.market, database=database, parts=parts)


@router.get("/live", operation_id="health_live", summary="Is the process alive", responses=errors())
async def live() -> LiveAnswer:
    """Always ok while the process can answer at all; restart it when this fails."""
    return LiveAnswer()


@router.get("/ready", operation_id="health_ready", summary="May requests be sent here", responses=errors(503))
async def ready(house: TheHouse) -> LiveAnswer:
    """ok when the database answers and its tables are those of the code."""
    if (await database_condition(house))["state"] != UP:
        raise NotReady("The database does not answer.")
    behind = await tables_condition(house)
    if behind is not None:
        raise NotReady(f"The database was not migrated: {behind}.")
    return LiveAnswer()
