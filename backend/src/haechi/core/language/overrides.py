"""Settings of a plan changed by path=value, as from a command line: stop_loss.percent=1.5, take_profit.0.percent=3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import LanguageError, Problem, nearest, shown
from .fields import PlanFields
from .problems import fields_at, model_at

NONE_WORDS = ("none", "null", "off")


def overridden(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the data with the values set. `none` takes a setting away. Raises LanguageError for unknown paths."""
    changed: dict[str, Any] = dict(data)
    found: list[Problem] = []
    for path, value in overrides.items():
        problem = _unknown(path)
        if problem is None:
            changed, problem = _set(changed, path.split("."), _value(value), path)
        found += [problem] if problem else []
    if found:
        raise LanguageError(found)
    return changed


def _value(value: Any) -> Any:
    if isinstance(value, str):
        lowered = value.strip().lower()
        return None if lowered in NONE_WORDS else {"true": True, "false": False}.get(lowered, value.strip())
    return value


def _unknown(path: str) -> Problem | None:
    parts = path.split(".")
    for place, part in enumerate(parts):
        there = fields_at(PlanFields, parts[:place])
        inside_list = place == 1 and parts[0] == "take_profit"
        if not (part.isdecimal() and len(part) < 3 if inside_list else part in there):
            tail = nearest(path, paths()) or nearest(part, there)
            return Problem(path, f"is not a setting of a plan{tail}")
    return None


def paths() -> list[str]:
    """Every path that can be set, targets as take_profit.0 …"""
    found: list[str] = []
    for name in PlanFields.model_fields:
        inner = model_at(PlanFields, [name])
        prefix = f"{name}.0" if name == "take_profit" else name
        found += [name] if inner is None else [one for field in inner.model_fields for one in _deeper(prefix, name, field)]
    return found


def _deeper(prefix: str, name: str, field: str) -> list[str]:
    deeper = fields_at(PlanFields, [name, field])
    return [f"{prefix}.{field}.{one}" for one in deeper] or [f"{prefix}.{field}"]


def _set(here: Any, parts: list[str], value: Any, path: str) -> tuple[Any, Problem | None]:
    """`here` with the value at the path; nothing given is changed."""
    if not parts:
        return value, None
    if parts[0].isdecimal():
        return _set_target(here, parts, value, path)
    if here is not None and not isinstance(here, Mapping):
        return here, Problem(path, f"cannot be set inside {shown(here)}")
    inner, problem = _set((here or {}).get(parts[0]), parts[1:], value, path)
    return {name: one for name, one in {**(here or {}), parts[0]: inner}.items() if one is not None}, problem


def _set_target(here: Any, parts: list[str], value: Any, path: str) -> tuple[Any, Problem | None]:
    targets, place = list(here or []), int(parts[0])
    if place > len(targets):
        return here, Problem(path, f"there is no target {place}; the next one would be take_profit.{len(targets)}")
    inner, problem = _set(targets[place] if place < len(targets) else None, parts[1:], value, path)
    targets[place:place + 1] = [] if inner is None else [inner]
    return targets, problem
