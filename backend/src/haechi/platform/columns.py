"""Column types that keep what was written: exact amounts and UTC instants, alike on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, Numeric, String, TypeDecorator
from sqlalchemy.types import TypeEngine


class Amount(TypeDecorator[Decimal]):
    """Money, price or quantity as Decimal, every digit kept: TEXT on SQLite, NUMERIC on PostgreSQL.

    SQLite would turn numbers into floats. Its text does not sort as a number, so comparing or adding amounts in SQL is
    refused everywhere: totals are running balances stored with each entry.
    """

    impl = String
    cache_ok = True

    class comparator_factory(TypeDecorator.Comparator[Any]):  # noqa: N801 - SQLAlchemy's name for it
        def operate(self, op: Any, *other: Any, **options: Any) -> Any:
            if op.__name__ in REFUSED:
                raise TypeError(f"an Amount column knows no {op.__name__!r} in SQL: on SQLite it is text; compare in Python")
            return super().operate(op, *other, **options)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(asdecimal=True))
        return dialect.type_descriptor(String())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError(f"an Amount column takes a finite Decimal, not {value!r}")
        return value if dialect.name == "postgresql" else spelled(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


REFUSED = frozenset({"lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "between_op", "asc_op", "desc_op"})


def spelled(value: Decimal) -> str:
    """One spelling for one value (no exponent, no trailing zeros), so that equality works in SQL."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime. A datetime without time zone is refused: nobody could say when it was."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"an Instant column takes an aware datetime, {value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
