"""A strategy document: text in, one checked value out. Nothing in it runs; it only names what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from ..plan import Plan
from . import planning, semantics
from .errors import LanguageError, Problem, shown
from .fields import PlanFields, Shape, Tags
from .parameters import Parameter, chosen
from .problems import problems
from .published import indicators_schema
from .rules import rules_of
from .text import plain
from .values import Range, Text

Timeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"]
Expression = Annotated[str, Text(4000, what="an expression as text, such as 'close > open'")]
INDICATORS_MAX = 50
PARAMS_MAX = 50


class IndicatorFields(Shape):
    """`kind`, `source` and the settings of that kind; which those are is in the table of kinds."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: Annotated[str, Text(32, what="the kind of an indicator, such as rsi")]
    source: Annotated[str, Text(65, what="a price or an indicator's name")] | None = None


class Document(PlanFields):
    """The whole document. `Document.parse(text)` and `Document.of(data)` report every fault at once as LanguageError."""

    name: Annotated[str, Text(64, what="a name")]
    description: Annotated[str, Text(2000)] | None = None
    version: Annotated[Decimal, Range(low=1, high=1_000_000, whole=True, reference=False)] | None = None
    timeframe: Timeframe
    params: Annotated[dict[str, Parameter], Field(max_length=PARAMS_MAX)] = {}
    indicators: Annotated[dict[str, IndicatorFields], Field(max_length=INDICATORS_MAX, json_schema_extra=indicators_schema)] = {}
    enter_long: Expression | None = None
    enter_short: Expression | None = None
    exit_long: Expression | None = None
    exit_short: Expression | None = None
    tags: Tags = Tags()

    @classmethod
    def parse(cls, text: str) -> Document:
        """YAML or JSON text. Raises LanguageError."""
        return cls.of(plain(text))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Document:
        """Plain data, as from JSON. Raises LanguageError with all faults."""
        if not isinstance(data, Mapping):
            raise LanguageError([Problem("", f"a document is a mapping of fields, found {shown(data)}")])
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            found = problems(error, cls)
        # The shape was wrong somewhere: look at the rest all the same, so that one round of repair is enough.
        raise LanguageError([*found, *semantics.of_plain(data, {problem.path for problem in found})])

    @model_validator(mode="after")
    def _means_something(self) -> Document:
        found = semantics.of_document(self) + planning.problems_of(self, self.values())
        if found:
            raise LanguageError(found)
        rules_of(self)  # refuses what costs too much
        return self

    @property
    def rules(self) -> dict[str, str]:
        """The expressions there are, by field."""
        return {name: text for name in semantics.RULES if (text := getattr(self, name)) is not None}

    def values(self, given: Mapping[str, Any] | None = None) -> dict[str, Decimal]:
        """Every parameter's value: those given, the others by default. Raises LanguageError."""
        return chosen(self.params, given or {})

    @cached_property
    def plan_data(self) -> dict[str, Any]:
        """The plan's fields as written, $parameters and all."""
        return {name: value for name, value in self.model_dump(exclude_unset=True).items() if name in PlanFields.model_fields}

    def plan(self, params: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None) -> Plan:
        """The engine's plan. Overrides are path=value (stop_loss.percent=1.5). Raises LanguageError."""
        return planning.plan(self.plan_data, self.values(params), overrides or {})
