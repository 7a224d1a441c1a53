"""Keys on PostgreSQL, where two writers really are at work at once: one effect, whoever is first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from haechi.errors import Conflict
from haechi.platform.clock import SetClock, SystemClock
from haechi.platform.db import Database
from haechi.platform.idempotency import KEPT, Claim, Idempotency
from haechi.platform.migrate import upgrade


class Done(BaseModel):
    times: int


async def test_two_processes_with_fifty_requests_each_have_one_effect(postgres):
    url, clock, times = postgres.replace("postgresql://", "postgresql+asyncpg://"), SetClock(SystemClock().now()), 0
    databases = [Database(url), Database(url)]
    await upgrade(databases[0])
    processes = [Idempotency(database, clock) for database in databases]
    release = asyncio.Event()

    async def work():
        nonlocal times
        times += 1
        await release.wait()
        return Done(times=times)

    def once(n, key):
        return processes[n % 2].once(Claim("mina", key, "start", "GET /bot/status"), 201, work)

    for day in range(3):  # the keys of the day before are thrown away by whoever comes first, by many at once
        release.clear()
        tasks = [asyncio.create_task(once(n, key)) for n in range(50) for key in ("key-0001", "key-0002")]
        ended = asyncio.as_completed(tasks)
        for _ in range(98):
            assert isinstance(await outcome(next(ended)), Conflict)
        winners = [task for task in tasks if not task.done()]
        assert len(winners) == 2
        release.set()
        assert {answer.status_code for answer in await asyncio.gather(*winners)} == {201}
        assert times == 2 * (day + 1)
        assert (await once(day, "key-0001")).headers["idempotency-replayed"] == "true"
        clock.advance(KEPT + timedelta(seconds=1))
    for database in databases:
        await database.close()


async def outcome(task):
    try:
        return await task
    except Conflict as error:
        return error
