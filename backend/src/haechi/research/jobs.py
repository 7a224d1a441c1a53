"""Back-tests as jobs: accepted, computed in another process, their results kept in the state folder."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from haechi.errors import BadInput, HaechiError
from haechi.identity.service import Identity
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session, undisturbed
from haechi.platform.house import House
from haechi.platform.ids import new_id
from haechi.research import store
from haechi.research.backtest_job import run_backtest
from haechi.research.executor import Executor, ProcessExecutor, WorkFailed
from haechi.research.models import DONE, FAILED, QUEUED, RUNNING, Backtest

WORKERS = 1  # one core computes, the others belong to the server and the bots
UNFINISHED_PER_USER_MAX = 10
SECONDS_MAX = 600  # a year of minutes takes well under a second; what takes longer than this is stuck

log = structlog.get_logger(__name__)


class TooManyJobs(HaechiError):
    """A user's queue is full."""

    status = 429
    code = "too_many_jobs"


class Jobs:
    """The part of the house that computes. Progress of what runs is kept in memory, everything else in the database."""

    name = "jobs"

    def __init__(self, database: Database, clock: Clock, executor: Executor, *, folder: Path, data: Path,
                 work: Callable[..., dict[str, Any]] = run_backtest) -> None:
        self.work = work
        self.database = database
        self.clock = clock
        self.executor = executor
        self.folder = folder
        self.data = data
        self._slots = asyncio.Semaphore(executor.workers)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, float] = {}

    async def submit(self, user_id: str, *, request: dict[str, Any], strategy: str, symbol: str, timeframe: str) -> Backtest:
        """Write the job down, then start it. Raises TooManyJobs."""
        row = Backtest(id=new_id(self.clock.now_ms()), user_id=user_id, status=QUEUED, strategy=strategy, symbol=symbol,
                       timeframe=timeframe, request=request, metrics=None, error=None, created_at=self.clock.now(),
                       started_at=None, finished_at=None)
        async with self.database.writing() as session:
            if await store.unfinished_of(session, user_id) >= UNFINISHED_PER_USER_MAX:
                raise TooManyJobs(f"{UNFINISHED_PER_USER_MAX} of your back-tests are waiting or running; "
                                  f"let one finish or delete one first.")
            session.add(row)
        self._tasks[row.id] = asyncio.create_task(self._work(user_id, row.id, request), name=f"backtest-{row.id}")
        return row

    async def delete(self, user_id: str, backtest_id: str) -> None:
        """Row, files and the computing itself, whatever state it is in. Raises NotFound for a stranger's."""
        async with self.database.writing() as session:
            await store.delete_of(session, user_id, backtest_id)
        await self._stop(backtest_id)
        await asyncio.to_thread(shutil.rmtree, self.results(backtest_id), ignore_errors=True)

    async def leave(self, session: Session, user_id: str) -> Callable[[], Awaitable[None]]:
        """Before a person is deleted; what is computed for them and what it left go afterwards."""
        mine = await store.ids_of(session, user_id)

        async def clear_away() -> None:
            for backtest_id in mine:
                await self._stop(backtest_id)
                await asyncio.to_thread(shutil.rmtree, self.results(backtest_id), ignore_errors=True)

        return clear_away

    def progress(self, row: Backtest) -> float:
        """Share of the work done, 0 to 1."""
        return 1.0 if row.status == DONE else self._progress.get(row.id, 0.0)

    def results(self, backtest_id: str) -> Path:
        return self.folder / backtest_id

    def condition(self) -> dict[str, Any]:
        return {"state": "up", "unfinished": len(self._tasks)}

    async def fail_unfinished(self) -> None:
        async with self.database.writing() as session:
            await store.fail_unfinished(session, "The server stopped before this was done; run it again.", finished_at=self.clock.now())

    async def close(self) -> None:
        for backtest_id in list(self._tasks):
            await self._stop(backtest_id)
        await self.executor.close()

    async def _stop(self, backtest_id: str) -> None:
        task = self._tasks.get(backtest_id)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self, user_id: str, backtest_id: str, request: dict[str, Any]) -> None:
        try:
            async with self._slots:
                outcome = await self._compute(user_id, backtest_id, request)
            await self._move(user_id, backtest_id, finished_at=self.clock.now(), **outcome)
        except Exception:
            log.exception("backtest_not_recorded", backtest_id=backtest_id)
        finally:
            self._tasks.pop(backtest_id, None)
            self._progress.pop(backtest_id, None)

    async def _compute(self, user_id: str, backtest_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """How it ended, as the columns to set."""

        def progress(share: float) -> None:
            self._progress[backtest_id] = share

        await self._move(user_id, backtest_id, status=RUNNING, started_at=self.clock.now())
        try:
            async with asyncio.timeout(SECONDS_MAX):
                metrics = await self.executor.run(self.work, request, str(self.results(backtest_id)), str(self.data), progress=progress)
        except BadInput as error:
            return {"status": FAILED, "error": error.message}
        except TimeoutError:
            return {"status": FAILED, "error": f"This took longer than {SECONDS_MAX} seconds and was stopped; use fewer bars."}
        except WorkFailed as error:
            log.error("backtest_failed", backtest_id=backtest_id, exception=str(error))
            return {"status": FAILED, "error": "Something went wrong on our side while computing; the server's log knows what."}
        return {"status": DONE, "metrics": metrics}

    async def _move(self, user_id: str, backtest_id: str, *, status: str, **values: Any) -> None:
        async def write() -> None:
            async with self.database.writing() as session:
                await store.move(session, user_id, backtest_id, status, **values)

        await undisturbed(write())


@asynccontextmanager
async def open_jobs(house: House) -> AsyncIterator[Jobs]:
    settings = house.settings
    jobs = Jobs(house.database, house.clock, ProcessExecutor(WORKERS), folder=settings.haechi_var.resolve() / "results",
                data=settings.haechi_data.resolve())
    house.part(Identity).accounts.leaving.append(jobs.leave)
    await jobs.fail_unfinished()
    try:
        yield jobs
    finally:
        await jobs.close()
