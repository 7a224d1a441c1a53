"""The table of back-tests. What is large (trades, equity, report) lies in the result folder of the row."""

from __future__ import annotations

from datetime import datetime
from typing import NewType

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Instant
from haechi.platform.db import Base

BacktestId = NewType("BacktestId", str)

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
# Legal moves; a cancelled back-test is deleted, row and files.
NEXT: dict[str, frozenset[str]] = {
    QUEUED: frozenset({RUNNING, FAILED}),
    RUNNING: frozenset({DONE, FAILED}),
    DONE: frozenset(),
    FAILED: frozenset(),
}


class Backtest(Base):
    """One back-test somebody asked for. `request` is what was asked, `metrics` what came out (money as text)."""

    __tablename__ = "backtests"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    strategy: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(String(32))
    timeframe: Mapped[str] = mapped_column(String(8))
    request: Mapped[dict[str, object]] = mapped_column(JSON)
    metrics: Mapped[dict[str, object] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
