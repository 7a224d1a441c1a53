"""Lists, newest first, a page at a time: `limit` and `idLessThan`, within `startTime` and `endTime`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from haechi.venue.refusal import Refusal
from haechi.venue.wire.inputs import Call

DAY_MS = 86_400_000
Record = TypeVar("Record")


def check_span(call: Call, days: int = 90) -> tuple[int | None, int | None]:
    start, end = call.moment("startTime"), call.moment("endTime")
    if start is not None and end is not None:
        if start > end:
            raise Refusal("40707")
        if end - start > days * DAY_MS:
            raise Refusal("40705")
    return start, end


def page(call: Call, records: Iterable[Record], *, identity: Callable[[Record], str], time: Callable[[Record], int], most: int = 100,
         default: int = 100, days: int = 90) -> tuple[list[Record], str | None]:
    """One page and the cursor of the next; records come oldest first."""
    start, end = check_span(call, days)
    before = call.order_id("idLessThan")
    limit = min(call.whole("limit", default, most=10_000) or default, most)
    found: list[Record] = []
    for record in reversed(list(records)):
        when = time(record)
        if (before and int(identity(record)) >= int(before)) or (start is not None and when < start) or (end is not None and when > end):
            continue
        found.append(record)
        if len(found) == limit:
            break
    return found, identity(found[-1]) if found else None


def listed(name: str, items: list[Any], end: str | None) -> dict[str, Any]:
    return {name: items, "endId": end}
