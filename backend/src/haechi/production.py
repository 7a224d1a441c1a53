"""What production refuses to start with: one phrase a problem, each with the name and what to do.

What makes a value unusable everywhere (a short JWT_SECRET, a key that is none) is in settings.py.
"""

from __future__ import annotations

import base64
import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from haechi.settings import Settings

PASSWORD_CHARS_MIN = 16
# Tries a clever guesser needs, as a power of ten (zxcvbn's estimate). Of 300 random hexadecimal passwords of 16 characters the
# lowest had 12.6, of 100 with 32 characters 28; "0123456789abcdef" twice has 4.5.
PASSWORD_GUESSES_LOG10_MIN = 12
JWT_GUESSES_LOG10_MIN = 20
# Examples of other people's documentation look long and mixed to any estimate; they all contain one of these.
EXAMPLE_WORDS = ("change", "example", "secret", "password", "default", "placeholder", "insecure", "your-", "your_")
KEY_DISTINCT_MIN = 16  # different bytes, and different steps from byte to byte: 200,000 random keys had 21 or more of both

MAKE_JWT = "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
MAKE_PASSWORD = "python -c 'import secrets; print(secrets.token_urlsafe(24))'"  # noqa: S105 - how to make one
MAKE_KEY = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


def production_problems(settings: Settings, files: Iterable[Path]) -> list[str]:
    """What is wrong. `files`: those that secrets may have come from."""
    parts = (jwt_weak, keys_weak, database_weak, redis_weak, reused, origins_open, door_open)
    return [*(problem for part in parts for problem in part(settings)), *exposed(files)]


def jwt_weak(settings: Settings) -> Iterator[str]:
    if guessable(settings.jwt_secret.get_secret_value(), JWT_GUESSES_LOG10_MIN):
        yield f"JWT_SECRET can be guessed or was copied from an example: make one with {MAKE_JWT}"


def keys_weak(settings: Settings) -> Iterator[str]:
    for place, key in enumerate(settings.encryption_keys, start=1):
        if not_random(decoded(key)):
            yield f"ENCRYPTION_KEY number {place} is no random key but a pattern or a text: make one with {MAKE_KEY}"
    if len(set(settings.encryption_keys)) < len(settings.encryption_keys):
        yield "ENCRYPTION_KEY names a key twice: leave one of the two out"


def database_weak(settings: Settings) -> Iterator[str]:
    if not settings.database_url.get_secret_value():
        yield ("DATABASE_URL is missing: name postgresql://user@host/name, or sqlite:////folder/haechi.db if one process on one "
               "machine is what you want")
    elif settings.database.startswith("postgresql"):
        yield from password_weak("POSTGRES_PASSWORD", database_password(settings))


def redis_weak(settings: Settings) -> Iterator[str]:
    if settings.redis_url.get_secret_value():
        yield from password_weak("REDIS_PASSWORD", redis_password(settings))


def password_weak(name: str, password: str) -> Iterator[str]:
    if not password:
        yield f"{name} is missing: make one with {MAKE_PASSWORD}"
    elif len(password) < PASSWORD_CHARS_MIN:
        yield f"{name} is shorter than {PASSWORD_CHARS_MIN} characters: make one with {MAKE_PASSWORD}"
    elif guessable(password, PASSWORD_GUESSES_LOG10_MIN):
        yield f"{name} can be guessed or was copied from an example: make one with {MAKE_PASSWORD}"


def reused(settings: Settings) -> Iterator[str]:
    """One secret for two purposes: whoever learns it in one place has the other too."""
    secrets = {"JWT_SECRET": settings.jwt_secret.get_secret_value(), "ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
               "POSTGRES_PASSWORD": database_password(settings), "REDIS_PASSWORD": redis_password(settings)}
    count = Counter(value for value in secrets.values() if value)
    for value, times in count.items():
        if times > 1:
            yield f"{' and '.join(name for name, own in secrets.items() if own == value)} are the same: give each its own"


def origins_open(settings: Settings) -> Iterator[str]:
    for origin in settings.origins:
        if "*" in origin:
            yield "CORS_ORIGINS must name its origins in production, * is not allowed: write them out, such as https://app.example.com"
        elif not is_https_origin(origin):
            yield f"CORS_ORIGINS has {origin[:80]!r}: an origin in production is https://name, without a path"


def door_open(settings: Settings) -> Iterator[str]:
    if settings.log_level == "debug":
        yield "LOG_LEVEL is debug: production takes info, warning or error"
    there = urlsplit(settings.public_url)
    if there.scheme != "https" and not is_loopback(there.hostname or ""):
        yield "PUBLIC_URL has no TLS, mailed links would begin with it: give it as https://name"
    if not is_loopback(settings.host) and settings.trusted_proxy_hops == 0:
        yield ("HOST can be reached from other machines, without TLS: put a proxy in front and set TRUSTED_PROXY_HOPS=1, "
               "or set HOST=127.0.0.1")


def exposed(files: Iterable[Path]) -> Iterator[str]:
    """Files with secrets that everybody on the machine may read or write."""
    for path in files:
        if path.is_file() and path.stat().st_mode & 0o007:
            yield f"{path} holds secrets and is open to everybody on this machine: chmod o= {path}"


def guessable(text: str, guesses_log10_min: float) -> bool:
    """Empty is missing, not guessable: that is said elsewhere."""
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]

    if not text:
        return False
    low = text.lower()
    return any(word in low for word in EXAMPLE_WORDS) or zxcvbn(text[:72])["guesses_log10"] < guesses_log10_min


def decoded(key: str) -> bytes | None:
    """The 32 bytes; None when it is no key, which settings.py says."""
    try:
        made = base64.urlsafe_b64decode(key)
    except ValueError:
        return None
    return made if len(made) == 32 else None


def not_random(key: bytes | None) -> bool:
    """Few different bytes (zeros), equal steps (1, 2, 3 …) or readable text: no chance in 10^9 for a random key."""
    if key is None:
        return False
    steps = {(after - before) % 256 for before, after in zip(key, key[1:], strict=False)}
    return min(len(set(key)), len(steps)) < KEY_DISTINCT_MIN or all(32 <= byte < 127 for byte in key)


def database_password(settings: Settings) -> str:
    return unquote(urlsplit(settings.database).password or "") if settings.database.startswith("postgresql") else ""


def redis_password(settings: Settings) -> str:
    inside = urlsplit(settings.redis_url.get_secret_value()).password
    return unquote(inside) if inside else settings.redis_password.get_secret_value()


def is_https_origin(origin: str) -> bool:
    there = urlsplit(origin)
    return there.scheme == "https" and bool(there.hostname) and origin == f"https://{there.netloc}" and "@" not in origin


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
