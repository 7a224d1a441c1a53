"""HTTP of how the platform is used and what its log says, for admins."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from haechi.admin import figures
from haechi.admin.log_ring import LogRing
from haechi.admin.schemas import AnalyticsAnswer, DayAnswer, LogLineAnswer
from haechi.admin.trail import number_of
from haechi.identity.current import AdminUser
from haechi.platform.answers import errors
from haechi.platform.house import Reading, TheHouse
from haechi.platform.paging import Page, Paging, cursor, cut

router = APIRouter(prefix="/admin", tags=["admin"])

Days = Annotated[int, Query(ge=1, le=365, description="How many days back, today included.")]


@router.get("/analytics", operation_id="admin_analytics", summary="How the platform is used", responses=errors(401, 403, 422))
async def analytics(_admin: AdminUser, session: Reading, house: TheHouse, days: Days = 30) -> AnalyticsAnswer:
    """What there is now, and what began on each day."""
    now = house.clock.now()
    begun = [DayAnswer(**row) for row in await figures.days(session, now, days)]
    return AnalyticsAnswer(**await figures.totals(session, now), days=begun)


@router.get("/logs", operation_id="admin_logs", summary="The newest lines of the log", responses=errors(401, 403, 422))
async def logs(_admin: AdminUser, house: TheHouse, paging: Paging,
               level: Literal["debug", "info", "warning", "error"] | None = None) -> Page[LogLineAnswer]:
    """Newest first, of this process since it started; `level`: this one or worse. Older lines are where the log is written to."""
    below = None if paging.after is None else number_of(paging.after)
    rows, more = cut(house.part(LogRing).newest(below=below, level=level, limit=paging.limit + 1), paging.limit)
    return Page(items=[line(fields) for _, fields in rows], next_cursor=cursor(str(rows[-1][0])) if more else None)


def line(fields: dict[str, Any]) -> LogLineAnswer:
    told = {name: fields.pop(name, "") for name in ("timestamp", "level", "event")}
    return LogLineAnswer(time=told["timestamp"], level=told["level"], event=str(told["event"]), fields=fields)
