"""`haechi users …`. What the commands need is imported in their bodies, so that the help comes at once."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from haechi.errors import BadInput, Conflict

app = typer.Typer(help="People: add, list, roles, suspend.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Of the person.")]


@app.command()
def add(email: Email, admin: Annotated[bool, typer.Option("--admin", help="With the role admin.")] = False,
        password_stdin: Annotated[bool, typer.Option("--password-stdin", help="The password is the first line of stdin.")] = False) -> None:
    """Add a person. The password is asked for twice and not shown.

    \b
    haechi users add mina@example.com
    haechi users add root@example.com --admin
    pass show haechi | haechi users add root@example.com --admin --password-stdin
    """
    from haechi.identity.passwords import check_new
    from haechi.identity.schemas import an_address, within_bytes

    try:
        email = an_address(email)
        password = within_bytes(first_line() if password_stdin else asked_twice())
    except ValueError as error:
        raise BadInput(str(error)) from None
    check_new(password, email)
    asyncio.run(added(email, password, "admin" if admin else "user"))
    print(f"{email} was added" + (" as an admin; admins need the second factor: sign in and set it up first." if admin else "."))


def first_line() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise BadInput("there is no password on stdin")
    return line


def asked_twice() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


async def added(email: str, password: str, role: str) -> None:
    from haechi.identity.audit import record
    from haechi.identity.command_line import act, opened
    from haechi.identity.store import user_by_email

    async with opened() as (house, identity):
        password_hash = await identity.passwords.hash(password)
        async with house.database.writing() as session:
            if await user_by_email(session, email) is not None:
                raise Conflict(f"there is an account for {email} already")
            user = await identity.accounts.add(session, email=email, password_hash=password_hash, role=role)
            await record(session, act("user.added", user.id, role=role), house.clock.now())


@app.command("list")
def list_command() -> None:
    """Everybody: address, role, state, second factor, since when.

    \b
    haechi users list
    """
    rows = [("EMAIL", "ROLE", "STATE", "2FA", "SINCE"), *asyncio.run(everybody())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


async def everybody() -> list[tuple[str, ...]]:
    from sqlalchemy import select

    from haechi.identity.command_line import opened
    from haechi.identity.models import User

    async with opened() as (house, _), house.database.reading() as session:
        people = (await session.execute(select(User).order_by(User.email))).scalars().all()
    return [(one.email, one.role, "suspended" if one.suspended_at else "active" if one.verified_at else "unverified",
             "on" if one.has_2fa else "off", one.created_at.date().isoformat()) for one in people]


@app.command()
def role(email: Email, name: Annotated[str, typer.Argument(metavar="admin|user", help="The role.")]) -> None:
    """Give a role. Every session of theirs ends; the last admin stays one.

    \b
    haechi users role mina@example.com admin
    """
    asyncio.run(with_role(email, name))
    print(f"{email} has the role {name} now.")


async def with_role(email: str, name: str) -> None:
    from haechi.identity.command_line import act, opened, person

    async with opened() as (house, identity):
        async with house.database.reading() as session:
            user = await person(session, email)
        await identity.accounts.set_role(user.id, name, act("user.role", user.id))


@app.command()
def suspend(email: Email) -> None:
    """Lock a person out: every session of theirs ends at once.

    \b
    haechi users suspend mina@example.com
    """
    asyncio.run(suspended(email, on=True))
    print(f"{email} is suspended.")


@app.command()
def activate(email: Email) -> None:
    """Let a suspended person in again.

    \b
    haechi users activate mina@example.com
    """
    asyncio.run(suspended(email, on=False))
    print(f"{email} may sign in.")


async def suspended(email: str, *, on: bool) -> None:
    from haechi.identity.command_line import act, opened, person

    async with opened() as (house, identity):
        async with house.database.reading() as session:
            user = await person(session, email)
        await identity.accounts.suspend(user.id, act("user.suspended" if on else "user.activated", user.id), on=on)


@app.command("reset-2fa")
def reset_2fa(email: Email) -> None:
    """Turn the second factor off, for who lost it and the recovery codes. Every session of theirs ends.

    \b
    haechi users reset-2fa mina@example.com
    """
    asyncio.run(without_2fa(email))
    print(f"The second factor of {email} is off; they sign in with the password alone and can set it up again.")


async def without_2fa(email: str) -> None:
    from haechi.identity.audit import record
    from haechi.identity.command_line import act, opened, person

    async with opened() as (house, identity), house.database.writing() as session:
        user = await person(session, email)
        if user.totp is None:
            raise Conflict(f"the second factor of {email} is off already")
        await identity.factor.turn_off(session, user)
        ended = await identity.sessions.end_all(session, user.id)
        await record(session, act("2fa.reset", user.id, sessions_ended=ended), house.clock.now())


@app.command("end-sessions")
def end_sessions(email: Annotated[str, typer.Argument(metavar="[EMAIL]", help="Whose.")] = "",
                 everybody: Annotated[bool, typer.Option("--all", help="Everybody's.")] = False) -> None:
    """Sign a person, or everybody, out everywhere; they may sign in again.

    \b
    haechi users end-sessions mina@example.com
    haechi users end-sessions --all
    """
    if bool(email) == everybody:
        raise BadInput("name one e-mail address, or say --all")
    ended = asyncio.run(all_signed_out() if everybody else signed_out(email))
    print(f"{ended} session{'' if ended == 1 else 's'} of {email or 'everybody'} ended.")


async def all_signed_out() -> int:
    from haechi.identity.audit import record
    from haechi.identity.command_line import act, opened

    async with opened() as (house, identity), house.database.writing() as session:
        ended = await identity.sessions.end_everybodys(session)
        await record(session, act("user.all_sessions_ended", ended=ended), house.clock.now())
    return ended


async def signed_out(email: str) -> int:
    from haechi.identity.audit import record
    from haechi.identity.command_line import act, opened, person

    async with opened() as (house, identity), house.database.writing() as session:
        user = await person(session, email)
        ended = await identity.sessions.end_all(session, user.id)
        await record(session, act("user.sessions_ended", user.id, ended=ended), house.clock.now())
    return ended
