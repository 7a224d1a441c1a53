"""Queries about back-tests. Every one names the owner; another user's row is simply not found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update

from haechi.errors import NotFound
from haechi.platform.db import Session
from haechi.platform.paging import Wanted
from haechi.research.models import FAILED, NEXT, QUEUED, RUNNING, Backtest


async def backtest_of(session: Session, user_id: str, backtest_id: str) -> Backtest:
    query = select(Backtest).where(Backtest.user_id == user_id, Backtest.id == backtest_id)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        raise NotFound("There is no such back-test.")
    return row


async def backtests_of(session: Session, user_id: str, wanted: Wanted) -> Sequence[Backtest]:
    query = wanted.below(select(Backtest).where(Backtest.user_id == user_id), Backtest.id)
    return cast("Sequence[Backtest]", (await session.execute(query)).scalars().all())


async def ids_of(session: Session, user_id: str) -> Sequence[str]:
    return (await session.execute(select(Backtest.id).where(Backtest.user_id == user_id))).scalars().all()


async def unfinished_of(session: Session, user_id: str) -> int:
    query = select(func.count()).select_from(Backtest).where(Backtest.user_id == user_id, Backtest.status.in_((QUEUED, RUNNING)))
    return (await session.execute(query)).scalar_one()


async def delete_of(session: Session, user_id: str, backtest_id: str) -> None:
    done = await session.execute(delete(Backtest).where(Backtest.user_id == user_id, Backtest.id == backtest_id))
    if cast("CursorResult[Any]", done).rowcount == 0:
        raise NotFound("There is no such back-test.")


async def move(session: Session, user_id: str, backtest_id: str, status: str, **values: object) -> None:
    """To the next status with what comes with it; does nothing when the row was deleted or moved on meanwhile."""
    before = [state for state, after in NEXT.items() if status in after]
    await session.execute(update(Backtest).where(Backtest.user_id == user_id, Backtest.id == backtest_id, Backtest.status.in_(before))
                          .values(status=status, **values))


async def fail_unfinished(session: Session, sentence: str, **values: object) -> None:
    """At the start of the server, of all users: what was under way when it stopped will never be done."""
    await session.execute(update(Backtest).where(Backtest.status.in_((QUEUED, RUNNING))).values(status=FAILED, error=sentence, **values))
