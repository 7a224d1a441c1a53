"""The chain of privileged acts: who did what to whom, from where. Entries are only ever added, each bound to the one before by its hash.

Whoever changes or removes an entry breaks the chain behind it. The newest hash is also logged with every act, so that a copy of the
log shows a chain that was written anew as a whole. No secret is ever an argument of an act.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import JSON, Integer, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from haechi.platform.columns import Instant
from haechi.platform.db import Base, Session

FIRST = "0" * 64
PAGE = 1_000
SYSTEM = "system"  # what nobody in person did

log = structlog.get_logger(__name__)


class AuditEntry(Base):
    """`actor` and `subject` are ids of people or things, or `system` and ''."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(String(64), index=True)
    act: Mapped[str] = mapped_column(String(48))
    subject: Mapped[str] = mapped_column(String(64), index=True)
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(32))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    before_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


@dataclass(frozen=True)
class Act:
    """act: `area.verb`, as `2fa.disabled`; details: what was before and after, without secrets."""

    act: str
    actor: str = SYSTEM
    subject: str = ""
    address: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """Where the chain does not hold, and how."""

    number: int
    why: str


async def record(session: Session, act: Act, now: datetime) -> AuditEntry:
    """Add to the chain, in the (writing) transaction of what was done: both are kept or neither, and nobody else writes meanwhile."""
    last = (await session.execute(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1))).scalar_one_or_none()
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    entry = AuditEntry(number=(last.number if last else 0) + 1, at=now, actor=act.actor, act=act.act, subject=act.subject,
                       address=act.address, request_id=request_id, details=json.loads(json.dumps(dict(act.details), default=str)),
                       before_hash=last.hash if last else FIRST)
    entry.hash = hash_of(entry)
    session.add(entry)
    await session.flush()
    log.info("audit", act=act.act, actor=act.actor, subject=act.subject, number=entry.number, chain=entry.hash)
    return entry


def hash_of(entry: AuditEntry) -> str:
    """SHA-256 over every field in one spelling."""
    told = [entry.number, entry.at.isoformat(timespec="microseconds"), entry.actor, entry.act, entry.subject, entry.address,
            entry.request_id, entry.details, entry.before_hash]
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


async def entries(session: Session) -> AsyncIterator[AuditEntry]:
    """All of them, oldest first."""
    number = -1
    while True:
        query = select(AuditEntry).where(AuditEntry.number > number).order_by(AuditEntry.number).limit(PAGE)
        page = (await session.execute(query)).scalars().all()
        for one in page:
            yield one
        if len(page) < PAGE:
            return
        number = page[-1].number


async def verify(session: Session, *, count: int | None = None, head: str | None = None) -> list[Broken]:
    """What is wrong with the chain; [] when it holds. count, head: what a log says the chain once had, to find a cut or a new one."""
    found: list[Broken] = []
    before, number, hashes = FIRST, 0, set[str]()
    async for entry in entries(session):
        number += 1
        if entry.number != number:
            found.append(Broken(number, f"entry {number} is missing"))
            number = entry.number
        if entry.before_hash != before:
            found.append(Broken(number, "it does not follow the entry before it"))
        if entry.hash != hash_of(entry):
            found.append(Broken(number, "it was changed after it was written"))
        before = entry.hash
        hashes.add(entry.hash)
    if count is not None and number < count:
        found.append(Broken(number, f"the chain ends here, and once had {count} entries"))
    if head is not None and head not in hashes:
        found.append(Broken(number, "the hash in the log is not in the chain: it was written anew"))
    return found


async def length(session: Session) -> int:
    return (await session.execute(select(func.count()).select_from(AuditEntry))).scalar_one()
