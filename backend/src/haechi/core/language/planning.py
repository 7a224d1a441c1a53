"""The plan's fields -> haechi.core.plan.Plan: overrides set, parameters put in, rules between fields checked, percents to fractions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from ..plan import Entry, Ladder, Plan, Protections, Size, Target, Trailing
from . import fields as written
from .crossing import crossed
from .errors import LanguageError, Problem, nearest
from .overrides import overridden
from .problems import problems
from .values import Number

if TYPE_CHECKING:
    from .document import Document

T = TypeVar("T")
R = TypeVar("R")
AMOUNTS = {"fixed_quote": "quote", "fixed_quantity": "quantity"}  # the other kinds take a fraction
ATR_PERIOD = 14


def problems_of(document: Document, params: Mapping[str, Decimal]) -> list[Problem]:
    """What keeps a document from being a plan."""
    try:
        plan(document.plan_data, params, {})
    except LanguageError as error:
        return error.problems
    return []


def plan(data: Mapping[str, Any], params: Mapping[str, Decimal], overrides: Mapping[str, Any]) -> Plan:
    """Raises LanguageError with all faults."""
    found: list[Problem] = []
    filled = _filled(overridden(data, overrides), params, "", found)
    if found:
        raise LanguageError(found)
    try:
        fields = written.PlanFields.model_validate(filled)
    except ValidationError as error:
        raise LanguageError(problems(error, written.PlanFields)) from None
    if found := crossed(fields):
        raise LanguageError(found)
    return _plan(fields)


def _filled(value: Any, params: Mapping[str, Decimal], path: str, found: list[Problem]) -> Any:
    """The same data with every $parameter's value in its place."""
    if isinstance(value, Mapping):
        return {name: _filled(one, params, f"{path}.{name}" if path else name, found) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, params, f"{path}.{place}", found) for place, one in enumerate(value)]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value[1:] not in params:
        found.append(Problem(path, f"unknown parameter {value!r}{nearest(value[1:], params)}"))
        return value
    return params[value[1:]]


def _plan(fields: written.PlanFields) -> Plan:
    return Plan(
        size=_size(fields.size), leverage=int(fields.leverage), margin=fields.margin, hedge=fields.mode == "hedge",
        entry=_entry(fields.entry), stop_loss=_optional(fields.stop_loss, lambda one: _share(one.percent)),
        targets=tuple(Target(percent=_share(one.percent), share=_share(one.share)) for one in fields.take_profit),
        break_even=_optional(fields.break_even, lambda one: _share(one.percent)),
        trailing=_optional(fields.trailing, lambda one: Trailing(distance=_share(one.distance), activation=_share(one.activation))),
        ladder=_optional(fields.dca, _ladder), time_stop=_optional(fields.time_stop, lambda one: int(one.bars)) or 0,
        cool_down=_optional(fields.cool_down, lambda one: int(one.bars)) or 0, protections=_protections(fields.protections),
        on_opposite=fields.on_opposite)


def _optional(value: T | None, function: Callable[[T], R]) -> R | None:
    return None if value is None else function(value)


def _share(percent: Number) -> Decimal:
    return Decimal(percent).scaleb(-2)


def _size(size: written.Size) -> Size:
    amount = getattr(size, AMOUNTS.get(size.kind, "fraction"))
    return Size(kind=size.kind, amount=Decimal(amount), atr_period=int(size.atr_period or ATR_PERIOD))


def _entry(entry: written.Entry) -> Entry:
    return Entry(kind=entry.kind, offset=_share(entry.offset or "0"), limit_offset=_share(entry.limit_offset or "0"),
                 bars=int(entry.bars or 1))


def _ladder(dca: written.Dca) -> Ladder:
    return Ladder(steps=int(dca.steps), percent=_share(dca.percent), percent_scale=Decimal(dca.percent_scale),
                  size=Decimal(dca.size), size_scale=Decimal(dca.size_scale))


def _protections(rules: written.Protections) -> Protections:
    found: dict[str, Any] = {}
    if rules.daily_loss:
        found |= {"daily_loss": _share(rules.daily_loss.percent), "daily_loss_flatten": rules.daily_loss.flatten}
    if rules.drawdown:
        found |= {"drawdown": _share(rules.drawdown.percent), "drawdown_bars": int(rules.drawdown.bars),
                  "drawdown_flatten": rules.drawdown.flatten}
    if rules.losing_streak:
        found |= {"losing_streak": int(rules.losing_streak.trades), "losing_streak_bars": int(rules.losing_streak.bars)}
    return Protections(**found)
