"""`haechi kill`, `haechi unkill`, `haechi kills`: with the server dead and the database down, too.

The files of var/kill are all they need; a running server sees them within half a second. An e-mail address is looked up in the database,
an id is not. The audit is told afterwards, when the database answers.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haechi.errors import BadInput, HaechiError

if TYPE_CHECKING:
    from haechi.trading.kill_files import Scope
    from haechi.trading.kill_switch import Kills

BY = "command line"
User = Annotated[str, typer.Option("--user", metavar="EMAIL|ID", help="Of this person only.")]
Bot = Annotated[str, typer.Option("--bot", metavar="ID", help="Of this bot only.")]
Folder = Annotated[Path | None, typer.Option("--var", metavar="FOLDER", help="The folder of state; default: HAECHI_VAR.")]


def kill(reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in your words.")], user: User = "", bot: Bot = "",
         var: Folder = None) -> None:
    """Stop all trading now: nothing takes on new risk until `haechi unkill`; what closes still may.

    \b
    haechi kill --reason "the exchange answers nonsense"
    haechi kill --user mina@example.com --reason "asked by phone"
    """
    scope, subject = meant(user, bot)
    switch = kills_of(var).turn_on(scope, subject, by=BY, reason=reason)
    print(f"Killed: {said(scope, subject)}. Turn it off with `haechi unkill{options(scope, subject)}`.")
    told(asyncio.run(audited("kill_switch.on", scope, subject, reason=switch.reason)))


def unkill(user: User = "", bot: Bot = "", var: Folder = None) -> None:
    """Allow trading again; nothing starts by itself.

    \b
    haechi unkill
    haechi unkill --bot 019ab0c4d5e6a1b2c3d4e5f60718293a
    """
    scope, subject = meant(user, bot)
    kills_of(var).turn_off(scope, subject)
    print(f"Allowed again: {said(scope, subject)}.")
    told(asyncio.run(audited("kill_switch.off", scope, subject)))


def kills(var: Folder = None) -> None:
    """Which kill switches are on, since when, by whom and why. Exit code 1 when one is.

    \b
    haechi kills
    """
    from haechi.platform.clock import instant

    on = kills_of(var).switches
    for switch in on.values():
        since = instant(switch.since_ms).isoformat(timespec="seconds") if switch.since_ms else "-"
        print("  ".join((said(switch.scope, switch.id), since, switch.by or "-", switch.reason or "-")))
    if on:
        raise typer.Exit(1)
    print("No kill switch is on.")


def kills_of(var: Path | None) -> Kills:
    """Of the folder alone: no secret has to be right for a panic."""
    from haechi.platform.clock import SystemClock
    from haechi.settings import Settings
    from haechi.trading.kill_switch import Kills

    return Kills((var or Settings().haechi_var).resolve() / "kill", SystemClock())


def meant(user: str, bot: str) -> tuple[Scope, str]:
    if user and bot:
        raise BadInput("name a user or a bot, not both")
    if bot:
        return "bot", bot
    if not user:
        return "platform", ""
    return "user", asyncio.run(id_of(user)) if "@" in user else user


async def id_of(email: str) -> str:
    from haechi.identity.command_line import opened, person

    try:
        async with opened() as (house, _), house.database.reading() as session:
            return (await person(session, email)).id
    except HaechiError as error:
        if error.code == "not_found":
            raise
        raise BadInput(f"nobody can be looked up by address now ({error.message}): give the id, or leave --user out to stop all") from error


async def audited(name: str, scope: str, subject: str, **details: str) -> str:
    """'' or why the audit could not be told."""
    from sqlalchemy.exc import SQLAlchemyError

    from haechi.identity.audit import record
    from haechi.identity.command_line import act, opened

    try:
        async with opened() as (house, _), house.database.writing() as session:
            await record(session, act(name, subject or scope, scope=scope, **details), house.clock.now())
    except (HaechiError, OSError, SQLAlchemyError) as error:
        return error.message if isinstance(error, HaechiError) else type(error).__name__
    return ""


def told(why_not: str) -> None:
    if why_not:
        print(f"The audit was not told of it: {why_not}", file=sys.stderr)


def said(scope: str, subject: str) -> str:
    return f"{scope} {subject}".rstrip()


def options(scope: str, subject: str) -> str:
    return f" --{scope} {subject}" if subject else ""
