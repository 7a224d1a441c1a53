"""The kinds of value a document's fields take, each with the sentence that says what was expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

from .errors import shown
from .text import number

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

Number = Decimal | str
PARAM = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]{0,31}", re.ASCII)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}", re.ASCII)
SIZE_MAX = Decimal("1e15")
NUMERIC = r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?"


def exact(value: object) -> Decimal | None:
    """What a number is written as. A float counts as the text Python shows for it; None for what is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float | int):
        value = str(value)
    found = value if isinstance(value, Decimal) else number(value) if isinstance(value, str) else None
    return found if found is not None and found.is_finite() else None


@dataclass(frozen=True)
class Range:
    """A number or a $parameter. `above` and `below` are open bounds, `low` and `high` closed ones.

    Six decimals of a percent are what the engine's 1e-8 of the whole can hold; more would be lost silently.
    """

    low: Decimal | int | None = None
    high: Decimal | int | None = None
    above: Decimal | int | None = None
    below: Decimal | int | None = None
    whole: bool = False
    reference: bool = True
    decimals: int = 6

    def check(self, value: object) -> Number:
        if self.reference and isinstance(value, str) and PARAM.fullmatch(value):
            return value
        found = exact(value)
        if found is None or not self.holds(found):
            raise ValueError(f"expected {self.words()}, found {shown(value)}")
        return found

    def holds(self, value: Decimal) -> bool:
        if abs(value) > SIZE_MAX or int(value.normalize().as_tuple().exponent) < -self.decimals:
            return False
        return ((self.low is None or value >= self.low) and (self.high is None or value <= self.high)
                and (self.above is None or value > self.above) and (self.below is None or value < self.below)
                and (not self.whole or value == value.to_integral_value()))

    def words(self) -> str:
        low = f"from {self.low}" if self.low is not None else f"above {self.above}" if self.above is not None else ""
        high = f"to {self.high}" if self.high is not None else f"below {self.below}" if self.below is not None else ""
        joint = " and " if high.startswith("below") and low else " up " if high.startswith("to") and low.startswith("above") else " "
        bounds = f" {low}{joint if low and high else ''}{high}" if low or high else ""
        decimals = "" if self.whole else f" with at most {self.decimals} decimals"
        return f"a {'whole ' if self.whole else ''}number{bounds}{decimals}{' or a $parameter' if self.reference else ''}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        bounds = {"minimum": self.low, "maximum": self.high, "exclusiveMinimum": self.above, "exclusiveMaximum": self.below}
        plain: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        plain |= {name: _json(value) for name, value in bounds.items() if value is not None}
        text = f"^({PARAM.pattern}|{NUMERIC})$" if self.reference else f"^{NUMERIC}$"
        return {"anyOf": [plain, {"type": "string", "pattern": text}]}


def _json(value: Decimal | int) -> float | int:
    return int(value) if value == int(value) else float(value)


@dataclass(frozen=True)
class Text:
    """One line or more of text, bounded."""

    length: int
    pattern: re.Pattern[str] | None = None
    what: str = "text"

    def check(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip() or (self.pattern and not self.pattern.fullmatch(value)):
            raise ValueError(f"expected {self.what}, found {shown(value)}")
        if len(value) > self.length:
            raise ValueError(f"has {len(value)} characters; at most {self.length} are allowed")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": self.length}
        return found | ({"pattern": f"^{self.pattern.pattern}$"} if self.pattern else {})
