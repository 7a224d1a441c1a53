"""Parameters of a document: a number, or a default with bounds; and the values chosen for one evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import model_validator

from .errors import LanguageError, Problem, nearest, shown
from .fields import Shape
from .values import Range, exact

Constant = Annotated[Decimal, Range(reference=False, decimals=12)]


class Parameter(Shape):
    """`min` and `max` are enforced; `step` is a hint for sweeps."""

    default: Constant
    min: Constant | None = None
    max: Constant | None = None
    step: Annotated[Decimal, Range(above=0, reference=False, decimals=12)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_number(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | Parameter) else {"default": value}

    @model_validator(mode="after")
    def _default_within(self) -> Parameter:
        if not self.allows(self.default):
            raise ValueError(f"default {self.default} is not {self.bounds()}")
        return self

    def allows(self, value: Decimal) -> bool:
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def bounds(self) -> str:
        if self.min is not None and self.max is not None:
            return f"from {self.min} to {self.max}"
        return f"at least {self.min}" if self.min is not None else f"at most {self.max}"


def chosen(params: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Decimal]:
    """All parameters with their values. Raises LanguageError for unknown ones and ones out of bounds."""
    found = [Problem(f"params.{name}", f"unknown parameter {shown(name)}{nearest(name, params)}")
             for name in given if name not in params]
    values = {name: parameter.default for name, parameter in params.items()}
    for name in given.keys() & params.keys():
        value = exact(given[name])
        if value is None or not Range(reference=False, decimals=12).holds(value):
            found.append(Problem(f"params.{name}", f"expected a number, found {shown(given[name])}"))
        elif not params[name].allows(value):
            found.append(Problem(f"params.{name}", f"{value} is not {params[name].bounds()}"))
        else:
            values[name] = value
    if found:
        raise LanguageError(sorted(found))
    return values
