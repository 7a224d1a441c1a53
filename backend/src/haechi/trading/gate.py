"""The one choke point: every order of bots, people, grids and messengers is judged here, and only here is an `Approved` made.

No I/O, no await, no clock: the desk brings what it knows and the time. What the gate itself remembers is bounded. Orders that reduce
a position are neither counted nor held up by what is counted, so that entries cannot use up the exits.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from haechi.core.risk import Intent, Limits, Recent, Refused, View, judge
from haechi.platform.house import House
from haechi.trading.kill_switch import Kills
from haechi.trading.limits import RiskBook
from haechi.trading.owner import Owner

SECOND_MS, MINUTE_MS = 1_000, 60_000
TIMES_MAX = 10_000  # orders remembered of one owner: more than any limit allows in a minute
OWNERS_MAX = 20_000  # owners remembered; those quiet for a minute go first
KEYS_MAX = 50_000  # orders and causes remembered for duplicates and children
OF_EXITS = Limits()  # what reduces is not measured against limits

Key = tuple[Any, ...]
LimitsOf = Callable[[Owner], Limits]
Killed = Callable[[str, str], str]


class Approved(msgspec.Struct, frozen=True):
    """The gate's number of this judgement, unique over restarts. Only `Gate.judge` makes one."""

    decision: int


class Times:
    """When orders passed, of the last minute. A clock set back makes old ones count for longer, never for less."""

    __slots__ = ("all",)

    def __init__(self) -> None:
        self.all: deque[int] = deque(maxlen=TIMES_MAX)

    def minute(self, now_ms: int) -> int:
        while self.all and self.all[0] <= now_ms - MINUTE_MS:
            self.all.popleft()
        return len(self.all)

    def second(self, now_ms: int) -> int:
        count = 0
        for one in reversed(self.all):
            if one <= now_ms - SECOND_MS:
                break
            count += 1
        return count


class Gate:
    """One in a process. limits_of: what an owner may; killed: '' or which switch is on for (user, bot); started_ms: of this run."""

    name = "gate"

    def __init__(self, limits_of: LimitsOf, killed: Killed, *, started_ms: int) -> None:
        self.limits_of, self.killed = limits_of, killed
        self.decision = started_ms * 1_000
        self.approved = 0
        self.refused: Counter[str] = Counter()  # by rule
        self._owners: dict[Key, Times] = {}
        self._users: dict[str, Times] = {}
        self._same: OrderedDict[Key, int] = OrderedDict()
        self._children: OrderedDict[Key, int] = OrderedDict()

    def condition(self) -> dict[str, Any]:
        return {"state": "up", "approved": self.approved, "refused": dict(self.refused)}

    def judge(self, owner: Owner, intent: Intent, view: View, *, now_ms: int) -> Approved | Refused:
        """Whether this order may be sent now. One that passes counts as sent."""
        refused = judge(intent, view, OF_EXITS) if intent.reduces else self._judge_new_risk(owner, intent, view, now_ms)
        if refused is not None:
            self.refused[refused.rule] += 1
            return refused
        self.approved += 1
        self.decision += 1
        return Approved(self.decision)

    def _judge_new_risk(self, owner: Owner, intent: Intent, view: View, now_ms: int) -> Refused | None:
        limits = self.limits_of(owner)
        refused = judge(intent, view, limits, self._recent(owner, intent, limits, now_ms))
        if refused is None:
            self._count(owner, intent, limits, now_ms)
        return refused

    # ---- what it remembers

    def _recent(self, owner: Owner, intent: Intent, limits: Limits, now_ms: int) -> Recent:
        times, users = self._times(owner, now_ms)
        same = self._same.get(same_key(owner, intent)) if limits.duplicate_ms else None
        children = self._children.get((owner.account_id, owner.bot_id, intent.cause), 0) if intent.cause else 0
        return Recent(self.killed(owner.user_id, owner.bot_id), times.second(now_ms), times.minute(now_ms), users.minute(now_ms),
                      None if same is None else max(0, now_ms - same), children)

    def _times(self, owner: Owner, now_ms: int) -> tuple[Times, Times]:
        key = (owner.account_id, owner.bot_id)
        times = self._owners.get(key)
        if times is None:
            self._make_room(now_ms)
            times = self._owners[key] = Times()
        users = self._users.get(owner.user_id)
        if users is None:
            users = self._users[owner.user_id] = Times()
        return times, users

    def _make_room(self, now_ms: int) -> None:
        if len(self._owners) >= OWNERS_MAX:
            self._owners = {key: times for key, times in self._owners.items() if times.minute(now_ms)}
            self._users = {key: times for key, times in self._users.items() if times.minute(now_ms)}

    def _count(self, owner: Owner, intent: Intent, limits: Limits, now_ms: int) -> None:
        for times in self._times(owner, now_ms):
            times.all.append(now_ms)
        if limits.duplicate_ms:
            remember(self._same, same_key(owner, intent), now_ms)
        if intent.cause:
            key = (owner.account_id, owner.bot_id, intent.cause)
            remember(self._children, key, self._children.get(key, 0) + 1)


def same_key(owner: Owner, intent: Intent) -> Key:
    return owner.account_id, owner.bot_id, intent.symbol, intent.side, intent.quantity, intent.price, intent.trigger, intent.kind


def remember(kept: OrderedDict[Key, int], key: Key, value: int) -> None:
    """The newest KEYS_MAX."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > KEYS_MAX:
        kept.popitem(last=False)


@asynccontextmanager
async def open_gate(house: House) -> AsyncIterator[Gate]:
    yield Gate(house.part(RiskBook).of, house.part(Kills).on, started_ms=house.clock.now_ms())
