"""A whole server in this process for one test: its own folder, a clock that stands still, no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.routing import BaseRoute
from tables import begin_with_tables

from haechi.app import create_app
from haechi.identity.service import Identity
from haechi.platform.clock import SetClock
from haechi.platform.house import House, OpenPart
from haechi.research.jobs import Jobs
from haechi.settings import load_settings

# The real cost would be most of the time of these tests.
CHEAP = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1), Argon2Hasher()))
NOBODY = "http://127.0.0.1:9"  # where no exchange answers: tests leave this machine alone
START = datetime(2026, 1, 1, tzinfo=UTC)


class HeldExecutor:
    """Takes tasks and holds them until the test lets them end."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self.waiting: asyncio.Queue[tuple[tuple[Any, ...], asyncio.Future[Any]]] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.cancelled = 0

    async def run(self, _function: Callable[..., Any], *given: Any, progress: Callable[[float], None]) -> Any:
        progress(0.5)
        held: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((given, held))
        self.begun.set()
        try:
            return await held
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def close(self) -> None: ...


@dataclass
class Running:
    """The server, a client, and what it said at its start."""

    app: FastAPI
    http: httpx.AsyncClient
    clock: SetClock
    executor: HeldExecutor
    said: list[str] = field(default_factory=list)

    @property
    def house(self) -> House:
        return self.app.state.house

    @property
    def jobs(self) -> Jobs:
        return self.house.part(Jobs)

    async def add_person(self, email: str, password: str = "a long password") -> None:
        identity = self.house.part(Identity)
        hashed = await identity.passwords.hash(password)
        async with self.house.database.writing() as session:
            await identity.add(session, email=email, password_hash=hashed)

    async def sign_in(self, email: str, password: str = "a long password") -> dict[str, str]:
        """Headers of somebody who signed in."""
        answer = await self.http.post("/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    async def person(self, email: str = "mina@example.com") -> dict[str, str]:
        await self.add_person(email)
        return await self.sign_in(email)


@pytest.fixture
def running() -> Callable[..., AbstractAsyncContextManager[Running]]:
    """`async with running(tmp_path, market=…) as app:` is a server; two of them in one folder are a restart."""
    return run


class Cheap:
    """A part that makes hashing cheap, before the demo user is made."""


@asynccontextmanager
async def open_cheap_hashing(house: House) -> AsyncIterator[Cheap]:
    house.part(Identity).passwords.hashers = CHEAP
    yield Cheap()


_routes: list[BaseRoute] = []  # of this process: they know nothing of their app, and FastAPI takes longest for making them


@asynccontextmanager
async def run(folder: Path, *, parts: Sequence[OpenPart] = (), **settings: Any) -> AsyncIterator[Running]:
    """Open everything, as a server does; close it in the end."""
    made = load_settings(_env_file=None, haechi_var=folder / "var", haechi_data=folder / "data", **{"bitget_rest": NOBODY, "reserve_mib": 1, **settings})
    await begin_with_tables(made.database)
    clock, executor, said = SetClock(START), HeldExecutor(), []

    @asynccontextmanager
    async def open_held_jobs(house: House) -> AsyncIterator[Jobs]:
        jobs = Jobs(house.database, house.clock, executor, folder=folder / "var" / "results", data=folder / "data")
        try:
            yield jobs
        finally:
            await jobs.close()

    app = create_app(made, clock=clock, parts=[open_cheap_hashing, open_held_jobs, *parts], announce=said.append)
    if not _routes:
        _routes.extend(app.router.routes)
    app.router.routes[:] = _routes
    async with app.router.lifespan_context(app), httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://haechi.test") as http:
        yield Running(app, http, clock, executor, said)
