"""Access tokens: JSON web tokens (HS256) for one hour, bound to a session row. Refresh tokens: random texts, stored hashed."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

import jwt

from haechi.errors import NotAllowed
from haechi.identity.models import SessionId, UserId
from haechi.platform.clock import Clock

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=7)
CLOCK_SKEW_S = 30
ALGORITHM = "HS256"
ISSUER = "haechi"
AUDIENCE = "haechi-api"
REQUIRED = ["sub", "sid", "iss", "aud", "iat", "exp", "jti", "type"]
TOKEN_CHARS_MAX = 2048


@dataclass(frozen=True)
class Access:
    """What a valid access token says."""

    user_id: UserId
    session_id: SessionId


class Tokens:
    """Makes and reads access tokens with one secret and one clock."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def access(self, user_id: str, session_id: str) -> str:
        now = self._clock.now_ms() // 1000
        claims = {"sub": user_id, "sid": session_id, "iss": ISSUER, "aud": AUDIENCE, "iat": now,
                  "exp": now + int(ACCESS_LIFE.total_seconds()), "jti": secrets.token_hex(16), "type": "access"}
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str) -> Access:
        """Raises NotAllowed for anything but an unexpired access token of ours."""
        if len(token) > TOKEN_CHARS_MAX:
            raise refused()
        try:
            # Times are judged below by our own clock, which tests and simulations set.
            claims = jwt.decode(token, self._secret, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER,
                                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False})
        except jwt.InvalidTokenError:
            raise refused() from None
        if claims["type"] != "access" or not self._in_time(claims["iat"], claims["exp"]):
            raise refused()
        return Access(UserId(str(claims["sub"])), SessionId(str(claims["sid"])))

    def _in_time(self, issued: object, expires: object) -> bool:
        now = self._clock.now_ms() / 1000
        return isinstance(issued, int) and isinstance(expires, int) and issued <= now + CLOCK_SKEW_S and now < expires


def refused() -> NotAllowed:
    return NotAllowed("Please sign in: the access token is missing, wrong or expired.")


def new_refresh() -> str:
    """256 random bits; strong enough that its hash needs no salt."""
    return secrets.token_urlsafe(32)


def refresh_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
