"""What is asked to know how the server is."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.exc import SQLAlchemyError

from haechi.platform.house import House
from haechi.platform.migrate import current, newest

DATABASE_TIMEOUT_S = 2.0

UP, DOWN = "up", "down"


@runtime_checkable
class Reporting(Protocol):
    """A part that can say how it is, in a few words anybody may read: `{"state": "up", …}`."""

    name: str

    def condition(self) -> dict[str, Any]: ...


async def database_condition(house: House) -> dict[str, Any]:
    """up with its latency, or down; why is in the log only."""
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_S):
            latency_ms = await house.database.ping()
    except (SQLAlchemyError, OSError, TimeoutError):
        return {"state": DOWN, "kind": house.database.kind}
    return {"state": UP, "kind": house.database.kind, "latency_ms": round(latency_ms, 1)}


async def tables_condition(house: House) -> str | None:
    """None when the tables are those of the code, otherwise a sentence."""
    have, want = await current(house.database), newest()
    return None if have == want else f"the tables are at {have}, the code needs {want}"


def parts_conditions(house: House) -> dict[str, dict[str, Any]]:
    return {part.name: part.condition() for part in house.parts.values() if isinstance(part, Reporting)}
