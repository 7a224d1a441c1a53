"""Write the next step: the difference between the newest step and the tables in the code."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from alembic import command

from haechi.platform.db import Database
from haechi.platform.migrate import config, newest, upgrade


async def write(message: str) -> None:
    """Compare on a throw-away SQLite file; the step is written beside the others."""
    number = f"r{int((newest() or 'r0000')[1:]) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite+aiosqlite:///{Path(folder) / 'scratch.db'}")
        await upgrade(database)
        async with database.engine.begin() as connection:
            await connection.run_sync(lambda link: command.revision(config(link), message, autogenerate=True, rev_id=number))
        await database.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: python -m haechi.migrations "what changes"')
    asyncio.run(write(sys.argv[1]))
