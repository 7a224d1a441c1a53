"""What was measured of one thing, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class Samples:
    """Answers to one request, in the order they came. scale: what a part of the work is multiplied by to stand for the whole."""

    name: str
    version: str
    scale: float = 1.0
    note: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)

    def add(self, answer: dict[str, Any]) -> None:
        self.answers.append(answer)

    def __len__(self) -> int:
        return len(self.answers)

    def least(self, key: str = "seconds") -> float:
        return min(float(one[key]) for one in self.answers) * self.scale

    def middle(self, key: str = "seconds") -> float:
        return float(median(float(one[key]) for one in self.answers)) * self.scale

    def spent(self) -> float:
        """Wall seconds measured so far."""
        return sum(float(one["seconds"]) for one in self.answers)

    @property
    def peak_mb(self) -> float:
        return max(float(one["peak_mb"]) for one in self.answers)

    @property
    def last(self) -> dict[str, Any]:
        return self.answers[-1]


def times(slower: Samples, faster: Samples) -> float:
    """How many times faster: the smallest of the ratios of medians, of minima, and of CPU medians and minima."""
    keys = ("seconds", "cpu_seconds")
    return min(min(slower.least(key) / faster.least(key), slower.middle(key) / faster.middle(key)) for key in keys)


def span(seconds: float) -> str:
    """Seconds with three figures and a unit one can read."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= size:
            return f"{three(seconds / size)} {unit}"
    return "0 s"


def three(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown; all columns but the first to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
