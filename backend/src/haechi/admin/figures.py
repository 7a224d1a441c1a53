"""How many people, sessions, bots and back-tests there are, and how many began on each day."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, func, select
from sqlalchemy.orm import InstrumentedAttribute

from haechi.bots.models import FAILED, STOPPED, Bot
from haechi.identity.models import ADMIN, User, UserSession
from haechi.platform.db import Session
from haechi.research.models import Backtest

BEGUN: dict[str, InstrumentedAttribute[datetime]] = {
    "people": User.created_at, "sessions": UserSession.created_at, "bots": Bot.created_at, "backtests": Backtest.created_at}


async def totals(session: Session, now: datetime) -> dict[str, int]:
    """Sessions: those alive; bots: those that run; everything else: all there are."""
    counted: dict[str, tuple[Any, list[Any]]] = {
        "people": (User, []), "suspended": (User, [User.suspended_at.is_not(None)]), "admins": (User, [User.role == ADMIN]),
        "sessions": (UserSession, [UserSession.ended_at.is_(None), UserSession.expires_at > now]),
        "bots": (Bot, [Bot.observed.not_in((STOPPED, FAILED))]), "backtests": (Backtest, [])}
    return {name: (await session.execute(select(func.count()).select_from(table).where(*rules))).scalar_one()
            for name, (table, rules) in counted.items()}


async def days(session: Session, now: datetime, count: int) -> list[dict[str, Any]]:
    """The last `count` days of UTC, today first; a day without anything has zeros."""
    names = [(now - timedelta(days=back)).date() for back in range(count)]
    since = datetime.combine(names[-1], time(), now.tzinfo)
    rows = {name.isoformat(): {"day": name.isoformat(), **dict.fromkeys(BEGUN, 0)} for name in names}
    for kind, column in BEGUN.items():
        day = day_of(session, column)
        for name, number in (await session.execute(select(day, func.count()).where(column >= since).group_by(day))).all():
            if name in rows:  # a clock that was set back may have left rows of tomorrow
                rows[name][kind] = number
    return list(rows.values())


def day_of(session: Session, column: InstrumentedAttribute[datetime]) -> ColumnElement[str]:
    """YYYY-MM-DD in UTC; PostgreSQL would take the day of its own time zone."""
    if session.get_bind().dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD", type_=String)
    return func.strftime("%Y-%m-%d", column, type_=String)
