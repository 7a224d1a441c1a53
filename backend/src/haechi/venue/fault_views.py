"""Read-after-write lag: members as they were before a write that reads do not show yet."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haechi.venue.member import Member
    from haechi.venue.records import OrderRecord, PlanRecord


class Views:
    """By member: until when (ms) it is seen as it was, and how it was. The oldest view that still stands is what is seen."""

    def __init__(self) -> None:
        self._kept: dict[str, list[tuple[int, Member]]] = {}

    def freeze(self, member: Member, until_ms: int) -> None:
        """What the member does from now on is not seen before `until_ms`."""
        views = self._kept.setdefault(member.name, [])
        views.append((until_ms, frozen(member)))
        views.sort(key=lambda view: view[0])

    def seen(self, member: Member, now_ms: int) -> Member:
        views = self._kept.get(member.name)
        while views and views[0][0] <= now_ms:
            views.pop(0)
        return views[0][1] if views else member

    def lag(self, name: str, now_ms: int) -> int:
        return max([0, *(until - now_ms for until, _ in self._kept.get(name, ()))])

    def clear(self) -> None:
        self._kept.clear()


def frozen(member: Member) -> Member:
    """A copy that changes no more; what cannot change is shared with the original."""
    floor = member.floor
    records: list[OrderRecord | PlanRecord] = [*member.orders.values(), *member.plans.values()]
    shared: list[object] = [floor, floor.venue, *floor.markets, *floor.instruments, *member.fills, *member.bills,
                            *(record for record in records if not record.open)]
    return copy.deepcopy(member, {id(one): one for one in shared})
