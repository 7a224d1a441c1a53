"""HTTP of people, for admins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from haechi.admin.access import Acting
from haechi.admin.schemas import EndedAnswer, Id, Line, PersonAnswer, RoleBody
from haechi.errors import NotFound
from haechi.identity.accounts import the_user
from haechi.identity.audit import record
from haechi.identity.current import AdminUser
from haechi.identity.models import EMAIL_CHARS_MAX, User
from haechi.identity.schemas import UserAnswer
from haechi.identity.service import Identity
from haechi.identity.store import folded
from haechi.platform.answers import errors
from haechi.platform.house import Reading, TheHouse, Writing
from haechi.platform.paging import Page, Paging, Wanted, cursor, cut

router = APIRouter(prefix="/admin/users", tags=["admin"])
listing = APIRouter(prefix="/auth/users", tags=["auth"])

Part = Annotated[str | None, Query(max_length=EMAIL_CHARS_MAX, description="A part of the address."), Line]


async def people(_admin: AdminUser, session: Reading, paging: Paging, email: Part = None, role: Literal["user", "admin"] | None = None,
                 suspended: bool | None = None) -> Page[UserAnswer]:
    query = select(User)
    if email is not None:
        query = query.where(User.email.contains(folded(email), autoescape=True))
    if role is not None:
        query = query.where(User.role == role)
    if suspended is not None:
        query = query.where(User.suspended_at.is_not(None) if suspended else User.suspended_at.is_(None))
    return page(paging, (await session.execute(paging.below(query, User.id))).scalars().all())


def page(paging: Wanted, rows: Sequence[User]) -> Page[UserAnswer]:
    rows, more = cut(rows, paging.limit)
    return Page(items=[UserAnswer.of(row) for row in rows], next_cursor=cursor(rows[-1].id) if more else None)


People = Annotated[Page[UserAnswer], Depends(people)]


@router.get("", operation_id="admin_users", summary="People", responses=errors(401, 403, 422))
async def users(found: People) -> Page[UserAnswer]:
    """Newest first; by a part of the address, by role, by whether they are suspended."""
    return found


@listing.get("", operation_id="users", summary="People, for admins", responses=errors(401, 403, 422))
async def all_users(found: People) -> Page[UserAnswer]:
    """The same as GET /admin/users."""
    return found


@router.get("/{id}", operation_id="admin_user", summary="One person", responses=errors(401, 403, 404, 422))
async def user(id: Id, _admin: AdminUser, house: TheHouse, session: Reading) -> PersonAnswer:
    """With where they are signed in."""
    found = await session.get(User, id)
    if found is None:
        raise NotFound("There is no such user.")
    return PersonAnswer.with_sessions(found, await house.part(Identity).sessions.of(id))


@router.post("/{id}/suspend", operation_id="admin_suspend", summary="Lock a person out", responses=errors(401, 403, 404, 409, 422))
async def suspend(id: Id, act: Acting, house: TheHouse) -> UserAnswer:
    """Every session of theirs ends at once. The last admin cannot be suspended."""
    return UserAnswer.of(await house.part(Identity).accounts.suspend(id, act("user.suspended", id), on=True))


@router.post("/{id}/activate", operation_id="admin_activate", summary="Let a person in again", responses=errors(401, 403, 404, 422))
async def activate(id: Id, act: Acting, house: TheHouse) -> UserAnswer:
    """They sign in anew."""
    return UserAnswer.of(await house.part(Identity).accounts.suspend(id, act("user.activated", id), on=False))


@router.post("/{id}/role", operation_id="admin_role", summary="Give a role", responses=errors(401, 403, 404, 409, 422))
async def role(id: Id, body: RoleBody, act: Acting, house: TheHouse) -> UserAnswer:
    """Every session of theirs ends. The last admin stays one."""
    return UserAnswer.of(await house.part(Identity).accounts.set_role(id, body.role, act("user.role", id)))


@router.post("/{id}/end-sessions", operation_id="admin_end_sessions", summary="Sign a person out everywhere",
             responses=errors(401, 403, 404, 422))
async def end_sessions(id: Id, act: Acting, house: TheHouse, session: Writing) -> EndedAnswer:
    """Their tokens stop working at once; they may sign in again."""
    await the_user(session, id)
    ended = await house.part(Identity).sessions.end_all(session, id)
    await record(session, act("user.sessions_ended", id, ended=ended), house.clock.now())
    return EndedAnswer(ended=ended)
