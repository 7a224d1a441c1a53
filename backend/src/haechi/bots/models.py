"""Tables of bots: what the user wants (desired) beside what is (observed), and what they said."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, text, true
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Amount, Instant
from haechi.platform.db import Base

RUNNING, STOPPED = "running", "stopped"  # desired
STARTING, STOPPING, RECOVERING, FAILED = "starting", "stopping", "recovering", "failed"  # observed, besides the two above
# Of a bot that is to be closed, whatever it does now: one that has failed is launched once more for it.
STOP_AND_CLOSE = {"desired": STOPPED, "observed": STOPPING, "flatten": True, "retry_ms": 0, "attempts": 0}
STRATEGY, GRID = "strategy", "grid"
FORM, INSTANCE = "form", "instance"


class Bot(Base):
    """One bot of one user on one symbol of an account. reason: why it is not what it should be, '' if it is.

    allocation: its share of the account's equity in percent, reserved while it runs; capital: what that was worth when it started.
    origin: form (the one-bot form, an account of its own) | instance. flatten: whether a stop closes what is held.
    attempts, retry_ms: of the recovery under way.
    """

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
    name: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    kind: Mapped[str] = mapped_column(String(12), default=STRATEGY, server_default=STRATEGY)
    origin: Mapped[str] = mapped_column(String(12), default=FORM, server_default=FORM)
    allocation: Mapped[Decimal] = mapped_column(Amount, default=Decimal(100), server_default="100")
    flatten: Mapped[bool] = mapped_column(default=True, server_default=true())
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    retry_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant, default=None)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant, default=None)


class BotState(Base):
    """What a bot's mind knew when it last wished or was told of a fill: written in the transaction of that intent or booking."""

    __tablename__ = "bot_states"

    bot_id: Mapped[str] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    body: Mapped[str] = mapped_column(Text)
    updated_ms: Mapped[int] = mapped_column(BigInteger)


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
