"""Small promises that are easily broken without notice: reading changes nothing, one value has one meaning, and nothing slips in between."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from people import letters
from sqlalchemy import select
from test_app_authorization import MISSING, Matrix, Who, maker, wanted
from test_app_strange_input import operations

from haechi.identity.mail import Letter, Smtp
from haechi.platform.web import BODY_BYTES_MAX
from haechi.tables import metadata
from haechi.trading.desks import Desks
from haechi.trading.standing import Standing

from .oauth_stage import staged

FAR_TOO_MANY = 10**9
LINE_ENDS = ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x00"]
HEAD = b"POST /auth/login HTTP/1.1\r\nHost: haechi.test\r\nContent-Type: application/json\r\n"
SMUGGLED = b"0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: haechi.test\r\n\r\n"


@pytest.fixture
async def matrix(tmp_path, running):
    settings = {"rate_limit_per_minute": 1_000_000, "admin_addresses": "127.0.0.0/8", "oauth_google_id": "id", "oauth_google_secret": "secret"}
    async with running(tmp_path, **settings) as app:
        made = Matrix(app)
        yield made
        await made.close()


async def all_rows(app) -> dict[str, list[tuple]]:
    async with app.house.database.reading() as session:
        return {table.name: [tuple(row) for row in (await session.execute(select(table).order_by(*table.primary_key.columns))).all()]
                for table in metadata.sorted_tables}


async def test_no_get_changes_a_row_of_any_table(matrix):
    """Asked by an admin with a fresh proof, who may ask for everything, about rows that are there."""
    who = await matrix.admin()
    asked = [(path, operation, maker(path)) for method, path, operation in operations(matrix.app) if method == "GET"]
    ids = [await make(matrix, who.user) if make else "" for _, _, make in asked]
    await matrix.app.house.part(Standing).look()  # what would be done by itself within half a minute
    await matrix.app.house.part(Desks).scribe.settled()
    before, statuses = await all_rows(matrix.app), {}
    for (path, operation, _), object_id in zip(asked, ids, strict=True):
        statuses[path] = (await matrix.ask(who, "GET", path, operation, object_id)).status_code
        assert await all_rows(matrix.app) == before, f"GET {path} changes something"
    assert all(before[name] for name in ("users", "user_sessions", "backtests")) and list(statuses.values()).count(200) >= 20, statuses


async def test_a_parameter_given_twice_is_judged_by_the_value_that_is_used(matrix):
    """The last one: a good one before it does not vouch for it, a bad one before it is not looked at."""
    who, tried = await matrix.admin(), 0
    for path, operation, name in numbers(matrix):
        make = maker(path)
        address = path.replace("{id}", await make(matrix, who.user) if make else "")
        given = [(one, value) for one, value in wanted(operation).items() if one != name]
        for values, allowed in (((1, FAR_TOO_MANY), False), ((FAR_TOO_MANY, 1), True)):
            answer = await ask(matrix, who, address, [*given, *[(name, value) for value in values]])
            assert (answer.status_code != 422) is allowed, (path, name, values, answer.text)
            assert not (allowed and name == "limit" and answer.is_success) or len(answer.json().get("items", [])) <= 1
        tried += 1
    assert tried >= 8


def numbers(matrix):
    return [(path, operation, one["name"]) for method, path, operation in operations(matrix.app) if method == "GET"
            for one in operation.get("parameters", []) if one["in"] == "query" and one["schema"].get("maximum")]


async def ask(matrix, who: Who, address: str, params: list[tuple]) -> httpx.Response:
    return await matrix.http[who.address].get(address, params=params, headers=who.headers)


async def test_a_value_counts_only_where_it_is_declared(matrix):
    who = await matrix.person()
    given, mine = {"email": who.user.email, "password": "a long password"}, matrix.http[who.address]
    elsewhere = [await mine.post("/auth/login", params=given), await mine.post("/auth/login", data=given),
                 await mine.post("/auth/login", json={}, params=given), await mine.post("/auth/login", json={}, headers=given),
                 await mine.post("/auth/login", json={}, headers={"cookie": "; ".join(f"{name}={value}" for name, value in given.items())})]
    assert [answer.status_code for answer in elsewhere] == [422] * 5
    limited = await mine.request("GET", "/backtest/results", headers={**who.headers, "limit": str(FAR_TOO_MANY)}, json={"limit": FAR_TOO_MANY})
    assert limited.status_code == 200


async def test_the_last_of_two_equal_names_in_a_body_is_the_one_that_is_judged(matrix):
    for first, last, status in (('"x"', "7", 422), ("7", '"x"', 401)):
        body = f'{{"email": "nobody@example.com", "password": {first}, "password": {last}}}'
        answer = await matrix.http["127.0.0.1"].post("/auth/login", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("end", LINE_ENDS)
async def test_no_line_can_be_added_to_a_letter_from_outside(tmp_path, running, end):
    async with running(tmp_path) as app:
        for path, more in (("/auth/register", {"password": "a few good words"}), ("/auth/forgot-password", {})):
            for email in (f"mina@example.com{end}Bcc: eve@example.com", f"mina{end}Bcc: eve@example.com", f"a{end}@example.com"):
                assert (await app.http.post(path, json={"email": email, **more})).status_code == 422, (path, email)
        assert await letters(app) == []


@pytest.mark.parametrize("letter", [Letter("mina@example.com\r\nBcc: eve@example.com", "Hello", ""), Letter("mina@example.com", "Hello\nBcc: eve@example.com", "")])
async def test_no_line_can_be_added_to_a_letter_from_inside(letter):
    post = Smtp("smtp://127.0.0.1:1", "", "haechi@example.com", must_be_private=False)
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        await post.send(letter)


@asynccontextmanager
async def real_server(app):
    """As `haechi serve` has it; the address where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = True
            await serving


