"""Strategies by name: the library's documents, a document handed in, and an operator's Python strategies (entry points).

A Python strategy is an object registered under the entry point group `haechi.strategies` that offers `plan(params) -> Plan`,
`signals(bars, params) -> Signals` and, if it has any, `params: dict[str, number]` with the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

from .bars import Bars
from .language import Document, LanguageError, Problem, rules_of
from .language.errors import nearest
from .language.parameters import Parameter, chosen

if TYPE_CHECKING:
    from .plan import Plan
    from .signals import Signals

GROUP = "haechi.strategies"
LIBRARY = ("ema", "rsi", "macd", "bollinger", "proven_conservative", "proven_balanced", "proven_aggressive")
Params = Mapping[str, Any]


class Computation(Protocol):
    """One strategy over one set of bars; what parameter sets share is computed once."""

    def signals(self, params: Params) -> Signals: ...


class Strategy(Protocol):
    """What research and bots need of a strategy. All of it raises LanguageError for input that cannot be used."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def timeframe(self) -> str | None: ...

    @property
    def source(self) -> str:
        """library | document | python"""
        ...

    def params(self, given: Params | None = None) -> dict[str, Decimal]:
        """Every parameter's value: those given, the others by default."""
        ...

    def plan(self, given: Params | None = None, overrides: Params | None = None) -> Plan: ...

    def over(self, bars: Bars, overrides: Params | None = None) -> Computation: ...

    def warm_up(self, given: Params | None = None) -> int | None:
        """Leading bars without a signal; None where it cannot be said (Python strategies)."""
        ...

    def plain(self) -> dict[str, Any]:
        """The strategy as plain data, for a result or a page."""
        ...


@dataclass(frozen=True)
class Written:
    """A strategy document."""

    document: Document
    source: str = "document"

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def description(self) -> str:
        return self.document.description or ""

    @property
    def timeframe(self) -> str | None:
        return self.document.timeframe

    def params(self, given: Params | None = None) -> dict[str, Decimal]:
        return self.document.values(given)

    def plan(self, given: Params | None = None, overrides: Params | None = None) -> Plan:
        return self.document.plan(given, overrides)

    def over(self, bars: Bars, overrides: Params | None = None) -> Computation:
        return _Evaluation(self.document, bars, overrides or {})

    def warm_up(self, given: Params | None = None) -> int | None:
        return rules_of(self.document, given).warm_up

    def cost(self, given: Params | None = None) -> int:
        """Element operations a bar."""
        return rules_of(self.document, given).cost

    def plain(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document.model_dump(mode="json", exclude_unset=True)
        return found


class _Evaluation:
    def __init__(self, document: Document, bars: Bars, overrides: Params) -> None:
        from .language import Evaluator

        self._evaluator, self._overrides = Evaluator(document, bars), overrides

    def signals(self, params: Params) -> Signals:
        return self._evaluator.signals(params, self._overrides)


@dataclass(frozen=True)
class Coded:
    """An operator's Python strategy. Users cannot add one; only who installs packages on the machine can."""

    name: str
    given: Any
    source: str = "python"
    timeframe: str | None = None

    @property
    def description(self) -> str:
        return (getattr(self.given, "__doc__", "") or "").strip().split("\n")[0]

    def params(self, given: Params | None = None) -> dict[str, Decimal]:
        known = {name: Parameter.model_validate(value) for name, value in getattr(self.given, "params", {}).items()}
        return chosen(known, given or {})

    def plan(self, given: Params | None = None, overrides: Params | None = None) -> Plan:
        if overrides:
            raise LanguageError([Problem("", f"{self.name} is a Python strategy: its plan is set by parameters, not by --set")])
        plan: Plan = self.given.plan(self.params(given))
        return plan

    def over(self, bars: Bars, overrides: Params | None = None) -> Computation:
        return _Call(self, bars)

    def warm_up(self, given: Params | None = None) -> int | None:
        return None

    def plain(self) -> dict[str, Any]:
        return {"name": self.name, "description": self.description, "python": True}


@dataclass(frozen=True)
class _Call:
    strategy: Coded
    bars: Bars

    def signals(self, params: Params) -> Signals:
        found: Signals = self.strategy.given.signals(self.bars, self.strategy.params(params))
        return found


def find(wanted: str | Mapping[str, Any]) -> Strategy:
    """A strategy by its name, from a document's text (YAML or JSON), or from plain data. Raises LanguageError."""
    if isinstance(wanted, Mapping):
        return Written(Document.of(wanted))
    if "\n" in wanted or wanted.lstrip().startswith("{"):
        return Written(Document.parse(wanted))
    if wanted in LIBRARY:
        return Written(library(wanted), "library")
    coded = operators()
    if wanted in coded:
        return Coded(wanted, coded[wanted].load())
    raise LanguageError([Problem("", f"there is no strategy {wanted!r}{nearest(wanted, [*LIBRARY, *coded])}")])


@lru_cache
def library(name: str) -> Document:
    """A document of the library."""
    return Document.parse(library_text(name))


def library_text(name: str) -> str:
    """The document as it is written, with its comments."""
    return (files("haechi.core.library") / f"{name}.yaml").read_text(encoding="utf-8")


def operators() -> dict[str, Any]:
    """Entry points of Python strategies by name; loaded only when one is used."""
    return {one.name: one for one in entry_points(group=GROUP)}


def names() -> list[str]:
    return [*LIBRARY, *sorted(operators())]
