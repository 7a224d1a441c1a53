"""What is wrong with a document, all of it at once, in sentences a person can act on."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

PROBLEMS_MAX = 50
LISTED_MAX = 12


class Problem(NamedTuple):
    """`path` is the place in the document (take_profit.0.percent; empty: the whole); the message may start with a column."""

    path: str
    message: str


class LanguageError(ValueError):
    """A document, expression, parameter or override that cannot be used. `problems` has every fault found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(dict.fromkeys(problems))[:PROBLEMS_MAX]
        super().__init__("\n".join(f"{one.path}: {one.message}" if one.path else one.message for one in self.problems))


class Fault(Exception):
    """One fault at a column of an expression; becomes a Problem where its path is known."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message

    def problem(self, path: str) -> Problem:
        return Problem(path, f"column {self.column}: {self.message}")


def nearest(word: str, known: Iterable[str]) -> str:
    """The tail of a sentence about an unknown name: the name meant, or the names there are."""
    names = sorted(set(known))
    close = get_close_matches(word.lower(), names, n=1, cutoff=0.6) or get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return "; there are none"
    return f"; there are: {', '.join(names)}" if len(names) <= LISTED_MAX else ""


def shown(value: object) -> str:
    """A value as a message shows it: short."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
