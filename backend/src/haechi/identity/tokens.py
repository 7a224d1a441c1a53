"""Signed tokens (JSON web tokens, HS256): access for one hour, bound to a session row; a challenge between password and second factor;
a device's note that somebody signed in there before. Refresh tokens and everything sent by mail are random texts, stored hashed."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

from haechi.errors import NotAllowed
from haechi.identity.models import SessionId, UserId
from haechi.platform.clock import Clock

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=7)  # since its last use
SESSION_LIFE = timedelta(days=30)  # however often it is used
CHALLENGE_LIFE = timedelta(minutes=5)
DEVICE_LIFE = timedelta(days=180)
CLOCK_SKEW_S = 30
ALGORITHM = "HS256"
ISSUER = "haechi"
AUDIENCE = "haechi-api"
REQUIRED = ["sub", "iss", "aud", "iat", "exp", "jti", "type"]
OPTIONS: Any = {"require": REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
HEADER = {"alg": ALGORITHM, "typ": "JWT"}  # nothing else: no kid, jku, x5u or jwk is ever looked at
TOKEN_CHARS_MAX = 2048
VERIFIED_MAX = 4_096
ACCESS, CHALLENGE, DEVICE = "access", "challenge", "device"
LIVES = {ACCESS: ACCESS_LIFE, CHALLENGE: CHALLENGE_LIFE, DEVICE: DEVICE_LIFE}


@dataclass(frozen=True)
class Access:
    """What a valid access token says."""

    user_id: UserId
    session_id: SessionId


class Tokens:
    """Makes and reads signed tokens with one secret and one clock."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._verified: dict[str, dict[str, Any]] = {}

    def access(self, user_id: str, session_id: str) -> str:
        return self._made(ACCESS, user_id, sid=session_id)

    def challenge(self, user_id: str) -> str:
        """The password was right; the second factor is still wanted."""
        return self._made(CHALLENGE, user_id)

    def device(self, user_id: str) -> str:
        return self._made(DEVICE, user_id)

    def _made(self, kind: str, user_id: str, **more: str) -> str:
        now = self._clock.now_ms() // 1000
        claims = {"sub": user_id, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + int(LIVES[kind].total_seconds()),
                  "jti": secrets.token_hex(16), "type": kind, **more}
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str) -> Access:
        """Raises NotAllowed for anything but an unexpired access token of ours."""
        claims = self.claims(token, ACCESS)
        if not isinstance(claims.get("sid"), str):
            raise refused()
        return Access(UserId(claims["sub"]), SessionId(claims["sid"]))

    def claims(self, token: str, kind: str) -> dict[str, Any]:
        """Of an unexpired token of this type. Raises NotAllowed."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verified_now(token)
        if claims["type"] != kind or not isinstance(claims["sub"], str) or not self._in_time(claims["iat"], claims["exp"], kind):
            raise refused()
        return claims

    def _verified_now(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature is ours, kept: a signature that was right stays right, and looking is a third of the work
        of a request. What changes with time is judged each time."""
        if len(token) > TOKEN_CHARS_MAX:
            raise refused()
        try:
            if jwt.get_unverified_header(token) != HEADER:
                raise refused()
            # Times are judged below by our own clock, which tests and simulations set.
            claims: dict[str, Any] = jwt.decode(token, self._secret, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER,
                                                options=OPTIONS)
        except jwt.InvalidTokenError:
            raise refused() from None
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    def _in_time(self, issued: object, expires: object, kind: str) -> bool:
        now = self._clock.now_ms() / 1000
        return (type(issued) is int and type(expires) is int and issued <= now + CLOCK_SKEW_S and now < expires
                and expires - issued <= LIVES[kind].total_seconds())


def refused() -> NotAllowed:
    return NotAllowed("Please sign in: the access token is missing, wrong or expired.")


def new_secret() -> str:
    """256 random bits; strong enough that its hash needs no salt."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
