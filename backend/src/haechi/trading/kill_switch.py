"""The platform's kill switch: while its row lies in the table nothing may take on new risk. It outlives every restart."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, delete
from sqlalchemy.orm import Mapped, mapped_column

from haechi.errors import Conflict
from haechi.platform.columns import Instant
from haechi.platform.db import Base, Session

PLATFORM = "platform"


class KillSwitch(Base):
    """On while the row exists. by: who turned it on; reason: in their words."""

    __tablename__ = "kill_switches"

    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    since: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(200))


async def read(session: Session) -> KillSwitch | None:
    """None: it is off."""
    return await session.get(KillSwitch, PLATFORM)


async def turn_on(session: Session, by: str, reason: str, now: datetime) -> KillSwitch:
    """In the caller's transaction. One that is on stays as it is: since when is part of the truth."""
    switch = await read(session)
    if switch is None:
        switch = KillSwitch(scope=PLATFORM, since=now, by=by, reason=reason)
        session.add(switch)
        await session.flush()
    return switch


async def turn_off(session: Session) -> None:
    await session.execute(delete(KillSwitch).where(KillSwitch.scope == PLATFORM))


async def refuse_while_killed(session: Session) -> None:
    """Raises Conflict, code `killed`."""
    switch = await read(session)
    if switch is not None:
        raise Conflict("The operator has stopped all trading on this server; nothing starts until the kill switch is turned off.",
                       code="killed", details={"since": switch.since.isoformat()})
