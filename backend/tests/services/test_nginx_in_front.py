"""nginx as it is delivered, in front of a real server in production: TLS, plain HTTP, headers, WebSockets, whose address is believed."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import sys
from contextlib import closing
from pathlib import Path

import aiohttp
import httpx
import pytest
from cryptography.fernet import Fernet

from haechi.platform.web import HSTS, SAFE_HEADERS

SERVER = Path(__file__).with_name("probed_server.py")
JWT = "Qm7xV2kP9sLwT4yB8nRdF6hJ3cZaE5gU"


@pytest.fixture(scope="module")
def api(own_server):
    """Port of a server with the environment of production, as the compose file sets it, on SQLite."""
    return own_server([sys.executable, SERVER], {
        "ENVIRONMENT": "production", "HOST": "127.0.0.1", "TRUSTED_PROXY_HOPS": "1", "JWT_SECRET": JWT,
        "ENCRYPTION_KEY": Fernet.generate_key().decode(), "SPEED": "0.00001"})


@pytest.fixture
def front(nginx, api):
    return nginx(api)


def trusting(front) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=front.certificate)


@pytest.fixture
async def https(front):
    async with httpx.AsyncClient(verify=trusting(front), base_url=f"https://localhost:{front.https}", http2=False) as client:
        yield client


@pytest.fixture
async def plain(front):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{front.http}", headers={"host": "haechi.example"}) as client:
        yield client


async def test_http_leads_to_https_and_nowhere_else(plain):
    for method in ("GET", "HEAD"):
        for path in ("/", "/docs", "/?lang=ko", "/docs?lang=en"):
            answer = await plain.request(method, path)
            assert (answer.status_code, answer.headers["location"]) == (308, f"https://haechi.example{path}")


PROGRAMS = [("POST", "/"), ("POST", "/docs"), ("POST", "/auth/login"), ("GET", "/api/v1/auth/me"), ("GET", "/health/live"), ("DELETE", "/auth/me"),
            ("OPTIONS", "/"), ("GET", "/docs/"), ("GET", "/docsx"), ("GET", "/DOCS"), ("GET", "//evil.example/x"), ("GET", "/.well-known/x"),
            ("GET", "/docs%0A"), ("GET", "/docs%3F/..")]


@pytest.mark.parametrize(("method", "path"), PROGRAMS)
def test_over_http_programs_are_refused_not_led_on(front, method, path):
    answer = asked_as_written(http.client.HTTPConnection("127.0.0.1", front.http), method, path)
    assert (answer.status, answer.headers["location"]) == (403, None)


def asked_as_written(link: http.client.HTTPConnection, method: str, path: str) -> http.client.HTTPResponse:
    """httpx would mend the path first."""
    with closing(link):
        link.request(method, path, headers={"authorization": "Bearer x"})
        answer = link.getresponse()
        answer.read()
        return answer


async def test_the_server_answers_through_tls_in_its_own_words(https):
    assert (await https.get("/health/ready")).json() == {"status": "ok"}
    missing = await https.get("/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "no_such_path")
    assert "nginx/" not in missing.headers["server"]
    refused = await https.post("/auth/login", json={"email": "nobody@example.com", "password": "a wrong password"})
    assert (refused.status_code, "code" in refused.json()["error"]) == (401, True)


async def test_a_body_too_large_is_refused_by_the_server_or_before_it(https):
    just = await https.post("/auth/login", content=b"x" * (4 * 1024 * 1024 + 1), headers={"content-type": "application/json"})
    assert (just.status_code, just.json()["error"]["code"]) == (413, "body_too_large")
    assert (await https.post("/auth/login", content=b"x" * (6 * 1024 * 1024))).status_code == 413


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused_by_the_server(front, version):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")  # this side would speak it
    old.minimum_version = old.maximum_version = version
    with socket.create_connection(("127.0.0.1", front.https)) as raw, pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        old.wrap_socket(raw)


@pytest.mark.parametrize(("version", "name"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_new_tls_has_forward_secrecy(front, version, name):
    new = trusting(front)
    new.minimum_version = new.maximum_version = version
    with socket.create_connection(("127.0.0.1", front.https)) as raw, new.wrap_socket(raw, server_hostname="localhost") as link:
        cipher, spoken, _ = link.cipher()
        assert link.version() == name
        assert cipher.startswith("ECDHE-") or spoken == "TLSv1.3"


SPOOFS = [{"x-forwarded-for": "203.0.113.9"}, {"x-forwarded-for": "203.0.113.9, 198.51.100.7"}, {"x-real-ip": "203.0.113.9"},
          {"forwarded": "for=203.0.113.9;proto=http"}, {"x-forwarded-for": "127.0.0.1"}, {"X_Forwarded_For": "203.0.113.9"},
          {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http", "x-forwarded-host": "evil.example"}]


@pytest.mark.parametrize("spoof", SPOOFS)
async def test_an_address_the_client_made_up_is_not_believed(https, spoof):
    seen = (await https.get("/probe/headers", headers=spoof)).json()
    names = dict(seen["headers"])
    assert seen["client"] == "127.0.0.1"
    assert (names["x-forwarded-for"], names["x-forwarded-proto"], names["host"]) == ("127.0.0.1", "https", "localhost")
    assert not {"x-real-ip", "forwarded"} & names.keys()


async def test_another_clients_own_address_arrives(front):
    """Loopback is 127.0.0.0/8: this client really has another address than the proxy."""
    transport = httpx.AsyncHTTPTransport(verify=trusting(front), local_address="127.0.0.77")
    async with httpx.AsyncClient(transport=transport, base_url=f"https://localhost:{front.https}") as client:
        seen = (await client.get("/probe/headers", headers={"x-forwarded-for": "203.0.113.9"})).json()
    assert seen["client"] == "127.0.0.77"


async def test_a_websocket_passes_both_ways(front):
    async with aiohttp.ClientSession() as session, session.ws_connect(
            f"https://localhost:{front.https}/probe/echo", ssl=trusting(front), headers={"x-forwarded-for": "203.0.113.9"}) as link:
        for word in ("하나", "둘"):
            await link.send_str(word)
            assert await link.receive_json() == {"heard": word, "client": "127.0.0.1"}


METRICS = ["/metrics", "/api/v1/metrics", "/metrics?x=1", "//metrics", "/api//v1/metrics", "/%6detrics", "/metrics%0A", "/api/v1/metrics%0a",
           "/metrics/", "/x/../metrics", "/x%2F..%2Fmetrics", "/./metrics", "/Metrics", "/%61pi/v1/metric%73", "/metrics;x", "/metrics#x"]


@pytest.mark.parametrize("path", METRICS)
def test_metrics_are_not_for_outsiders(front, path):
    """The server would tell this address, the machine's own, all of them: it must not be asked."""
    answer = asked_as_written(http.client.HTTPSConnection("localhost", front.https, context=trusting(front)), "GET", path)
    assert (answer.status, answer.headers["content-type"], answer.headers["x-request-id"]) == (404, "text/html", None)


