"""Sessions: begun, used, refreshed, ended. A refresh token is exchanged at every use; an exchanged one that comes back ends its session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import bindparam, select, update

from haechi.errors import Conflict, NotFound
from haechi.identity.audit import Act, record
from haechi.identity.models import SpentRefresh, User, UserSession
from haechi.identity.origins import Origin
from haechi.identity.tokens import REFRESH_LIFE, SESSION_LIFE, Tokens, hashed, new_secret, refused
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.platform.ids import new_id
from haechi.platform.quick import QuickRow

GRACE = timedelta(seconds=10)  # two tabs of one browser may ask at once; later it is theft

USER, SESSION = ([column.name for column in table.__table__.columns] for table in (User, UserSession))
HOLDER = (select(*User.__table__.columns, *UserSession.__table__.columns).join(UserSession, UserSession.user_id == User.id)
          .where(User.id == bindparam("user"), UserSession.id == bindparam("session")))

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SignedIn:
    """Fresh tokens; the refresh and the device token are seen only here."""

    access_token: str
    refresh_token: str
    device_token: str


class Sessions:
    def __init__(self, database: Database, clock: Clock, tokens: Tokens) -> None:
        self.database, self.clock, self.tokens = database, clock, tokens
        self._holder = QuickRow(database, HOLDER)

    # ---- begun and used

    async def begin(self, session: Session, user: User, origin: Origin, *, with_2fa: bool) -> SignedIn:
        """In the transaction in which the person proved to be it."""
        now, refresh = self.clock.now(), new_secret()
        row = UserSession(id=new_id(self.clock.now_ms()), user_id=user.id, refresh_hash=hashed(refresh), created_at=now,
                          expires_at=now + REFRESH_LIFE, ended_at=None, used_at=now, fresh_at=now, fresh_2fa=with_2fa, device=origin.device,
                          address=origin.address)
        session.add(row)
        await session.flush()
        return SignedIn(self.tokens.access(user.id, row.id), refresh, self.tokens.device(user.id))

    async def holder(self, token: str) -> tuple[User, UserSession]:
        """The person and the live session of an access token, as values apart from any transaction; raises NotAllowed."""
        access = self.tokens.read(token)
        row = await self._holder.one({"user": access.user_id, "session": access.session_id})
        if row is None:
            raise refused()
        user, session = User(**dict(zip(USER, row, strict=False))), UserSession(**dict(zip(SESSION, row[len(USER):], strict=True)))
        if user.suspended_at is not None or not alive(session, self.clock):
            raise refused()
        return user, session

    def close(self) -> None:
        self._holder.close()

    # ---- refreshed

    async def refresh(self, token: str, origin: Origin) -> SignedIn:
        """New tokens for a refresh token, once. Raises NotAllowed; Conflict when it was exchanged a moment ago."""
        async with self.database.writing() as session:
            signed_in = await self._exchange(session, hashed(token), origin)
            stolen = None if signed_in is not None else await self._spent(session, hashed(token), origin)
        if signed_in is not None:
            return signed_in
        if stolen is False:
            raise Conflict("This refresh token was exchanged a moment ago; use the tokens of that answer.", code="refresh_spent")
        raise refused()

    async def _exchange(self, session: Session, old: str, origin: Origin) -> SignedIn | None:
        now, fresh = self.clock.now(), new_secret()
        found = (await session.execute(select(UserSession, User).join(User, User.id == UserSession.user_id)
                                       .where(UserSession.refresh_hash == old))).one_or_none()
        if found is None or found[1].suspended_at is not None or not alive(found[0], self.clock):
            return None
        row, user = found
        expires = min(now + REFRESH_LIFE, row.created_at + SESSION_LIFE)
        changed = await session.execute(
            update(UserSession).where(UserSession.id == row.id, UserSession.refresh_hash == old)
            .values(refresh_hash=hashed(fresh), expires_at=expires, used_at=now, address=origin.address)
            .execution_options(synchronize_session=False))
        if changed.rowcount != 1:  # type: ignore[attr-defined]  # somebody was faster
            return None
        session.add(SpentRefresh(hash=old, user_id=user.id, session_id=row.id, spent_at=now))
        return SignedIn(self.tokens.access(user.id, row.id), fresh, self.tokens.device(user.id))

    async def _spent(self, session: Session, old: str, origin: Origin) -> bool | None:
        """Whether this token was exchanged so long ago that it must be stolen; then its session ends. None: it is not known at all."""
        found = await session.get(SpentRefresh, old)
        if found is None:
            return None
        now = self.clock.now()
        if now - found.spent_at < GRACE:
            return False
        ended = await session.execute(update(UserSession).where(UserSession.id == found.session_id, UserSession.ended_at.is_(None))
                                      .values(ended_at=now))
        if ended.rowcount:  # type: ignore[attr-defined]
            log.error("refresh_token_reused", user=found.user_id, session=found.session_id, address=origin.address)
            await record(session, Act("session.stolen", subject=found.user_id, address=origin.address,
                                      details={"session": found.session_id}), now)
        return True

    # ---- seen and ended

    async def of(self, user_id: str) -> list[UserSession]:
        """The live ones, newest first."""
        async with self.database.reading() as session:
            rows = (await session.execute(select(UserSession).where(UserSession.user_id == user_id, UserSession.ended_at.is_(None))
                                          .order_by(UserSession.id.desc()))).scalars().all()
        return [row for row in rows if alive(row, self.clock)]

    async def end(self, user_id: str, session_id: str) -> None:
        """Its tokens are worth nothing from now on. Raises NotFound when the person has no such live session."""
        async with self.database.writing() as session:
            ended = await session.execute(update(UserSession).where(UserSession.id == session_id, UserSession.user_id == user_id,
                                                                    UserSession.ended_at.is_(None)).values(ended_at=self.clock.now()))
        if ended.rowcount != 1:  # type: ignore[attr-defined]
            raise NotFound("You have no such session.")

    async def end_all(self, session: Session, user_id: str, *, but: str = "") -> int:
        """In the caller's transaction; how many there were."""
        ended = await session.execute(update(UserSession).where(UserSession.user_id == user_id, UserSession.id != but,
                                                                UserSession.ended_at.is_(None)).values(ended_at=self.clock.now()))
        return int(ended.rowcount)  # type: ignore[attr-defined]

    async def end_everybodys(self, session: Session) -> int:
        ended = await session.execute(update(UserSession).where(UserSession.ended_at.is_(None)).values(ended_at=self.clock.now()))
        return int(ended.rowcount)  # type: ignore[attr-defined]

    async def freshen(self, session: Session, session_id: str, *, with_2fa: bool) -> None:
        """The person has just proved to be there."""
        await session.execute(update(UserSession).where(UserSession.id == session_id)
                              .values(fresh_at=self.clock.now(), fresh_2fa=with_2fa))


def alive(row: UserSession, clock: Clock) -> bool:
    return row.ended_at is None and clock.now() < row.expires_at
