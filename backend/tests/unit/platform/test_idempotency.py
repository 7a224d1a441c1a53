"""One key, one effect: also in parallel, after a restart, after a fault, and for whoever made the key."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import func, select, text

from haechi.errors import BadInput, Conflict, HaechiError, NotFound
from haechi.platform.clock import SetClock
from haechi.platform.db import Base, Database
from haechi.platform.idempotency import KEPT, RUNNING_MAX, Claim, Idempotency, IdempotencyKey

START = Claim("mina", "key-0001", "start", "GET /bot/status")


class Bot(BaseModel):
    number: int


class Work:
    """Counts what it really did; waits for `may_end` where a test holds it."""

    def __init__(self, error: Exception | None = None, *, held: bool = False) -> None:
        self.done, self.error = 0, error
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        if not held:
            self.may_end.set()

    async def __call__(self) -> Bot:
        self.done += 1
        self.begun.set()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return Bot(number=self.done)


class VenueSilent(HaechiError):
    status = 504
    code = "venue_silent"


@pytest.fixture
def clock():
    return SetClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def database(tmp_path):
    made = Database(f"sqlite+aiosqlite:///{tmp_path}/haechi.db")
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.tables["idempotency_keys"].create)
    yield made
    await made.close()


@pytest.fixture
def idempotency(database, clock):
    return Idempotency(database, clock)


def told(answer):
    return answer.status_code, bytes(answer.body), answer.headers.get("idempotency-replayed")


async def refused(idempotency, claim, work):
    with pytest.raises((Conflict, BadInput)) as caught:
        await idempotency.once(claim, 201, work)
    return caught.value


async def test_the_second_request_is_answered_as_the_first(idempotency):
    work = Work()
    assert told(await idempotency.once(START, 201, work)) == (201, b'{"number":1}', None)
    for _ in range(3):
        assert told(await idempotency.once(START, 201, work)) == (201, b'{"number":1}', "true")
    assert work.done == 1


async def test_another_request_under_the_key_is_refused_and_another_owner_or_key_is_not(idempotency):
    work = Work()
    await idempotency.once(START, 201, work)
    error = await refused(idempotency, Claim("mina", "key-0001", "stop", ""), work)
    assert (error.status, error.code) == (422, "idempotency_mismatch")
    assert work.done == 1
    await idempotency.once(Claim("jun", "key-0001", "start", ""), 201, work)
    await idempotency.once(Claim("mina", "key-0002", "start", ""), 201, work)
    assert work.done == 3


async def test_a_hundred_at_once_have_one_effect_and_one_answer(idempotency):
    work = Work(held=True)
    tasks = [asyncio.create_task(idempotency.once(START, 201, work)) for _ in range(100)]
    ended = asyncio.as_completed(tasks, timeout=20)
    for _ in range(99):
        with pytest.raises(Conflict) as caught:
            await next(ended)
        assert caught.value.code == "idempotency_running"
    work.may_end.set()
    (winner,) = [task for task in tasks if not task.done()]
    assert told(await winner) == (201, b'{"number":1}', None)
    again = await asyncio.gather(*(idempotency.once(START, 201, work) for _ in range(100)))
    assert {told(answer) for answer in again} == {(201, b'{"number":1}', "true")}
    assert work.done == 1


async def test_a_refusal_of_ours_is_kept_like_an_answer(idempotency):
    work = Work(NotFound("No such bot.", details={"bot_id": "b7"}))
    first, second = [await idempotency.once(START, 201, work) for _ in range(2)]
    assert (first.status_code, first.body) == (second.status_code, second.body)
    assert b'"not_found"' in first.body
    assert second.status_code == 404
    assert second.headers["idempotency-replayed"] == "true"
    assert work.done == 1


@pytest.mark.parametrize("fault", [RuntimeError("broken"), VenueSilent("The venue does not answer.")])
async def test_after_a_fault_the_outcome_is_unknown_and_nothing_is_done_again(idempotency, fault):
    work = Work(fault)
    with pytest.raises(type(fault)):
        await idempotency.once(START, 201, work)
    error = await refused(idempotency, START, work)
    assert (error.status, error.code) == (409, "idempotency_unknown")
    assert "unknown" in error.message
    assert "GET /bot/status" in error.message
    assert work.done == 1


async def test_a_crash_in_the_middle_is_told_as_running_and_then_as_unknown(database, clock):
    work = Work(held=True)
    crashed = asyncio.create_task(Idempotency(database, clock).once(START, 201, work))
    await work.begun.wait()
    restarted = Idempotency(database, clock)
    assert (await refused(restarted, START, work)).code == "idempotency_running"
    clock.advance(RUNNING_MAX)
    assert (await refused(restarted, START, work)).code == "idempotency_unknown"
    assert work.done == 1
    work.may_end.set()
    await crashed


async def test_an_answer_survives_a_restart(database, clock):
    work = Work()
    await Idempotency(database, clock).once(START, 201, work)
    assert told(await Idempotency(Database(database.url), clock).once(START, 201, work)) == (201, b'{"number":1}', "true")
    assert work.done == 1


async def test_what_has_begun_is_ended_and_kept_when_the_request_is_given_up(idempotency):
    work = Work(held=True)
    given_up = asyncio.create_task(idempotency.once(START, 201, work))
    await work.begun.wait()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert (await refused(idempotency, START, work)).code == "idempotency_running"
    work.may_end.set()
    await idempotency.close()
    assert told(await idempotency.once(START, 201, work)) == (201, b'{"number":1}', "true")


async def test_a_key_is_kept_for_a_day_and_thrown_away_afterwards(idempotency, database, clock):
    work = Work()
    await idempotency.once(START, 201, work)
    clock.advance(KEPT - timedelta(seconds=1))
    assert told(await idempotency.once(START, 201, work))[2] == "true"
    clock.advance(timedelta(seconds=1))
    assert told(await idempotency.once(START, 201, work)) == (201, b'{"number":2}', None)
    async with database.reading() as session:
        assert (await session.execute(select(func.count()).select_from(IdempotencyKey))).scalar_one() == 1


async def test_without_a_database_nothing_is_done(idempotency, database):
    async with database.engine.begin() as connection:
        await connection.execute(text("DROP TABLE idempotency_keys"))
    work = Work()
    with pytest.raises(Exception, match="no such table"):
        await idempotency.once(START, 201, work)
    assert work.done == 0
