"""What the commands about people share: the house of the settings without its server, and who is told to have acted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from haechi.errors import Conflict, NotFound
from haechi.identity.audit import Act
from haechi.identity.models import User
from haechi.identity.service import Identity, open_identity
from haechi.identity.store import user_by_email
from haechi.platform import log
from haechi.platform.clock import SystemClock
from haechi.platform.crypto import Vault
from haechi.platform.db import Database, DatabaseUnavailable, Session, unreachable
from haechi.platform.house import House
from haechi.platform.limits import Limiter, open_limits
from haechi.platform.migrate import current, newest, upgrade
from haechi.settings import load_settings

BY = {"by": "command line"}


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[House, Identity]]:
    """Quiet, for people read the output. Raises DatabaseUnavailable, Conflict for tables of another version, SettingsError."""
    settings = load_settings()
    log.configure(level="warning", production=settings.production)
    house = House(settings=settings, clock=SystemClock(), database=Database(settings.database), vault=Vault(settings.encryption_keys))
    try:
        await check_tables(house.database)
        async with open_limits(house) as house.parts[Limiter], open_identity(house) as identity:
            yield house, identity
    except SQLAlchemyError as error:
        if not (unreachable(error) or isinstance(error, OperationalError)):
            raise
        raise DatabaseUnavailable("the database does not answer or is busy; see `haechi doctor`") from error
    finally:
        await house.database.close()


async def check_tables(database: Database) -> None:
    """A new database gets its tables; one of another version is left as it is, servers may still use it."""
    have = await current(database)
    if have is None:
        await upgrade(database)
    elif have != newest():
        raise Conflict(f"the tables are at {have}, this version needs {newest()}: run `haechi migrate`")


async def person(session: Session, email: str) -> User:
    """Raises NotFound."""
    found = await user_by_email(session, email)
    if found is None:
        raise NotFound(f"there is no account for {email}; `haechi users list` shows all")
    return found


def act(name: str, subject: str = "", **details: Any) -> Act:
    return Act(name, subject=subject, details=BY | details)
