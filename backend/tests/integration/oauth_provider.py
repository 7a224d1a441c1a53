"""A provider of sign-ins on this machine: it checks what a real one checks, and misbehaves where a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from haechi.identity.oauth.providers import Provider
from haechi.platform.clock import Clock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """One for each name, which is its id too; the one called `short` is too short to be trusted."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if name == "short" else 2048)


def public(kid: str) -> dict[str, Any]:
    made = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(kid).public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", "alg": "RS256"}


class FakeProvider:
    """`sub`, `email`, `email_confirmed`: who sits before the screen. `claims`: laid over those of the ID token, None takes one away.

    `sign`: how a token is made of claims; `keys`: what is published; `token_handler`, `profile`: other answers than the right ones.
    """

    def __init__(self, real: Provider, clock: Callable[[], Clock]) -> None:
        self.real, self.clock = real, clock
        self.sub, self.email, self.email_confirmed = "4711", "mina@example.com", True
        self.claims: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(claims, rsa_key("one"), "RS256", {"kid": "one"})
        self.keys: list[dict[str, Any]] = [public("one")]
        self.token_handler: Handler | None = None
        self.profile: dict[str, Any] | None = None
        self.granted: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.given: list[str] = []  # every secret that was handed out or taken
        self.refusals: list[str] = []
        self.provider = real

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FakeProvider]:
        app = web.Application()
        app.add_routes([web.get("/authorize", self.authorize), web.post("/token", self.token), web.get("/keys", self.jwks),
                        web.get("/profile", self.me), web.get("/elsewhere", self.elsewhere), web.post("/elsewhere", self.elsewhere)])
        async with TestServer(app, host="127.0.0.1") as server:
            def at(path: str) -> str:
                return str(server.make_url(path))

            self.provider = replace(self.real, authorize_url=at("/authorize"), token_url=at("/token"), keys_url=at("/keys"),
                                    profile_url=at("/profile") if self.real.profile_url else None)
            yield self

    # ---- what the browser sees

    async def authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        wanted = {"response_type": "code", "client_id": self.real.client_id, "code_challenge_method": "S256"}
        if any(asked.get(name) != value for name, value in wanted.items()) or not asked.get("code_challenge") or not asked.get("nonce"):
            return web.Response(status=400, text="no such request")
        code = secrets.token_urlsafe(16)
        self.granted[code] = asked
        self.given.append(code)
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.real.issuer})}")

    # ---- what the server sees

    async def token(self, request: web.Request) -> web.StreamResponse:
        self.asked.append("token")
        if self.token_handler is not None:
            return await self.token_handler(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        grant = self.granted.pop(form.get("code", ""), None)
        why = self.wrong(form, grant)
        if why or grant is None:
            self.refusals.append(why)
            return web.json_response({"error": "invalid_grant", "error_description": f"<script>{why}</script>"}, status=400)
        return web.json_response(self.tokens(grant["nonce"]))

    def wrong(self, form: dict[str, str], grant: dict[str, str] | None) -> str:
        if (form.get("client_id"), form.get("client_secret")) != (self.real.client_id, self.real.client_secret):
            return "client"
        if form.get("grant_type") != "authorization_code" or grant is None:
            return "code"
        if form.get("redirect_uri") != grant["redirect_uri"]:
            return "redirect_uri"
        made = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        return "" if made == grant["code_challenge"] else "verifier"

    def tokens(self, nonce: str) -> dict[str, Any]:
        access, id_token = secrets.token_urlsafe(24), self.sign(self.claims_of(nonce))
        self.given += [access, id_token]
        return {"access_token": access, "token_type": "Bearer", "expires_in": 3600, "id_token": id_token}

    def claims_of(self, nonce: str) -> dict[str, Any]:
        now = self.clock().now_ms() // 1000
        right = {"iss": self.real.issuer, "sub": self.sub, "aud": self.real.client_id, "azp": self.real.client_id, "iat": now,
                 "exp": now + 3600, "nonce": nonce, "email": self.email}
        if self.real.profile_url is None:
            right["email_verified"] = self.email_confirmed
        return {name: value for name, value in {**right, **self.claims}.items() if value is not None}

    async def jwks(self, _request: web.Request) -> web.Response:
        self.asked.append("keys")
        return web.json_response({"keys": self.keys})

    async def me(self, request: web.Request) -> web.Response:
        self.asked.append("profile")
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.given:
            return web.json_response({"code": -401}, status=401)
        return web.json_response(self.profile or {"id": int(self.sub), "kakao_account": {
            "email": self.email, "is_email_valid": True, "is_email_verified": self.email_confirmed}})

    async def elsewhere(self, _request: web.Request) -> web.Response:
        """Where nobody may be led to: it would give perfect tokens."""
        self.asked.append("elsewhere")
        return web.json_response(self.tokens(next(iter(self.granted.values()))["nonce"]))
