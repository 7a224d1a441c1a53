"""A new key in front of ENCRYPTION_KEY: every sealed column of the database is sealed again under it, while the servers run.

Small transactions, and each row is changed only if it is still what was read: whoever writes meanwhile wins, and is met in the next
pass. What is under the first key already is left alone, so a run that was cut off is simply run again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import ColumnClause, TableClause, column, select, table, update

from haechi.platform.crypto import SealBroken, Vault
from haechi.platform.db import Database

BATCH = 100


@dataclass(frozen=True)
class Sealed:
    """A column of texts of the Vault, and the text column that names its rows."""

    table: str
    column: str
    key: str = "id"


# Every sealed column there is. A new one adds its line here.
SEALED: tuple[Sealed, ...] = (Sealed("users", "totp"), Sealed("exchange_keys", "api_key"), Sealed("exchange_keys", "secret"),
                             Sealed("exchange_keys", "passphrase"))


@dataclass
class Rotated:
    """How many were sealed again, how many there are, and which ones no key opens (`table.column key`)."""

    done: int = 0
    total: int = 0
    broken: list[str] = field(default_factory=list)


async def rotate(database: Database, keys: Sequence[str], columns: Sequence[Sealed] = SEALED, *, batch: int = BATCH) -> Rotated:
    """Passes over all columns until one finds nothing left to do."""
    made, vault, first = Rotated(), Vault(keys), Fernet(keys[0])
    while True:
        made.total, made.broken, found = 0, [], 0
        for one in columns:
            async for rows in batches(database, one, batch):
                made.total += len(rows)
                old = {key: sealed for key, sealed in rows if not is_under(first, sealed)}
                fresh = sealed_again(vault, old)
                made.broken += [f"{one.table}.{one.column} {key}" for key in old if key not in fresh]
                made.done += await written(database, one, old, fresh)
                found += len(fresh)
        if not found:
            return made


async def batches(database: Database, one: Sealed, size: int) -> AsyncIterator[Sequence[tuple[str, str]]]:
    """(key, sealed text) of every row that has one, in the order of the keys."""
    source, key, text = named(one)
    after = ""
    while True:
        query = select(key, text).select_from(source).where(key > after, text.is_not(None)).order_by(key).limit(size)
        async with database.reading() as session:
            rows = [(row[0], row[1]) for row in (await session.execute(query)).all()]
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = rows[-1][0]


def is_under(key: Fernet, sealed: str) -> bool:
    try:
        key.decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def sealed_again(vault: Vault, old: dict[str, str]) -> dict[str, str]:
    """Without those that no key opens."""
    fresh = {}
    for key, sealed in old.items():
        try:
            fresh[key] = vault.rotate(sealed)
        except SealBroken:
            continue
    return fresh


async def written(database: Database, one: Sealed, old: dict[str, str], fresh: dict[str, str]) -> int:
    """In one transaction; how many were still what was read."""
    source, key, text = named(one)
    if not fresh:
        return 0
    done = 0
    async with database.writing() as session:
        for name, sealed in fresh.items():
            change: Any = await session.execute(update(source).where(key == name, text == old[name]).values({one.column: sealed}))
            done += change.rowcount
    return done


def named(one: Sealed) -> tuple[TableClause, ColumnClause[str], ColumnClause[str]]:
    key: ColumnClause[str] = column(one.key)
    text: ColumnClause[str] = column(one.column)
    return table(one.table, key, text), key, text
