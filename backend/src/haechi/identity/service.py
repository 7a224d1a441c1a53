"""The part of the house that knows people, put together; each part does one thing in its own file."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from haechi.identity.accounts import Accounts
from haechi.identity.mail import Letterbox, Post, post_of
from haechi.identity.models import User, UserSession
from haechi.identity.passwords import Passwords
from haechi.identity.second_factor import SecondFactor
from haechi.identity.sessions import Sessions
from haechi.identity.signing_in import SigningIn
from haechi.identity.store import people
from haechi.identity.tokens import Tokens
from haechi.identity.tries import Rule, Tries
from haechi.platform.clock import Clock
from haechi.platform.crypto import Vault
from haechi.platform.db import Database, Session
from haechi.platform.house import House
from haechi.platform.limits import Limiter

DEMO_EMAIL = "demo@haechi.local"
LOGIN_RULES = {"development": Rule(5, timedelta(minutes=1)), "production": Rule(10, timedelta(minutes=15))}


class Identity:
    def __init__(self, database: Database, clock: Clock, secret: str, vault: Vault, *, post: Post, public_url: str, login: Rule,
                 passwords: Passwords | None = None) -> None:
        self.database, self.clock = database, clock
        self.passwords = passwords or Passwords()
        self.tokens = Tokens(secret, clock)
        self.letterbox = Letterbox(post)
        self.tries = Tries(database, login)
        self.factor = SecondFactor(vault)
        self.sessions = Sessions(database, clock, self.tokens)
        self.signing_in = SigningIn(database, clock, self.passwords, self.tokens, self.sessions, self.factor, self.tries,
                                    self.letterbox)
        self.accounts = Accounts(database, clock, self.passwords, self.sessions, self.letterbox, public_url)

    async def holder(self, token: str) -> tuple[User, UserSession]:
        """The person and the live session of an access token; raises NotAllowed."""
        return await self.sessions.holder(token)

    async def add(self, session: Session, *, email: str, password_hash: str, role: str = "user") -> User:
        """A new person; the caller has hashed the password before opening the transaction."""
        return await self.accounts.add(session, email=email, password_hash=password_hash, role=role)

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

    async def close(self) -> None:
        await self.letterbox.close()
        self.passwords.close()
        self.sessions.close()


@asynccontextmanager
async def open_identity(house: House) -> AsyncIterator[Identity]:
    settings = house.settings
    identity = Identity(house.database, house.clock, settings.jwt_secret.get_secret_value(), house.vault, post=post_of(settings),
                        public_url=settings.public_url.rstrip("/"), login=LOGIN_RULES[settings.environment])
    house.part(Limiter).full["/auth/login"] = lambda: identity.passwords.full
    try:
        yield identity
    finally:
        await identity.close()
