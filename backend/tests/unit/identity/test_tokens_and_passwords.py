"""Tokens and passwords without a server."""

from datetime import UTC, datetime, timedelta

import bcrypt
import jwt
import pytest

from haechi.errors import NotAllowed
from haechi.identity.passwords import WAITING_MAX, Passwords
from haechi.identity.tokens import REQUIRED, Tokens
from haechi.platform.clock import SetClock
from haechi.platform.limits import Full

SECRET = "Qm7xV2kP9sLwT4yB8nRdF6hJ3cZaE5gU"
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = int(START.timestamp())
CLAIMS = {"sub": "u", "sid": "s", "iss": "haechi", "aud": "haechi-api", "iat": NOW, "exp": NOW + 60, "jti": "j", "type": "access"}


def forged(secret=SECRET, algorithm="HS256", **changed):
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    return jwt.encode(claims, secret, algorithm=algorithm)


@pytest.fixture
def clock():
    return SetClock(START)


@pytest.fixture
def tokens(clock):
    return Tokens(SECRET, clock)


@pytest.fixture
def passwords():
    made = Passwords()
    yield made
    made.close()


def test_an_access_token_says_who_and_which_session_for_one_hour(tokens, clock):
    token = tokens.access("user-1", "session-1")
    clock.advance(timedelta(minutes=59, seconds=59))
    assert (tokens.read(token).user_id, tokens.read(token).session_id) == ("user-1", "session-1")
    clock.advance(timedelta(seconds=1))
    with pytest.raises(NotAllowed):
        tokens.read(token)


def test_the_forger_of_these_tests_makes_tokens_that_would_be_good(tokens):
    assert tokens.read(forged()).user_id == "u"


@pytest.mark.parametrize("changed", [
    {"type": "refresh"}, {"aud": "another"}, {"iss": "another"}, {"exp": NOW - 1}, {"exp": "tomorrow"}, {"iat": NOW + 3600},
    *({name: None} for name in REQUIRED)])
def test_a_token_with_one_claim_wrong_or_missing_is_refused(tokens, changed):
    with pytest.raises(NotAllowed):
        tokens.read(forged(**changed))


@pytest.mark.parametrize("token", [
    forged(secret="another secret that is long enough....."), forged(algorithm="HS512", secret=SECRET * 2),
    jwt.encode(CLAIMS, None, algorithm="none"), "", "a.b.c", "x" * 5000])
def test_a_token_signed_otherwise_or_not_at_all_is_refused(tokens, token):
    with pytest.raises(NotAllowed):
        tokens.read(token)


async def test_new_hashes_are_argon2id_and_fit_only_their_password(passwords):
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert await passwords.verify("correct horse", hashed) == (True, None)
    assert await passwords.verify("wrong horse", hashed) == (False, None)


async def test_a_bcrypt_hash_is_read_and_comes_back_as_argon2id(passwords):
    old = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    fits, better = await passwords.verify("correct horse", old)
    assert fits
    assert better.startswith("$argon2id$")
    assert await passwords.verify("가" * 30, old) == (False, None)


async def test_one_password_typed_on_two_keyboards_is_one_password(passwords):
    hashed = await passwords.hash("\u1112\u1162\u1110\u1175")  # decomposed jamo
    assert (await passwords.verify("해티", hashed))[0]


async def test_a_flood_of_sign_ins_is_refused_and_passes(passwords):
    passwords._waiting = WAITING_MAX
    assert passwords.full
    with pytest.raises(Full), passwords.room():
        pass
    passwords._waiting = 0
    assert (await passwords.hash("x")).startswith("$argon2id$")
