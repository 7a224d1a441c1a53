"""Forged and foreign ID tokens, and providers that are ill: nobody is let in."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from haechi.identity.oauth.wire import BYTES_MAX

from .oauth_provider import public, rsa_key
from .oauth_stage import all_of, code_of, refusals, staged


@pytest.fixture
async def stage(tmp_path, running):
    async with staged(tmp_path, running) as made:
        yield made


def public_pem() -> bytes:
    return rsa_key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hmac_with_public_key(claims: dict[str, Any]) -> str:
    """Made by hand: the library would refuse to."""
    head = encoded({"alg": "HS256", "typ": "JWT", "kid": "one"})
    body = encoded(claims)
    sign = hmac.new(public_pem(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(sign).decode().rstrip('=')}"


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed_by(name: str, algorithm: str = "RS256", **header: Any) -> Callable[[dict[str, Any]], str]:
    return lambda claims: jwt.encode(claims, rsa_key(name), algorithm, {"kid": name, **header})


# What is wrong with the claims -> what is laid over right ones; numbers are seconds from now.
CLAIMS: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "n" * 43}, "no nonce": {"nonce": None}, "a nonce that is no text": {"nonce": ["x"]},
    "another issuer": {"iss": "https://evil.example"}, "an issuer that begins alike": {"iss": "https://accounts.google.com.evil.example"},
    "no issuer": {"iss": None}, "the other provider": {"iss": "https://kauth.kakao.com"},
    "another audience": {"aud": "somebody-else"}, "two audiences": {"aud": ["google-id", "somebody-else"]}, "no audience": {"aud": None},
    "an audience that contains ours": {"aud": "google-id-evil"},
    "another authorized party": {"azp": "somebody-else"},
    "expired": {"exp": 0}, "no expiry": {"exp": None}, "an expiry that is text": {"exp": "9999999999"}, "an endless expiry": {"exp": True},
    "of tomorrow": {"iat": 61}, "no time of issue": {"iat": None}, "not yet good": {"nbf": 61},
    "no subject": {"sub": None}, "an empty subject": {"sub": ""}, "a long subject": {"sub": "x" * 256}, "no text as subject": {"sub": ["4711"]},
}
SIGNATURES: dict[str, Callable[[dict[str, Any]], str]] = {
    "none": lambda claims: jwt.encode(claims, None, "none", {"kid": "one"}),
    "none with a signature": lambda claims: f"{encoded({'alg': 'none', 'kid': 'one'})}.{encoded(claims)}.AAAA",
    "HS256 with the public key": hmac_with_public_key,
    "HS256 with the client secret": lambda claims: jwt.encode(claims, "google-secret-8c1f" * 2, "HS256", {"kid": "one"}),
    "RS512": signed_by("one", "RS512"), "PS256": signed_by("one", "PS256"),
    "an unknown key": signed_by("thief"), "another key under a known id": signed_by("thief", kid="one"),
    "a key inside the token": signed_by("thief", jwk=public("thief")), "no key id": lambda claims: jwt.encode(claims, rsa_key("one"), "RS256"),
    "changed claims": lambda claims: ".".join([*swap(signed_by("one")(claims), encoded({**claims, "sub": "1"}))]),
    "no signature": lambda claims: signed_by("one")(claims).rsplit(".", 1)[0] + ".",
    "a short key": signed_by("short"),
    "no token": lambda claims: "hello", "an endless token": lambda claims: "x" * 10_000,
}


def swap(token: str, body: str) -> tuple[str, str, str]:
    head, _, sign = token.split(".")
    return head, body, sign


async def test_an_id_token_that_is_not_for_us_now_is_refused(stage):
    def prepare(claims: dict[str, Any]) -> None:
        now = stage.app.clock.now_ms() // 1000
        stage.fakes["google"].claims = {name: value + now if type(value) is int else value for name, value in claims.items()}

    assert await refusals(stage, "google", CLAIMS, prepare) == all_of(CLAIMS, "id_token_refused")


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_an_id_token_that_the_provider_did_not_sign_is_refused(stage):
    google = stage.fakes["google"]
    google.keys = [public("one"), public("short"), {"kid": "thief", "kty": "oct", "k": "AAAA"}, {"kty": "RSA"}, {"kty": "RSA", "kid": "x"}]
    found = await refusals(stage, "google", SIGNATURES, lambda sign: setattr(google, "sign", sign))
    assert found == all_of(SIGNATURES, "id_token_refused")


async def test_both_spellings_of_googles_name_are_one_issuer(stage):
    first = await stage.me(await stage.sign_in("google"))
    stage.fakes["google"].claims = {"iss": "accounts.google.com"}
    assert await stage.me(await stage.sign_in("google")) == first


async def test_one_subject_at_two_providers_is_two_people(stage):
    stage.fakes["kakao"].email = "juno@example.com"
    assert (await stage.me(await stage.sign_in("google")))["id"] != (await stage.me(await stage.sign_in("kakao")))["id"]


async def test_a_profile_of_somebody_else_is_refused(stage):
    stage.fakes["kakao"].profile = {"id": 1, "kakao_account": {"email": "x@example.com", "is_email_valid": True, "is_email_verified": True}}
    assert code_of(await stage.come_back("kakao")) == "id_token_refused"


# What it answers for a code -> what the browser is told.
ILL: dict[str, tuple[dict[str, Any], str]] = {
    "an error": ({"status": 500, "text": "<h1>oops</h1>"}, "provider_failed"), "accepted": ({"status": 202, "text": "{}"}, "provider_failed"),
    "no text": ({"body": b"\xff\xfe{"}, "provider_failed"), "deep": ({"body": b"[" * 100_000}, "provider_failed"),
    "a list": ({"text": "[]"}, "provider_failed"), "a number": ({"text": "1"}, "provider_failed"), "nothing": ({}, "provider_failed"),
    "compressed": ({"body": gzip.compress(b'{"id_token": 1}'), "headers": {"content-encoding": "gzip"}}, "provider_failed"),
    **{f"redirect {status}": ({"status": status, "headers": {"location": "/elsewhere"}}, "provider_failed") for status in (301, 302, 303, 307, 308)},
    **{given: ({"text": given}, "id_token_refused") for given in (
        "{}", '{"id_token": null}', '{"id_token": 1}', '{"id_token": ["x"]}', '{"id_token": ""}', '{"access_token": "x"}')},
}


async def test_an_ill_provider_lets_nobody_in_and_leads_nowhere(stage):
    def prepare(given: tuple[dict[str, Any], str]) -> None:
        async def handler(_request: web.Request) -> web.Response:
            return web.Response(**given[0])

        stage.fakes["google"].token_handler = handler

    assert await refusals(stage, "google", ILL, prepare) == {case: code for case, (_, code) in ILL.items()}
    assert "elsewhere" not in stage.fakes["google"].asked


@pytest.mark.parametrize(("spaces", "good"), [(BYTES_MAX // 2, True), (BYTES_MAX, False)])
async def test_an_answer_that_is_right_but_endless_is_given_up(stage, spaces, good):
    async def handler(_request: web.Request) -> web.Response:
        (grant,) = stage.fakes["google"].granted.values()
        return web.Response(text=json.dumps(stage.fakes["google"].tokens(grant["nonce"])) + " " * spaces)

    stage.fakes["google"].token_handler = handler
    answer = await stage.come_back("google")
    assert answer.status_code == 302 if good else code_of(answer) == "provider_failed"


async def test_what_an_ill_provider_says_is_not_repeated(stage):
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=500, text="<h1>oops</h1>")

    stage.fakes["google"].token_handler = handler
    refused = await stage.come_back("google")
    assert refused.status_code == 503
    assert "oops" not in refused.text


async def test_a_provider_without_usable_keys_is_not_believed(stage):
    cases = {str(keys): keys for keys in ([], [1, None, "x"], "text", None)}
    found = await refusals(stage, "google", cases, lambda keys: setattr(stage.fakes["google"], "keys", keys))
    assert found == all_of(cases, "id_token_refused")


@pytest.mark.parametrize("dripping", [False, True])
async def test_a_slow_provider_is_given_up(tmp_path, running, dripping):
    done = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if dripping:  # headers and a first byte: each piece in time, the whole never
            await answer.prepare(request)
            await answer.write(b" ")
        await done.wait()
        return answer

    async with staged(tmp_path, running, seconds_max=0.2) as stage:
        stage.fakes["google"].token_handler = handler
        assert code_of(await stage.come_back("google")) == "provider_failed"
        done.set()
