"""Queries about people and sessions."""

from __future__ import annotations

from sqlalchemy import func, select

from haechi.identity.models import User
from haechi.platform.db import Session


async def user_by_email(session: Session, email: str) -> User | None:
    return (await session.execute(select(User).where(User.email == folded(email)))).scalar_one_or_none()


async def locked_user(session: Session, user_id: str) -> User | None:
    """For changing: on PostgreSQL the row is held until the transaction ends."""
    return (await session.execute(select(User).where(User.id == user_id).with_for_update())).scalar_one_or_none()


async def people(session: Session) -> int:
    return (await session.execute(select(func.count()).select_from(User))).scalar_one()


def folded(email: str) -> str:
    """One spelling for one address: without spaces around it, in lower case."""
    return email.strip().casefold()
