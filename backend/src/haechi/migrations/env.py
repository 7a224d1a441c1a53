"""Run by Alembic: uses the connection handed in by haechi.platform.migrate."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from haechi import tables
from haechi.platform.columns import Amount, Instant
from haechi.platform.points import reached


def render_item(_kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Our own column types are written as `columns.Instant()`; everything else as Alembic does."""
    return f"columns.{type(item).__name__}()" if isinstance(item, Amount | Instant) else False


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=tables.metadata, render_as_batch=True, render_item=render_item,
                  transaction_per_migration=False, compare_type=True, on_version_apply=lambda **_step: reached("migrated"))
with context.begin_transaction():
    context.run_migrations()
