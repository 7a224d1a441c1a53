"""A document's indicators: checked against the table of kinds, then with parameters put in and sources joined up."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..indicators import KINDS, Kind, Setting
from .errors import Problem, nearest, shown
from .functions import RESERVED, SOURCES
from .nodes import Indicator, Output
from .values import NAME, Range, exact

Fields = Mapping[str, Any]
Specs = Mapping[str, Fields | None]
CHAIN_MAX = 10


def problems(specs: Specs, params: Mapping[str, Decimal | None]) -> list[Problem]:
    """What is wrong with the indicators. A spec of None is faulty in shape and reported elsewhere."""
    found: list[Problem] = []
    for name, spec in specs.items():
        path = f"indicators.{name}"
        if not NAME.fullmatch(name):
            found.append(Problem(path, f"{shown(name)} is not a name: letters, digits and _, at most 32, not starting with a digit"))
        elif name in RESERVED:
            found.append(Problem(path, f"{name!r} has a meaning in expressions already; choose another name"))
        if spec is not None:
            found += _one(path, spec, params) + _source(name, spec, specs)
    return found


def kind_of(spec: Fields | None) -> Kind | None:
    return KINDS.get(spec["kind"]) if spec is not None else None


def _one(path: str, spec: Fields, params: Mapping[str, Decimal | None]) -> list[Problem]:
    kind = kind_of(spec)
    if kind is None:
        return [Problem(f"{path}.kind", f"unknown indicator {shown(spec['kind'])}{nearest(spec['kind'], KINDS)}")]
    names = [setting.name for setting in kind.settings]
    found = [Problem(f"{path}.{name}", f"{kind.name} has no setting {shown(name)}{nearest(name, names)}")
             for name in spec if name not in (*names, "kind", "source")]
    values: dict[str, float] = {}
    for setting in kind.settings:
        value, problem = _setting(f"{path}.{setting.name}", setting, spec, params)
        found += [problem] if problem else []
        if value is not None:
            values[setting.name] = value
    if kind.rule and len(values) == len(names) and not kind.rule[1](values):
        found.append(Problem(path, kind.rule[0]))
    return found


def _setting(path: str, setting: Setting, spec: Fields, params: Mapping[str, Decimal | None]) -> tuple[float | None, Problem | None]:
    written = spec.get(setting.name)
    if written is None:
        return setting.default, None if setting.default is not None else Problem(path, f"is missing; give {setting.bounds()}")
    named = written[1:] if isinstance(written, str) and written.startswith("$") else None
    if named is not None and named not in params:
        return None, Problem(path, f"unknown parameter '${named}'{nearest(named, params)}")
    if named is not None and params[named] is None:
        return None, None
    value = exact(written if named is None else params[named])
    if value is None or not _range(setting).holds(value):
        shows = shown(written) if named is None else f"${named} = {value}"
        return None, Problem(path, f"expected {setting.bounds()}, found {shows}")
    return float(value), None


def _range(setting: Setting) -> Range:
    low, high = Decimal(str(setting.low)), Decimal(str(setting.high))
    return Range(low=low, high=high, whole=setting.whole, reference=False, decimals=12)


def _source(name: str, spec: Fields, specs: Specs) -> list[Problem]:
    kind, source, path = kind_of(spec), spec.get("source"), f"indicators.{name}.source"
    if kind is None or source is None:
        return []
    if kind.source is None:
        return [Problem(path, f"{kind.name} reads the bars themselves and takes no source")]
    if source in SOURCES:
        return []
    other, _, output = source.partition(".")
    if other not in specs:
        return [Problem(path, f"unknown source {shown(source)}{nearest(source, (*SOURCES, *specs))}")]
    from_kind = kind_of(specs[other])
    if from_kind is None:
        return []
    if not output and len(from_kind.outputs) > 1 or output and output not in from_kind.outputs:
        return [Problem(path, f"write one of {', '.join(f'{other}.{one}' for one in from_kind.outputs)}")]
    return _cycle(name, specs, path)


def _cycle(name: str, specs: Specs, path: str) -> list[Problem]:
    here: str | None = name
    for _ in range(CHAIN_MAX + 1):
        spec = specs.get(here or "")
        here = str(spec["source"]).partition(".")[0] if spec is not None and spec.get("source") else None
        if here is None or here not in specs:
            return []
        if here == name:
            return [Problem(path, f"{name!r} depends on itself")]
    return [Problem(path, f"more than {CHAIN_MAX} indicators feed each other")]


def outputs(specs: Mapping[str, Fields], params: Mapping[str, Decimal]) -> dict[str, dict[str, Output]]:
    """Each indicator's outputs with all numbers in. The specs and params have been found faultless."""
    joined: dict[str, dict[str, Output]] = {}

    def join(name: str) -> dict[str, Output]:
        if name not in joined:
            kind = KINDS[specs[name]["kind"]]
            one = Indicator(kind.name, _args(kind, specs[name], params), source(kind, specs[name].get("source")))
            joined[name] = {output: Output(one, output) for output in kind.outputs}
        return joined[name]

    def source(kind: Kind, written: str | None) -> str | Output | None:
        if written is None or written in SOURCES:
            return written or kind.source
        other, _, output = written.partition(".")
        return join(other)[output] if output else next(iter(join(other).values()))

    for name in specs:
        join(name)
    return joined


def _args(kind: Kind, spec: Fields, params: Mapping[str, Decimal]) -> tuple[tuple[str, float], ...]:
    values = [(setting.name, _setting("", setting, spec, params)[0]) for setting in kind.settings]
    return tuple((name, value) for name, value in values if value is not None)
