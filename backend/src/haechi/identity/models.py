"""Tables of people, their sign-ins and what proves them."""

from __future__ import annotations

from datetime import datetime
from typing import NewType

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Instant
from haechi.platform.db import Base

UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)

EMAIL_CHARS_MAX = 254
USER, ADMIN = "user", "admin"


class User(Base):
    """A person. `email` is kept in lower case; until `verified_at` nobody has shown that it is theirs, and nobody signs in with it.

    `password_hash` is None for who only ever signed in elsewhere. `totp` is the sealed second-factor secret, in use from `totp_at`;
    `totp_step` the last time step a code of it was taken for. `suspended_at` locks the person out at once.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(EMAIL_CHARS_MAX), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))  # user | admin
    created_at: Mapped[datetime] = mapped_column(Instant)
    suspended_at: Mapped[datetime | None] = mapped_column(Instant)
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    password_at: Mapped[datetime | None] = mapped_column(Instant)  # when it was last changed
    totp: Mapped[str | None] = mapped_column(String(400))
    totp_at: Mapped[datetime | None] = mapped_column(Instant)
    totp_step: Mapped[int] = mapped_column(Integer, default=0)

    @property
    def has_2fa(self) -> bool:
        return self.totp_at is not None


class UserSession(Base):
    """A sign-in on one device, alive until it ends, expires, or its person is suspended.

    The refresh token itself is known only to the device; here lies its SHA-256. `fresh_at`: when the person last proved to be there,
    by the second factor (`fresh_2fa`) or the password.
    """

    __tablename__ = "user_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    refresh_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    fresh_at: Mapped[datetime | None] = mapped_column(Instant)
    fresh_2fa: Mapped[bool] = mapped_column(default=False)
    device: Mapped[str] = mapped_column(String(160), default="")
    address: Mapped[str] = mapped_column(String(64), default="")


class SpentRefresh(Base):
    """A refresh token that was exchanged: whoever brings it again has stolen it, or was stolen from."""

    __tablename__ = "spent_refreshes"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("user_sessions.id", ondelete="CASCADE"), index=True)
    spent_at: Mapped[datetime] = mapped_column(Instant)


class RecoveryCode(Base):
    """One of the codes for who lost the second factor; only its hash, good once."""

    __tablename__ = "recovery_codes"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class MailedToken(Base):
    """What was sent by mail to show that an address is somebody's: purpose verify | reset. Good once, until `expires_at`."""

    __tablename__ = "mailed_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    expires_at: Mapped[datetime] = mapped_column(Instant)


class FailedTries(Base):
    """How often something was tried in vain since `since`. `key` is a hash of what was tried, so that no address lies here."""

    __tablename__ = "failed_tries"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column(Instant, index=True)
