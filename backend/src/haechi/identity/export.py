"""Everything the database holds about one person: found by walking the tables, so that a new table cannot be forgotten."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, select

from haechi.platform.db import Base, Session

OWNER = "user_id"
# What proves somebody is somebody is of no use to its owner and of much to a thief.
SECRETS = {"users": {"password_hash", "totp", "totp_step"}, "user_sessions": {"refresh_hash"}, "recovery_codes": {"hash"},
           "mailed_tokens": {"hash"}, "spent_refreshes": {"hash"}, "oauth_flows": {"state_hash", "browser_hash", "code_hash"},
           "exchange_keys": {"api_key", "secret", "passphrase"}}
# Tables without an owner column, and why nothing of them is exported here.
OWNERLESS = {
    "failed_tries": "counters under hashes; whose they are cannot be read from them",
    "idempotency_keys": "answers given already, kept for a day",
    "templates": "the operator's, for everybody",
    "leases": "which process may trade; about nobody",
    "audit": "kept for the operator; its entries about a person are read by admins",
}


async def everything_of(session: Session, user_id: str) -> dict[str, list[dict[str, object]]]:
    """Table name -> rows, in JSON's values."""
    found = {}
    for table in Base.metadata.sorted_tables:
        owner = table.c.id if table.name == "users" else table.c.get(OWNER)
        if owner is not None:
            rows = (await session.execute(select(*shown(table)).where(owner == user_id))).mappings().all()
            found[table.name] = [{name: plain(value) for name, value in row.items()} for row in rows]
    return found


def shown(table: Table) -> list[Any]:
    return [column for column in table.c if column.name not in SECRETS.get(table.name, set())]


def plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
