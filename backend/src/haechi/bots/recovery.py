"""What an error of a bot means: whether to try again, when, and what its owner is told.

An error is classified by the class it was raised as and by what the exchange's adapter says of it (`details`: kind and word of
its code table), never by the text of its message.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from haechi.bots.unfit import Unfit
from haechi.bots.words import TROUBLES
from haechi.errors import HaechiError
from haechi.exchanges.errors import Kind as Code
from haechi.exchanges.errors import Refused, Unreachable
from haechi.platform.clock import Clock
from haechi.platform.db import DatabaseUnavailable, unreachable
from haechi.trading.scribe import Unwritten

MINUTE_MS = 60_000
TRIES_COUNTED = 40  # more make no difference: the wait has long been the longest


class Kind(StrEnum):
    KEY = "key_invalid"
    PERMISSION = "permission"
    RATE = "rate_limit"
    NETWORK = "network"
    FUNDS = "insufficient_balance"
    MAINTENANCE = "maintenance"
    DATABASE = "database"
    CLOCK = "clock"
    REJECTED = "rejected"
    FAULT = "fault"


class Backoff(NamedTuple):
    """first_ms doubles with each try up to cap_ms. tries: as often it is tried again within window_ms; None: for ever."""

    first_ms: int
    cap_ms: int
    tries: int | None = None
    window_ms: int = 10 * MINUTE_MS


# A kind that is not here is not tried again: somebody has to change something first.
BACKOFFS: dict[Kind, Backoff] = {
    Kind.KEY: Backoff(1_000, 4_000, tries=2),  # with the first that is three, and less than ten seconds
    Kind.RATE: Backoff(5_000, 5 * MINUTE_MS),
    Kind.NETWORK: Backoff(1_000, MINUTE_MS),
    Kind.FUNDS: Backoff(MINUTE_MS, 15 * MINUTE_MS),
    Kind.MAINTENANCE: Backoff(30_000, 10 * MINUTE_MS),
    Kind.DATABASE: Backoff(1_000, 30_000),
    Kind.CLOCK: Backoff(30_000, 5 * MINUTE_MS),
    Kind.FAULT: Backoff(2_000, MINUTE_MS, tries=3),
}
ONCE = Backoff(0, 0)
WHOLE_ACCOUNT = frozenset({Kind.KEY, Kind.PERMISSION})  # what stops one bot of the account stops them all

# By the kind of the exchange's code, then by the house's word for it (what the venue and the adapters say alike).
CODES: dict[str, Kind] = {
    Code.KEY: Kind.KEY, Code.RATE: Kind.RATE, Code.MAINTENANCE: Kind.MAINTENANCE, Code.CLOCK: Kind.CLOCK, Code.FUNDS: Kind.FUNDS,
    Code.UNKNOWN: Kind.NETWORK, Code.RETRY: Kind.NETWORK,
}
WORDS: dict[str, Kind] = {
    "key": Kind.KEY, "account_mode": Kind.PERMISSION, "demo": Kind.PERMISSION, "withdraw": Kind.PERMISSION, "mode": Kind.PERMISSION,
    "rate": Kind.RATE, "busy": Kind.NETWORK, "maintenance": Kind.MAINTENANCE, "closed": Kind.MAINTENANCE, "clock": Kind.CLOCK,
    "margin": Kind.FUNDS, "unknown": Kind.NETWORK,
}
OURS: dict[str, Kind] = {"database_unavailable": Kind.DATABASE, "account_empty": Kind.FUNDS}


class Trouble(NamedTuple):
    """attempt: the how manieth in a row. reason: an English sentence, kept with the bot (words.reason shows it in Korean)."""

    kind: Kind
    retry: bool
    backoff_ms: int
    reason: str
    attempt: int = 1


def classify(error: BaseException, attempt: int = 1, random: Callable[[], float] = lambda: 1.0) -> Trouble:
    """The `attempt`th error in a row (the first is 1). random: 0 … 1, spreads tries over half of the time."""
    kind = kind_of(error)
    own = isinstance(error, HaechiError | Unfit) and kind is Kind.REJECTED  # its message is for people, and says what to do
    reason = str(error) if own else TROUBLES[kind][0]
    return Trouble(kind, may_retry(kind, attempt), backoff_ms(kind, attempt, random), reason, attempt)


def kind_of(error: BaseException) -> Kind:
    if isinstance(error, SQLAlchemyError):
        return Kind.DATABASE if unreachable(error) else Kind.FAULT
    if isinstance(error, DatabaseUnavailable | Unwritten):
        return Kind.DATABASE
    if isinstance(error, Unfit):
        return Kind.REJECTED
    if isinstance(error, Unreachable | Refused):
        return of_exchange(error)
    if isinstance(error, HaechiError):
        return OURS.get(error.code) or (Kind.FAULT if error.status >= 500 else Kind.REJECTED)
    return Kind.NETWORK if isinstance(error, OSError | TimeoutError | EOFError) else Kind.FAULT


def of_exchange(error: Unreachable | Refused) -> Kind:
    details = error.details or {}
    word, code = str(details.get("word", "")), str(details.get("kind", ""))
    found = WORDS.get(word) or CODES.get(code)
    return found or (Kind.NETWORK if isinstance(error, Unreachable) else Kind.REJECTED)


def may_retry(kind: Kind, attempt: int) -> bool:
    backoff = BACKOFFS.get(kind)
    return backoff is not None and (backoff.tries is None or attempt <= backoff.tries)


def backoff_ms(kind: Kind, attempt: int, random: Callable[[], float]) -> int:
    """0 for what is not tried again."""
    backoff = BACKOFFS.get(kind)
    if backoff is None:
        return 0
    whole = min(backoff.first_ms * 2 ** min(attempt - 1, 30), backoff.cap_ms)
    return int(whole * (0.5 + random() / 2))


class Troubles:
    """Troubles met in a row, of bots and of whole accounts; each kind is counted by itself, one older than the window is forgotten."""

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self.clock, self.random = clock, random
        self._times_ms: dict[tuple[str, Kind], list[int]] = {}
        self._until_ms: dict[str, int] = {}

    def of_account(self, error: BaseException) -> bool:
        """Whether it is the account's, not only this bot's."""
        return kind_of(error) in WHOLE_ACCOUNT

    def met(self, whose: str, error: BaseException) -> Trouble:
        """One more. whose: a bot's id, or an account's, which then waits as a whole."""
        kind = kind_of(error)
        trouble = classify(error, self._count(whose, kind), self.random)
        if kind in WHOLE_ACCOUNT:
            self._until_ms[whose] = self.clock.now_ms() + trouble.backoff_ms
        return trouble

    def _count(self, whose: str, kind: Kind) -> int:
        backoff, now_ms = BACKOFFS.get(kind, ONCE), self.clock.now_ms()
        window_ms = max(backoff.window_ms, 2 * backoff.cap_ms)  # longer than the longest wait between two tries
        recent = [one for one in self._times_ms.get((whose, kind), []) if one > now_ms - window_ms]
        self._times_ms[whose, kind] = [*recent[-TRIES_COUNTED:], now_ms]
        return len(self._times_ms[whose, kind])

    def waits(self, account_id: str) -> bool:
        """Whether nothing of this account is to be tried yet."""
        return self._until_ms.get(account_id, 0) > self.clock.now_ms()

    def over(self, account_id: str) -> None:
        """It works (again)."""
        self._until_ms.pop(account_id, None)
        for kind in WHOLE_ACCOUNT:
            self._times_ms.pop((account_id, kind), None)

    def clear(self) -> None:
        self._times_ms.clear()
        self._until_ms.clear()
