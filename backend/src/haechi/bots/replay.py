"""A journal again: the same events and signals through a fresh mind must give the same wishes, line for line.

The signals stand in the journal beside their bars: what is verified is what the mind made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.bots.mind import Mind, Spec
from haechi.bots.signals import Signal
from haechi.core.live import Wanted
from haechi.core.units import UnitError
from haechi.errors import BadInput
from haechi.exchanges.port import Bar, Fill, Liquidated, Paid, Price
from haechi.trading.journal import HEAD, RESTORED, lines

EVENTS: dict[str, type[Any]] = {"bar": Bar, "fill": Fill, "paid": Paid, "liquidated": Liquidated, "price": Price}
MISSED = "missed"  # a bar that closed while the bot was down
KINDS = {*EVENTS, MISSED, RESTORED, "refused", "stop", "wish", "rest", "again"}


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
        return _Replay(spec).through(rows)
    except (msgspec.ValidationError, UnitError) as error:
        raise BadInput(f"{path.name}: the journal was written by another version ({error})") from None


def _signal_of(row: dict[str, Any]) -> Signal | None:
    """Of a line of kind `bar` or `missed`; None where no bar of the bot's timeframe was whole."""
    return msgspec.convert(row["signal"], Signal) if row.get("signal") else None


class _Replay:
    def __init__(self, spec: Spec | GridSpec) -> None:
        self.spec = spec
        self.mind: Mind | GridMind = Mind(spec) if isinstance(spec, Spec) else GridMind(spec)
        self.events = self.wishes = 0
        self.due: list[Wanted] = []
        self.stopping = False

    def through(self, rows: Iterator[dict[str, Any]]) -> Replayed:
        waiting: dict[str, Any] | None = None  # a fill is heard when it turned out not to be booked before
        for number, row in enumerate(rows, start=2):
            if waiting is not None and row["k"] not in ("again", RESTORED):
                self._hear(waiting)
            waiting = None
            if row["k"] not in KINDS:
                raise BadInput(f"a journal has no line of kind {row['k']!r}")
            if row["k"] not in ("wish", RESTORED) and self.due and not self.stopping:
                return Replayed(self.events, self.wishes, f"line {number}: the replay wished {self.due}, the journal nothing")
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
        event = msgspec.convert(row["event"], Bar if row["k"] == MISSED else EVENTS[row["k"]])
        if isinstance(self.mind, GridMind) or not isinstance(event, Bar):
            self.due = self.mind.heard(event, row.get("role", ""))
        elif row["k"] == MISSED:
            self.mind.missed(event, _signal_of(row))  # its exit goes on under the runner and is no wish of its own
            self.due = []
        else:
            self.due = self.mind.heard(event, signal=_signal_of(row))

    def _restored(self, state: str) -> None:
        """The process began anew here, from what it had saved; what came after that and was not, is lost to it too."""
        self.mind = Mind.restored(self.spec, state) if isinstance(self.spec, Spec) else GridMind.restored(self.spec, state)
        self.due, self.stopping = [], False

    def _line(self, row: dict[str, Any]) -> str:
        match row["k"]:
            case kind if kind == RESTORED:
                self._restored(row["state"])
            case "refused":
                with suppress(UnitError):  # it ended its bot; what it knew then is in the next line, if it was started again
                    self.mind.refused(row["role"], row["reason"])
            case "stop":
                self.stopping = True
            case "wish":
                return self._compare(msgspec.convert(row["orders"], list[Wanted]))
            case "rest":
                return self._compare_rest(msgspec.convert(row["orders"], list[Wanted]))
            case "again":
                pass
            case _:
                self._hear(row)
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
