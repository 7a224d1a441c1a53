"""Tables of sign-ins elsewhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from haechi.identity.models import EMAIL_CHARS_MAX
from haechi.platform.columns import Instant
from haechi.platform.db import Base

SUBJECT_CHARS_MAX = 255  # OpenID Connect Core 1.0, section 2


class OAuthLink(Base):
    """Whom a provider knows as `subject` is this person. `email`: the confirmed address it gave then, for the person to read; nobody is
    ever found by it."""

    __tablename__ = "oauth_links"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str] = mapped_column(String(16))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(SUBJECT_CHARS_MAX))
    email: Mapped[str | None] = mapped_column(String(EMAIL_CHARS_MAX))
    created_at: Mapped[datetime] = mapped_column(Instant)


class OAuthFlow(Base):
    """A flow that came back from its provider, so that its state is good only once; kept until both state and code are too old.

    `code_hash`: of the one-time code that ends it, good until `code_until` in the browser whose cookie has `browser_hash`; None before
    there is a code and after it was used.
    """

    __tablename__ = "oauth_flows"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    browser_hash: Mapped[str] = mapped_column(String(64))
    kept_until: Mapped[datetime] = mapped_column(Instant, index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    code_until: Mapped[datetime | None] = mapped_column(Instant)
