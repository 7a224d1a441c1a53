"""What a part of the benchmark hands to the results: a text, and its figures beside their targets."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verdict:
    """One target. met None: there is no figure, `measured` says why."""

    what: str
    target: str
    measured: str
    met: bool | None

    def row(self) -> list[str]:
        return [self.what, self.target, self.measured, {True: "met", False: "**not met**", None: "not measured"}[self.met]]


@dataclass
class Section:
    """One heading of the results. seconds: how long it took to measure."""

    title: str
    text: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: float = 0.0