async def said_back(address, sent: bytes) -> bytes:
    """All until the server closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


@pytest.mark.parametrize("headers", [b"Content-Length: 6\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 6",
                                     b"Content-Length: 6\r\nContent-Length: 60", b"Content-Length: 6, 60", b"Content-Length: +6", b"Content-Length: -6",
                                     b"Content-Length: 6\r\nTransfer-Encoding : chunked", b"Transfer-Encoding: chunked, identity"])
async def test_lengths_that_contradict_each_other_are_refused_and_nothing_behind_them_is_read(tmp_path, running, headers):
    async with running(tmp_path) as app, real_server(app.app) as address:
        plain = await said_back(address, HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
        assert plain.startswith(b"HTTP/1.1 422 "), "the server itself is well"
        answer = await said_back(address, HEAD + headers + b"\r\n\r\n" + SMUGGLED)
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1 and b"alive" not in answer, answer


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_cookie_without_its_protections(tmp_path, running, scheme):
    cookies: list[str] = []

    async def note(answer: httpx.Response) -> None:
        cookies.extend(answer.headers.get_list("set-cookie"))

    async with staged(tmp_path, running, public_url=f"{scheme}://haechi.test") as stage:
        transport = httpx.ASGITransport(stage.app.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://haechi.test", event_hooks={"response": [note]}) as browser:
            assert "/#oauth=" in (await browser.get(await stage.go("google", browser))).headers["location"]
            for method, path, operation in operations(stage.app):
                await browser.request(method, re.sub(r"{[^}]+}", MISSING, path.replace("{provider}", "google")), params=wanted(operation))
    assert len(cookies) >= 2
    needed = {"httponly", "samesite=lax", *(["secure"] if scheme == "https" else [])}
    for cookie in cookies:
        assert needed <= {part.strip().lower() for part in cookie.split(";")[1:]}, cookie


async def test_every_error_has_the_id_of_its_request(tmp_path, running, matrix):
    mine, statuses = matrix.http["127.0.0.1"], set()
    answers = [await mine.request(method, path, content=b"{") for method, path, _ in operations(matrix.app)]
    answers += [await mine.get("/nothing"), await mine.put("/auth/login"), await mine.post("/auth/login", content=b"x" * (BODY_BYTES_MAX + 1))]
    async with running(tmp_path / "narrow", rate_limit_per_minute=1) as app:
        answers += [await app.http.get("/strategy/library") for _ in range(3)]
    for answer in answers:
        if answer.status_code >= 400:
            assert answer.json()["request_id"] == answer.headers["x-request-id"], (answer.request.url, answer.text)
            statuses.add(answer.status_code)
    assert statuses >= {401, 404, 405, 413, 422, 429}, statuses
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids)
