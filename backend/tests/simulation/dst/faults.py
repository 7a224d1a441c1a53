"""What goes wrong, when and for whom: named kinds, drawn from a seed. A draw for one user takes nothing from another's chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import msgspec

USER, MARKET, PLATFORM = "user", "market", "platform"
SECOND, MINUTE = 1_000, 60_000


class Kind(msgspec.Struct, frozen=True):
    """scope: whom it meets. lasts: shortest and longest in ms (0, 0: one moment). chance: of one request or event in that time."""

    scope: str
    lasts: tuple[int, int] = (0, 0)
    chance: tuple[float, float] = (1.0, 1.0)


LONG, SHORT, OFTEN = (2 * MINUTE, 15 * MINUTE), (20 * SECOND, 4 * MINUTE), (0.2, 0.7)
KINDS: dict[str, Kind] = {
    # ---- requests and their answers
    "timeout_before": Kind(USER, LONG, OFTEN), "timeout_after": Kind(USER, LONG, OFTEN), "late_execution": Kind(USER, LONG, OFTEN),
    "ambiguous_after": Kind(USER, LONG, OFTEN), "event_before_reply": Kind(USER, LONG, (0.5, 1.0)),
    "unreadable_after": Kind(USER, LONG, OFTEN), "read_lag": Kind(USER, LONG), "reads_fail": Kind(USER, SHORT, (0.5, 1.0)),
    "duplicates_new": Kind(USER, LONG), "duplicates_same": Kind(USER, LONG), "duplicates_reject": Kind(USER, LONG),
    "rate_limited": Kind(USER, SHORT, OFTEN), "banned": Kind(USER, SHORT), "maintenance": Kind(USER, SHORT),
    "key_revoked": Kind(USER, SHORT), "clock_skew": Kind(USER, SHORT),
    # ---- what is told
    "events_duplicated": Kind(USER, LONG, OFTEN), "events_duplicated_late": Kind(USER, LONG, OFTEN),
    "events_reordered": Kind(USER, LONG, OFTEN), "late_fills": Kind(USER, LONG, OFTEN), "events_lost": Kind(USER, LONG, OFTEN),
    "events_silent": Kind(USER, SHORT), "reconnects": Kind(USER, LONG),
    "bars_stale": Kind(USER, LONG, OFTEN), "bars_missing": Kind(USER, LONG, OFTEN), "bars_repeated": Kind(USER, LONG, OFTEN),
    "bars_future": Kind(USER, LONG, OFTEN),
    # ---- fills, stops, closing
    "partial_fills": Kind(USER, LONG), "cancel_fill_race": Kind(USER, LONG, (0.5, 1.0)), "stop_rejected": Kind(USER, SHORT, OFTEN),
    "stop_while_exit": Kind(USER, LONG, (0.5, 1.0)), "reduce_only_rejected": Kind(USER, SHORT, OFTEN),
    "reduce_only_replaced": Kind(USER, SHORT, OFTEN), "liquidation": Kind(USER), "liquidation_partial": Kind(USER),
    # ---- the person's own hand
    "manual_orders": Kind(USER, LONG), "manual_transfers": Kind(USER), "kill_switch": Kind(USER, SHORT),
    "bot_stopped": Kind(USER, SHORT), "grid_edited": Kind(USER),
    # ---- the market
    "gap": Kind(MARKET), "rules_changed": Kind(MARKET, LONG), "symbol_suspended": Kind(MARKET, SHORT),
    # ---- our own house
    "restart": Kind(PLATFORM), "database_locked": Kind(PLATFORM, (5 * SECOND, 70 * SECOND)), "database_full": Kind(PLATFORM, SHORT),
    "commit_lost_before": Kind(PLATFORM), "commit_lost_after": Kind(PLATFORM), "database_cut": Kind(PLATFORM, (1 * SECOND, 20 * SECOND)),
}


class Fault(msgspec.Struct, frozen=True):
    """who: a member's name for USER kinds, else ''. Times in ms; size: 0…1, how bad within its kind."""

    kind: str
    who: str
    start_ms: int
    end_ms: int
    chance: float
    size: float

    def __str__(self) -> str:
        whom = f" of {self.who}" if self.who else ""
        return f"{self.kind}{whom} {self.start_ms / 1000:.1f}–{self.end_ms / 1000:.1f} s, chance {self.chance:.2f}, size {self.size:.2f}"


def draw(rng: Random, names: list[str], last_ms: int, *, least: int = 1, most: int = 6, kinds: list[str] | None = None) -> list[Fault]:
    """1–6 faults that all end by last_ms (ms since the run began)."""
    found = [_one(rng, rng.choice(kinds or sorted(KINDS)), names, last_ms) for _ in range(rng.randint(least, most))]
    return sorted(found, key=lambda one: (one.start_ms, one.kind, one.who))


def _one(rng: Random, name: str, names: list[str], last_ms: int) -> Fault:
    kind = KINDS[name]
    lasts = min(rng.randint(*kind.lasts), (last_ms - MINUTE) // 2)
    start = rng.randint(MINUTE, last_ms - lasts)
    return Fault(name, rng.choice(names) if kind.scope == USER else "", start, start + lasts, round(rng.uniform(*kind.chance), 3),
                 round(rng.random(), 3))


class Faults:
    """Those of one member, with chances of its own. now: ms since the run began. hits: how often each kind struck."""

    def __init__(self, drawn: list[Fault], who: str, rng: Random, now: Callable[[], int]) -> None:
        self.drawn = [one for one in drawn if one.who in ("", who)]
        self.rng, self.now = rng, now
        self._of: dict[str, list[Fault]] = {}
        for one in self.drawn:
            self._of.setdefault(one.kind, []).append(one)
        self.hits: Counter[str] = Counter()

    def on(self, kind: str) -> Fault | None:
        """The fault of this kind that goes on now."""
        if kind not in self._of:
            return None
        now = self.now()
        return next((one for one in self._of[kind] if one.start_ms <= now < one.end_ms), None)

    def hit(self, *kinds: str) -> str:
        """The first of these kinds that goes on and strikes now, '' if none."""
        for kind in kinds:
            one = self.on(kind)
            if one is not None and self.rng.random() < one.chance:
                self.hits[kind] += 1
                return kind
        return ""
