"""Expression text -> tokens with their columns (from 1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import Fault, shown

LENGTH_MAX = 4000
PATTERN = re.compile(
    r"(?P<space>\s+)|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?)|(?P<param>\$[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)|(?P<sign><=|>=|==|!=|[-+*/<>(),])", re.ASCII)
HINTS = {"=": "write == to compare", "&": "write and", "|": "write or", "!": "write not", "$": "a parameter is $name",
         "[": "a value of an earlier bar is shift(x, n)", "%": "there is no remainder", "^": "there are no powers"}
WORDS = frozenset({"and", "or", "not"})


class Token(NamedTuple):
    """kind: number | param | name | sign | end; words like `and` are signs."""

    kind: str
    text: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def tokens(text: str) -> list[Token]:
    """Raises Fault at the first character that starts nothing."""
    if len(text) > LENGTH_MAX:
        raise Fault(1, f"the expression has {len(text)} characters; at most {LENGTH_MAX} are allowed")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = PATTERN.match(text, at)
        if match is None:
            hint = HINTS.get(text[at])
            raise Fault(at + 1, f"unexpected character {shown(text[at])}" + (f"; {hint}" if hint else ""))
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token("sign" if match.group() in WORDS else kind, match.group(), at + 1))
        at = match.end()
    return [*found, Token("end", "", len(text) + 1)]
