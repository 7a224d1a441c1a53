"""Files that are there whole or not at all, whatever ends the process while they are written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from haechi.errors import BadInput


def write_whole(path: Path, text: str) -> None:
    """Written beside the target and renamed over it. Raises BadInput naming the path when it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            part.unlink()


def check_target(path: Path) -> None:
    """Before long work: refuse a target that could not be written after it. Raises BadInput."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder; name a file")
    folder = path.parent
    if not folder.is_dir():
        raise BadInput(f"{path} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise BadInput(f"{path} cannot be written: no permission in {folder}")
