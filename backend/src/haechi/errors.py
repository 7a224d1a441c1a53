"""Errors that outsiders may see. Everything else is a fault and shows as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class HaechiError(Exception):
    """An error with a code for programs, a sentence for people and an HTTP status. headers: what the answer says beside it."""

    status = 400
    code = "error"
    headers: Mapping[str, str] = {}

    def __init__(self, message: str, *, code: str | None = None, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.details = details


class BadInput(HaechiError):
    """What was given cannot be used; the message says what and what to do. HTTP 422, exit code 2."""

    status = 422
    code = "bad_input"


class NotFound(HaechiError):
    """Missing, or another user's: the two look alike."""

    status = 404
    code = "not_found"


class NotAllowed(HaechiError):
    """No valid sign-in."""

    status = 401
    code = "not_authenticated"


class Conflict(HaechiError):
    """Right in itself, but not in the state things are in."""

    status = 409
    code = "conflict"


class NotPermitted(HaechiError):
    """Signed in, but this is not for them, or not now."""

    status = 403
    code = "not_permitted"
