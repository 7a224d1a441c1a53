"""One way through a provider and back: what the browser carries in a sealed cookie, and what the provider gets to see.

`state` ties the answer to the browser that began (RFC 6749, 10.12), `verifier` the code to us (PKCE S256, RFC 7636), `nonce` the ID token
to this flow. The cookie is the only place where the three lie together.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from datetime import timedelta

from httpx_oauth.oauth2 import OAuth2

from haechi.errors import BadInput
from haechi.identity.oauth.providers import Provider
from haechi.identity.tokens import new_secret
from haechi.platform.crypto import SealBroken, Vault

LIFE = timedelta(minutes=10)
CONTEXT = {"purpose": "oauth flow"}
COOKIE_CHARS_MAX = 4096


@dataclass(frozen=True)
class Linker:
    """Who wants to sign in elsewhere from now on, and in which session they asked."""

    user_id: str
    session_id: str


@dataclass(frozen=True)
class Flow:
    """linker: None for signing in."""

    provider: str
    state: str
    nonce: str
    verifier: str
    until_ms: int
    linker: Linker | None = None


def begin(provider: Provider, now_ms: int, linker: Linker | None) -> Flow:
    return Flow(provider.name, new_secret(), new_secret(), new_secret(), now_ms + int(LIFE.total_seconds() * 1000), linker)


def sealed(flow: Flow, vault: Vault) -> str:
    return vault.seal(json.dumps(asdict(flow)), CONTEXT)


def opened(cookie: str, vault: Vault) -> Flow:
    """Raises BadInput for what we did not seal."""
    if not cookie or len(cookie) > COOKIE_CHARS_MAX:
        raise not_begun()
    try:
        read = json.loads(vault.open(cookie, CONTEXT))
    except (SealBroken, UnicodeError):
        raise not_begun() from None
    linker = read.pop("linker")
    return Flow(**read, linker=Linker(**linker) if linker else None)


def returned(cookie: str, vault: Vault, provider: Provider, state: str, now_ms: int) -> Flow:
    """The flow this answer belongs to: begun in this browser, at this provider, not long ago. Raises BadInput."""
    flow = opened(cookie, vault)
    ours = hmac.compare_digest(flow.state.encode(), state.encode(errors="replace"))
    if not ours or flow.provider != provider.name or now_ms >= flow.until_ms:
        raise not_begun()
    return flow


async def address(provider: Provider, flow: Flow, redirect_uri: str) -> str:
    """Where the browser goes."""
    client = OAuth2(provider.client_id, provider.client_secret, provider.authorize_url, provider.token_url)
    return await client.get_authorization_url(redirect_uri, flow.state, list(provider.scopes), challenge(flow.verifier), "S256",
                                              {"nonce": flow.nonce})


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def not_begun() -> BadInput:
    return BadInput("This sign-in was not begun in this browser, or it was used or is older than ten minutes; begin again.",
                    code="oauth_state")
