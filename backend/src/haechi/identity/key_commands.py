"""`haechi keys rotate`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from haechi.platform.rotation import Rotated

app = typer.Typer(help="The keys that seal secrets in the database.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def keys() -> None:
    """The keys that seal secrets in the database."""


@app.command()
def rotate() -> None:
    """Seal every secret again under the first key of ENCRYPTION_KEY. Servers may run meanwhile; cut off, run it again.

    \b
    ENCRYPTION_KEY=NEW,OLD haechi keys rotate      (and NEW,OLD for every server, restarted)
    """
    made, others = asyncio.run(rotated())
    print(f"{made.done:,} of {made.total:,} sealed values were sealed again under the first key.")
    for name in made.broken:
        print(f"{name}: no key of ENCRYPTION_KEY opens it")
    if made.broken:
        print("Take no key out: put the missing one back and run this again.")
        raise typer.Exit(1)
    print(advice(made, others))


def advice(made: Rotated, others: int) -> str:
    """When the old keys can go: a server that was started with an old key in front may still seal under it."""
    if not others:
        return "There is one key, and everything is under it."
    if made.done:
        return ("Once every server was restarted with this ENCRYPTION_KEY, run this again: when nothing is left to seal, the other keys "
                "can be taken out.")
    return "Everything is under the first key: the other keys can be taken out of ENCRYPTION_KEY once every server was restarted with it."


async def rotated() -> tuple[Rotated, int]:
    from haechi.identity.audit import record
    from haechi.identity.command_line import act, opened
    from haechi.platform.rotation import rotate as run

    async with opened() as (house, _):
        keys = house.settings.encryption_keys
        made = await run(house.database, keys)
        async with house.database.writing() as session:
            told = act("keys.rotated", sealed_again=made.done, total=made.total, broken=len(made.broken))
            await record(session, told, house.clock.now())
    return made, len(keys) - 1
