"""A database with two people and an account each, and events of the exchange booked through Holdings and the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tables import with_tables

from haechi.core.holdings import Holdings
from haechi.exchanges.port import Fill, Liquidated, Moved, Paid
from haechi.identity.models import User
from haechi.platform.db import Database
from haechi.trading import ledger
from haechi.trading.models import Account

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = 1_767_225_600_000
D = Decimal


@dataclass
class Books:
    database: Database
    held: dict[str, Holdings] = field(default_factory=dict)
    number: int = 0

    async def take(self, event: Fill | Paid | Liquidated | Moved, owner: str = "", *, account: str = "a1") -> bool:
        """As the desk does: on a copy, kept when it was booked."""
        held = self.held.setdefault(account, Holdings()).copy()
        pieces = held.apply(event, owner)
        async with self.database.writing() as session:
            fresh = await ledger.record(session, user_id=f"u{account[1:]}", account_id=account, event=event, pieces=pieces, order_id="o1")
        if fresh:
            self.held[account] = held
        return fresh

    def name(self) -> str:
        self.number += 1
        return f"x{self.number}"

    def fill(self, side: str, quantity: str, price: str, *, realized: str = "0", fee: str = "0", symbol: str = "BTCUSDT", at: int = 0) -> Fill:
        return Fill(self.name(), "c", symbol, side, D(quantity), D(price), D(fee), D(realized), False, D(price), START_MS + at)

    async def balance(self, book: str, owner: str | None = None, *, account: str = "a1") -> Decimal:
        async with self.database.reading() as session:
            return await ledger.balance_of(session, account, book, owner)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Books]:
    database = await with_tables(f"sqlite+aiosqlite:///{folder}/haechi.db")
    async with database.writing() as session:
        for number in (1, 2):
            session.add(User(id=f"u{number}", email=f"u{number}@example.com", password_hash="x", role="user", created_at=START, suspended_at=None))
            await session.flush()
            session.add(Account(id=f"a{number}", user_id=f"u{number}", mode="paper", capital=D(0), created_at=START))
    yield Books(database)
    await database.close()
