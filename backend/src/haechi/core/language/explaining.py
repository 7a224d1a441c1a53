"""Why a bar has the signal it has: each rule and its parts with their values at that bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bars import Bars
from . import resolve
from .document import Document
from .evaluator import Evaluator
from .nodes import Node
from .parser import parse


@dataclass(frozen=True)
class Part:
    """A part of a rule as written. `value`: true or false, a number, or None while undefined. `depth` 0 is the rule."""

    text: str
    value: bool | float | None
    depth: int


@dataclass(frozen=True)
class Explained:
    rule: str
    holds: bool
    parts: tuple[Part, ...]


def explain(document: Document, bars: Bars, i: int, params: Mapping[str, Any] | None = None) -> list[Explained]:
    """Every rule at bar i (0 is the first). Raises IndexError for a bar that is not there, LanguageError for parameters."""
    if not 0 <= i < len(bars):
        raise IndexError(f"there is no bar {i}; the bars are 0 to {len(bars) - 1}")
    at = Evaluator(document, bars)
    values, outputs = document.values(params), at.rules(params).outputs

    def parts(node: Node, text: str, depth: int) -> Iterator[Part]:
        if node.op == "number":
            return
        found = at.value(resolve.term(node, values, outputs))
        yield Part(text[node.start:node.end], _shown(found[i] if np.ndim(found) else found), depth)
        for arg in node.args:
            yield from parts(arg, text, depth + 1)

    return [Explained(rule, found[0].value is True, tuple(found)) for rule, text in document.rules.items()
            if (found := list(parts(parse(text), text, 0)))]


def _shown(value: Any) -> bool | float | None:
    if isinstance(value, np.bool_):
        return bool(value)
    return None if np.isnan(value) else float(value)
