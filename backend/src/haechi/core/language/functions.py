"""The functions there are: what they take, what they give, how far they look back and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WINDOW_MAX = 5000
NUMBER, CONDITION = "a number", "a condition"


@dataclass(frozen=True)
class Function:
    """`window` is the lowest n, None when there is no n; `default` an n that may be left out. `reach` are the bars n adds."""

    takes: tuple[str, ...]
    gives: str
    window: int | None = None
    default: int | None = None
    many: bool = False
    reach: Callable[[int], int] = lambda n: 0
    cost: int = 1

    def signature(self, name: str) -> str:
        names = {(NUMBER,): "x", (CONDITION,): "condition", (NUMBER, NUMBER): "x, y"}[self.takes]
        names = "price, oscillator" if name.startswith("divergence") else names
        n = "" if self.window is None else ", n" if self.default is None else f", n={self.default}"
        return f"{name}({names}{', ...' if self.many else ''}{n})"


def _window(gives: str = NUMBER, *, takes: str = NUMBER, low: int = 1, cost: int = 8) -> Function:
    return Function((takes,), gives, low, reach=lambda n: n - 1, cost=cost)


TWO = (NUMBER, NUMBER)
FUNCTIONS: dict[str, Function] = {
    "crosses_above": Function(TWO, CONDITION, reach=lambda n: 1, cost=3),
    "crosses_below": Function(TWO, CONDITION, reach=lambda n: 1, cost=3),
    "highest": _window(), "lowest": _window(), "mean": _window(), "sum": _window(), "stddev": _window(cost=12),
    "shift": Function((NUMBER,), NUMBER, 0, reach=lambda n: n),
    "change": Function((NUMBER,), NUMBER, 1, 1, reach=lambda n: n, cost=2),
    "abs": Function((NUMBER,), NUMBER),
    "min": Function(TWO, NUMBER, many=True), "max": Function(TWO, NUMBER, many=True),
    "since": Function((CONDITION,), NUMBER, cost=5),
    "rising": Function((NUMBER,), CONDITION, 1, reach=lambda n: n, cost=6),
    "falling": Function((NUMBER,), CONDITION, 1, reach=lambda n: n, cost=6),
    "all": _window(CONDITION, takes=CONDITION, cost=5), "any": _window(CONDITION, takes=CONDITION, cost=5),
    "divergence_bull": Function(TWO, CONDITION, 1, reach=lambda n: n, cost=25),
    "divergence_bear": Function(TWO, CONDITION, 1, reach=lambda n: n, cost=25),
}
PRICES = ("open", "high", "low", "close", "volume")
TIMES = ("hour", "weekday")
SOURCES = (*PRICES, "hl2", "hlc3", "ohlc4")
RESERVED = frozenset({*PRICES, *TIMES, *SOURCES, *FUNCTIONS, "and", "or", "not", "true", "false"})
