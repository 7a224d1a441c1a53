"""Several works in one writing transaction of SQLite, in a thread of its own.

The asynchronous driver hands every step of a statement to a thread and back, which costs more than the statement. Here the whole
transaction is handed over once: the works run there, one after the other, and their session answers at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from haechi.platform.points import reached

Work = Callable[[AsyncSession], Awaitable[Any]]


class Direct:
    """What a work uses of its session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.add, self.add_all = session.add, session.add_all

    async def execute(self, *given: Any, **named: Any) -> Any:
        return self.session.execute(*given, **named)

    async def scalar(self, *given: Any, **named: Any) -> Any:
        return self.session.scalar(*given, **named)

    async def get(self, *given: Any, **named: Any) -> Any:
        return self.session.get(*given, **named)

    async def get_one(self, *given: Any, **named: Any) -> Any:
        return self.session.get_one(*given, **named)

    async def merge(self, *given: Any, **named: Any) -> Any:
        return self.session.merge(*given, **named)

    async def flush(self) -> None:
        self.session.flush()


class Together:
    """Over an engine that blocks. One transaction at a time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writing")

    async def write(self, works: Sequence[Work]) -> list[Any]:
        """Their results, committed. Raises what a work or the database raised; then nothing is written."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._written, works)

    def _written(self, works: Sequence[Work]) -> list[Any]:
        with self._sessions.begin() as session:
            results = worked(session, works)
            reached("before_commit")
        return results

    async def close(self) -> None:
        """What is under way is finished first."""
        await asyncio.to_thread(self._thread.shutdown)
        self.engine.dispose()


def worked(session: Session, works: Sequence[Work]) -> list[Any]:
    """One after the other -> their results."""
    direct = cast(AsyncSession, Direct(session))
    return [at_once(work(direct)) for work in works]


def at_once(work: Awaitable[Any]) -> Any:
    """The result of a work that waits for nothing but its session. Raises RuntimeError for another."""
    waiting = work.__await__()
    try:
        next(waiting)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a work may wait for nothing but its session")
