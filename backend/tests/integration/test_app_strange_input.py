"""Strange input at every operation of the API, found by its OpenAPI document: fields nobody may set, injected SQL, markup and lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from people import bearer, registered, signed_in
from sqlalchemy import text

FORBIDDEN = {"role": "admin", "user_id": "0" * 32, "is_admin": True, "balance": "1000000", "verified": True, "verified_at": "2026-01-01T00:00:00Z",
             "max_leverage": 125, "created_at": "2020-01-01T00:00:00Z", "id": "1", "password_hash": "x", "suspended_at": None, "totp": "x", "owner": "me"}
INJECTED = ["' OR '1'='1", "'; DROP TABLE users; --", '" OR ""="', "1; SELECT pg_sleep(10)", "%' AND 1=1 --", "admin'/*", "\\'; --", "$(id)", "`id`", "{{7*7}}",
            "${7*7}", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "=cmd|'/c calc'!A1", "@SUM(1+1)", "../../etc/passwd",
            "..%2f..%2fetc%2fpasswd", "x\r\nSet-Cookie: a=b", "x\nlevel=error forged line", "\x1b[2J", "\u202eevil", "\ufeff", "null", "undefined", "NaN",
            "-1", "9" * 400, "é" * 300, "%00", "%s%s%s%n", "{\"$ne\":null}", "*)(uid=*"]


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, rate_limit_per_minute=1_000_000) as made:
        await registered(made)
        yield made


def operations(app) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in app.app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def schema_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {})
    found = content.get("application/json", {}).get("schema")
    while found is not None and "$ref" in found:
        found = document["components"]["schemas"][found["$ref"].rsplit("/", 1)[1]]
    return found


def test_every_body_refuses_fields_it_does_not_know(app):
    document = app.app.openapi()
    bodies = {(method, path): schema_of(document, operation) for method, path, operation in operations(app)}
    open_ones = [name for name, schema in bodies.items() if schema is not None and schema.get("type") == "object" and schema.get("additionalProperties") is not False]
    assert open_ones == [] and sum(schema is not None for schema in bodies.values()) >= 10


async def test_no_body_lets_somebody_set_what_is_not_theirs(app):
    headers, document = bearer(await signed_in(app)), app.app.openapi()
    for method, path, operation in operations(app):
        schema = schema_of(document, operation)
        if schema is None:
            continue
        known = set(schema.get("properties", {}))
        example = (schema.get("examples") or [{}])[0]
        for name in set(FORBIDDEN) - known:
            answer = await app.http.request(method, path.replace("{", "").replace("}", ""), headers=headers, json={**example, name: FORBIDDEN[name]})
            assert answer.status_code in (401, 403, 404, 409, 422, 429), (path, name, answer.text)
    async with app.house.database.reading() as session:
        assert (await session.execute(text("SELECT role FROM users WHERE email = 'mina@example.com'"))).scalar_one() == "user"


async def test_injected_text_is_only_text(app):
    """Every string parameter and field with every text: no fault, nothing reflected as markup, nobody lost, no header made."""
    headers, document = bearer(await signed_in(app)), app.app.openapi()
    people = await count(app)
    for method, path, operation in operations(app):
        if path in ("/auth/logout-all", "/auth/logout", "/auth/me") and method != "GET":
            continue
        for given in INJECTED:
            answer = await app.http.request(method, filled(path, given), headers=headers, params=named(operation, given),
                                            content=body(schema_of(document, operation), given))
            assert answer.status_code < 500, (method, path, given, answer.text)
            assert answer.headers.get("content-type", "application/json").startswith(("application/json", "text/plain")), (path, given)
            assert "set-cookie" not in answer.headers or "/oauth/" in path
    assert await count(app) == people
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 200


async def count(app) -> int:
    async with app.house.database.reading() as session:
        return (await session.execute(text("SELECT count(*) FROM users"))).scalar_one()


def filled(path: str, given: str) -> str:
    from urllib.parse import quote

    return "/".join(quote(given, safe="") if part.startswith("{") else part for part in path.split("/"))


def named(operation: dict[str, Any], given: str) -> dict[str, str]:
    return {one["name"]: given for one in operation.get("parameters", []) if one["in"] == "query"}


def body(schema: dict[str, Any] | None, given: str) -> bytes | None:
    if schema is None:
        return None
    return json.dumps({name: given for name in schema.get("properties", {})}).encode()
