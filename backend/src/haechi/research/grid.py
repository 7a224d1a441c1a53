"""The combinations of a sweep: which values each parameter and setting takes, and the n-th combination without listing the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import prod
from typing import Any

import msgspec

from haechi.errors import BadInput
from haechi.research.numbers import decimal

COMBINATIONS_MAX = 1_000_000  # about 300 MB of figures, and an hour or more on one core for a year of minutes


class Axis(msgspec.Struct, frozen=True):
    """One parameter or plan setting and the values it takes."""

    name: str
    values: tuple[Any, ...]
    is_param: bool


class Grid:
    """Axes with the parameters first: settings change fastest, so that neighbours share their signals."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = sorted(axes, key=lambda axis: not axis.is_param)
        self.size = prod(len(axis.values) for axis in self.axes)

    def values(self, number: int) -> list[Any]:
        """The number-th combination, 0 … size − 1, in the order of the axes."""
        found = []
        for axis in reversed(self.axes):
            number, place = divmod(number, len(axis.values))
            found.append(axis.values[place])
        return found[::-1]

    def split(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """(parameters, settings) of a combination."""
        params: dict[str, Any] = {}
        settings: dict[str, Any] = {}
        for axis, value in zip(self.axes, self.values(number), strict=True):
            (params if axis.is_param else settings)[axis.name] = value
        return params, settings


def grid_of(wanted: Mapping[str, Iterable[Any]], params: Iterable[str]) -> Grid:
    """`params`: the strategy's own; every other name is a path in its plan. Raises BadInput, before anything large is made."""
    if not wanted:
        raise BadInput("a sweep needs at least one axis, such as period=5:54:1")
    known = set(params)
    lengths = {name: _length(name, values) for name, values in wanted.items()}
    size = prod(lengths.values())
    if size > COMBINATIONS_MAX:
        shape = " × ".join(f"{name} {length}" for name, length in lengths.items())
        raise BadInput(f"{shape} make {size:,} combinations; at most {COMBINATIONS_MAX:,} are allowed: use wider steps or fewer axes")
    return Grid([Axis(name, tuple(_values(name, values)), name in known) for name, values in wanted.items()])


def _length(name: str, values: Any) -> int:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise BadInput(f"{name}: the values of an axis are a list or a range, got {values!r}")
    if not hasattr(values, "__len__"):
        raise BadInput(f"{name}: the values of an axis need a length; put them into a list")
    if not len(values):
        raise BadInput(f"{name}: an axis needs at least one value")
    return len(values)


def _values(name: str, values: Iterable[Any]) -> Iterator[Any]:
    """Exact numbers; words (reverse, none, true) stay words. A value may be given once."""
    seen = set()
    for value in values:
        found = value if isinstance(value, bool) or (isinstance(value, str) and not _numeric(value)) else decimal(value, name)
        if found in seen:
            raise BadInput(f"{name}: {value} is given twice")
        seen.add(found)
        yield found


def _numeric(text: str) -> bool:
    return text.strip()[:1] in "0123456789+-."


def steps(name: str, text: str) -> Sequence[Any]:
    """5:54:1 (both ends included) or 0.5,1,2 as on a command line, without making a long list. Raises BadInput."""
    if ":" not in text:
        return [part.strip() for part in text.split(",")]
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise BadInput(f"{name}: {text!r} is no range; write first:last:step, such as 5:54:1")
    first, last, step = (decimal(part, name) for part in [*parts, "1"][:3])
    if step <= 0:
        raise BadInput(f"{name}: the step of {text} must be greater than 0")
    if last < first:
        raise BadInput(f"{name}: the range {text} is empty: {last} is below {first}")
    return Range(first, step, int((last - first) // step) + 1)


class Range(Sequence[Decimal]):
    """first, first + step, … : as long as it must be, and never a list before it is looked at."""

    def __init__(self, first: Decimal, step: Decimal, length: int) -> None:
        self.first, self.step, self.length = first, step, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Any) -> Any:
        if not 0 <= place < self.length:
            raise IndexError(place)
        return self.first + self.step * place
