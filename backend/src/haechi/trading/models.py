"""Tables of trading: accounts, orders, fills and the double-entry ledger. Every row names its owner."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Amount, Instant
from haechi.platform.db import Base

# An order's life. SENT is written before the wire; UNKNOWN until the exchange says.
SENT, OPEN, FILLED, CANCELED, REJECTED, UNKNOWN = "sent", "open", "filled", "canceled", "rejected", "unknown"
NEXT: dict[str, frozenset[str]] = {
    SENT: frozenset({OPEN, FILLED, CANCELED, REJECTED, UNKNOWN}),
    UNKNOWN: frozenset({OPEN, FILLED, CANCELED, REJECTED}),
    OPEN: frozenset({FILLED, CANCELED, REJECTED}),
    FILLED: frozenset(), CANCELED: frozenset(), REJECTED: frozenset(),
}
FINAL = frozenset(state for state, after in NEXT.items() if not after)


# Whose wish an order was.
BOT, MANUAL, EXTERNAL = "bot", "manual", "external"
EXCLUSIVE, NETTED = "exclusive", "netted"
PAPER, DEMO, LIVE = "paper", "demo", "live"


class Account(Base):
    """Money at a venue. mode: paper (the simulated venue, under this id) | demo | live (with a key, key_id).

    isolation: exclusive (one bot a symbol) | netted (several on the same side, each with its own part of the position).
    capital: what was put in on the first day. name: the owner's word for it.
    """

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    mode: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    isolation: Mapped[str] = mapped_column(String(12), default=EXCLUSIVE, server_default=EXCLUSIVE)
    key_id: Mapped[str | None] = mapped_column(String(32), default=None)
    capital: Mapped[Decimal] = mapped_column(Amount)
    created_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant, default=None)


class Order(Base):
    """One order under our own client id. role: what it is for in its bot's plan (entry, stop, target1 …).

    intent: what made it, the same text for the same wish: one order each, ever. origin: bot | manual | external; filled: so far;
    sent_ms: our clock when it left, 0 before; decision: the gate's number of the judgement that let it pass.
    """

    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    bot_id: Mapped[str] = mapped_column(String(32), index=True)
    symbol: Mapped[str] = mapped_column(String(32))
    role: Mapped[str] = mapped_column(String(16))
    side: Mapped[str] = mapped_column(String(4))
    kind: Mapped[str] = mapped_column(String(12))
    quantity: Mapped[Decimal] = mapped_column(Amount)
    price: Mapped[Decimal | None] = mapped_column(Amount)
    trigger: Mapped[Decimal | None] = mapped_column(Amount)
    reduce_only: Mapped[bool]
    status: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(32))
    exchange_id: Mapped[str] = mapped_column(String(64))
    intent: Mapped[str | None] = mapped_column(String(80), default=None)
    origin: Mapped[str] = mapped_column(String(8), default=BOT, server_default=BOT)
    filled: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0), server_default="0")
    leverage: Mapped[int] = mapped_column(default=0, server_default="0")
    decision: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    sent_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_ms: Mapped[int] = mapped_column(BigInteger)
    updated_ms: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_orders_bot_id_status", "bot_id", "status"), Index("ix_orders_account_id_status", "account_id", "status"),
                      UniqueConstraint("account_id", "intent", name="uq_orders_account_id_intent"))


class Bracket(Base):
    """Protection of an order made by hand (id: the entry's): once it fills, a reduce-only stop and target of what filled.

    A percent becomes a price with the first fill. released: what was closed in another way; ended_ms: nothing is left to protect.
    """

    __tablename__ = "brackets"

    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    symbol: Mapped[str] = mapped_column(String(32))
    side: Mapped[str] = mapped_column(String(4))
    leverage: Mapped[int]
    stop: Mapped[Decimal | None] = mapped_column(Amount)
    target: Mapped[Decimal | None] = mapped_column(Amount)
    stop_percent: Mapped[Decimal | None] = mapped_column(Amount)
    target_percent: Mapped[Decimal | None] = mapped_column(Amount)
    released: Mapped[Decimal] = mapped_column(Amount)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_brackets_account_id_ended_ms", "account_id", "ended_ms"),)


class Booking(Base):
    """One owner's part of a fill, funding payment, liquidation or movement as the exchange reported it: booked once by the
    exchange's id. bot_id: the owner, '' by hand, `external` what is not ours.

    quantity: of this part, unsigned; held, cost: the owner's signed quantity and cost of the symbol afterwards; netting: the
    symbol's, of all owners; wallet: the account's running balance afterwards.
    """

    __tablename__ = "bookings"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    bot_id: Mapped[str] = mapped_column(String(32), index=True)
    exchange_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(12))  # fill | funding | liquidation | deposit | movement | adopted
    order_id: Mapped[str] = mapped_column(String(48))
    symbol: Mapped[str] = mapped_column(String(32))
    side: Mapped[str] = mapped_column(String(4))
    quantity: Mapped[Decimal] = mapped_column(Amount)
    price: Mapped[Decimal] = mapped_column(Amount)
    time_ms: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0), server_default="0")
    cost: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0), server_default="0")
    netting: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0), server_default="0")
    wallet: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0), server_default="0")

    __table_args__ = (UniqueConstraint("account_id", "exchange_id", "bot_id", name="uq_bookings_account_id_exchange_id_bot_id"),
                      Index("ix_bookings_account_id_time_ms", "account_id", "time_ms"),
                      Index("ix_bookings_account_id_symbol", "account_id", "symbol", "bot_id", "id"))


class Entry(Base):
    """One side of a ledger transaction. The amounts of a booking sum to zero; `balance` is the book's running total in the account,
    `owner_balance` that of the owner's share of it."""

    __tablename__ = "ledger_entries"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    booking_id: Mapped[int] = mapped_column(ForeignKey("bookings.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    owner: Mapped[str] = mapped_column(String(32), default="", server_default=text("''"))
    book: Mapped[str] = mapped_column(String(16))
    amount: Mapped[Decimal] = mapped_column(Amount)
    balance: Mapped[Decimal] = mapped_column(Amount)
    owner_balance: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0), server_default="0")
    time_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    __table_args__ = (Index("ix_ledger_entries_account_id_book", "account_id", "book", "id"),
                      Index("ix_ledger_entries_account_id_owner_book", "account_id", "owner", "book", "id"))


class LedgerDay(Base):
    """What one owner won and paid on one symbol on one day (UTC): running sums of its entries, so that a year needs no sum over them.

    Signs as the owner sees them: what was paid is negative.
    """

    __tablename__ = "ledger_days"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    owner: Mapped[str] = mapped_column(String(32), primary_key=True)
    symbol: Mapped[str] = mapped_column(String(32), primary_key=True)
    day_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    realized: Mapped[Decimal] = mapped_column(Amount)
    fees: Mapped[Decimal] = mapped_column(Amount)
    funding: Mapped[Decimal] = mapped_column(Amount)
    liquidation: Mapped[Decimal] = mapped_column(Amount)
    bookings: Mapped[int]


class EquityPoint(Base):
    """What an account (bot_id '') or a bot was worth at a moment."""

    __tablename__ = "equity_points"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    bot_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    time_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    equity: Mapped[Decimal] = mapped_column(Amount)
    wallet: Mapped[Decimal] = mapped_column(Amount)
    unrealised: Mapped[Decimal] = mapped_column(Amount)


class Alarm(Base):
    """Something a person must know: a position without a stop, an order that is nowhere, books that differ. Once for each `key`."""

    __tablename__ = "alarms"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str] = mapped_column(String(32))
    bot_id: Mapped[str] = mapped_column(String(32))
    code: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(96))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    raised_ms: Mapped[int] = mapped_column(BigInteger)
    cleared_ms: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_alarms_account_id_raised_ms", "account_id", "raised_ms"),)


class Lease(Base):
    """Who may trade: one row a role; epoch grows with each new holder, and every intent is committed under it."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
