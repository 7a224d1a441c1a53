"""Tokens that are forged, changed, borrowed or too old: none is taken, at a route that wants an access token and where others are wanted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from people import PASSWORD, bearer, registered, signed_in, user_of

from haechi.identity.tokens import AUDIENCE, ISSUER


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def mac(secret: bytes, text: str, algorithm: str = "sha256") -> str:
    return b64(hmac.new(secret, text.encode(), algorithm).digest())


def signed(header: dict[str, Any], claims: dict[str, Any] | bytes, secret: bytes, algorithm: str = "sha256") -> str:
    head = f"{b64(header)}.{b64(claims)}"
    return f"{head}.{mac(secret, head, algorithm)}"


class Forge:
    """What a forger has: a good token of his own, and (where it says so) even the secret."""

    def __init__(self, token: str, secret: str, now: int) -> None:
        self.token, self.secret, self.now = token, secret.encode(), now
        self.header: dict[str, Any] = jwt.get_unverified_header(token)
        self.claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})

    def made(self, *, header: dict[str, Any] | None = None, without: str = "", **claims: Any) -> str:
        """With the right secret: only what is changed may be the reason for refusing it."""
        told = {name: value for name, value in {**self.claims, **claims}.items() if name != without}
        return signed({**self.header, **(header or {})}, told, self.secret)


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())

FORGED: dict[str, Callable[[Forge], str]] = {
    "empty": lambda f: "", "a dot": lambda f: ".", "two dots": lambda f: "..", "words": lambda f: "not a token", "its head alone": lambda f: f.token.split(".")[0],
    "without signature": lambda f: f.token.rsplit(".", 1)[0] + ".", "cut by a sign": lambda f: f.token[:-2], "twice": lambda f: f.token + f.token,
    "another signature": lambda f: f.token.rsplit(".", 1)[0] + "." + b64(b"\x00" * 32),
    "four parts": lambda f: f.token + ".x", "a megabyte": lambda f: f.token + "A" * 100_000, "padding": lambda f: f.token + "==",
    "alg none": lambda f: f"{b64({'alg': 'none', 'typ': 'JWT'})}.{b64(f.claims)}.", "alg None": lambda f: f"{b64({'alg': 'None'})}.{b64(f.claims)}.",
    "alg nOnE with the good signature": lambda f: f"{b64({'alg': 'nOnE', 'typ': 'JWT'})}.{f.token.split('.', 1)[1]}",
    "no alg": lambda f: signed({"typ": "JWT"}, f.claims, f.secret), "alg a list": lambda f: signed({"alg": ["HS256"], "typ": "JWT"}, f.claims, f.secret),
    "alg null": lambda f: signed({"alg": None, "typ": "JWT"}, f.claims, f.secret), "lower case alg": lambda f: f.made(header={"alg": "hs256"}),
    "HS384": lambda f: signed({"alg": "HS384", "typ": "JWT"}, f.claims, f.secret, "sha384"),
    "HS512": lambda f: signed({"alg": "HS512", "typ": "JWT"}, f.claims, f.secret, "sha512"),
    "RS256": lambda f: jwt.encode(f.claims, RSA, algorithm="RS256"), "ES256": lambda f: jwt.encode(f.claims, EC, algorithm="ES256"),
    "PS256": lambda f: jwt.encode(f.claims, RSA, algorithm="PS256"),
    "the empty secret": lambda f: signed(f.header, f.claims, b""), "a guessed secret": lambda f: signed(f.header, f.claims, b"secret"),
    "the secret's hash": lambda f: signed(f.header, f.claims, hashlib.sha256(f.secret).digest()),
    "the secret twice": lambda f: signed(f.header, f.claims, f.secret * 2),
    "kid a path": lambda f: f.made(header={"kid": "../../../dev/null"}), "kid SQL": lambda f: f.made(header={"kid": "x' UNION SELECT 'k"}),
    "kid with an empty key": lambda f: signed({**f.header, "kid": "/dev/null"}, f.claims, b""),
    "jku": lambda f: f.made(header={"jku": "http://127.0.0.1/keys"}), "x5u": lambda f: f.made(header={"x5u": "http://127.0.0.1/cert"}),
    "jwk": lambda f: f.made(header={"jwk": {"kty": "oct", "k": b64(f.secret)}}), "crit": lambda f: f.made(header={"crit": ["exp"]}),
    "b64 false": lambda f: f.made(header={"b64": False}), "zip": lambda f: f.made(header={"zip": "DEF"}), "cty JWT": lambda f: f.made(header={"cty": "JWT"}),
    "typ another": lambda f: f.made(header={"typ": "at+jwt"}),
    **{f"without {name}": (lambda f, name=name: f.made(without=name)) for name in ("sub", "sid", "iss", "aud", "iat", "exp", "jti", "type")},
    "expired by a second": lambda f: f.made(iat=f.now - 3_601, exp=f.now), "exp a text": lambda f: f.made(exp=str(f.now + 60)),
    "exp a fraction": lambda f: f.made(exp=f.now + 60.5), "exp true": lambda f: f.made(exp=True), "exp null": lambda f: f.made(exp=None),
    "exp endless": lambda f: f.made(exp=10**400), "iat of tomorrow": lambda f: f.made(iat=f.now + 86_400), "iat a text": lambda f: f.made(iat="now"),
    "another issuer": lambda f: f.made(iss="evil"), "issuer a list": lambda f: f.made(iss=[ISSUER]), "another audience": lambda f: f.made(aud="other-api"),
    "audience empty": lambda f: f.made(aud=[]), "type refresh": lambda f: f.made(type="refresh"), "type challenge": lambda f: f.made(type="challenge"),
    "type device": lambda f: f.made(type="device"), "type a list": lambda f: f.made(type=["access"]), "type null": lambda f: f.made(type=None),
    "sub of nobody": lambda f: f.made(sub="0" * 32), "sub a number": lambda f: f.made(sub=7), "sub a list": lambda f: f.made(sub=[f.claims["sub"]]),
    "sid of nobody": lambda f: f.made(sid="0" * 32), "sid SQL": lambda f: f.made(sid="' OR 1=1 --"), "sid a list": lambda f: f.made(sid=[f.claims["sid"]]),
    "claims no object": lambda f: signed(f.header, b'["x"]', f.secret), "claims no JSON": lambda f: signed(f.header, b"{", f.secret),
    "claims twice": lambda f: signed(f.header, b'{"sub":"a","sub":"' + f.claims["sub"].encode() + b'"}', f.secret),
}


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        await registered(made)
        yield made


async def forge(app, tokens: dict[str, Any]) -> Forge:
    return Forge(tokens["access_token"], app.house.settings.jwt_secret.get_secret_value(), app.clock.now_ms() // 1000)


async def test_no_forged_token_is_taken_and_the_good_one_is(app):
    tokens = await signed_in(app)
    smith = await forge(app, tokens)
    assert len(FORGED) >= 40
    for name, made in FORGED.items():
        answer = await app.http.get("/auth/me", headers={"authorization": f"Bearer {made(smith)}"})
        assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer"), name
    assert (await app.http.get("/auth/me", headers={"authorization": f"Bearer {smith.made()}"})).status_code == 200, "the forge itself works"
    assert (smith.claims["aud"], smith.claims["iss"]) == (AUDIENCE, ISSUER)


@pytest.mark.parametrize("header", ["Basic {}", "bearer", "Bearer", "Bearer  ", "{}", "Token {}", "Bearer {} {}", "Bearer {},Bearer {}"])
async def test_the_header_must_be_what_it_should_be(app, header):
    tokens = await signed_in(app)
    answer = await app.http.get("/auth/me", headers={"authorization": header.replace("{}", tokens["access_token"])})
    assert answer.status_code == 401


@pytest.mark.parametrize("where", ["?access_token={}", "?token={}", "?authorization=Bearer%20{}"])
async def test_a_token_in_the_address_is_not_looked_at(app, where):
    tokens = await signed_in(app)
    assert (await app.http.get("/auth/me" + where.format(tokens["access_token"]))).status_code == 401
    assert (await app.http.get("/auth/me", cookies={"access_token": tokens["access_token"]})).status_code == 401


async def test_tokens_are_not_taken_for_each_other(app):
    tokens = await signed_in(app)
    access, refresh, device = (tokens[name] for name in ("access_token", "refresh_token", "device_token"))
    for other in (refresh, device):
        assert (await app.http.get("/auth/me", headers={"authorization": f"Bearer {other}"})).status_code == 401
    for other in (access, device):
        assert (await app.http.post("/auth/refresh", json={"refresh_token": other})).status_code in (401, 422)
        assert (await app.http.post("/auth/login/2fa", json={"challenge": other, "code": "123456"})).status_code == 401


async def test_anothers_session_with_my_name_is_nobodys(app):
    await registered(app, "kim@example.com")
    mina, kim = await forge(app, await signed_in(app)), await forge(app, await signed_in(app, "kim@example.com"))
    mixed = mina.made(sid=kim.claims["sid"])
    assert (await app.http.get("/auth/me", headers={"authorization": f"Bearer {mixed}"})).status_code == 401


async def test_another_servers_token_is_not_taken(app, tmp_path, running):
    async with running(tmp_path / "other") as other:
        await registered(other)
        foreign = await signed_in(other)
    assert (await app.http.get("/auth/me", headers=bearer(foreign))).status_code == 401


async def test_an_access_token_is_good_for_an_hour_and_no_second_more(app):
    headers = bearer(await signed_in(app))
    app.clock.advance(timedelta(seconds=3_599))
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 200
    app.clock.advance(timedelta(seconds=1))
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 401


async def test_a_suspended_person_is_out_at_once_and_cannot_come_back(app):
    from haechi.identity.audit import Act
    from haechi.identity.service import Identity

    tokens = await signed_in(app)
    mina = await user_of(app, "mina@example.com")
    await app.house.part(Identity).accounts.suspend(mina.id, Act("user.suspended", subject=mina.id), on=True)
    assert (await app.http.get("/auth/me", headers=bearer(tokens))).status_code == 401
    assert (await app.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).status_code == 401
    answer = await app.http.post("/auth/login", json={"email": "mina@example.com", "password": PASSWORD})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "wrong_credentials")
