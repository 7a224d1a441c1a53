"""Whom a provider's (issuer, subject) belongs to. An e-mail address makes a new person or nobody: it never finds an existing one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update

from haechi.errors import Conflict, NotFound, NotPermitted
from haechi.identity.accounts import Accounts
from haechi.identity.audit import Act, record
from haechi.identity.models import User, UserSession
from haechi.identity.oauth.flow import Linker
from haechi.identity.oauth.models import OAuthFlow, OAuthLink
from haechi.identity.oauth.providers import Provider
from haechi.identity.origins import Origin
from haechi.identity.sessions import alive
from haechi.identity.store import locked_user, user_by_email
from haechi.platform.clock import Clock
from haechi.platform.db import Session
from haechi.platform.ids import new_id

LINKS_MAX = 10


@dataclass(frozen=True)
class Vouched:
    """Whom the provider says it is. email: None when it is not confirmed."""

    provider: Provider
    subject: str
    email: str | None


class Links:
    """Every method runs in the caller's transaction."""

    def __init__(self, clock: Clock, accounts: Accounts, *, open_to_all: bool) -> None:
        self.clock, self.accounts, self.open_to_all = clock, accounts, open_to_all

    async def person(self, session: Session, vouched: Vouched, origin: Origin) -> User:
        """The person, made now if this is their first time. Raises NotPermitted, Conflict."""
        found = await linked(session, vouched)
        if found is None:
            return await self._newcomer(session, vouched, origin)
        user = await session.get_one(User, found.user_id)
        if user.suspended_at is not None:
            raise NotPermitted("This account is suspended; ask the owner of this server.", code="suspended")
        return user

    async def _newcomer(self, session: Session, vouched: Vouched, origin: Origin) -> User:
        title = vouched.provider.title
        if vouched.email is None:
            raise NotPermitted(f"{title} gave no confirmed e-mail address: confirm it there and allow us to see it, then begin again.",
                               code="email_unverified")
        known = await user_by_email(session, vouched.email)
        if known is not None and known.verified_at is not None:
            raise Conflict(f"There is an account with this e-mail address: sign in with your password, then link {title} to it.",
                           code="link_first")
        if not self.open_to_all:
            raise NotPermitted("Nobody can register here; the owner of this server adds people.", code="registration_closed")
        if known is not None:  # somebody typed the address and never showed that it is theirs: nothing they prepared may stay
            await session.delete(known)
            await session.flush()
        user = await self.accounts.add(session, email=vouched.email, password_hash=None)
        await self._link(session, user, vouched, Act("oauth.registered", user.id, user.id, origin.address))
        return user

    async def attach(self, session: Session, vouched: Vouched, linker: Linker, origin: Origin) -> User | None:
        """To who asked for it, if their session still lives; None when it was so before. Raises NotPermitted, Conflict."""
        user, here = await locked_user(session, linker.user_id), await session.get(UserSession, linker.session_id)
        if user is None or user.suspended_at is not None or here is None or not alive(here, self.clock):
            raise NotPermitted("You are not signed in any more; sign in and begin again.", code="link_signed_out")
        found = await linked(session, vouched)
        if found is not None and found.user_id != user.id:
            raise Conflict(f"This {vouched.provider.title} account belongs to another account here; unlink it there first.",
                           code="linked_elsewhere")
        if found is not None:
            return None
        if await count(session, user.id) >= LINKS_MAX:
            raise Conflict(f"You have {LINKS_MAX} links already; remove one first.", code="too_many_links")
        await self._link(session, user, vouched, Act("oauth.linked", user.id, user.id, origin.address))
        return user

    async def _link(self, session: Session, user: User, vouched: Vouched, act: Act) -> None:
        row = OAuthLink(id=new_id(self.clock.now_ms()), user_id=user.id, provider=vouched.provider.name, issuer=vouched.provider.issuer,
                        subject=vouched.subject, email=vouched.email, created_at=self.clock.now())
        session.add(row)
        await session.flush()
        details = {"provider": row.provider, "link": row.id}
        await record(session, Act(act.act, act.actor, act.subject, act.address, details), self.clock.now())

    async def remove(self, session: Session, user_id: str, link_id: str, origin: Origin, *, usable: set[str]) -> None:
        """Not the last way in: a password, or a link to one of the `usable` providers, must stay. Raises NotFound, Conflict."""
        user = await locked_user(session, user_id)
        row = (await session.execute(select(OAuthLink).where(OAuthLink.user_id == user_id, OAuthLink.id == link_id))).scalar_one_or_none()
        if user is None or row is None:
            raise NotFound("You have no such link.")
        others = select(OAuthLink.id).where(OAuthLink.user_id == user_id, OAuthLink.id != link_id, OAuthLink.provider.in_(usable))
        if user.password_hash is None and (await session.execute(others.limit(1))).first() is None:
            raise Conflict("This is your last way to sign in: set a password with POST /auth/forgot-password first.", code="last_way")
        await session.delete(row)
        await session.execute(update(OAuthFlow).where(OAuthFlow.user_id == user_id).values(code_hash=None))  # no code outlives its link
        await record(session, Act("oauth.unlinked", user_id, user_id, origin.address, {"provider": row.provider, "link": row.id}),
                     self.clock.now())


async def linked(session: Session, vouched: Vouched) -> OAuthLink | None:
    query = select(OAuthLink).where(OAuthLink.issuer == vouched.provider.issuer, OAuthLink.subject == vouched.subject)
    return (await session.execute(query)).scalar_one_or_none()


async def count(session: Session, user_id: str) -> int:
    return (await session.execute(select(func.count()).select_from(OAuthLink).where(OAuthLink.user_id == user_id))).scalar_one()


async def links_of(session: Session, user_id: str) -> list[OAuthLink]:
    query = select(OAuthLink).where(OAuthLink.user_id == user_id).order_by(OAuthLink.id)
    return list((await session.execute(query)).scalars())
