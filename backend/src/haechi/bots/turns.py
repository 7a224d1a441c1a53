"""Whose turn it is: bots that wait for an errand, one of each person after the other, and how many may be under way."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def user_id(self) -> str: ...

    @property
    def account_id(self) -> str: ...


One = TypeVar("One", bound=Waiting)


class Turns(Generic[One]):
    """most: under way in all; of_one: of one account that has worked (`works`). One that has not, or is in doubt, has one."""

    def __init__(self, most: int, of_one: int) -> None:
        self.most, self.of_one = most, of_one
        self._queues: dict[str, deque[One]] = {}  # by person, in the order of their turns
        self._under_way: Counter[str] = Counter()  # by account
        self._good: set[str] = set()

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def fill(self, found: Iterable[One]) -> None:
        """Who waits now, in place of who waited before; people keep their places."""
        fresh: dict[str, deque[One]] = {}
        for one in found:
            fresh.setdefault(one.user_id, deque()).append(one)
        kept = [user_id for user_id in self._queues if user_id in fresh]
        self._queues = {user_id: fresh[user_id] for user_id in [*kept, *(new for new in fresh if new not in self._queues)]}

    def next(self) -> One | None:
        """The next one that may go, now under way; its person goes to the end. None: nobody may."""
        if self._under_way.total() >= self.most:
            return None
        for user_id, queue in self._queues.items():
            for one in queue:
                if self._under_way[one.account_id] < self._allowed(one.account_id):
                    return self._taken(user_id, one)
        return None

    def _allowed(self, account_id: str) -> int:
        return self.of_one if account_id in self._good else 1

    def _taken(self, user_id: str, one: One) -> One:
        queue = self._queues.pop(user_id)
        queue.remove(one)
        if queue:
            self._queues[user_id] = queue
        self._under_way[one.account_id] += 1
        return one

    def done(self, one: One) -> None:
        self._under_way[one.account_id] -= 1
        if self._under_way[one.account_id] <= 0:
            del self._under_way[one.account_id]

    def works(self, one: One) -> None:
        self._good.add(one.account_id)

    def doubt(self, one: One) -> None:
        self._good.discard(one.account_id)

    def drop(self, account_id: str) -> None:
        """Nobody of this account waits any more."""
        queues = {user_id: deque(one for one in queue if one.account_id != account_id) for user_id, queue in self._queues.items()}
        self._queues = {user_id: queue for user_id, queue in queues.items() if queue}

    def clear(self) -> None:
        self._queues.clear()
        self._under_way.clear()
        self._good.clear()
