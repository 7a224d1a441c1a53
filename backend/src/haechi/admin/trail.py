"""HTTP of the audit, for admins: read it, and see that its chain holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from sqlalchemy import select

from haechi.admin.schemas import BrokenAnswer, ChainAnswer, EntryAnswer, Line
from haechi.identity.audit import FIRST, AuditEntry, verify
from haechi.identity.current import AdminUser
from haechi.platform.answers import errors
from haechi.platform.house import Reading
from haechi.platform.paging import Page, Paging, cursor, cut, unusable

router = APIRouter(prefix="/admin/audit", tags=["admin"])

NUMBER_MAX = 2**31 - 1
Word = Annotated[str | None, Query(max_length=64), Line]
Number = Annotated[int | None, Query(ge=0, le=NUMBER_MAX, description="How many entries there once were.")]
Head = Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="A hash the chain once ended with, from a log.")]


@router.get("", operation_id="admin_audit", summary="What was done", responses=errors(401, 403, 422))
async def entries(_admin: AdminUser, session: Reading, paging: Paging, actor: Word = None, act: Word = None,  # noqa: PLR0913
                  subject: Word = None, since: AwareDatetime | None = None, until: AwareDatetime | None = None) -> Page[EntryAnswer]:
    """Newest first; by who did it, what, to whom, from a time on, before a time."""
    wishes = [(AuditEntry.actor.__eq__, actor), (AuditEntry.act.__eq__, act), (AuditEntry.subject.__eq__, subject),
              (AuditEntry.at.__ge__, since), (AuditEntry.at.__lt__, until)]
    query = select(AuditEntry).where(*(rule(given) for rule, given in wishes if given is not None))
    if paging.after is not None:
        query = query.where(AuditEntry.number < number_of(paging.after))
    found = await session.execute(query.order_by(AuditEntry.number.desc()).limit(paging.limit + 1))
    rows, more = cut(found.scalars().all(), paging.limit)
    return Page(items=[EntryAnswer.of(row) for row in rows], next_cursor=cursor(str(rows[-1].number)) if more else None)


def number_of(after: str) -> int:
    if not after.isdecimal() or len(after) > len(str(NUMBER_MAX)) or int(after) > NUMBER_MAX:
        raise unusable()
    return int(after)


@router.get("/verify", operation_id="admin_audit_verify", summary="Does the chain hold", responses=errors(401, 403, 422))
async def chain(_admin: AdminUser, session: Reading, count: Number = None, head: Head = None) -> ChainAnswer:
    """Reads every entry. With `count` and `head` of a log also finds a chain that was cut short or written anew."""
    broken = await verify(session, count=count, head=head)
    last = (await session.execute(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1))).scalar_one_or_none()
    return ChainAnswer(holds=not broken, count=last.number if last else 0, head=last.hash if last else FIRST,
                       broken=[BrokenAnswer(number=one.number, why=one.why) for one in broken])
