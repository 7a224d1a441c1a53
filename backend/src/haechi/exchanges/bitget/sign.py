"""Signatures of requests and of the private stream's login: base64(HMAC-SHA256(secret, timestamp + METHOD + path?query + body))."""

from __future__ import annotations

import base64
import hmac
import json

import msgspec

LOGIN_PATH = "/user/verify"


class ApiKey(msgspec.Struct, frozen=True):
    """A key of the account's owner. Never printed: its repr shows the first characters of the key only."""

    key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return f"ApiKey({self.key[:6]}…)"


def signature(secret: str, prehash: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), prehash.encode(), "sha256")).decode()


def headers(key: ApiKey, timestamp_ms: int, method: str, target: str, body: str) -> dict[str, str]:
    """Of a signed request. target: path and query exactly as sent; body: exactly the text sent, empty for GET."""
    return {
        "ACCESS-KEY": key.key,
        "ACCESS-SIGN": signature(key.secret, f"{timestamp_ms}{method}{target}{body}"),
        "ACCESS-TIMESTAMP": str(timestamp_ms),
        "ACCESS-PASSPHRASE": key.passphrase,
    }


def login(key: ApiKey, timestamp_ms: int) -> str:
    """The login frame of a private stream; its time is in whole seconds, as all known clients send it."""
    seconds = str(timestamp_ms // 1000)
    sign = signature(key.secret, f"{seconds}GET{LOGIN_PATH}")
    return json.dumps({"op": "login", "args": [{"apiKey": key.key, "passphrase": key.passphrase, "timestamp": seconds, "sign": sign}]})
