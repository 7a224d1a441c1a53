"""What the exchange says no with: Bitget's code, and what its sentence needs."""

from __future__ import annotations


class Refusal(Exception):
    """code: as in Bitget's list; values: for {0}, {1} of its message (wire/codes.py)."""

    def __init__(self, code: str, *values: object) -> None:
        super().__init__(code, *values)
        self.code = code
        self.values = tuple(str(value) for value in values)
