"""One effect for one `Idempotency-Key`, however often a request is sent: what the first one was answered, all are answered.

    async def start(body: StartBody, user: CurrentUser, bots: TheBots, attempt: OneAttempt) -> Response:
        return await attempt.once(user.id, 201, lambda: bots.start(user.id, body), look="GET /bot/status")

Answers are kept as they were sent, so no route that answers with a secret may use this. Input that cannot be read and
people who are not signed in are refused before a key is taken.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import structlog
from fastapi import Depends, Header
from pydantic import BaseModel
from sqlalchemy import String, Text, delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column
from starlette.requests import Request
from starlette.responses import Response

from haechi.errors import BadInput, Conflict, HaechiError
from haechi.platform.answers import refusal
from haechi.platform.clock import Clock
from haechi.platform.columns import Instant
from haechi.platform.db import Base, Database
from haechi.platform.house import House, TheHouse
from haechi.platform.paths import API

KEPT = timedelta(hours=24)
RUNNING_MAX = timedelta(minutes=2)  # four times REQUEST_SECONDS_MAX as it comes; longer without an answer means it was cut off
CLOSING_S_MAX = 10.0
KEY_CHARS_MIN, KEY_CHARS_MAX = 8, 128

Work = Callable[[], Awaitable[BaseModel | None]]
Allow = Callable[[], Awaitable[None]]
Status = int | Callable[[BaseModel | None], int]  # of the answer, or how to tell it from what was made

log = structlog.get_logger(__name__)


class IdempotencyKey(Base):
    """A key somebody used. status None: it still runs, or was cut off; body None with a status: a fault, outcome unknown."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_CHARS_MAX), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)


@dataclass(frozen=True)
class Claim:
    owner: str
    key: str
    fingerprint: str
    look: str


class Idempotency:
    """The part of the house that keeps the answers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.running: set[asyncio.Task[Response]] = set()

    async def once(self, claim: Claim, status: Status, work: Work, allow: Allow | None = None) -> Response:
        """Do it, or answer as the first time. Raises BadInput for another request, Conflict while it runs or its outcome is unknown.

        Once begun it is brought to its end and kept, even when the request is given up meanwhile.
        """
        kept = await self._kept(claim)
        if kept is None and await self._take(claim):
            await self._allowed(claim, allow)
            task = asyncio.create_task(self._run(claim, status, work))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
            return await asyncio.shield(task)
        kept = kept or await self._kept(claim)
        return replay(kept, claim, self.clock.now())

    async def _allowed(self, claim: Claim, allow: Allow | None) -> None:
        """The first request of a key counts, its repetitions do not. Raises what `allow` raises; the key is free again then."""
        if allow is None:
            return
        try:
            await allow()
        except BaseException:
            async with self.database.writing() as session:
                await session.execute(delete(IdempotencyKey).where(IdempotencyKey.owner == claim.owner, IdempotencyKey.key == claim.key))
            raise

    async def _kept(self, claim: Claim) -> IdempotencyKey | None:
        async with self.database.reading() as session:
            row = await session.get(IdempotencyKey, (claim.owner, claim.key))
        return row if row is not None and self.clock.now() - row.created_at < KEPT else None

    async def _take(self, claim: Claim) -> bool:
        """Whether we are the first. Old keys are thrown away on the way."""
        now = self.clock.now()
        row = IdempotencyKey(owner=claim.owner, key=claim.key, fingerprint=claim.fingerprint, created_at=now)
        try:
            async with self.database.writing() as session:
                await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= now - KEPT))
                session.add(row)
        except IntegrityError:
            return False
        return True

    async def _run(self, claim: Claim, status: Status, work: Work) -> Response:
        try:
            answer = answered(status, await work())
        except HaechiError as error:
            if error.status >= 500:
                await self._keep(claim, error.status, None)
                raise
            answer = refusal(error)
        except Exception:  # whatever it was: its outcome is unknown, and the key says so from now on
            await self._keep(claim, 500, None)
            raise
        await self._keep(claim, answer.status_code, bytes(answer.body).decode())
        return answer

    async def _keep(self, claim: Claim, status: int, body: str | None) -> None:
        row = update(IdempotencyKey).where(IdempotencyKey.owner == claim.owner, IdempotencyKey.key == claim.key)
        async with self.database.writing() as session:
            await session.execute(row.values(status=status, body=body))

    async def close(self) -> None:
        """Wait for what still runs; what takes too long is left without an answer."""
        if self.running:
            _, late = await asyncio.wait(self.running, timeout=CLOSING_S_MAX)
            for task in late:
                log.error("idempotency_cut_off", after_s=CLOSING_S_MAX)
                task.cancel()


def replay(row: IdempotencyKey | None, claim: Claim, now: datetime) -> Response:
    """The kept answer of the first request, or why there is none. No row: the first one has taken the key this very moment."""
    if row is not None and row.fingerprint != claim.fingerprint:
        raise BadInput("This Idempotency-Key was used for another request; make a new key for each new wish.", code="idempotency_mismatch")
    if row is not None and row.status is not None and row.body is not None:
        return Response(row.body, row.status, media_type="application/json", headers={"Idempotency-Replayed": "true"})
    if row is None or (row.status is None and now - row.created_at < RUNNING_MAX):
        raise Conflict("The first request with this Idempotency-Key is still running; send it again in a moment.",
                       code="idempotency_running")
    raise Conflict("The first request with this Idempotency-Key was cut off and its outcome is unknown; "
                   f"look with {claim.look} before you try again with a new key.", code="idempotency_unknown")


def answered(status: Status, made: BaseModel | None) -> Response:
    body = "" if made is None else made.model_dump_json(by_alias=True)
    return Response(body, status(made) if callable(status) else status, media_type="application/json")


@dataclass(frozen=True)
class Attempt:
    """This request and the key it came with, if any."""

    idempotency: Idempotency
    key: str | None
    fingerprint: str

    async def once(self, owner: str, status: Status, work: Work, *, look: str, allow: Allow | None = None) -> Response:
        """The answer of `work`, done once for each key of `owner`; without a key done each time. `look`: what tells the outcome.

        allow: asked before the work is begun; may raise.
        """
        if self.key is None:
            if allow is not None:
                await allow()
            return answered(status, await work())
        return await self.idempotency.once(Claim(owner, self.key, self.fingerprint, look), status, work, allow)


Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=KEY_CHARS_MIN, max_length=KEY_CHARS_MAX, pattern="^[!-~]+$",
                                   description="Made by you, new for each wish: sent again with the same key, it is done once.")]


async def attempt(request: Request, house: TheHouse, key: Key = None) -> Attempt:
    return Attempt(house.part(Idempotency), key, "" if key is None else fingerprint(request, await request.body()))


def fingerprint(request: Request, body: bytes) -> str:
    """SHA-256 of method, path, query and body; the path is the same under /api/v1."""
    asked = (request.method, request.scope["path"].removeprefix(API), request.scope["query_string"], body)
    return hashlib.sha256(repr(asked).encode()).hexdigest()


OneAttempt = Annotated[Attempt, Depends(attempt)]


@asynccontextmanager
async def open_idempotency(house: House) -> AsyncIterator[Idempotency]:
    idempotency = Idempotency(house.database, house.clock)
    try:
        yield idempotency
    finally:
        await idempotency.close()
