"""What the document means as a whole: names, types, bounds. Works on faulty documents too, so that all is reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from . import wiring
from .check import Scope, faults
from .errors import Fault, Problem, shown
from .parser import parse
from .values import NAME, exact

if TYPE_CHECKING:
    from .document import Document

RULES = ("enter_long", "enter_short", "exit_long", "exit_short")
NODES_MAX = 500


def of_document(document: Document) -> list[Problem]:
    """Faults of a document whose shape is right, with the parameters at their defaults."""
    return problems(document.rules, specs_of(document), {name: one.default for name, one in document.params.items()})


def specs_of(document: Document) -> dict[str, dict[str, Any]]:
    """The indicators as plain mappings."""
    return {name: one.model_dump(exclude_none=True) for name, one in document.indicators.items()}


def of_plain(data: Mapping[str, Any], reported: set[str]) -> list[Problem]:
    """Faults of what is well formed in a document that is not; `reported` are the paths known to be faulty."""
    params = {str(name): _default(value) for name, value in _mapping(data, "params").items()}
    specs = {str(name): _spec(value) for name, value in _mapping(data, "indicators").items()}
    rules = {name: data[name] for name in RULES if isinstance(data.get(name), str) and name not in reported}
    found = problems(rules, specs, params)
    return [one for one in found if one.path not in reported and not (one.path == "" and reported & set(RULES))]


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


def _default(value: Any) -> Decimal | None:
    return exact(value.get("default") if isinstance(value, Mapping) else value)


def _spec(value: Any) -> Mapping[str, Any] | None:
    good = isinstance(value, Mapping) and isinstance(value.get("kind"), str) and isinstance(value.get("source"), str | None)
    return {str(name): one for name, one in value.items()} if good else None


def problems(rules: Mapping[str, str], specs: wiring.Specs, params: Mapping[str, Decimal | None]) -> list[Problem]:
    found = [Problem(f"params.{name}", f"{shown(name)} is not a name: letters, digits and _, at most 32, not starting with a digit")
             for name in params if not NAME.fullmatch(name)]
    found += wiring.problems(specs, params)
    scope = Scope(params, {name: kind.outputs if (kind := wiring.kind_of(spec)) else None for name, spec in specs.items()})
    nodes = 0
    for path, text in rules.items():
        try:
            tree = parse(text)
        except Fault as fault:
            found.append(fault.problem(path))
            continue
        nodes += sum(1 for _ in tree.walk())
        found += [fault.problem(path) for fault in faults(tree, scope)]
    if not {"enter_long", "enter_short"} & set(rules):
        found.append(Problem("", "no entry: give enter_long, enter_short or both"))
    if nodes > NODES_MAX:
        found.append(Problem("", f"the expressions have {nodes} parts; at most {NODES_MAX} are allowed"))
    return found
