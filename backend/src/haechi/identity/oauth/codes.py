"""What is good once: the state of a flow, and the code with which the browser fetches its tokens. Both lie here only as hashes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from haechi.errors import NotAllowed
from haechi.identity.oauth.flow import Flow, not_begun
from haechi.identity.oauth.models import OAuthFlow
from haechi.identity.tokens import hashed, new_secret
from haechi.platform.clock import Clock, instant
from haechi.platform.db import Database, Session

CODE_LIFE = timedelta(seconds=60)


class Codes:
    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock

    async def spend(self, flow: Flow, cookie: str) -> None:
        """Before the provider is asked, so that of parallel answers one goes on. Old rows go on the way. Raises BadInput."""
        row = OAuthFlow(state_hash=hashed(flow.state), browser_hash=hashed(cookie), user_id=None, code_hash=None, code_until=None,
                        kept_until=instant(flow.until_ms) + CODE_LIFE)
        try:
            async with self.database.writing() as session:
                await session.execute(delete(OAuthFlow).where(OAuthFlow.kept_until <= self.clock.now()))
                session.add(row)
        except IntegrityError:
            raise not_begun() from None

    async def make(self, session: Session, flow: Flow, user_id: str) -> str:
        """The code that ends this flow, seen only here; in the caller's transaction."""
        code, until = new_secret(), self.clock.now() + CODE_LIFE
        await session.execute(update(OAuthFlow).where(OAuthFlow.state_hash == hashed(flow.state))
                              .values(user_id=user_id, code_hash=hashed(code), code_until=until, kept_until=until))
        return code

    async def take(self, code: str, cookie: str) -> str:
        """The id of the person the code is for, once, in the browser it was made for. Raises NotAllowed."""
        good = (OAuthFlow.code_hash == hashed(code), OAuthFlow.browser_hash == hashed(cookie), OAuthFlow.code_until > self.clock.now())
        async with self.database.writing() as session:
            taken = await session.execute(update(OAuthFlow).where(*good).values(code_hash=None).returning(OAuthFlow.user_id)
                                          .execution_options(synchronize_session=False))
            user_id = taken.scalar_one_or_none()
        if user_id is None:
            raise NotAllowed("This sign-in was used, is older than a minute, or was begun in another browser; begin again.",
                             code="oauth_code")
        return user_id
