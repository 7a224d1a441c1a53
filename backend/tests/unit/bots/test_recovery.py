"""What an error means for a bot: its kind, whether it is tried again and when, and what its owner reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from haechi.bots.recovery import BACKOFFS, Kind, Troubles, classify, kind_of
from haechi.bots.unfit import Unfit
from haechi.bots.words import TROUBLES, reason, sentence
from haechi.core.units import UnitError
from haechi.errors import BadInput, Conflict, HaechiError
from haechi.exchanges.bitget.codes import MEANINGS
from haechi.exchanges.bitget.codes import Kind as Code
from haechi.exchanges.errors import Refused, Unreachable
from haechi.platform.clock import SetClock
from haechi.platform.db import DatabaseUnavailable
from haechi.trading.scribe import Unwritten


def refused(code):
    """As the Bitget adapter says it."""
    kind, word = MEANINGS[code]
    passes = kind in (Code.UNKNOWN, Code.RETRY, Code.MAINTENANCE, Code.RATE, Code.CLOCK)
    return (Unreachable if passes else Refused)(f"Bitget refuses: {word} (code {code})", details={"exchange_code": code, "word": word, "kind": str(kind)})


def gone_connection():
    error = OperationalError("SELECT 1", {}, OSError("gone"))
    error.connection_invalidated = True
    return error


TABLE = [
    (refused("40006"), Kind.KEY), (refused("40012"), Kind.KEY), (refused("40037"), Kind.KEY), (refused("30011"), Kind.KEY),
    (refused("40085"), Kind.PERMISSION), (refused("40110"), Kind.PERMISSION), (refused("40774"), Kind.PERMISSION),
    (Refused("may withdraw", details={"word": "withdraw"}), Kind.PERMISSION),
    (refused("429"), Kind.RATE), (refused("70228"), Kind.RATE), (refused("40200"), Kind.MAINTENANCE), (refused("22041"), Kind.MAINTENANCE),
    (refused("40005"), Kind.CLOCK), (refused("40754"), Kind.FUNDS), (refused("43012"), Kind.FUNDS),
    (refused("40010"), Kind.NETWORK), (refused("40908"), Kind.NETWORK), (refused("40309"), Kind.REJECTED), (refused("40869"), Kind.REJECTED),
    (Unreachable("does not answer", details={"word": "unknown"}), Kind.NETWORK), (Unreachable("nothing"), Kind.NETWORK),
    (Refused("no such market"), Kind.REJECTED),
    (ConnectionResetError(), Kind.NETWORK), (TimeoutError(), Kind.NETWORK), (OSError("no route"), Kind.NETWORK), (EOFError(), Kind.NETWORK),
    (gone_connection(), Kind.DATABASE), (PoolTimeout(), Kind.DATABASE), (DatabaseUnavailable("away"), Kind.DATABASE), (Unwritten("full"), Kind.DATABASE),
    (IntegrityError("INSERT", {}, ValueError("twice")), Kind.FAULT), (OperationalError("no such table", {}, ValueError()), Kind.FAULT),
    (Conflict("taken"), Kind.REJECTED), (BadInput("no"), Kind.REJECTED),
    (HaechiError("nothing there", code="account_empty"), Kind.FUNDS), (ZeroDivisionError(), Kind.FAULT), (AssertionError(), Kind.FAULT),
    (KeyError("x"), Kind.FAULT), (UnitError("a fill that does not follow: the position is read again"), Kind.FAULT),
    (Unfit("the grid needs 500"), Kind.REJECTED),
]


@pytest.mark.parametrize(("error", "kind"), TABLE, ids=lambda one: one if isinstance(one, Kind) else repr(one)[:60])
def test_an_error_is_of_a_kind(error, kind):
    assert kind_of(error) is kind


def test_every_code_of_the_exchange_has_a_kind_and_only_a_key_is_a_key():
    for code, meaning in MEANINGS.items():
        kind = kind_of(refused(code))
        assert (kind in (Kind.KEY, Kind.PERMISSION)) >= (meaning.kind is Code.KEY), code
        assert kind is not Kind.FAULT, code


AGAIN = {Kind.KEY: 2, Kind.FAULT: 3, Kind.PERMISSION: 0, Kind.REJECTED: 0}


@pytest.mark.parametrize("kind", list(Kind))
def test_how_often_it_is_tried_again(kind):
    error = next(one for one, its in TABLE if its is kind)
    tried = [classify(error, attempt).retry for attempt in range(1, 60)]
    most = AGAIN.get(kind, 59)
    assert tried == [True] * most + [False] * (59 - most)


@pytest.mark.parametrize("kind", list(BACKOFFS))
def test_waiting_doubles_up_to_a_cap_and_is_spread(kind):
    error, backoff = next(one for one, its in TABLE if its is kind), BACKOFFS[kind]
    whole = [classify(error, attempt, lambda: 1.0).backoff_ms for attempt in range(1, 50)]
    half = [classify(error, attempt, lambda: 0.0).backoff_ms for attempt in range(1, 50)]
    assert whole[0] == backoff.first_ms
    assert all(after == min(2 * before, backoff.cap_ms) for before, after in zip(whole, whole[1:], strict=False))
    assert [2 * one for one in half] == whole


def test_a_key_is_given_up_within_ten_seconds():
    error = refused("40006")
    assert sum(classify(error, attempt).backoff_ms for attempt in (1, 2)) <= 10_000


def test_a_fault_is_tried_three_times_in_ten_minutes_and_afterwards_anew():
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    troubles = Troubles(clock, lambda: 1.0)
    met = []
    for _ in range(4):
        met.append(troubles.met("bot", ValueError()).retry)
        clock.advance(timedelta(minutes=1))
    assert met == [True, True, True, False]
    assert troubles.met("another", ValueError()).attempt == 1, "counted by itself"
    clock.advance(timedelta(minutes=11))
    assert troubles.met("bot", ValueError()).attempt == 1


def test_faults_between_other_troubles_count_together():
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    troubles = Troubles(clock, lambda: 1.0)
    met = [troubles.met("bot", error).retry for _ in range(4) for error in (ValueError(), ConnectionResetError())]
    assert met == [True, True, True, True, True, True, False, True]


def test_an_account_waits_as_a_whole_until_it_works():
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    troubles = Troubles(clock, lambda: 1.0)
    troubles.met("account", refused("40006"))
    assert troubles.waits("account") and not troubles.waits("other")
    clock.advance(timedelta(seconds=1))
    assert not troubles.waits("account")
    troubles.over("account")
    assert troubles.met("account", refused("40006")).attempt == 1


def test_every_trouble_is_told_in_both_languages():
    assert set(TROUBLES) == {str(kind) for kind in Kind}
    for kind, (english, korean) in TROUBLES.items():
        assert english.isascii() and not korean.isascii() and len(english) <= 200
        assert reason("ko", english) == korean and reason("en", english) == english
        facts = {"why": kind, "attempt": "2", "seconds": "4", "reason": english}
        assert english in sentence("en", "recovering", facts) and korean in sentence("ko", "recovering", facts)
        assert english in sentence("en", "gave_up", facts) and korean in sentence("ko", "gave_up", facts)


def test_what_was_rejected_says_why_in_its_own_words():
    assert classify(Conflict("The venue refused leverage 20.")).reason == "The venue refused leverage 20."
    assert "secret" not in classify(ValueError("secret")).reason
    assert classify(Unfit("the grid needs 500")).reason == "the grid needs 500"
