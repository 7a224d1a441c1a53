"""`haechi doctor`: what this machine lacks, each with what to do. `haechi migrate` lives beside it: its remedy."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from haechi.errors import HaechiError

if TYPE_CHECKING:
    from haechi.settings import Settings

PYTHON_MIN = (3, 11)
LIBRARIES = ("numpy", "numba", "talib", "polars", "msgspec", "pydantic", "fastapi", "uvicorn", "sqlalchemy", "alembic", "aiohttp", "yaml",
             "typer")
DISK_MB_MIN = 500
YEAR_2025_S = 1_735_689_600  # a clock that shows an earlier time than this program's is wrong
DATABASE_TIMEOUT_S = 10
REDIS_TIMEOUT_S = 5


class Finding(msgspec.Struct, frozen=True):
    """state: ok | note | wrong. `remedy` says what to do about a note or a wrong."""

    what: str
    state: str
    text: str
    remedy: str = ""


def examine(say: Callable[[str], None] = print) -> int:
    """Tell all findings; 0 when nothing is wrong, otherwise 1."""
    found = list(findings())
    marks = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}
    for one in found:
        say(f"{marks[one.state]}  {one.what:<12} {one.text}")
        if one.remedy:
            say(f"       {'':<12} → {one.remedy}")
    wrong = sum(one.state == "wrong" for one in found)
    say("Everything is in order." if not wrong else f"{wrong} of {len(found)} things are wrong.")
    return 1 if wrong else 0


def findings() -> Iterator[Finding]:
    from haechi.settings import load_settings

    yield python()
    yield from libraries()
    yield engine()
    yield clock()
    try:
        settings = load_settings()
    except HaechiError as error:
        yield Finding("settings", "wrong", error.message, "docs/settings.md explains each name")
        return
    yield Finding("settings", "ok", f"environment {settings.environment}")
    yield folder("state", settings.haechi_var, "HAECHI_VAR")
    yield folder("candles", settings.haechi_data, "HAECHI_DATA")
    yield database(settings)
    if settings.redis_url.get_secret_value():
        yield counters(settings)
    problem = address_problem(settings.host, settings.port)
    remedy = "stop what listens there, or set PORT" if problem else ""
    yield Finding("address", "note" if problem else "ok", problem or f"{settings.host}:{settings.port} is free", remedy)


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON_MIN:
        return Finding("python", "wrong", f"{version} is too old", "install Python 3.11 or newer, remove .venv, and run make again")
    return Finding("python", "ok", version)


def libraries() -> Iterator[Finding]:
    missing = []
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name} ({error})")
    if missing:
        yield Finding("libraries", "wrong", f"cannot load {', '.join(missing)}", "run `make run`: it installs what the lock file names")
    else:
        yield Finding("libraries", "ok", f"{len(LIBRARIES)} load")


def engine() -> Finding:
    from haechi.research.compiling import cache_folder, compiled_before

    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Finding("engine", "wrong", f"{cache} cannot be made: {error.strerror}", "set XDG_CACHE_HOME to a folder that can be written")
    if not os.access(cache, os.W_OK):
        return Finding("engine", "wrong", f"{cache} cannot be written", "set XDG_CACHE_HOME to a folder that can be written")
    if not compiled_before("run_one"):
        return Finding("engine", "note", "not compiled yet for this version", "the first back-test does it, once, in about a minute")
    return Finding("engine", "ok", f"compiled, kept in {cache}")


def clock() -> Finding:
    now = time.time()
    if now < YEAR_2025_S:
        return Finding("clock", "wrong", f"it shows {time.strftime('%Y-%m-%d', time.gmtime(now))}", "switch on time synchronisation (NTP)")
    return Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def folder(what: str, path: Path, name: str) -> Finding:
    """The folder, or the nearest one above it that exists, can be written and has room."""
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding(what, "wrong", f"{path} cannot be written", f"set {name} to a folder that can be")
    room = os.statvfs(there)
    free_mb = room.f_bavail * room.f_frsize // 2**20
    if free_mb < DISK_MB_MIN:
        return Finding(what, "wrong", f"{path} has only {free_mb} MB of room", f"make room, or set {name} to another disk")
    return Finding(what, "ok", f"{path} ({free_mb // 1024} GB free)" if there == path.absolute() else f"{path} (made when first needed)")


def database(settings: Settings) -> Finding:
    from sqlalchemy.exc import SQLAlchemyError

    from haechi.platform.migrate import newest

    kind = settings.database.partition("+")[0]
    file = Path(settings.database.partition(":///")[2]) if kind == "sqlite" else None
    if file is not None and not file.exists():
        return Finding("database", "ok", f"SQLite {file} (made when first needed)")
    try:
        have = asyncio.run(asyncio.wait_for(_revision(settings), DATABASE_TIMEOUT_S))
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        problem = f"{kind} does not answer: {type(error).__name__}"
        return Finding("database", "wrong", problem, "check DATABASE_URL, and that the database runs")
    if have != newest():
        return Finding("database", "note", f"{kind}: its tables are at {have}, this version needs {newest()}", "run `haechi migrate`")
    return Finding("database", "ok", f"{kind}, tables at {have}")


def counters(settings: Settings) -> Finding:
    from redis import Redis, RedisError

    link = Redis.from_url(settings.redis_url.get_secret_value(), password=settings.redis_password.get_secret_value() or None,
                          socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S)
    try:
        link.ping()
    except (RedisError, OSError) as error:
        problem = f"Redis does not answer: {type(error).__name__}"
        return Finding("redis", "wrong", problem, "check REDIS_URL and REDIS_PASSWORD, and that Redis runs; without it nobody signs in")
    finally:
        link.close()
    return Finding("redis", "ok", "it answers")


async def _revision(settings: Settings) -> str | None:
    from haechi.platform.db import Database
    from haechi.platform.migrate import current

    opened = Database(settings.database)
    try:
        return await current(opened)
    finally:
        await opened.close()


async def migrate(settings: Settings) -> str:
    """Upgrade the tables; returns a sentence about it."""
    from haechi.platform.db import Database
    from haechi.platform.migrate import current, upgrade

    opened = Database(settings.database)
    try:
        settings.haechi_var.mkdir(parents=True, exist_ok=True)
        before = await current(opened)
        await upgrade(opened)
        after = await current(opened)
    finally:
        await opened.close()
    return f"The tables are at {after} already." if before == after else f"The tables went from {before or 'nothing'} to {after}."


def address_problem(host: str, port: int) -> str | None:
    """Why nothing could listen there; None when it could."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((host, port))
    except OSError as error:
        return f"{host}:{port} cannot be listened on: {(error.strerror or str(error)).lower()}"
    return None
