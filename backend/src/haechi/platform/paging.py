"""Lists in pages: at most 200 rows, newest first, and an opaque cursor to the next page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from haechi.errors import BadInput

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
CURSOR_CHARS_MAX = 128
KEY_MAX = 2**31 - 1  # of a column of whole numbers, as PostgreSQL keeps it

Row = TypeVar("Row")


class Page(BaseModel, Generic[Row]):
    """`next_cursor` is null on the last page."""

    items: list[Row]
    next_cursor: str | None = None


class Wanted:
    """Which page is asked for: `limit` rows after `after`, the key of the last row already seen."""

    def __init__(self, limit: int, after: str | None) -> None:
        self.limit = limit
        self.after = after

    def below(self, query: Select[Any], key: InstrumentedAttribute[str]) -> Select[Any]:
        """Rows under the cursor in falling order of `key`; one more than asked, to see whether a page follows."""
        query = query.order_by(key.desc()).limit(self.limit + 1)
        return query if self.after is None else query.where(key < self.after)

    def number(self) -> int | None:
        """The cursor of a list whose keys are whole numbers of a column. Raises BadInput for one that no such list gave."""
        if self.after is None:
            return None
        if not self.after.isdecimal() or len(self.after) > len(str(KEY_MAX)) or int(self.after) > KEY_MAX:
            raise unusable()
        return int(self.after)

    def slice(self, rows: Sequence[Row]) -> tuple[Sequence[Row], str | None]:
        """A window of rows that are in memory already; the cursor is a place in the list."""
        start = self.place(len(rows))
        stop = start + self.limit
        return rows[start:stop], cursor(str(stop)) if stop < len(rows) else None

    def place(self, length: int) -> int:
        if self.after is None:
            return 0
        if not self.after.isdecimal() or len(self.after) > len(str(length)):
            raise unusable()
        return int(self.after)


async def wanted(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Rows on one page.")] = LIMIT_DEFAULT,
    cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX, description="`next_cursor` of the page before.")] = None,
) -> Wanted:
    return Wanted(limit, None if cursor is None else uncursor(cursor))


Paging = Annotated[Wanted, Depends(wanted)]


def cut(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], bool]:
    """Take off the one row too many; say whether it was there."""
    return rows[:limit], len(rows) > limit


def cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def uncursor(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise unusable() from None


def unusable() -> BadInput:
    return BadInput("The cursor is not one that this list gave; ask again without it.")
