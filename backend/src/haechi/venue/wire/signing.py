"""Who is asking: API key, signature, passphrase, time, address and permission of a request or of a WebSocket login.

Signature: base64(HMAC-SHA256(secret, timestamp + METHOD + path?query + body)) over the query as it was sent; clients that sign
the decoded query are understood too.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import unquote

from haechi.venue.records import ApiKey
from haechi.venue.refusal import Refusal

WINDOW_MS = 30_000
LOGIN_PATH = "/user/verify"
SECONDS_BELOW = 10**11  # a time in seconds is smaller, one in milliseconds larger, until the year 5138


def sign(secret: str, timestamp: str, method: str, path: str, body: bytes = b"") -> str:
    """path: with its query."""
    text = f"{timestamp}{method}{path}".encode("utf-8", "surrogateescape") + body
    return base64.b64encode(hmac.digest(secret.encode(), text, "sha256")).decode()


def matches(key: ApiKey, given: str, timestamp: str, method: str, path: str, body: bytes) -> bool:
    offered = given.encode("utf-8", "replace")
    if hmac.compare_digest(sign(key.secret, timestamp, method, path, body).encode(), offered):
        return True
    decoded = unquote(path)
    return decoded != path and hmac.compare_digest(sign(key.secret, timestamp, method, decoded, body).encode(), offered)


def check_time(timestamp: str, now_ms: int) -> None:
    """Seconds or milliseconds within 30 s of the clock."""
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 15:
        raise Refusal("40005")
    when = int(timestamp) * 1000 if int(timestamp) < SECONDS_BELOW else int(timestamp)
    if abs(now_ms - when) > WINDOW_MS:
        raise Refusal("40008")


def identify(keys: Mapping[str, ApiKey], headers: Mapping[str, str], method: str, path: str, body: bytes, now_ms: int, ip: str) -> ApiKey:
    """The key of a signed request; Refusal says what is wrong."""
    given, signature = headers.get("ACCESS-KEY", ""), headers.get("ACCESS-SIGN", "")
    timestamp, passphrase = headers.get("ACCESS-TIMESTAMP", ""), headers.get("ACCESS-PASSPHRASE", "")
    for value, code in ((given, "40001"), (signature, "40002"), (timestamp, "40005"), (passphrase, "40011")):
        if not value:
            raise Refusal(code)
    key = known(keys, given)
    check_time(timestamp, now_ms)
    if not matches(key, signature, timestamp, method, path, body):
        raise Refusal("40009")
    check_holder(key, passphrase, ip)
    if key.demo != (headers.get("paptrading", "") == "1") and key.demo:
        raise Refusal("40110")
    return key


def known(keys: Mapping[str, ApiKey], given: str) -> ApiKey:
    key = keys.get(given)
    if key is None or key.revoked:
        raise Refusal("40037" if given.isascii() and given.isprintable() else "40006")
    return key


def check_holder(key: ApiKey, passphrase: str, ip: str) -> None:
    if not hmac.compare_digest(passphrase.encode("utf-8", "replace"), key.passphrase.encode()):
        raise Refusal("40012")
    if key.ips and ip not in key.ips:
        raise Refusal("40018")


def verify_login(key: ApiKey, timestamp: str, signature: str) -> bool:
    """A WebSocket login's signature."""
    return matches(key, signature, timestamp, "GET", LOGIN_PATH, b"")
