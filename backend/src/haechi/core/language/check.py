"""Names and types of an expression: every fault in it, each with its column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from .errors import Fault, nearest
from .functions import CONDITION, FUNCTIONS, NUMBER, PRICES, SOURCES, TIMES, WINDOW_MAX, Function
from .nodes import ARITHMETIC, COMPARISONS, Node

CONSTANT_MAX = 1e15


@dataclass(frozen=True)
class Scope:
    """What an expression may name. None stands for something that is itself faulty and reported elsewhere."""

    params: Mapping[str, Decimal | None]
    outputs: Mapping[str, tuple[str, ...] | None]


def faults(tree: Node, scope: Scope) -> list[Fault]:
    """All that is wrong with a rule; a rule is a condition."""
    checker = _Checker(scope)
    checker.expect(tree, CONDITION, "a rule")
    return checker.found


def window(node: Node, function: Function, params: Mapping[str, Decimal | None]) -> int | None:
    """The n a node gives: a whole number within bounds. None for a faulty parameter. Raises Fault."""
    if node.op not in ("number", "param"):
        raise Fault(node.column, "n must be a whole number or a $parameter, not an expression")
    value = Decimal(node.text) if node.op == "number" else params.get(node.text[1:])
    if value is None:
        return None
    if value != value.to_integral_value() or not (function.window or 0) <= value <= WINDOW_MAX:
        named = f"{node.text} = {value}" if node.op == "param" else node.text
        raise Fault(node.column, f"n must be a whole number from {function.window} to {WINDOW_MAX}, found {named}")
    return int(value)


class _Checker:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.found: list[Fault] = []

    def fault(self, node: Node, message: str) -> None:
        self.found.append(Fault(node.column, message))

    def expect(self, node: Node, kind: str, by: str) -> None:
        given = self.kind(node)
        if given is not None and given != kind:
            hint = "; compare it with something, such as > 0" if kind == CONDITION else ""
            self.fault(node, f"{by} needs {kind} here, found {given}{hint}")

    def kind(self, node: Node) -> str | None:
        """NUMBER or CONDITION; None when it cannot be said, which is reported."""
        if node.op == "number":
            return self.constant(node)
        if node.op == "param":
            return self.param(node)
        if node.op == "name":
            return self.name(node)
        if node.op == "call":
            return self.call(node)
        takes = NUMBER if node.op in (*ARITHMETIC, *COMPARISONS, "neg") else CONDITION
        for arg in node.args:
            self.expect(arg, takes, "'-'" if node.op == "neg" else f"{node.op!r}")
        return NUMBER if node.op in (*ARITHMETIC, "neg") else CONDITION

    def constant(self, node: Node) -> str:
        if Decimal(node.text) > Decimal(CONSTANT_MAX):
            self.fault(node, f"{node.text} is too large; at most {CONSTANT_MAX:g}")
        return NUMBER

    def param(self, node: Node) -> str:
        if node.text[1:] not in self.scope.params:
            self.fault(node, f"unknown parameter {node.text!r}{nearest(node.text[1:], self.scope.params)}")
        return NUMBER

    def name(self, node: Node) -> str | None:
        name, _, output = node.text.partition(".")
        if name in (*PRICES, *TIMES):
            if output:
                self.fault(node, f"{name!r} is one value; write {name!r} without '.{output}'")
            return NUMBER
        if name not in self.scope.outputs:
            self.unknown(node, name)
            return None
        there = self.scope.outputs[name]
        if there is not None:
            self.output(node, name, output, there)
        return NUMBER

    def unknown(self, node: Node, name: str) -> None:
        if name in FUNCTIONS:
            return self.fault(node, f"{name!r} is a function; write {FUNCTIONS[name].signature(name)}")
        if name in SOURCES:
            return self.fault(node, f"{name!r} is a source of indicators, not a name of expressions; write it out")
        if name in self.scope.params:
            return self.fault(node, f"unknown name {name!r}; a parameter is written '${name}'")
        return self.fault(node, f"unknown name {name!r}{nearest(name, (*PRICES, *TIMES, *self.scope.outputs))}")

    def output(self, node: Node, name: str, output: str, there: tuple[str, ...]) -> None:
        if len(there) == 1:
            if output and output != there[0]:
                self.fault(node, f"{name!r} has one value; write {name!r} without '.{output}'")
        elif not output:
            self.fault(node, f"{name!r} has several values; write one of {', '.join(f'{name}.{one}' for one in there)}")
        elif output not in there:
            self.fault(node, f"{name!r} has no value {output!r}{nearest(output, there)}")

    def call(self, node: Node) -> str | None:
        function = FUNCTIONS.get(node.text)
        if function is None:
            self.fault(node, f"unknown function {node.text!r}{nearest(node.text, FUNCTIONS)}")
            return None
        values, count = self.arguments(node, function), len(function.takes)
        if values is None:
            given = f"{len(node.args)} argument{'' if len(node.args) == 1 else 's'}"
            self.fault(node, f"{node.text} takes {function.signature(node.text)}, found {given}")
            return function.gives
        for arg, takes in zip(values, (*function.takes, *[NUMBER] * (len(values) - count)), strict=True):
            self.expect(arg, takes, node.text)
        return function.gives

    def arguments(self, node: Node, function: Function) -> tuple[Node, ...] | None:
        """The arguments without n, which is checked here; None when their number is wrong."""
        count, given = len(function.takes), len(node.args)
        if function.window is None:
            return node.args if given == count or (function.many and given > count) else None
        if given == count and function.default is not None:
            return node.args
        if given != count + 1:
            return None
        self.window(node.args[-1], function)
        return node.args[:-1]

    def window(self, node: Node, function: Function) -> None:
        if node.op == "param" and node.text[1:] not in self.scope.params:
            self.param(node)
            return
        try:
            window(node, function, self.scope.params)
        except Fault as fault:
            self.found.append(fault)
