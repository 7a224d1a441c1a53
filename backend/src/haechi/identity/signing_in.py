"""Signing in: a password, then, where it is on, the second factor. Wrong person, wrong password and locked person look and cost alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from haechi.errors import HaechiError, NotAllowed
from haechi.identity import letters
from haechi.identity.audit import Act, record
from haechi.identity.mail import Letterbox
from haechi.identity.models import User
from haechi.identity.origins import Origin
from haechi.identity.passwords import Passwords
from haechi.identity.second_factor import SecondFactor
from haechi.identity.sessions import Sessions, SignedIn
from haechi.identity.store import folded, locked_user, user_by_email
from haechi.identity.tokens import CHALLENGE, DEVICE, Tokens, hashed
from haechi.identity.tries import Tries
from haechi.platform.clock import Clock
from haechi.platform.db import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Challenged:
    """The password was right; `challenge` and a code make tokens of it."""

    challenge: str


@dataclass(frozen=True)
class Credentials:
    email: str
    password: str
    device_token: str | None = None


class SigningIn:
    def __init__(self, database: Database, clock: Clock, passwords: Passwords, tokens: Tokens, sessions: Sessions, factor: SecondFactor,
                 tries: Tries, letterbox: Letterbox) -> None:
        self.database, self.clock, self.passwords, self.tokens = database, clock, passwords, tokens
        self.sessions, self.factor, self.tries, self.letterbox = sessions, factor, tries, letterbox

    async def confirm(self, user: User, session_id: str, proof: str, origin: Origin) -> None:
        """A fresh proof that the person is there: a code where the second factor is on, else the password. Raises NotAllowed, LockedOut."""
        now = self.clock.now()
        counted = self.tries.code(user.id)
        self.passwords.make_sure_of_room()
        await self.tries.count(counted, now)
        if not user.has_2fa and not (user.password_hash and (await self.passwords.verify(proof, user.password_hash))[0]):
            raise NotAllowed("The password is wrong.", code="wrong_credentials")
        async with self.database.writing() as session:
            held = await locked_user(session, user.id)
            if held is None or (held.has_2fa and await self.factor.take(session, held, proof, now) is None):
                raise wrong_code()
            await self.sessions.freshen(session, session_id, with_2fa=held.has_2fa)
        await self.tries.forgive(counted, now)

    async def with_password(self, given: Credentials, origin: Origin) -> SignedIn | Challenged:
        """Raises NotAllowed, in the same words and time for a wrong address and a wrong password; LockedOut, Full."""
        async with self._told("password", hashed(folded(given.email))[:16], origin):
            with self.passwords.room():
                return await self._with_password(given, origin)

    async def _with_password(self, given: Credentials, origin: Origin) -> SignedIn | Challenged:
        now, email = self.clock.now(), folded(given.email)
        async with self.database.reading() as session:
            user = await user_by_email(session, email)
        counted = self.tries.password(email, origin.network, self._known_device(given, user))
        await self.tries.count(counted, now)
        better = await self._proved(user, given.password)
        assert user is not None
        await asyncio.shield(self.tries.forgive(counted, now))
        if user.has_2fa:
            return Challenged(self.tokens.challenge(user.id))
        return await self._begin(user.id, origin, better)

    def _known_device(self, given: Credentials, user: User | None) -> str | None:
        """The person a device's note names, when it is this one and was written after the password last changed."""
        if given.device_token is None or user is None:
            return None
        try:
            claims = self.tokens.claims(given.device_token, DEVICE)
        except NotAllowed:
            return None
        since = int(user.password_at.timestamp()) if user.password_at is not None else 0
        return user.id if claims["sub"] == user.id and claims["iat"] >= since else None

    async def _proved(self, user: User | None, password: str) -> str | None:
        """A better hash to keep, if there is one. Raises NotAllowed."""
        if user is None or user.password_hash is None:
            await self.passwords.verify_nobody(password)
            raise wrong()
        fits, better = await self.passwords.verify(password, user.password_hash)  # no transaction is open while it computes
        if not fits or user.suspended_at is not None or user.verified_at is None:
            raise wrong()
        return better

    @asynccontextmanager
    async def _told(self, step: str, who: str, origin: Origin) -> AsyncIterator[None]:
        """How it ended, in the log. who: a person's id, or a hash of the address that was tried."""
        try:
            yield
        except HaechiError as error:
            log.warning("sign_in_refused", step=step, who=who, network=origin.network, code=error.code)
            raise
        log.info("sign_in", step=step, who=who, network=origin.network)

    async def _begin(self, user_id: str, origin: Origin, better: str | None) -> SignedIn:
        async with self.database.writing() as session:
            user = await locked_user(session, user_id)
            if user is None or user.suspended_at is not None:
                raise wrong()
            if better is not None:
                user.password_hash = better
            return await self.sessions.begin(session, user, origin, with_2fa=False)

    async def with_code(self, challenge: str, code: str, origin: Origin) -> SignedIn:
        """The second step. Raises NotAllowed, LockedOut."""
        user_id = str(self.tokens.claims(challenge, CHALLENGE)["sub"])
        async with self._told("code", user_id, origin):
            return await self._with_code(user_id, code, origin)

    async def _with_code(self, user_id: str, code: str, origin: Origin) -> SignedIn:
        now = self.clock.now()
        counted = self.tries.code(user_id)
        await self.tries.count(counted, now)
        async with self.database.writing() as session:
            user = await locked_user(session, user_id)
            if user is None or user.suspended_at is not None or not user.has_2fa:
                raise wrong()
            kind = await self.factor.take(session, user, code, now)
            if kind is None:
                raise wrong_code()
            if kind == "recovery":
                await record(session, Act("2fa.recovery_used", actor=user.id, subject=user.id, address=origin.address), now)
                self.letterbox.put(letters.recovery_used(user.email))
            signed_in = await self.sessions.begin(session, user, origin, with_2fa=True)
        await self.tries.forgive(counted, now)
        return signed_in

    async def with_old_password(self, user: User, password: str) -> None:
        """Of somebody who is signed in. Raises NotAllowed, LockedOut."""
        now, counted = self.clock.now(), self.tries.code(user.id)
        self.passwords.make_sure_of_room()
        await self.tries.count(counted, now)
        if user.password_hash is None or not (await self.passwords.verify(password, user.password_hash))[0]:
            raise NotAllowed("The password is wrong.", code="wrong_credentials")
        await self.tries.forgive(counted, now)

    async def elsewhere(self, user_id: str, origin: Origin) -> SignedIn | Challenged:
        """Somebody whom another provider vouched for; the second factor is still wanted. Raises NotAllowed."""
        async with self.database.reading() as session:
            user = await session.get(User, user_id)
        if user is None or user.suspended_at is not None:
            raise wrong()
        if user.has_2fa:
            return Challenged(self.tokens.challenge(user.id))
        return await self._begin(user_id, origin, None)


def wrong() -> NotAllowed:
    return NotAllowed("The e-mail address or the password is wrong.", code="wrong_credentials")


def wrong_code() -> NotAllowed:
    return NotAllowed("The code is wrong or was used already; wait for the next one and try again.", code="wrong_code")
