"""What reading from an exchange raises. Orders never raise: their outcomes are values (port.py)."""

from __future__ import annotations

from enum import StrEnum

from haechi.errors import HaechiError


class Unreachable(HaechiError):
    """No answer that could be read; the same question may be asked again later."""

    status = 503
    code = "exchange_unreachable"


class Refused(HaechiError):
    """The exchange answered with a no that asking again will not change."""

    status = 409
    code = "exchange_refused"


class Kind(StrEnum):
    """What kind of no an exchange said. RETRY: nothing happened, the same may be asked again. UNKNOWN: it may have happened. GIVE_UP:
    asking again changes nothing.
    """

    RETRY = "retry"
    GIVE_UP = "give_up"
    UNKNOWN = "unknown"
    CLOCK = "clock"  # our timestamp was refused: measure, then retry
    KEY = "key"  # the key is gone, wrong or may not do this: stop, tell the owner
    FUNDS = "funds"
    PRECISION = "precision"
    LIMITS = "limits"  # size, value, price or number of orders beyond what is allowed now
    TRIGGER = "trigger"  # a stop or take-profit on the wrong side of the market
    POSITION = "position"  # nothing (or not enough) to close
    MODE = "mode"  # position or margin mode, leverage: not as the order needs, or not changeable now
    UNCHANGED = "unchanged"  # it is already as asked
    RATE = "rate"
    MAINTENANCE = "maintenance"  # of the exchange or the symbol; passes
    SYMBOL = "symbol"  # the symbol is gone, closed or not for us
    NOT_FOUND = "not_found"  # no such order, or not open any more
    DUPLICATE = "duplicate"  # this client id is taken: the order exists
