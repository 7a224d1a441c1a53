"""One fault that was ordered: whom it concerns, and when it acts. The same seed and the same questions give the same draws."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from haechi.venue.fault_fields import MILLION
from haechi.venue.fault_kinds import Wanted

Undo = Callable[[], None]


class Call(NamedTuple):
    """A request as faults see it. member: whose key it names, '' for none; the signature is not checked yet."""

    method: str
    path: str
    member: str
    symbol: str
    fields: Mapping[str, Any]
    body: bytes = b""


class Fault:
    """asked: how often it might have acted; drawn: how often it did. `failure` tells the last act that could not be done."""

    def __init__(self, number: int, wanted: Wanted, seed: str) -> None:
        self.id, self.wanted = f"f{number}", wanted
        self.rng = random.Random(seed)  # noqa: S311 - repeatable draws, no secrets
        self.asked = self.drawn = 0
        self.started: int | None = None
        self.undo: list[Undo] = []
        self.failure = ""

    @property
    def name(self) -> str:
        return self.wanted.name

    def __getitem__(self, name: str) -> Any:
        """A field of its own kind."""
        return self.wanted.own[name]

    @property
    def ends(self) -> int | None:
        """When its time is over, ms; None: it has none, or has not begun."""
        stands = self.wanted.own.get("for_ms")
        return None if stands is None or self.started is None else self.started + int(stands)

    def over(self, now_ms: int) -> bool:
        if self.wanted.count is not None and self.drawn >= self.wanted.count:
            return True
        ends = self.ends
        return ends is not None and now_ms >= ends

    def take(self, now_ms: int) -> bool:
        """Asked once: whether it acts."""
        if self.over(now_ms):
            return False
        self.asked += 1
        if self.asked <= self.wanted.after:
            return False
        if self.wanted.probability < MILLION and self.rng.randrange(MILLION) >= self.wanted.probability:
            return False
        if self.started is None:
            self.started = now_ms
        self.drawn += 1
        return True

    def undone(self) -> None:
        """Take back what it changed, last first."""
        while self.undo:
            self.undo.pop()()

    # ---- whom it concerns

    def concerns(self, call: Call) -> bool:
        wanted = self.wanted
        if wanted.member not in (None, call.member) or wanted.symbol not in (None, call.symbol):
            return False
        return wanted.path is None or same_path(wanted.path, call.path)

    def concerns_push(self, member: str | None, channel: str, frame: bytes) -> bool:
        wanted = self.wanted
        if wanted.member not in (None, member) or wanted.channel not in (None, channel):
            return False
        return wanted.symbol is None or f'"{wanted.symbol}"'.encode() in frame

    def shown(self, now_ms: int) -> dict[str, object]:
        """As GET /_venue/faults tells it."""
        wanted = self.wanted
        order = {"member": wanted.member, "symbol": wanted.symbol, "path": wanted.path, "channel": wanted.channel, "count": wanted.count,
                 "after": wanted.after, "seed": wanted.seed, **wanted.own}
        told = {name: plain(value) for name, value in order.items() if value is not None}
        return {"id": self.id, "kind": self.name, "asked": self.asked, "drawn": self.drawn, "over": self.over(now_ms),
                "failure": self.failure, "order": {**told, "probability": f"{wanted.probability / MILLION:g}"}}


def same_path(wanted: str, path: str) -> bool:
    return path.startswith(wanted[:-1]) if wanted.endswith("*") else path == wanted


def plain(value: object) -> object:
    """A value as JSON has it; money and prices as text."""
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | int | str) else str(value)
