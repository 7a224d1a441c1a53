"""Whom we believe: addresses, names and ways of Google and Kakao.

Google: https://developers.google.com/identity/openid-connect/openid-connect. Kakao: https://developers.kakao.com, "Kakao Login, REST API";
its ID token names an e-mail address but does not say whether it is confirmed, so its profile is asked too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from httpx_oauth.clients import google as google_addresses
from httpx_oauth.clients import kakao as kakao_addresses

from haechi.settings import Settings

Answer = Mapping[str, Any]


def google_email(claims: Answer) -> object:
    """Of an ID token; None unless it is confirmed."""
    return claims.get("email") if claims.get("email_verified") is True else None


def kakao_email(profile: Answer) -> object:
    """Of GET /v2/user/me; None unless it is confirmed and still in use by this person."""
    account = profile.get("kakao_account")
    if not isinstance(account, Mapping) or account.get("is_email_valid") is not True or account.get("is_email_verified") is not True:
        return None
    return account.get("email")


@dataclass(frozen=True)
class Provider:
    """name: in our paths; title: for people. issuers: how it may spell `iss`, the first is kept. profile_url: asked for the e-mail address
    where the ID token does not tell enough. email_of: the confirmed address in the ID token, or in the profile."""

    name: str
    title: str
    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str
    token_url: str
    keys_url: str
    issuers: tuple[str, ...]
    scopes: tuple[str, ...]
    email_of: Callable[[Answer], object]
    profile_url: str | None = None

    @property
    def issuer(self) -> str:
        return self.issuers[0]


def google(client_id: str, client_secret: str) -> Provider:
    return Provider("google", "Google", client_id, client_secret, google_addresses.AUTHORIZE_ENDPOINT,
                    google_addresses.ACCESS_TOKEN_ENDPOINT, "https://www.googleapis.com/oauth2/v3/certs",
                    ("https://accounts.google.com", "accounts.google.com"), ("openid", "email"), google_email)


def kakao(client_id: str, client_secret: str) -> Provider:
    return Provider("kakao", "Kakao", client_id, client_secret, kakao_addresses.AUTHORIZE_ENDPOINT,
                    kakao_addresses.ACCESS_TOKEN_ENDPOINT, "https://kauth.kakao.com/.well-known/jwks.json",
                    ("https://kauth.kakao.com",), ("openid", "account_email"), kakao_email, kakao_addresses.PROFILE_ENDPOINT)


def configured(settings: Settings) -> dict[str, Provider]:
    """Those with an id; settings.py refuses an id without its secret."""
    known = (("google", google, settings.oauth_google_id, settings.oauth_google_secret),
             ("kakao", kakao, settings.oauth_kakao_id, settings.oauth_kakao_secret))
    return {name: make(client_id, secret.get_secret_value()) for name, make, client_id, secret in known if client_id}
