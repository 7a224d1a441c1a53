"""Believing an ID token: its signature by the provider's own keys, and that it was made for us, now and for this very flow.

OpenID Connect Core 1.0, section 3.1.3.7. One audience, ours: several would have to be trusted each.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import structlog

from haechi.errors import NotPermitted
from haechi.identity.oauth.models import SUBJECT_CHARS_MAX
from haechi.identity.oauth.providers import Provider
from haechi.identity.oauth.wire import Wire
from haechi.platform.clock import Clock

ALGORITHM = "RS256"
RSA_BITS_MIN = 2048
TOKEN_CHARS_MAX = 8192
KEYS_LIFE_S = 3600.0
KEYS_AGAIN_S = 60.0  # an unknown key has them read anew, but no oftener than this
CLOCK_SKEW_S = 60
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]
# Who, for whom and when is judged below: by our own clock, which tests set, and more strictly than the library does.
OPTIONS: Any = {"require": REQUIRED, **dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud", "verify_iss"), False)}

log = structlog.get_logger(__name__)
Claims = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    provider: Provider
    nonce: str
    now_s: float


RULES: tuple[tuple[str, Callable[[Claims, Expected], bool]], ...] = (
    ("iss", lambda claims, expected: claims["iss"] in expected.provider.issuers),
    ("aud", lambda claims, expected: claims["aud"] in (expected.provider.client_id, [expected.provider.client_id])),
    ("azp", lambda claims, expected: claims.get("azp", expected.provider.client_id) == expected.provider.client_id),
    ("nonce", lambda claims, expected: same(claims["nonce"], expected.nonce)),
    ("exp", lambda claims, expected: whole(claims["exp"]) and expected.now_s < claims["exp"]),
    ("iat", lambda claims, expected: whole(claims["iat"]) and claims["iat"] <= expected.now_s + CLOCK_SKEW_S),
    ("nbf", lambda claims, expected: "nbf" not in claims or (whole(claims["nbf"]) and claims["nbf"] <= expected.now_s + CLOCK_SKEW_S)),
    ("sub", lambda claims, expected: isinstance(claims["sub"], str) and 0 < len(claims["sub"]) <= SUBJECT_CHARS_MAX),
)


class IdTokens:
    """Reads the providers' keys when they are needed, and keeps them for an hour."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self.wire, self.clock = wire, clock
        self._keys: dict[str, tuple[float, dict[str, jwt.PyJWK]]] = {}
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # one ill provider does not hold up the other

    async def verified(self, provider: Provider, token: object, nonce: str) -> Claims:
        """The claims of a token that holds. Raises NotPermitted, ProviderFailed."""
        if not isinstance(token, str) or len(token) > TOKEN_CHARS_MAX:
            raise refused(provider, "no token")
        try:
            key = await self._key(provider, header_key(provider, token))
            claims: Claims = jwt.decode(token, key, algorithms=[ALGORITHM], options=OPTIONS)
        except jwt.PyJWTError as error:
            raise refused(provider, type(error).__name__) from None
        expected = Expected(provider, nonce, self.clock.now_ms() / 1000)
        for name, holds in RULES:
            if not holds(claims, expected):
                raise refused(provider, name)
        return claims

    async def _key(self, provider: Provider, kid: str) -> jwt.PyJWK:
        async with self._reading[provider.keys_url]:
            read_at, keys = self._keys.get(provider.keys_url, (None, {}))
            age_s = None if read_at is None else self.clock.monotonic() - read_at
            if age_s is None or age_s >= (KEYS_LIFE_S if kid in keys else KEYS_AGAIN_S):
                keys = usable(await self.wire.ask("GET", provider.keys_url))
                self._keys[provider.keys_url] = self.clock.monotonic(), keys
        if kid not in keys:
            raise refused(provider, "unknown key")
        return keys[kid]


def header_key(provider: Provider, token: str) -> str:
    """Which key it names; a key or an address of one inside the token (jwk, jku, x5u) is never looked at."""
    kid = jwt.get_unverified_header(token).get("kid")
    if not isinstance(kid, str):
        raise refused(provider, "no key id")
    return kid


def usable(answer: dict[str, Any]) -> dict[str, jwt.PyJWK]:
    """The RSA keys for signatures of a JSON Web Key set (RFC 7517), by their id; others are left out."""
    listed = answer.get("keys")
    found = [one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict)]
    rsa = [one for one in found if one.get("kty") == "RSA" and one.get("use", "sig") == "sig" and isinstance(one.get("kid"), str)]
    return {one["kid"]: key for one in rsa if (key := long_enough(one)) is not None}


def long_enough(one: dict[str, Any]) -> jwt.PyJWK | None:
    try:
        key = jwt.PyJWK(one, algorithm=ALGORITHM)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if key.key.key_size >= RSA_BITS_MIN else None


def whole(value: object) -> bool:
    return type(value) is int


def same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def refused(provider: Provider, why: str) -> NotPermitted:
    log.warning("id_token_refused", provider=provider.name, why=why)
    return NotPermitted(f"What {provider.title} sent cannot be believed; begin again.", code="id_token_refused")
