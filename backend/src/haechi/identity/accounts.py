"""Accounts: made, shown to be somebody's, given another password, suspended, given a role, deleted.

Nobody who does not own an address learns whether there is an account for it: the answers are the same, and what differs is mailed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import delete, select

from haechi.errors import BadInput, Conflict, NotFound
from haechi.identity import letters
from haechi.identity.audit import Act, record
from haechi.identity.mail import Letter, Letterbox
from haechi.identity.models import ADMIN, USER, MailedToken, User
from haechi.identity.origins import Origin
from haechi.identity.passwords import Passwords, check_new
from haechi.identity.sessions import Sessions
from haechi.identity.store import folded, locked_user, user_by_email
from haechi.identity.tokens import hashed, new_secret
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.platform.ids import new_id

VERIFY, RESET = "verify", "reset"
LIVES = {VERIFY: timedelta(days=2), RESET: timedelta(minutes=30)}
ROLES = (USER, ADMIN)
Afterwards = Callable[[], Awaitable[None]]
Leaving = Callable[[Session, str], Awaitable[Afterwards | None]]


class Accounts:
    """`leaving` are asked before somebody is deleted: they raise Conflict while something of theirs still runs, and may give what is to
    be done when the person is gone (files)."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords, sessions: Sessions, letterbox: Letterbox,
                 public_url: str) -> None:
        self.database, self.clock, self.passwords, self.sessions = database, clock, passwords, sessions
        self.letterbox, self.public_url = letterbox, public_url
        self.leaving: list[Leaving] = []

    async def add(self, session: Session, *, email: str, password_hash: str | None, role: str = USER, verified: bool = True) -> User:
        """A new person; the caller has hashed the password before opening the transaction."""
        now = self.clock.now()
        user = User(id=new_id(self.clock.now_ms()), email=folded(email), password_hash=password_hash, role=role, created_at=now,
                    suspended_at=None, verified_at=now if verified else None, password_at=now, totp=None, totp_at=None, totp_step=0)
        session.add(user)
        await session.flush()
        return user

    # ---- registration and reset, by mail

    async def register(self, email: str, password: str, language: str) -> None:
        """Same answer, same work and same time whether the address is new or not. Raises BadInput for a poor password."""
        check_new(password, email)
        self.passwords.make_sure_of_room()
        password_hash = await self.passwords.hash(password)
        self.letterbox.run(lambda: self._registered(email, password_hash, language))

    async def _registered(self, email: str, password_hash: str, language: str) -> Letter:
        async with self.database.writing() as session:
            known = await user_by_email(session, email)
            if known is not None and known.verified_at is not None:
                return letters.known(known.email, self.public_url, language)
            user = known or await self.add(session, email=email, password_hash=password_hash, verified=False)
            user.password_hash = password_hash  # of an address nobody has shown to own: the last who tried may show it
            return letters.verify(user.email, self._link("verify", await self._token(session, user, VERIFY)), language)

    async def verify(self, token: str, password: str) -> None:
        """The address is theirs, and so is the password: else whoever registered a foreign address would wait for its owner's click.
        Raises BadInput."""
        async with self.database.reading() as session:
            found = await session.get(MailedToken, hashed(token))
            user = await session.get(User, found.user_id) if found is not None else None
        fits = user is not None and user.password_hash is not None and (await self.passwords.verify(password, user.password_hash))[0]
        if not fits:
            raise unusable()
        async with self.database.writing() as session:
            user = await self._used(session, token, VERIFY)
            user.verified_at = user.verified_at or self.clock.now()

    def forgot(self, email: str, language: str) -> None:
        """A letter, if there is such a person; nothing tells whether, not even time."""
        self.letterbox.run(lambda: self._forgot(email, language))

    async def _forgot(self, email: str, language: str) -> Letter | None:
        async with self.database.writing() as session:
            user = await user_by_email(session, email)
            if user is None or user.suspended_at is not None:
                return None
            return letters.reset(user.email, self._link("reset", await self._token(session, user, RESET)), language)

    async def reset(self, token: str, password: str, origin: Origin) -> None:
        """A new password for the mailed token; every session ends, the second factor stays. Raises BadInput."""
        check_new(password, "")
        password_hash = await self.passwords.hash(password)
        async with self.database.writing() as session:
            user = await self._used(session, token, RESET)
            user.verified_at = user.verified_at or self.clock.now()
            await self._changed(session, user, password_hash, Act("password.reset", user.id, user.id, origin.address))
        self.letterbox.put(letters.changed(user.email))

    def _link(self, page: str, token: str) -> str:
        return f"{self.public_url}/{page}#token={token}"  # behind the #: never sent to a server, never in its log

    async def _token(self, session: Session, user: User, purpose: str) -> str:
        """The only one of its purpose that works from now on."""
        token = new_secret()
        await session.execute(delete(MailedToken).where(MailedToken.user_id == user.id, MailedToken.purpose == purpose))
        session.add(MailedToken(hash=hashed(token), user_id=user.id, purpose=purpose, expires_at=self.clock.now() + LIVES[purpose]))
        return token

    async def _used(self, session: Session, token: str, purpose: str) -> User:
        found = await session.get(MailedToken, hashed(token), with_for_update=True)
        user = await locked_user(session, found.user_id) if found is not None else None
        if found is None or user is None or found.purpose != purpose or user.suspended_at or self.clock.now() >= found.expires_at:
            raise unusable()
        await session.delete(found)
        return user

    # ---- changed by its owner

    async def change_password(self, user_id: str, session_id: str, password: str, origin: Origin) -> None:
        """All other sessions end. The caller has asked for the old password. Raises BadInput."""
        async with self.database.reading() as session:
            email = (await session.get_one(User, user_id)).email
        check_new(password, email)
        password_hash = await self.passwords.hash(password)
        async with self.database.writing() as session:
            user = await session.get_one(User, user_id)
            await self._changed(session, user, password_hash, Act("password.changed", user_id, user_id, origin.address), but=session_id)
        self.letterbox.put(letters.changed(email))

    async def _changed(self, session: Session, user: User, password_hash: str, act: Act, *, but: str = "") -> None:
        user.password_hash, user.password_at = password_hash, self.clock.now()
        await self.sessions.end_all(session, user.id, but=but)
        await record(session, act, self.clock.now())

    async def delete(self, user_id: str, origin: Origin) -> None:
        """The person and all that is theirs. Raises Conflict while something of theirs still runs."""
        async with self.database.writing() as session:
            afterwards = [await leave(session, user_id) for leave in self.leaving]
            await record(session, Act("user.deleted", user_id, user_id, origin.address), self.clock.now())
            await session.execute(delete(User).where(User.id == user_id))
        for clear_away in afterwards:
            if clear_away is not None:
                await clear_away()

    # ---- changed by an admin, or on the command line

    async def suspend(self, user_id: str, act: Act, *, on: bool) -> User:
        """Acts at once: no session survives. Raises NotFound, Conflict for the last admin."""
        async with self.database.writing() as session:
            last = await is_last_admin(session, user_id)
            user = await the_user(session, user_id)
            if on and last:
                raise last_admin()
            was, user.suspended_at = user.suspended_at, (user.suspended_at or self.clock.now()) if on else None
            if on:
                await self.sessions.end_all(session, user_id)
            await record(session, with_change(act, was is not None, on, "suspended"), self.clock.now())
            return user

    async def set_role(self, user_id: str, role: str, act: Act) -> User:
        """Every session ends, so that no token carries the old role. Raises NotFound, BadInput, Conflict for the last admin."""
        if role not in ROLES:
            raise BadInput(f"There is no role {role!r}; there are {', '.join(ROLES)}.")
        async with self.database.writing() as session:
            last = await is_last_admin(session, user_id)
            user = await the_user(session, user_id)
            if role != ADMIN and last:
                raise last_admin()
            was, user.role = user.role, role
            await self.sessions.end_all(session, user_id)
            await record(session, with_change(act, was, role, "role"), self.clock.now())
            return user



def unusable() -> BadInput:
    return BadInput("This link or password is wrong, or the link was used or is too old; ask for a new one.", code="link_unusable")


async def the_user(session: Session, user_id: str) -> User:
    user = await locked_user(session, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def is_last_admin(session: Session, user_id: str) -> bool:
    """Asked before anything is changed: all admins are held, in one order, so that two of them cannot turn each other out."""
    query = select(User.id).where(User.role == ADMIN, User.suspended_at.is_(None)).order_by(User.id).with_for_update()
    return list((await session.execute(query)).scalars()) == [user_id]


def last_admin() -> Conflict:
    return Conflict("This is the last admin; make another one first.", code="last_admin")


def with_change(act: Act, before: object, after: object, what: str) -> Act:
    return Act(act.act, act.actor, act.subject, act.address, {**act.details, what: {"before": before, "after": after}})
