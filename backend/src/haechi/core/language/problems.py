"""Pydantic's findings as our sentences, with the nearest field where one is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .errors import LanguageError, Problem, nearest, shown


def problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    found: list[Problem] = []
    for one in error.errors(include_url=False):
        cause = one.get("ctx", {}).get("error")
        if isinstance(cause, LanguageError):
            found += cause.problems
        else:
            found.append(_problem(one, model))
    return found


def _problem(one: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    loc = [str(part) for part in one["loc"] if part != "[key]"]
    path, context = ".".join(loc), one.get("ctx", {})
    match one["type"]:
        case "missing":
            return Problem(path, "is missing")
        case "extra_forbidden":
            return Problem(path, f"unknown field {shown(loc[-1])}{nearest(loc[-1], fields_at(model, loc[:-1]))}")
        case "literal_error":
            return Problem(path, f"expected {context['expected']}, found {shown(one['input'])}{_meant(one)}")
        case "value_error":
            return Problem(path, str(context["error"]))
        case "model_type" | "dict_type" | "model_attributes_type":
            return Problem(path, f"expected a mapping of fields, found {shown(one['input'])}")
        case "list_type":
            return Problem(path, f"expected a list, found {shown(one['input'])}")
        case "too_long":
            return Problem(path, f"has {len(one['input'])} entries; at most {context['max_length']} are allowed")
        case "bool_type" | "bool_parsing":
            return Problem(path, f"expected true or false, found {shown(one['input'])}")
    return Problem(path, f"{one['msg'][0].lower()}{one['msg'][1:]}, found {shown(one['input'])}")


def _meant(one: Mapping[str, Any]) -> str:
    choices = [word.strip("'") for word in one["ctx"]["expected"].replace(" or ", ", ").split(", ")]
    tail = nearest(one["input"], choices) if isinstance(one["input"], str) else ""
    return tail if "did you mean" in tail else ""


def fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """The fields a model has at a path, whatever lists, mappings and options lie between."""
    inner = model_at(model, path)
    return list(inner.model_fields) if inner else []


def model_at(model: type[BaseModel], path: list[str]) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    keyed = False  # the next part is a key of a mapping, any word
    for part in path:
        if here is None:
            return None
        if keyed:
            keyed = False
        elif part in here.model_fields:
            annotation = here.model_fields[part].annotation
            here, keyed = _inner(annotation), get_origin(annotation) is dict
        elif not part.isdigit():
            return None
    return here


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_inner, get_args(annotation)) if found), None)
