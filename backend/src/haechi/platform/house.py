"""What a running server holds, for those who answer requests: settings, clock, database, vault, and the parts.

A part is whatever a domain keeps alive between requests (the job pool, the bot runtime). It is opened and closed with the
server and found by its class: `house.part(Jobs)`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from haechi.platform.clock import Clock
from haechi.platform.crypto import Vault
from haechi.platform.db import Database, Session
from haechi.settings import Settings

Part = TypeVar("Part")


@dataclass(frozen=True)
class House:
    """Made by `create_app`; the parts come in while it opens."""

    settings: Settings
    clock: Clock
    database: Database
    vault: Vault
    parts: dict[type, Any] = field(default_factory=dict)

    def part(self, kind: type[Part]) -> Part:
        """The living part of this class; a missing one is a mistake in the table PARTS of app.py."""
        if kind not in self.parts:
            raise LookupError(f"no {kind.__name__} was opened: add it to PARTS in app.py")
        return self.parts[kind]  # type: ignore[no-any-return]


OpenPart = Callable[[House], AbstractAsyncContextManager[object]]


def house_of(connection: HTTPConnection) -> House:
    return connection.app.state.house  # type: ignore[no-any-return]


async def _the_house(connection: HTTPConnection) -> House:
    """Asynchronous, because FastAPI runs a synchronous dependency in a thread, which costs more than most requests."""
    return house_of(connection)


TheHouse = Annotated[House, Depends(_the_house)]


async def _reading(house: TheHouse) -> AsyncIterator[Session]:
    async with house.database.reading() as session:
        yield session


async def _writing(house: TheHouse) -> AsyncIterator[Session]:
    async with house.database.writing() as session:
        yield session


# Scope "function": committed before the answer leaves, so that nobody is told of what then fails to be kept.
Reading = Annotated[Session, Depends(_reading, scope="function")]
Writing = Annotated[Session, Depends(_writing, scope="function")]
