"""Writing for everybody who trades: works are written in the order they were handed in, and what waits together is committed together.

A work is a function of a session; it may be run again when its transaction failed, so it must not change anything but the session's,
and it may run in another thread (platform/together.py), so it must not wait for anything but its session.
Each transaction is fenced: a process that lost the lease writes nothing, and so sends nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from haechi.platform.db import Database, Session, unreachable
from haechi.platform.points import reached

BATCH_MAX = 500
LATER_MAX = 100_000  # hours of status lines without a database; more is a fault that somebody must see
AGAIN_S = 1

Work = Callable[[Session], Awaitable[Any]]
log = structlog.get_logger(__name__)


class Unwritten(Exception):
    """What was to be written is not, or nobody knows: nothing may be sent on the strength of it."""


class _Piece:
    def __init__(self, work: Work, *, lasting: bool) -> None:
        self.work, self.lasting = work, lasting
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def failed(self, fault: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(fault)
            self.done.exception()  # who does not wait for it is not warned of it

    def written(self, result: Any) -> None:
        if not self.done.done():
            self.done.set_result(result)


class Scribe:
    """`write` waits for the commit; `later` is tried until it is written. `fence` raises when this process may not write."""

    def __init__(self, database: Database, *, fence: Callable[[Session], Awaitable[None]] | None = None,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.database, self.fence, self.sleep = database, fence, sleep
        self.commits = 0
        self.down = False  # the last try found no database
        self._waiting: deque[_Piece] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def write(self, work: Work) -> Any:
        """The work's result, committed. Raises Unwritten where the database is away, else what the work raised."""
        return await asyncio.shield(self._add(work, lasting=False).done)

    @property
    def stuck(self) -> bool:
        """The last try found no database, and the next one is made without anybody asking."""
        return self.down and self._task is not None and not self._task.done()

    def later(self, work: Work, *, always: bool = False) -> asyncio.Future[Any]:
        """Written as soon as it can be, after what was handed in before it. Raises Unwritten where too much waits, unless always."""
        if len(self._waiting) > LATER_MAX and not always:
            raise Unwritten(f"{LATER_MAX} lines wait for a database that does not answer")
        return self._add(work, lasting=True).done

    def _add(self, work: Work, *, lasting: bool) -> _Piece:
        piece = _Piece(work, lasting=lasting)
        if self._closed:
            piece.failed(Unwritten("the scribe has closed"))
            return piece
        self._waiting.append(piece)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return piece

    async def _work(self) -> None:
        await asyncio.sleep(0)  # who is ready now comes along in the same transaction
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            try:
                await self._commit(batch)
            except Exception as fault:
                await self._failed(batch, fault)
            if self.down and self._waiting and not self._closed:
                await self.sleep(AGAIN_S)

    async def _commit(self, batch: list[_Piece]) -> None:
        works = [piece.work for piece in batch]
        results = (await self.database.together(works if self.fence is None else [self.fence, *works]))[-len(batch):]
        reached("after_commit")
        self.commits += 1
        self.down = False
        for piece, result in zip(batch, results, strict=True):
            piece.written(result)

    async def _failed(self, batch: list[_Piece], fault: Exception) -> None:
        """No database: who waits is told, what lasts stays first in line. Else each alone, so that one fault is one piece's."""
        if away(fault):
            self._put_off(batch, fault)
        elif len(batch) > 1:
            for number, piece in enumerate(batch):
                try:
                    await self._commit([piece])
                except Exception as own:
                    if away(own):
                        self._put_off(batch[number:], own)
                        return
                    piece.failed(own)
                    self._log(piece, own)
        else:
            batch[0].failed(fault)
            self._log(batch[0], fault)

    def _put_off(self, batch: list[_Piece], fault: Exception) -> None:
        self.down = True
        for piece in batch:
            if not piece.lasting:
                piece.failed(Unwritten(f"the database does not answer: {type(fault).__name__}"))
        self._waiting.extendleft(reversed([piece for piece in batch if piece.lasting]))
        for piece in [piece for piece in self._waiting if not piece.lasting]:
            self._waiting.remove(piece)
            piece.failed(Unwritten(f"the database does not answer: {type(fault).__name__}"))

    def _log(self, piece: _Piece, fault: Exception) -> None:
        if piece.lasting:
            log.error("unwritten", exc_info=fault)

    async def caught_up(self) -> None:
        """Returns when what was handed in before is written; at once where nothing waits, or nothing can be written now."""
        if self.down or self._task is None or self._task.done():
            return
        with suppress(Exception):  # whoever reads then reads what is there
            await self.write(nothing)

    async def settled(self) -> None:
        """Returns when nothing waits any more."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """What waits is written; with a database that is away it is left."""
        if self.down:
            self._closed = True
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=5)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._closed = True
        for piece in self._waiting:
            piece.failed(Unwritten("the scribe has closed"))
        self._waiting.clear()


async def nothing(_session: Session) -> None:
    """A work that only waits for its turn."""


# What the database says of itself. A code beginning so is its own state, whatever was asked of it.
OF_SQLITE = tuple(f"SQLITE_{name}" for name in (
    "BUSY", "LOCKED", "FULL", "IOERR", "CANTOPEN", "READONLY", "CORRUPT", "NOTADB", "PROTOCOL", "NOMEM"))
# PostgreSQL: read-only (a standby, a full disk), too slow, rolled back for another's sake, resources, going down, its system, damage.
OF_POSTGRESQL = ("25006", "25P03", "40", "53", "57", "58", "XX001", "XX002")


def away(fault: BaseException) -> bool:
    """Whether it is the database that is gone, full, busy, read-only, damaged or cut off, and not the work that is wrong: by the fault, or
    by the one that was met before it. A transaction that SQLite has ended because the disk is full fails a second time when it is to be
    undone."""
    met: BaseException | None = fault
    while met is not None:
        if isinstance(met, OSError | MemoryError) or (isinstance(met, SQLAlchemyError) and _says_so(met)):
            return True
        met = met.__cause__ or met.__context__
    return False


def _says_so(fault: SQLAlchemyError) -> bool:
    name = getattr(getattr(fault, "orig", None), "sqlite_errorname", "") or ""
    state = getattr(getattr(fault, "orig", None), "sqlstate", "") or ""
    words = str(getattr(fault, "orig", fault)).lower()
    return (unreachable(fault) or name.startswith(OF_SQLITE) or state.startswith(OF_POSTGRESQL)
            or any(word in words for word in ("database is locked", "disk is full", "disk i/o error", "unable to open database",
                                              "connection is closed", "connection was closed", "no space left")))
