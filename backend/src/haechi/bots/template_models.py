"""Table of templates that admins have saved; the shipped ones are in templates.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Instant
from haechi.platform.db import Base


class Template(Base):
    """A bot to be made of it. kind: grid | trend; title, about: language -> text; plan: what the bot is made of; figures: of a back-test
    that this server ran when it was saved, and on what.
    """

    __tablename__ = "templates"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    title: Mapped[dict[str, str]] = mapped_column(JSON)
    about: Mapped[dict[str, str]] = mapped_column(JSON)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    saved_at: Mapped[datetime] = mapped_column(Instant)
