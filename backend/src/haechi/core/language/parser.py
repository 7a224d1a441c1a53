"""Expression text -> tree, by operator precedence (Pratt). Bounded in depth, so no text can exhaust the stack.

From loose to tight: or, and, not, comparison (one, not a chain), + -, * /, unary minus.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from .errors import Fault
from .nodes import COMPARISONS, Node
from .tokens import Token, tokens

DEPTH_MAX = 20
BINDING = {"or": 1, "and": 2, **dict.fromkeys(COMPARISONS, 4), "+": 5, "-": 5, "*": 6, "/": 6}
NOT, NEGATIVE = 3, 7


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Raises Fault with the column and what was expected there."""
    reader = _Reader(tokens(text))
    tree = reader.expression(0, 0)
    if reader.now.kind != "end":
        raise Fault(reader.now.column, f"expected an operator or the end, found {reader.now}")
    if tree.depth() > DEPTH_MAX:
        raise Fault(1, f"nested {tree.depth()} deep; at most {DEPTH_MAX} are allowed")
    return tree


class _Reader:
    def __init__(self, found: list[Token]) -> None:
        self.found = found
        self.at = 0

    @property
    def now(self) -> Token:
        return self.found[self.at]

    def take(self) -> Token:
        token = self.now
        self.at += 1
        return token

    def end(self) -> int:
        """Offset just after the last token taken."""
        token = self.found[self.at - 1]
        return token.column - 1 + len(token.text)

    def expect(self, sign: str) -> None:
        if self.now.text != sign:
            raise Fault(self.now.column, f"expected {sign!r}, found {self.now}")
        self.take()

    def expression(self, floor: int, nested: int) -> Node:
        if nested > DEPTH_MAX:
            raise Fault(self.now.column, f"nested more than {DEPTH_MAX} deep")
        left = self.operand(nested)
        while self.now.kind == "sign" and BINDING.get(self.now.text, 0) > floor:
            left = self.binary(left, self.take(), nested)
        return left

    def binary(self, left: Node, sign: Token, nested: int) -> Node:
        op, power = sign.text, BINDING[sign.text]
        right = self.expression(power, nested)
        if op in COMPARISONS and self.now.text in COMPARISONS:
            raise Fault(self.now.column, "comparisons cannot be chained; write 'a < b and b < c'")
        # a and b and c is one node of three: long lists of conditions are not deep
        parts = left.args if op in ("and", "or") and left.op == op else (left,)
        return Node(op, "", (*parts, right), left.start, self.end())

    def operand(self, nested: int) -> Node:
        token = self.take()
        start = token.column - 1
        if token.kind in ("number", "param"):
            return Node(token.kind, token.text, (), start, self.end())
        if token.kind == "name":
            return self.call(token, nested) if self.now.text == "(" else Node("name", token.text, (), start, self.end())
        if token.text in ("-", "not"):
            inner = self.expression(NEGATIVE if token.text == "-" else NOT, nested + 1)
            return Node("neg" if token.text == "-" else "not", "", (inner,), start, self.end())
        if token.text == "(":
            inner = self.expression(0, nested + 1)
            self.expect(")")
            return replace(inner, start=start, end=self.end())
        raise Fault(token.column, f"expected a value, found {token}")

    def call(self, name: Token, nested: int) -> Node:
        self.take()
        args = []
        if self.now.text != ")":
            args.append(self.expression(0, nested + 1))
            while self.now.text == ",":
                self.take()
                args.append(self.expression(0, nested + 1))
        self.expect(")")
        return Node("call", name.text, tuple(args), name.column - 1, self.end())
