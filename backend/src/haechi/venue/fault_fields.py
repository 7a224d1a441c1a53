"""What a fault order may say: each field's name, its reader and its words. A reader turns JSON into a value or raises BadInput."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from haechi.errors import BadInput

Reader = Callable[[str, object], Any]
MILLION = 1_000_000
DAY_MS = 86_400_000
COUNT_MAX = 1_000_000
NAMES_MAX = 20
TEXT_MAX = 200


@dataclass(frozen=True)
class Field:
    """says: for the documentation. default None: nothing is assumed. required: BadInput when it is missing."""

    read: Reader
    says: str
    default: object = None
    required: bool = False


def whole(low: int, high: int) -> Reader:
    def read(name: str, given: object) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
            raise BadInput(f"{name} must be a whole number from {low} to {high}, found {given!r}")
        return given

    return read


def word(*known: str) -> Reader:
    def read(name: str, given: object) -> str:
        if not isinstance(given, str) or given not in known:
            raise BadInput(f"{name} must be one of {', '.join(known)}, found {given!r}")
        return given

    return read


def text(name: str, given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= TEXT_MAX:
        raise BadInput(f"{name} must be a text of 1 to {TEXT_MAX} characters, found {given!r}")
    return given


def symbol(name: str, given: object) -> str:
    return text(name, given).upper()


def yes_or_no(name: str, given: object) -> bool:
    if not isinstance(given, bool):
        raise BadInput(f"{name} must be true or false, found {given!r}")
    return given


def names(name: str, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not 0 < len(given) <= NAMES_MAX:
        raise BadInput(f"{name} must be a list of 1 to {NAMES_MAX} texts, found {given!r}")
    return tuple(text(f"every one of {name}", one) for one in given)


def decimal(name: str, given: object) -> Decimal:
    """Text or a JSON number; exact for text."""
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal) and type(given).__name__ != "float":
        raise BadInput(f"{name} must be a number, best as a text such as \"0.01\", found {given!r}")
    try:
        value = Decimal(str(given))
    except InvalidOperation:
        raise BadInput(f"{name} must be a number, found {given!r}") from None
    if not value.is_finite() or value.adjusted() > 18 or value.adjusted() < -18:
        raise BadInput(f"{name} must be a finite number of usual size, found {given!r}")
    return value


def positive(name: str, given: object) -> Decimal:
    value = decimal(name, given)
    if value <= 0:
        raise BadInput(f"{name} must be greater than 0, found {given!r}")
    return value


def nonzero(name: str, given: object) -> Decimal:
    value = decimal(name, given)
    if value == 0:
        raise BadInput(f"{name} must not be 0")
    return value


def move(name: str, given: object) -> Decimal:
    """A change of price as a fraction."""
    value = nonzero(name, given)
    if not -1 < value <= 10:
        raise BadInput(f"{name} must be a fraction above -1 and at most 10 (-0.05 is 5 % down), found {given!r}")
    return value


def per_million(name: str, given: object) -> int:
    """A probability, kept as parts of a million."""
    value = decimal(name, given)
    if not 0 <= value <= 1:
        raise BadInput(f"{name} must be from 0 to 1, found {given!r}")
    return int(value * MILLION)
