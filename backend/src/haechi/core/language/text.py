"""YAML or JSON text -> plain values with exact numbers (Decimal), never through binary float. No anchors, no tags, bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from .errors import LanguageError, Problem

TEXT_MAX = 64 * 1024
DEPTH_MAX = 12
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")
WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


def plain(text: str) -> dict[str, Any]:
    """The mapping a document's text stands for. Raises LanguageError."""
    if len(text) > TEXT_MAX:
        raise _error(f"the document has {len(text)} characters; at most {TEXT_MAX} are allowed")
    value = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    if not isinstance(value, dict):
        raise _error("a document is a mapping of fields, such as 'name: my-strategy'")
    return value


def number(text: str) -> Decimal | None:
    """The number a text is written as, or None."""
    return Decimal(text) if NUMBER.fullmatch(text) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        raise _error(f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise _error("nested too deeply") from None
    except ArithmeticError:
        raise _error("a number in it is too large to be written down") from None


def _no_constant(name: str) -> Any:
    raise _error(f"{name} is not a number that can be used")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        raise _error(f"{next(name for name in names if names.count(name) > 1)!r} is written twice")
    return mapping


def _yaml(text: str) -> Any:
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        values = list(_values(events))
    except yaml.YAMLError as error:
        raise _error(f"not valid YAML{_where(error)}: {getattr(error, 'problem', None) or 'unreadable character'}") from None
    except (ValueError, OverflowError) as error:
        if isinstance(error, LanguageError):
            raise
        raise _error("not valid YAML: a character that does not exist") from None
    if len(values) != 1:
        raise _error("the text is empty" if not values else "the text holds more than one document")
    return values[0]


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _values(events: Iterator[Any]) -> Iterator[Any]:
    """Each document of the event stream."""
    for event in events:
        if not isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentStartEvent | yaml.DocumentEndEvent):
            yield _value(event, events, 1)


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    line = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise _error(f"line {line}: anchors and aliases (& and *) are not allowed; write the value out")
    if event.tag:
        raise _error(f"line {line}: tags ({event.tag}) are not allowed")
    if depth > DEPTH_MAX:
        raise _error(f"line {line}: nested more than {DEPTH_MAX} deep")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_value(one, events, depth + 1) for one in _until(events, yaml.SequenceEndEvent)]
    return _mapping(events, depth)


def _until(events: Iterator[Any], end: type) -> Iterator[Any]:
    for event in events:
        if isinstance(event, end):
            return
        yield event


def _mapping(events: Iterator[Any], depth: int) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for event in _until(events, yaml.MappingEndEvent):
        line = event.start_mark.line + 1
        if not isinstance(event, yaml.ScalarEvent):
            raise _error(f"line {line}: a field's name must be a word")
        if event.value in mapping:
            raise _error(f"line {line}: {event.value!r} is written twice")
        mapping[event.value] = _value(next(events), events, depth + 1)
    return mapping


def _scalar(event: Any) -> Any:
    if event.style is not None:
        return event.value
    if event.value in WORDS:
        return WORDS[event.value]
    exact = number(event.value)
    return event.value if exact is None else exact


def _error(message: str) -> LanguageError:
    return LanguageError([Problem("", message)])
