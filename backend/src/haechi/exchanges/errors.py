"""What reading from an exchange raises. Orders never raise: their outcomes are values (port.py)."""

from __future__ import annotations

from haechi.errors import HaechiError


class Unreachable(HaechiError):
    """No answer that could be read; the same question may be asked again later."""

    status = 503
    code = "exchange_unreachable"


class Refused(HaechiError):
    """The exchange answered with a no that asking again will not change."""

    status = 409
    code = "exchange_refused"
