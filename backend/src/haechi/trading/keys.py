"""Keys of exchanges: kept sealed, each secret bound to its person, row and field; shown by their last characters only."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from haechi.errors import Conflict, NotFound
from haechi.exchanges.bitget.sign import ApiKey
from haechi.platform.columns import Instant
from haechi.platform.crypto import Vault
from haechi.platform.db import Base, Session
from haechi.platform.ids import new_id
from haechi.trading.models import Account

KEYS_MAX = 10  # of a person
TAIL = 4  # characters of an API key that are shown
SECRET_FIELDS = ("api_key", "secret", "passphrase")


class ExchangeKey(Base):
    """A key of `exchange` (bitget) for `mode` demo | live. last_check: what the key doctor found, see key_doctor.Report."""

    __tablename__ = "exchange_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    exchange: Mapped[str] = mapped_column(String(16))
    mode: Mapped[str] = mapped_column(String(8))
    label: Mapped[str] = mapped_column(String(64))
    tail: Mapped[str] = mapped_column(String(TAIL))
    api_key: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)
    passphrase: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    checked_at: Mapped[datetime | None] = mapped_column(Instant)
    last_check: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    def __repr__(self) -> str:
        return f"ExchangeKey({self.id}, …{self.tail})"


def context(row: ExchangeKey, field: str) -> dict[str, str]:
    return {"user": row.user_id, "key": row.id, "exchange": row.exchange, "mode": row.mode, "field": field}


def sealed(vault: Vault, user_id: str, given: ApiKey, *, mode: str, label: str, now: datetime) -> ExchangeKey:
    """A new row, not yet in the database."""
    row = ExchangeKey(id=new_id(int(now.timestamp() * 1000)), user_id=user_id, exchange="bitget", mode=mode, label=label,
                      tail=given.key[-TAIL:], created_at=now, checked_at=None, last_check=None)
    for field, plain in zip(SECRET_FIELDS, (given.key, given.secret, given.passphrase), strict=True):
        setattr(row, field, vault.seal(plain, context(row, field)))
    return row


def opened(vault: Vault, row: ExchangeKey) -> ApiKey:
    """Raises SealBroken for what was moved or changed."""
    key, secret, passphrase = (vault.open(getattr(row, field), context(row, field)) for field in SECRET_FIELDS)
    return ApiKey(key, secret, passphrase)


async def keys_of(session: Session, user_id: str) -> Sequence[ExchangeKey]:
    """Newest first."""
    query = select(ExchangeKey).where(ExchangeKey.user_id == user_id).order_by(ExchangeKey.id.desc())
    return (await session.execute(query)).scalars().all()


async def key_of(session: Session, user_id: str, key_id: str) -> ExchangeKey:
    """Raises NotFound, for another's too."""
    query = select(ExchangeKey).where(ExchangeKey.user_id == user_id, ExchangeKey.id == key_id)
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such key.")
    return found


async def check_room(session: Session, vault: Vault, user_id: str, given: ApiKey) -> None:
    """Raises Conflict when it is kept already, or there are too many."""
    rows = await keys_of(session, user_id)
    if len(rows) >= KEYS_MAX:
        raise Conflict(f"You have {KEYS_MAX} keys already; delete one first.", code="too_many_keys")
    if any(opened(vault, row).key == given.key for row in rows if row.tail == given.key[-TAIL:]):
        raise Conflict("This key is kept already; delete it first to give it anew.", code="key_known")


async def accounts_with(session: Session, user_id: str, key_id: str) -> Sequence[Account]:
    """Those that are not closed."""
    query = select(Account).where(Account.user_id == user_id, Account.key_id == key_id, Account.closed_at.is_(None))
    return (await session.execute(query)).scalars().all()


async def shredded(session: Session, row: ExchangeKey) -> None:
    """Overwritten with chance, then deleted: no page of the database file keeps the sealed texts."""
    for field in SECRET_FIELDS:
        setattr(row, field, secrets.token_urlsafe(len(getattr(row, field)))[:len(getattr(row, field))])
    await session.flush()
    await session.execute(delete(ExchangeKey).where(ExchangeKey.user_id == row.user_id, ExchangeKey.id == row.id))
