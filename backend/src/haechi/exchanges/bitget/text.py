"""Bitget's text to values, exactly: the only place where the adapter touches their spelling of numbers, times and names."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from haechi.exchanges.bitget.answers import Unreadable

DIGITS_MAX = 60
EXPONENT_MAX = 40  # 1e308 in a price field is an attack or a fault, never a price

Item = Mapping[str, Any]


def item(content: Any) -> Item:
    if not isinstance(content, dict):
        raise Unreadable(f"an object was expected, found {content!r:.60}")
    return content


def items(content: Any) -> list[Item]:
    """A list of objects; null where there are none is seen on the real exchange."""
    if content is None:
        return []
    if not isinstance(content, list):
        raise Unreadable(f"a list was expected, found {content!r:.60}")
    return [item(one) for one in content]


def field(one: Item, *names: str) -> Any:
    """The first of these fields that is there; docs and recordings spell some of them differently."""
    for name in names:
        if one.get(name) is not None:
            return one[name]
    raise Unreadable(f"{' or '.join(names)} is missing")


def word(one: Item, *names: str) -> str:
    given = field(one, *names)
    if isinstance(given, str) and given:
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    raise Unreadable(f"{names[0]} is {given!r:.60}")


def maybe(one: Item, *names: str) -> str:
    """'' where none of the fields is there: for what is only information."""
    for name in names:
        given = one.get(name)
        if isinstance(given, str | int) and not isinstance(given, bool) and given != "":
            return str(given)
    return ""


def exact(given: Any) -> Decimal:
    """Text or an exact JSON number -> Decimal. Raises Unreadable for anything else, infinite or absurd."""
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal) or len(str(given)) > DIGITS_MAX:
        raise Unreadable(f"a number was expected, found {given!r:.60}")
    try:
        value = Decimal(given)
    except InvalidOperation:
        raise Unreadable(f"a number was expected, found {given!r:.60}") from None
    if not value.is_finite() or abs(value.adjusted()) > EXPONENT_MAX:
        raise Unreadable(f"a number of usual size was expected, found {given!r:.60}")
    return value


def number(one: Item, *names: str) -> Decimal:
    return exact(field(one, *names))


def number_or_none(one: Item, *names: str) -> Decimal | None:
    """None where the field is absent, null or "" (Bitget's "there is none yet")."""
    for name in names:
        if one.get(name) not in (None, ""):
            return exact(one[name])
    return None


def whole(one: Item, *names: str) -> int:
    value = number(one, *names)
    if value != value.to_integral_value():
        raise Unreadable(f"{names[0]} is {value}, a whole number was expected")
    return int(value)


def time_ms(one: Item, *names: str) -> int:
    value = whole(one, *names)
    if not 0 <= value < 10**14:
        raise Unreadable(f"{names[0]} is {value}, milliseconds since 1970 were expected")
    return value


def symbol(one: Item, *names: str) -> str:
    """Upper case, as the exchange answers; its examples have lower case."""
    return word(one, *(names or ("symbol", "instId"))).upper()


def side(one: Item, *, names_position: bool) -> str:
    """The real direction. In hedge mode REST (not the fill stream) names the position: closing a long is a `buy`."""
    given = word(one, "side").lower().removesuffix("_single")
    if given not in ("buy", "sell"):
        raise Unreadable(f"side is {given!r:.20}")
    hedged = maybe(one, "posMode") == "hedge_mode"
    if names_position and hedged and "close" in maybe(one, "tradeSide").lower():
        return "sell" if given == "buy" else "buy"
    return given
