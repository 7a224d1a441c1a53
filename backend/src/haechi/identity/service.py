"""Sign in, sign out, and say who holds a token."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from haechi.errors import NotAllowed
from haechi.identity.models import User, UserSession
from haechi.identity.passwords import Passwords
from haechi.identity.store import folded, people, user_and_session, user_by_email
from haechi.identity.tokens import REFRESH_LIFE, Tokens, new_refresh, refresh_hash, refused
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.platform.house import House
from haechi.platform.ids import new_id

DEMO_EMAIL = "demo@haechi.local"


@dataclass(frozen=True)
class SignedIn:
    """Fresh tokens; the refresh token is seen only here."""

    access_token: str
    refresh_token: str


class Identity:
    """The part of the house that knows people."""

    def __init__(self, database: Database, clock: Clock, secret: str) -> None:
        self.database = database
        self.clock = clock
        self.passwords = Passwords()
        self.tokens = Tokens(secret, clock)

    async def sign_in(self, email: str, password: str) -> SignedIn:
        """Raises NotAllowed, in the same words and time for a wrong address and a wrong password."""
        async with self.database.reading() as session:
            user = await user_by_email(session, email)
        if user is None:
            await self.passwords.verify_nobody(password)
            raise wrong()
        fits, better = await self.passwords.verify(password, user.password_hash)  # no transaction is open while it computes
        if not fits or user.suspended_at is not None:
            raise wrong()
        return await self._begin_session(user.id, better)

    async def _begin_session(self, user_id: str, better_hash: str | None) -> SignedIn:
        now = self.clock.now()
        refresh = new_refresh()
        row = UserSession(id=new_id(self.clock.now_ms()), user_id=user_id, refresh_hash=refresh_hash(refresh),
                          created_at=now, expires_at=now + REFRESH_LIFE, ended_at=None)
        async with self.database.writing() as session:
            session.add(row)
            if better_hash is not None:
                (await session.get_one(User, user_id)).password_hash = better_hash
        return SignedIn(self.tokens.access(user_id, row.id), refresh)

    async def holder(self, token: str) -> tuple[User, UserSession]:
        """The person and the live session of an access token; raises NotAllowed."""
        access = self.tokens.read(token)
        async with self.database.reading() as session:
            found = await user_and_session(session, access)
        if found is None or found[0].suspended_at is not None or not alive(found[1], self.clock):
            raise refused()
        return found

    async def sign_out(self, session_id: str) -> None:
        """End the session; its access tokens are worth nothing from now on."""
        async with self.database.writing() as session:
            (await session.get_one(UserSession, session_id)).ended_at = self.clock.now()

    async def add(self, session: Session, *, email: str, password_hash: str, role: str = "user") -> User:
        """A new person; the caller has hashed the password before opening the transaction."""
        user = User(id=new_id(self.clock.now_ms()), email=folded(email), password_hash=password_hash, role=role,
                    created_at=self.clock.now(), suspended_at=None)
        session.add(user)
        await session.flush()
        return user

    async def make_demo_user(self) -> str | None:
        """In a database without people: create the demo user and return the password made for it. Otherwise None."""
        async with self.database.reading() as session:
            if await people(session):
                return None
        password = secrets.token_urlsafe(12)
        hashed = await self.passwords.hash(password)
        async with self.database.writing() as session:
            if await people(session):  # another process was faster
                return None
            await self.add(session, email=DEMO_EMAIL, password_hash=hashed)
        return password


def alive(row: UserSession, clock: Clock) -> bool:
    return row.ended_at is None and clock.now() < row.expires_at


def wrong() -> NotAllowed:
    return NotAllowed("The e-mail address or the password is wrong.", code="wrong_credentials")


@asynccontextmanager
async def open_identity(house: House) -> AsyncIterator[Identity]:
    identity = Identity(house.database, house.clock, house.settings.jwt_secret.get_secret_value())
    try:
        yield identity
    finally:
        identity.passwords.close()
