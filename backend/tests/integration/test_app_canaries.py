"""Secrets of many kinds are sent through every route and every error: none is found in a log line, an answer it does not belong to,
or the database file; not plain, not in base64, not percent-encoded, not in halves."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from people import PASSWORD, bearer, code, letters, mailed, registered, signed_in, user_of, with_2fa
from test_app_strange_input import filled, named, operations, schema_of

from haechi.identity.mail import Letter, post_of
from haechi.identity.service import Identity
from haechi.platform import log
from haechi.platform.house import House

SETTINGS = {"jwt_secret": "cAnArY0jwt-Qm7xV2kP9sLwT4yB8nRdF6hJ3cZaE5gU", "smtp_password": "cAnArY1-smtp-word-zQ83hdk2", "deepseek_api_key": "sk-cAnArY2deepseekhf83hd7",
            "telegram_bot_token": "123456789:cAnArY3telegramAAE8fj37dhs92jfhs7", "encryption_key": Fernet.generate_key().decode(),
            "postgres_password": "cAnArY4-postgres-7dh3js8", "redis_password": "cAnArY5-redis-8sh2kd9"}
SENT = {"password": "cAnArY6 pass words", "new password": "cAnArY7 new words", "header": "cAnArY8headerfj38dh", "cookie": "cAnArY9cookiejd83hs",
        "api key": "cAnArYAapikeyjd72hs8", "api secret": "cAnArYBapisecret8dh3jd", "passphrase": "cAnArYCpassphrase8d", "signature": "cAnArYDsignature7sh2",
        "bearer": "cAnArYEbearer8sh3kd9", "recovery": "cAnArYFrecovery8dh3"}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged, at its most talkative, as in production."""
    said, root = io.StringIO(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    log.configure(level="debug", production=True, stream=said)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client, not the server
    yield said
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    root.handlers[:] = handlers
    root.setLevel(level)


def spellings(secret: str) -> set[bytes]:
    """How it could hide."""
    half = len(secret) // 2
    made = {secret, quote(secret), secret[:half], secret[half:], secret[::-1]} if half >= 8 else {secret, quote(secret), secret[::-1]}
    coded = {base64.b64encode(secret.encode()).rstrip(b"=")[:-1], base64.urlsafe_b64encode(secret.encode()).rstrip(b"=")[:-1], secret.encode().hex().encode()}
    return {one.encode() for one in made} | coded


def found_in(text: bytes, secrets: dict[str, str]) -> list[str]:
    return [name for name, secret in secrets.items() if any(one in text for one in spellings(secret))]


async def walked(app, headers: dict[str, str]) -> bytes:
    """Every operation with secrets in every field, query, path and header; all answers together."""
    document, told = app.app.openapi(), b""
    for method, path, operation in operations(app):
        if path in ("/auth/logout", "/auth/logout-all", "/auth/me") and method != "GET":
            continue
        for name, secret in SENT.items():
            schema = schema_of(document, operation)
            fields: dict[str, Any] | None = None if schema is None else dict.fromkeys(schema.get("properties", {}), secret) | {name: secret}
            answer = await app.http.request(method, filled(path, secret), headers={**headers, "x-api-key": SENT["header"], "cookie": f"s={SENT['cookie']}"},
                                            params=named(operation, secret), json=fields)
            told += answer.content + repr(answer.headers).encode()
            torn = await app.http.request(method, filled(path, "x"), headers={"authorization": f"Bearer {secret}"}, content=b'{"' + secret.encode() + b'": ')
            told += torn.content
    return told


async def test_production_without_mail_writes_no_link_anywhere(lines: io.StringIO) -> None:
    class Production:
        production, smtp_url = True, ""

    await post_of(Production()).send(Letter("mina@example.com", "haechi: a new password", "https://x/reset#token=cAnArYGtoken8dh3js"))
    assert "letter_not_sent" in lines.getvalue() and "cAnArY" not in lines.getvalue() and "mina@" not in lines.getvalue()


async def test_the_log_tells_who_signed_in_and_who_failed_without_an_address(tmp_path: Path, running, lines: io.StringIO) -> None:
    async with running(tmp_path) as app:
        await registered(app)
        await signed_in(app)
        await app.http.post("/auth/login", json={"email": "mina@example.com", "password": "not my words"})
        await app.http.get("/auth/me", headers=bearer(await signed_in(app)))
        mina = (await user_of(app, "mina@example.com")).id
    told = [json.loads(one) for one in lines.getvalue().splitlines()]
    good, bad = [one for one in told if one["event"] == "sign_in"], [one for one in told if one["event"] == "sign_in_refused"]
    assert (len(good), len(bad), bad[0]["code"], bad[0]["network"]) == (2, 1, "wrong_credentials", "127.0.0.1")
    asked = [one for one in told if one["event"] == "request" and one["path"] == "/auth/me"]
    assert [(one["who"], one["network"]) for one in asked] == [(mina, "127.0.0.1")]
    assert good[0]["who"] == bad[0]["who"] and "mina@example.com" not in lines.getvalue()


async def test_no_secret_is_told_or_logged_or_stored_plainly(tmp_path: Path, running, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, rate_limit_per_minute=1_000_000, **SETTINGS) as app:
        await registered(app)
        tokens = await signed_in(app)
        secret, recovery = await with_2fa(app, bearer(tokens))
        challenge = (await signed_in(app))["challenge"]
        assert (await app.http.post("/auth/login/2fa", json={"challenge": challenge, "code": recovery[0]})).status_code == 200
        assert (await app.http.post("/auth/login/2fa", json={"challenge": challenge, "code": code(app, secret, 1)})).status_code == 200
        await app.http.post("/auth/forgot-password", json={"email": "mina@example.com"})
        reset = await mailed(app)
        told = await walked(app, bearer(tokens))
        assert len(lines.getvalue()) > 10_000, "the log says something at all"

        async def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError(f"a fault that holds {SENT['password']}")

        monkeypatch.setattr("haechi.health.router.database_condition", broken)
        fault = await app.http.get("/health")
        assert fault.status_code == 500
        held = {**SETTINGS, **{name: value for name, value in SENT.items() if name != "password"}, "account password": PASSWORD, "access": tokens["access_token"],
                "refresh": tokens["refresh_token"], "device": tokens["device_token"], "totp": secret, "recovery code": recovery[5], "challenge": challenge,
                "reset link": reset}
        assert len(held) >= 20
        for one in lines.getvalue().splitlines():
            assert found_in(one.encode(), held) == [], one
        assert found_in(told + fault.content, {**SETTINGS, "account password": PASSWORD, "totp": secret}) == []
        assert SENT["password"].encode() not in fault.content
        house: House = app.house
        await house.database.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "var").glob("haechi.db*"))
    assert found_in(stored, {name: value for name, value in held.items() if name not in ("jwt_secret",)}) == []


async def test_a_fault_in_one_errand_ends_no_other_letter_and_tells_no_secret(tmp_path: Path, running, lines: io.StringIO) -> None:
    async with running(tmp_path) as app:
        await registered(app)
        box = app.house.part(Identity).letterbox

        async def faulty() -> None:
            raise ValueError(SENT["api secret"])

        box.run(faulty)
        box.put(Letter("mina@example.com", "after the fault", "text"))
        assert (await letters(app))[-1].subject == "after the fault"
    assert "letter_fault" in lines.getvalue() and SENT["api secret"] not in lines.getvalue()
