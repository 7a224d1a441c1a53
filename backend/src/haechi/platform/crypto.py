"""Secrets at rest: Fernet with key rotation, and the owner of each secret bound inside the ciphertext.

A ciphertext moved to another row (another user, exchange or field) decrypts, but its context no longer fits: it is refused.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealBroken(Exception):
    """A ciphertext that is not ours, was changed, or was moved away from where it was written."""


class Vault:
    """Seals and opens texts. The first key seals, every key opens."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("a vault needs at least one Fernet key: set ENCRYPTION_KEY")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, secret: str, context: Mapping[str, str]) -> str:
        """Encrypt `secret` for exactly this context, for example user, exchange and field."""
        inside = json.dumps({"context": canonical(context), "secret": secret}, ensure_ascii=False)
        return self._fernet.encrypt(inside.encode()).decode()

    def open(self, sealed: str, context: Mapping[str, str]) -> str:
        """Decrypt; raises SealBroken when the ciphertext or its context is not what was sealed."""
        try:
            inside = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            raise SealBroken("a stored secret cannot be decrypted: it was changed, or ENCRYPTION_KEY lost its key") from None
        if not hmac.compare_digest(inside["context"].encode(), canonical(context).encode()):
            raise SealBroken("a stored secret belongs to another row")
        return str(inside["secret"])

    def rotate(self, sealed: str) -> str:
        """The same secret under the first key, for when a new key was put in front."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken:
            raise SealBroken("a stored secret cannot be decrypted: it was changed, or ENCRYPTION_KEY lost its key") from None


def canonical(context: Mapping[str, str]) -> str:
    """One spelling for one context, whatever the order its parts were named in."""
    if not context:
        raise ValueError("a secret needs a context: say whose it is and what for")
    return json.dumps(sorted(context.items()), ensure_ascii=False)
