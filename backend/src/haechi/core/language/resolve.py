"""Parameters put in: an expression becomes a Term, an indicator's settings become numbers. Raises Fault or LanguageError."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from .check import window
from .errors import Fault
from .functions import FUNCTIONS, PRICES, TIMES
from .nodes import Node, Output, Term

Outputs = Mapping[str, Mapping[str, Output]]
Params = Mapping[str, Decimal]


def term(node: Node, params: Params, outputs: Outputs) -> Term:
    """The node with its names resolved; `outputs` are the document's indicators by name, then by output."""
    if node.op == "number":
        return Term("number", value=float(Decimal(node.text)))
    if node.op == "param":
        return Term("number", value=float(params[node.text[1:]]))
    if node.op == "name":
        return _name(node.text, outputs)
    if node.op == "call":
        return _call(node, params, outputs)
    return Term(node.op, tuple(term(arg, params, outputs) for arg in node.args))


def _name(text: str, outputs: Outputs) -> Term:
    if text in (*PRICES, *TIMES):
        return Term("price", value=text)
    name, _, output = text.partition(".")
    there = outputs[name]
    return Term("output", value=there[output] if output else next(iter(there.values())))


def _call(node: Node, params: Params, outputs: Outputs) -> Term:
    function = FUNCTIONS[node.text]
    if function.window is None:
        return Term(node.text, tuple(term(arg, params, outputs) for arg in node.args))
    count = len(function.takes)
    n = function.default if len(node.args) == count else window(node.args[-1], function, params)
    if n is None:
        raise Fault(node.column, f"{node.text} needs n")
    return Term(node.text, tuple(term(arg, params, outputs) for arg in node.args[:count]), n=n)
