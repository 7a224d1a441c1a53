"""A document with its parameters put in: the terms to compute, how many bars they need first and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..indicators import KINDS
from . import resolve, semantics, wiring
from .errors import LanguageError, Problem
from .functions import FUNCTIONS
from .nodes import Indicator, Output, Term
from .parser import parse

if TYPE_CHECKING:
    from .document import Document

COST_MAX = 10_000  # element operations a bar: some 5 s for a year of minutes


@dataclass(frozen=True)
class Rules:
    """`warm_up`: leading bars without a say, because some value is not defined yet. `cost`: element operations a bar."""

    terms: dict[str, Term]
    outputs: dict[str, dict[str, Output]]
    atr: Indicator | None
    warm_up: int
    cost: int


def rules_of(document: Document, params: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None) -> Rules:
    """Raises LanguageError when a parameter is unknown, out of bounds, or makes a window or setting impossible."""
    values = document.values(params)
    if params and (found := semantics.problems(document.rules, semantics.specs_of(document), values)):
        raise LanguageError(found)
    outputs = wiring.outputs(semantics.specs_of(document), values)
    terms = {name: resolve.term(parse(text), values, outputs) for name, text in document.rules.items()}
    size = document.plan(params, overrides).size
    atr = Indicator("atr", (("period", float(size.atr_period)),), None) if size.kind == "volatility_target" else None
    needed = [lookback(one) for one in terms.values()] + ([reach(Output(atr, "value"))] if atr else [])
    spent = cost(terms.values(), atr)
    if spent > COST_MAX:
        raise LanguageError([Problem("", f"the document costs {spent} operations a bar; at most {COST_MAX} are allowed: "
                                         "use fewer indicators or shorter periods")])
    return Rules(terms, outputs, atr, max(needed), spent)


def lookback(term: Term) -> int:
    """Leading bars at which the term is not defined."""
    inner = max((lookback(arg) for arg in term.args), default=0)
    if isinstance(term.value, Output):
        return reach(term.value)
    return inner + FUNCTIONS[term.op].reach(term.n) if term.op in FUNCTIONS else inner


def reach(output: Output) -> int:
    """Leading bars without a value, those of the source included."""
    one = output.indicator
    own = KINDS[one.kind].lookback(dict(one.args), output.name)
    return own + reach(one.source) if isinstance(one.source, Output) else own


def cost(terms: Any, atr: Indicator | None) -> int:
    """Each distinct part is computed once."""
    parts: set[Term] = set()
    indicators: set[Indicator] = {atr} if atr else set()
    waiting = list(terms)
    while waiting:
        term = waiting.pop()
        parts.add(term)
        waiting += term.args
        source = term.value
        while isinstance(source, Output):
            indicators.add(source.indicator)
            source = source.indicator.source
    own = sum(FUNCTIONS[part.op].cost if part.op in FUNCTIONS else 1 for part in parts if part.op != "number")
    return int(own + sum(KINDS[one.kind].cost(dict(one.args)) for one in indicators))
