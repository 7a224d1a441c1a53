"""`haechi audit verify|export`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from haechi.errors import BadInput

if TYPE_CHECKING:
    from haechi.identity.audit import Broken

app = typer.Typer(help="The chain of privileged acts.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

HASH_CHARS = 64


@app.command("verify")
def verify_command(
        count: Annotated[int | None, typer.Option("--count", metavar="N", min=0, help="How many entries there once were.")] = None,
        head: Annotated[str | None, typer.Option("--head", metavar="HASH", help="The hash the chain once ended with.")] = None) -> None:
    """See that nothing in the audit was changed or removed. Exit code 1, and the broken places, when it was.

    Every act is logged with its number and hash (`audit … number=… chain=…`): with those of an older log, a chain that was cut short or
    written anew as a whole is found too.

    \b
    haechi audit verify
    haechi audit verify --count 12 --head 5f3e9c…
    """
    if head is not None and (len(head) != HASH_CHARS or set(head) - set("0123456789abcdef")):
        raise BadInput(f"--head wants the whole hash, {HASH_CHARS} characters of 0-9 and a-f")
    found, number, last = asyncio.run(verified(count, head))
    for one in found:
        print(f"entry {one.number}: {one.why}")
    if found:
        raise typer.Exit(1)
    print(f"The chain holds: {number} entr{'y' if number == 1 else 'ies'}, head {last}")


async def verified(count: int | None, head: str | None) -> tuple[list[Broken], int, str]:
    from sqlalchemy import select

    from haechi.identity.audit import FIRST, AuditEntry, verify
    from haechi.identity.command_line import opened

    async with opened() as (house, _), house.database.reading() as session:
        found = await verify(session, count=count, head=head)
        last = (await session.execute(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1))).scalar_one_or_none()
    return found, last.number if last else 0, last.hash if last else FIRST


@app.command("export")
def export_command() -> None:
    """Every entry as a line of JSON, oldest first.

    \b
    haechi audit export > audit.jsonl
    """
    asyncio.run(exported())


async def exported() -> None:
    import msgspec

    from haechi.identity.audit import AuditEntry, entries
    from haechi.identity.command_line import opened

    names = [column.key for column in AuditEntry.__table__.columns]
    async with opened() as (house, _), house.database.reading() as session:
        async for one in entries(session):
            sys.stdout.write(msgspec.json.encode({name: getattr(one, name) for name in names}).decode() + "\n")
