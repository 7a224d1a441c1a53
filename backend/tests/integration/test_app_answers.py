"""The manners of the server: one shape of error, request ids, limits, documentation, pages."""

import asyncio
import json
import re

import pytest
from fastapi import APIRouter

from haechi.errors import Conflict
from haechi.platform.migrate import downgrade
from haechi.platform.web import BODY_BYTES_MAX

trouble = APIRouter(prefix="/trouble")


@trouble.get("/fault")
async def fault() -> None:
    raise RuntimeError("the secret plan lies in /srv/plan.txt")


@trouble.get("/refusal")
async def refusal() -> None:
    raise Conflict("The bot is already running.", details={"bot_id": "b7"})


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        made.app.include_router(trouble)
        yield made


def envelope(answer, status, code):
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"error", "request_id"}
    assert set(body["error"]) <= {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert body["error"]["message"].endswith(".")
    assert re.fullmatch("[0-9a-f]{32}", body["request_id"])
    assert answer.headers["x-request-id"] == body["request_id"]
    return body["error"]


async def test_a_fault_tells_nothing_of_the_inside(app):
    answer = await app.http.get("/trouble/fault")
    envelope(answer, 500, "internal")
    for inside in ("secret", "plan", "Runtime", "Traceback", "haechi/"):
        assert inside not in answer.text


async def test_a_refusal_carries_its_code_sentence_and_details(app):
    error = envelope(await app.http.get("/trouble/refusal"), 409, "conflict")
    assert error["details"] == {"bot_id": "b7"}


async def test_unknown_addresses_and_methods_have_the_same_shape(app):
    envelope(await app.http.get("/nothing/here"), 404, "no_such_path")
    answer = await app.http.put("/auth/login")
    envelope(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_wrong_input_is_one_plain_sentence_that_does_not_repeat_it(app):
    answer = await app.http.post("/auth/login", json={"email": "x" * 300, "password": 12345678, "extra": 1})
    error = envelope(answer, 422, "validation")
    assert "body.email" in error["message"]
    assert {problem["where"] for problem in error["details"]["problems"]} == {"body.email", "body.password", "body.extra"}
    assert "12345678" not in answer.text
    assert "xxxx" not in answer.text


async def test_a_broken_body_is_refused_in_the_same_shape(app):
    envelope(await app.http.post("/auth/login", content=b"{", headers={"content-type": "application/json"}), 422, "validation")


async def test_a_body_over_the_limit_is_refused_announced_or_not(app):
    large = b"x" * (BODY_BYTES_MAX + 1)
    envelope(await app.http.post("/auth/login", content=large), 413, "body_too_large")

    async def in_pieces():
        for start in range(0, len(large), 65536):
            yield large[start:start + 65536]
            await asyncio.sleep(0)

    chunked = await app.http.post("/auth/login", content=in_pieces(), headers={"content-type": "application/json"})
    assert "content-length" not in chunked.request.headers
    envelope(chunked, 413, "body_too_large")


async def test_every_answer_has_safe_headers_and_its_own_id(app):
    answers = [await app.http.get(path) for path in ("/health", "/health/live", "/", "/nothing")]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


async def test_browsers_of_foreign_origins_are_not_let_in(tmp_path, running):
    async with running(tmp_path, cors_origins="https://app.example.com") as app:
        named = await app.http.get("/health/live", headers={"origin": "https://app.example.com"})
        other = await app.http.get("/health/live", headers={"origin": "https://evil.example"})
    assert named.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-origin" not in other.headers


async def test_health_says_how_the_parts_are(app):
    answer = (await app.http.get("/health")).json()
    assert (answer["status"], answer["database"]["state"], answer["parts"]["jobs"]["state"]) == ("ok", "up", "up")
    assert (await app.http.get("/health/ready")).json() == {"status": "ok"}


async def test_a_server_whose_tables_are_not_those_of_the_code_is_not_ready(app):
    await downgrade(app.house.database, "base")
    error = envelope(await app.http.get("/health/ready"), 503, "not_ready")
    assert "migrated" in error["message"]
    assert (await app.http.get("/health/live")).status_code == 200


async def test_openapi_documents_every_operation_once_with_its_errors_and_examples(app):
    document = (await app.http.get("/openapi.json")).json()
    assert not [path for path in document["paths"] if path.startswith("/api/v1")]
    operations = [operation for path, methods in document["paths"].items() if not path.startswith("/trouble")
                  for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z][a-z_]+", name) for name in names)
    for operation in operations:
        assert operation["summary"]
        assert "500" in operation["responses"]
        assert ("401" in operation["responses"]) or not operation.get("security")
        for status, described in operation["responses"].items():
            where = (operation["operationId"], status)
            if int(status) >= 400 and where != ("health", "503"):
                assert described["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorAnswer"), where
    assert "HTTPValidationError" not in json.dumps(document)


async def test_pages_run_only_their_own_script_and_ask_no_other_host(app):
    for path in ("/", "/docs"):
        first, second = await app.http.get(path), await app.http.get(path)
        nonces = [re.search(r"script-src 'nonce-([\w-]+)'", answer.headers["content-security-policy"])[1] for answer in (first, second)]
        assert nonces[0] != nonces[1]
        assert f'nonce="{nonces[0]}"' in first.text
        assert "unsafe" not in first.headers["content-security-policy"]
        assert not re.search(r'(?:src|href)="(?:https?:)?//', first.text)
        assert "$" not in first.text.replace("${", "")


async def test_the_first_page_speaks_korean_and_english(app):
    korean = await app.http.get("/", headers={"accept-language": "fr,ko;q=0.9,en;q=0.5"})
    english = await app.http.get("/?lang=en", headers={"accept-language": "ko"})
    assert 'lang="ko"' in korean.text
    assert "정상 작동 중" in korean.text
    assert "Running" in english.text


async def test_a_setting_with_html_in_it_is_shown_as_text(tmp_path, running):
    market = tmp_path / "<script>alert(1)<x>.csv"
    market.write_text("ts,open,high,low,close,volume\n1640995200000,10,11,9,10,1\n1640995260000,10,11,9,10,1\n1640995320000,10,11,9,10,1\n")
    async with running(tmp_path, market=str(market)) as app:
        page = (await app.http.get("/")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