def all_headers(answer: httpx.Response) -> dict[str, list[str]]:
    return {name: answer.headers.get_list(name) for name in SAFE_HEADERS | HSTS}


async def test_nginxs_own_answers_have_the_servers_headers(https, plain):
    """Each once and in the same words: what changes in haechi has to change in nginx.conf too."""
    safe = {name: [value] for name, value in SAFE_HEADERS.items()}
    for status, answer in [(404, await https.get("/metrics")), (413, await https.post("/auth/login", content=b"x" * (6 * 1024 * 1024))),
                           (400, await https.get("/", headers={"x-long": "x" * 40_000}))]:
        assert (answer.status_code, "x-request-id" in answer.headers) == (status, False), "nginx itself says so"
        assert all_headers(answer) == safe | {name: [value] for name, value in HSTS.items()}
    for status, answer in [(308, await plain.get("/")), (403, await plain.get("/auth/me"))]:
        assert answer.status_code == status
        assert all_headers(answer) == safe | {name: [] for name in HSTS}, "HSTS is not said without TLS (RFC 6797, 7.2)"


async def test_the_servers_headers_pass_once_and_unchanged(https, api):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api}") as straight:
        for path in ("/health/live", "/nothing", "/docs"):
            direct, through = all_headers(await straight.get(path)), all_headers(await https.get(path))
            for each in (direct, through):  # a page has a nonce of its own every time
                each["content-security-policy"] = [re.sub("nonce-[^']+", "nonce", one) for one in each["content-security-policy"]]
            assert through == direct
            assert {len(values) for values in direct.values()} == {1}


async def test_a_server_that_is_away_is_a_502_and_no_hanging(nginx, unused_port):
    front = nginx(unused_port)
    async with httpx.AsyncClient(verify=trusting(front), timeout=10) as client:
        answer = await client.get(f"https://localhost:{front.https}/health/live")
    assert answer.status_code == 502
    assert all_headers(answer) == {name: [value] for name, value in (SAFE_HEADERS | HSTS).items()}


def test_the_log_has_no_question_and_no_token():
    text = (Path(__file__).resolve().parents[3] / "deploy" / "nginx" / "nginx.conf").read_text()
    line = re.search(r"log_format plain '(.*)';", text)
    assert line is not None
    assert not re.search(r"\$(request|request_uri|args|http_\w+|query_string)\b", line[1])
