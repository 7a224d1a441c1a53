"""A kill switch on the disk: one small file each, so that it works without database and server, and outlives both.

`platform.json`, `user-ID.json`, `bot-ID.json` in var/kill. A switch is on while its file is there, whatever is in it: a file or folder
that cannot be read or understood stops trading, it never allows it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

import msgspec

from haechi.errors import BadInput, HaechiError

PLATFORM, USER, BOT = "platform", "user", "bot"
REASON_CHARS_MAX = 200
FILE_BYTES_MAX = 4_096
UNREADABLE = "The kill switches cannot be read; nothing trades until var/kill is readable again."
SUBJECT = re.compile(r"[0-9A-Za-z]{1,64}")
NAME = re.compile(r"(?:(platform)|(user|bot)-([0-9A-Za-z]{1,64}))\.json")


class Switch(msgspec.Struct, frozen=True):
    """One that is on. scope: platform | user | bot; id: of the user or bot, '' for the platform; since_ms 0: its file cannot be read."""

    scope: str
    id: str
    since_ms: int
    by: str
    reason: str

    @property
    def file_name(self) -> str:
        return f"{self.scope}-{self.id}.json" if self.id else f"{self.scope}.json"


class NotKept(HaechiError):
    """The disk does not take or give up the file of a switch."""

    status = 503
    code = "kill_switch_not_kept"


def checked(scope: str, subject: str) -> None:
    """Raises BadInput: a name of a file comes of it."""
    if scope not in (PLATFORM, USER, BOT) or (subject != "" if scope == PLATFORM else SUBJECT.fullmatch(subject) is None):
        raise BadInput("A kill switch is of the platform, or of one user or bot by its id (letters and digits).")


def write(folder: Path, switch: Switch) -> None:
    """On the disk when this returns. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f".{switch.file_name}.{os.getpid()}"
    with open(made, "wb") as file:
        file.write(msgspec.json.encode(switch))
        file.flush()
        os.fsync(file.fileno())
    os.replace(made, folder / switch.file_name)
    sync(folder)


def remove(folder: Path, scope: str, subject: str) -> None:
    """Gone from the disk when this returns. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / Switch(scope, subject, 0, "", "").file_name).unlink(missing_ok=True)
    sync(folder)


def sync(folder: Path) -> None:
    """The name is kept, not only the content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Name -> when changed and how large, of every file there; names that begin with a dot are being written. Raises OSError."""
    with os.scandir(folder) as found:
        return {one.name: stamp(one) for one in found if not one.name.startswith(".")}


def stamp(one: os.DirEntry[str]) -> tuple[int, int]:
    try:
        about = one.stat()
    except FileNotFoundError:  # taken away this moment: the next look does not find its name
        return (0, 0)
    return about.st_mtime_ns, about.st_size


def read(folder: Path, name: str) -> Switch:
    """What a file says. One that cannot be understood is on all the same; one with a name of no kind stops the platform."""
    match = NAME.fullmatch(name)
    scope, subject = (PLATFORM, "") if match is None else (match[1] or match[2], match[3] or "")
    try:
        with open(folder / name, "rb") as file:
            told = msgspec.json.decode(file.read(FILE_BYTES_MAX), type=Switch)
    except (OSError, msgspec.DecodeError):
        return Switch(scope, subject, 0, "", f"The file {name} cannot be read.")
    return msgspec.structs.replace(told, scope=scope, id=subject)


Scope = Literal["platform", "user", "bot"]
