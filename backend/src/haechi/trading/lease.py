"""Who may trade: one process on one database. Each new holder counts the epoch up, and every transaction of trading asks for it.

On one machine the system's lock on a file says who holds it: it ends with the process, however that ends, and a process that was
only stopped keeps it. Elsewhere (PostgreSQL) the row expires when it is not renewed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import bindparam, select, update

from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.platform.points import reached
from haechi.trading.models import Lease as Row

NAME = "trading"
TTL_MS = 6_000
RENEW_S = 3 / 2
OWN_TTL_S = TTL_MS * 8 / 10 / 1000  # we stop a little before others may begin


ROWS = Row.__table__
EPOCH = select(ROWS.c.epoch).where(ROWS.c.name == NAME)
RENEW = (update(ROWS).where(ROWS.c.name == NAME, ROWS.c.epoch == bindparam("mine"))  # type: ignore[arg-type]
         .values(expires_ms=bindparam("until")))


class LeaseLost(Exception):
    """Another process trades on this database now."""


class Lease:
    """`guard`: an own lock that decides alone (then expiry does not matter); without it the row's expiry decides."""

    def __init__(self, database: Database, clock: Clock, holder: str, *, guard: Callable[[], bool] | None = None) -> None:
        self.database, self.clock, self.holder, self.guard = database, clock, holder, guard
        self.epoch = 0
        self._until: float = 0  # monotonic

    @property
    def held(self) -> bool:
        """Ours for certain. Our own deadline is earlier than the one others see."""
        return self.epoch > 0 and (self.guard is not None or self.clock.monotonic() < self._until)

    async def claim(self) -> bool:
        """Take it when it is free, renew it when it is ours. False: another process has it."""
        if self.epoch:
            return await self._renew()
        if self.guard is not None and not self.guard():
            return False
        began, now = self.clock.monotonic(), self.clock.now_ms()
        async with self.database.writing() as session:
            row = await session.get(Row, NAME)
            if row is not None and self.guard is None and row.holder and row.expires_ms > now:
                return False
            if row is None:
                row = Row(name=NAME, holder="", epoch=0, expires_ms=0)
                session.add(row)
            row.holder, row.epoch, row.expires_ms = self.holder, row.epoch + 1, now + TTL_MS
            epoch = row.epoch
        reached("lease_claimed")
        self.epoch, self._until = epoch, began + OWN_TTL_S
        return True

    async def _renew(self) -> bool:
        began, now = self.clock.monotonic(), self.clock.now_ms()
        async with self.database.writing() as session:
            done = await session.execute(RENEW, {"mine": self.epoch, "until": now + TTL_MS})
        if not done.rowcount:  # type: ignore[attr-defined]
            self.epoch = 0
            return False
        reached("lease_renewed")
        self._until = began + OWN_TTL_S
        return True

    async def fence(self, session: Session) -> None:
        """Raises LeaseLost unless this process is the one that may trade: part of every transaction of trading."""
        found = (await session.execute(EPOCH)).scalar_one_or_none()
        if not self.epoch or found != self.epoch:
            self.epoch = 0
            raise LeaseLost("another process trades on this database")

    async def release(self) -> None:
        if self.epoch:
            async with self.database.writing() as session:
                await session.execute(update(Row).where(Row.name == NAME, Row.epoch == self.epoch).values(holder="", expires_ms=0))
            self.epoch = 0
        if isinstance(self.guard, FileGuard):
            self.guard.drop()


class FileGuard:
    """The system's lock on a file of this machine, kept until it is dropped or the process ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._handle: int | None = None

    def __call__(self) -> bool:
        """Whether it is ours now."""
        if self._handle is not None:
            return True
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def drop(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
