"""A SQLite file with all tables: migrated once a process and copied, for migrating each anew would be half the time of many tests."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import make_url

from haechi.platform.db import Database
from haechi.platform.migrate import upgrade

_template: list[Path] = []  # of this process


async def begin_with_tables(url: str) -> None:
    """Of a file that is not there yet; another database, or one that is there, is left to who opens it."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or os.access(str(address.database), os.F_OK):
        return
    if not _template:
        folder = Path(tempfile.mkdtemp(prefix="haechi-tables-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        database = Database(f"sqlite+aiosqlite:///{folder}/tables.db")
        await upgrade(database)
        await database.close()
        _template.append(folder / "tables.db")
    Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_template[0], str(address.database))


async def with_tables(url: str) -> Database:
    """Opened."""
    await begin_with_tables(url)
    return Database(url)
