"""Tables of people and their sign-ins."""

from __future__ import annotations

from datetime import datetime
from typing import NewType

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Instant
from haechi.platform.db import Base

UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)

EMAIL_CHARS_MAX = 254


class User(Base):
    """A person. `email` is kept in lower case; `suspended_at` locks the person out at once."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(EMAIL_CHARS_MAX), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))  # user | admin
    created_at: Mapped[datetime] = mapped_column(Instant)
    suspended_at: Mapped[datetime | None] = mapped_column(Instant)


class UserSession(Base):
    """A sign-in on one device, alive until it ends, expires, or its person is suspended.

    The refresh token itself is known only to the device; here lies its SHA-256.
    """

    __tablename__ = "user_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    refresh_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
