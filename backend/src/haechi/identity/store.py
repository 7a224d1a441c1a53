"""Queries about people and sessions."""

from __future__ import annotations

from sqlalchemy import func, select

from haechi.identity.models import User, UserSession
from haechi.identity.tokens import Access
from haechi.platform.db import Session


async def user_by_email(session: Session, email: str) -> User | None:
    return (await session.execute(select(User).where(User.email == folded(email)))).scalar_one_or_none()


async def locked_user(session: Session, user_id: str) -> User | None:
    """For changing: on PostgreSQL the row is held until the transaction ends."""
    return (await session.execute(select(User).where(User.id == user_id).with_for_update())).scalar_one_or_none()


async def user_and_session(session: Session, access: Access) -> tuple[User, UserSession] | None:
    """The person and the sign-in a token speaks of, if both still exist and belong together."""
    query = select(User, UserSession).join(UserSession, UserSession.user_id == User.id)
    row = (await session.execute(query.where(User.id == access.user_id, UserSession.id == access.session_id))).one_or_none()
    return None if row is None else (row[0], row[1])


async def people(session: Session) -> int:
    return (await session.execute(select(func.count()).select_from(User))).scalar_one()


def folded(email: str) -> str:
    """One spelling for one address: without spaces around it, in lower case."""
    return email.strip().casefold()
