"""Row ids that sort by their time of birth: 12 hexadecimal digits of milliseconds, then 20 random ones."""

from __future__ import annotations

import secrets
from collections.abc import Callable

RANDOM_BYTES = 10
ID_CHARS = 32


def new_id(now_ms: int, random_hex: Callable[[int], str] = secrets.token_hex) -> str:
    """32 hexadecimal characters. 80 random bits: ids of one millisecond do not meet, and cannot be guessed."""
    return f"{now_ms:012x}{random_hex(RANDOM_BYTES)}"
