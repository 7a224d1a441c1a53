"""The tree of an expression as written, and the same with its names resolved to what is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ARITHMETIC = ("+", "-", "*", "/")


@dataclass(frozen=True)
class Node:
    """op: number | param | name | call | neg | not | and | or, or the sign itself.

    `text` is the number, name or function as written; `start`, `end` cut the node out of the expression.
    """

    op: str
    text: str = ""
    args: tuple[Node, ...] = ()
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def column(self) -> int:
        return self.start + 1

    def walk(self) -> Iterator[Node]:
        yield self
        for arg in self.args:
            yield from arg.walk()

    def depth(self) -> int:
        return 1 + max((arg.depth() for arg in self.args), default=0)


class Indicator(msgspec.Struct, frozen=True, cache_hash=True):
    """An indicator with all its settings known. `source` is None (bars as they are), a price's name, or another's output."""

    kind: str
    args: tuple[tuple[str, float], ...]
    source: str | Output | None


class Output(msgspec.Struct, frozen=True, cache_hash=True):
    indicator: Indicator
    name: str


class Term(msgspec.Struct, frozen=True, cache_hash=True):
    """A node to compute. `value` is a float (op number), a price name (op price) or an Output (op output); `n` the window."""

    op: str
    args: tuple[Term, ...] = ()
    value: float | str | Output | None = None
    n: int = 0
