"""A journal again: the same events through a fresh mind must give the same wishes, line for line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.bots.mind import Mind, Spec
from haechi.core.live import Wanted
from haechi.errors import BadInput
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price
from haechi.trading.journal import HEAD, lines

EVENTS: dict[str, type[Any]] = {"bar": Bar, "fill": Fill, "paid": Paid, "liquidated": Liquidated, "price": Price, "learn": Bar}


class Replayed(msgspec.Struct, frozen=True):
    """How a replay went. difference: '' or the first line that came out otherwise."""

    events: int
    wishes: int
    difference: str = ""


def replay(path: Path) -> Replayed:
    """Raises BadInput for a file that is no journal."""
    rows = lines(path)
    head = next(rows, None)
    if head is None or head["k"] != HEAD:
        raise BadInput(f"{path.name} does not begin with the head of a journal")
    try:
        spec = msgspec.convert(head["spec"], Spec | GridSpec)
        return _Replay(Mind(spec) if isinstance(spec, Spec) else GridMind(spec)).through(rows)
    except msgspec.ValidationError as error:
        raise BadInput(f"{path.name}: the journal was written by another version ({error})") from None


class _Replay:
    def __init__(self, mind: Mind | GridMind) -> None:
        self.mind = mind
        self.events = self.wishes = 0
        self.due: list[Wanted] = []
        self.stopping = False
        self.skip = False

    def through(self, rows: Iterator[dict[str, Any]]) -> Replayed:
        waiting: dict[str, Any] | None = None  # a fill is heard when it turned out not to be booked before
        for number, row in enumerate(rows, start=2):
            if waiting is not None and row["k"] != "again":
                self._hear(waiting)
            waiting = None
            if row["k"] == "fill":
                waiting = row
                continue
            difference = self._line(row)
            if difference:
                return Replayed(self.events, self.wishes, f"line {number}: {difference}")
        if waiting is not None:
            self._hear(waiting)
        return Replayed(self.events, self.wishes)

    def _hear(self, row: dict[str, Any]) -> None:
        self.events += 1
        event = msgspec.convert(row["event"], EVENTS[row["k"]])
        self.due = self.mind.heard(event, row.get("role", ""))

    def _line(self, row: dict[str, Any]) -> str:
        match row["k"]:
            case "learn":
                self.mind.learn(msgspec.convert(row["event"], Bar))
            case "refused":
                self.mind.refused(row["role"], row["reason"])
            case "stop":
                self.stopping = True
            case "wish":
                return self._compare(msgspec.convert(row["orders"], list[Wanted]))
            case "rest":
                return self._compare_rest(msgspec.convert(row["orders"], list[Wanted]))
            case "again":
                pass
            case kind if kind in EVENTS:
                self._hear(row)
            case kind:
                raise BadInput(f"a journal has no line of kind {kind!r}")
        return ""

    def _compare(self, wished: list[Wanted]) -> str:
        self.wishes += len(wished)
        if self.stopping:
            return ""  # the exit of a stop is the user's wish, not the mind's
        due, self.due = self.due, []
        return "" if due == wished else f"the journal wished {wished}, the replay {due}"

    def _compare_rest(self, rested: list[Wanted]) -> str:
        self.wishes += len(rested)
        there = [one for one in self.mind.resting().values() if one.reduce_only or not self.stopping]
        return "" if there == rested else f"the journal let rest {rested}, the replay {there}"


def replay_command(path: Path) -> int:
    """`haechi replay FILE`: prints how it went; exit code 1 if a wish differs."""
    found = replay(path)
    if found.difference:
        print(f"{path}: NOT the same after {found.events} events and {found.wishes} wishes\n{found.difference}")
        return 1
    print(f"{path}: {found.events} events, {found.wishes} wishes, all the same")
    return 0
