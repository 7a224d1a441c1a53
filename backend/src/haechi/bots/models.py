"""Tables of bots: what the user wants (desired) beside what is (observed), and what they said."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Amount, Instant
from haechi.platform.db import Base

RUNNING, STOPPED = "running", "stopped"  # desired
STARTING, STOPPING, FAILED = "starting", "stopping", "failed"  # observed, besides the two above


class Bot(Base):
    """One bot of one user on one symbol with its own account. reason: why it is not what it should be, '' if it is."""

    __tablename__ = "bots"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    strategy: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(String(32))
    timeframe: Mapped[str] = mapped_column(String(8))
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    capital: Mapped[Decimal] = mapped_column(Amount)
    desired: Mapped[str] = mapped_column(String(12))
    observed: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class BotLine(Base):
    """One line of a bot's log: a code for programs and its facts; words.py makes sentences of it."""

    __tablename__ = "bot_lines"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    bot_id: Mapped[str] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"))
    time_ms: Mapped[int] = mapped_column(BigInteger)
    code: Mapped[str] = mapped_column(String(24))
    facts: Mapped[dict[str, str]] = mapped_column(JSON)

    __table_args__ = (Index("ix_bot_lines_bot_id_id", "bot_id", "id"),)
