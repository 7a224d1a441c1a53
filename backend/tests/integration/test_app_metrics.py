"""The figures for Prometheus, and what the server leans on."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.fernet import Fernet
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from haechi.health.status import open_status
from haechi.markets.feed import Market
from haechi.platform.clock import SetClock
from haechi.platform.crypto import Vault
from haechi.platform.db import Database
from haechi.platform.house import House
from haechi.settings import load_settings

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, speed=0.000_01) as made:
        yield made


async def samples(app) -> dict[tuple[str, frozenset], float]:
    answer = await app.http.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    return {(one.name, frozenset(one.labels.items())): one.value
            for family in text_string_to_metric_families(answer.text) for one in family.samples}


def of(found, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


# ---- figures

async def test_requests_are_counted_by_template_never_by_what_was_sent(app):
    mina = await app.person()
    for path in ("/auth/sessions/one", "/auth/sessions/two", "/api/v1/auth/sessions/three", "/auth/sessions/one?x=secret"):
        assert (await app.http.delete(path, headers=mina)).status_code == 404
    await app.http.get("/no/such/path-4711")
    await app.http.request("BREW", "/auth/me")
    found = await samples(app)
    assert of(found, "haechi_requests_total", route="/auth/sessions/{id}", method="DELETE", status="404") == 4
    assert of(found, "haechi_requests_total", route="unmatched", method="GET", status="404") == 1
    assert of(found, "haechi_requests_total", route="/auth/me", method="other", status="405") == 1
    assert of(found, "haechi_request_seconds_count", route="/auth/sessions/{id}", method="DELETE") == 4
    text = (await app.http.get("/metrics")).text
    assert not re.search("4711|BREW|secret|three|api/v1|mina", text)


async def test_refusals_of_the_outer_layers_and_faults_are_counted_too(tmp_path, running):
    async with running(tmp_path, rate_limit_per_minute=3) as app:
        async def broken() -> None:
            raise RuntimeError

        app.app.add_api_route("/fault", broken)
        assert (await app.http.get("/fault")).status_code == 500
        assert (await app.http.post("/auth/login", content=b"x" * 5_000_000)).status_code == 413
        first = await samples(app)
        assert (await app.http.get("/health")).status_code == 200
        assert (await app.http.get("/health")).status_code == 429
        assert of(first, "haechi_requests_total", route="/fault", method="GET", status="500") == 1
        assert of(first, "haechi_requests_total", route="unmatched", method="POST", status="413") == 1
        app.clock.advance(timedelta(minutes=2))
        assert of(await samples(app), "haechi_requests_total", route="unmatched", method="GET", status="429") == 1


async def test_sign_ins_bots_database_and_process_have_their_figures(app):
    mina = await app.person()
    await app.http.post("/auth/login", json={"email": "mina@example.com", "password": "wrong"})
    found = await samples(app)
    assert of(found, "haechi_sign_ins_total", step="password", outcome="ok") == 1
    assert of(found, "haechi_sign_ins_total", step="password", outcome="failed") == 1
    assert of(found, "haechi_sign_ins_total", step="second_factor", outcome="ok") == 0
    assert [of(found, "haechi_bots", state=state) for state in ("starting", "running", "stopping", "stopped", "failed")] == [0] * 5
    assert of(found, "haechi_database_up") == 1 and of(found, "haechi_database_seconds") > 0
    assert of(found, "process_resident_memory_bytes") > 1e6
    await app.http.post("/bot/start", headers=mina, json={})
    assert of(await samples(app), "haechi_bots", state="running") == 1


async def test_two_servers_in_one_process_count_apart(tmp_path, running):
    async with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        await one.http.get("/health")
        asked = {"route": "/health", "method": "GET", "status": "200"}
        assert (of(await samples(one), "haechi_requests_total", **asked), of(await samples(two), "haechi_requests_total", **asked)) == (1, None)


async def test_without_a_database_the_rest_is_still_told(app, monkeypatch):
    await samples(app)

    async def gone() -> float:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(app.house.database, "ping", gone)
    found = await samples(app)
    assert of(found, "haechi_database_up") == 0 and of(found, "haechi_bots", state="running") is None
    assert of(found, "haechi_requests_total", route="/metrics", method="GET", status="200") == 1


async def asked_from(app, client: str, **headers: str) -> int:
    transport = httpx.ASGITransport(app.app, client=(client, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://haechi.test", headers=headers) as http:
        return (await http.get("/metrics")).status_code


@pytest.mark.parametrize(("client", "status"), [("127.0.0.1", 200), ("127.8.8.8", 200), ("::1", 200), ("::ffff:127.0.0.1", 200),
                                                ("192.0.2.7", 403), ("2001:db8::1", 403), ("", 403)])
async def test_without_a_list_only_this_machine_may_read_them(app, client, status):
    assert await asked_from(app, client) == status


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "forwarded"])
async def test_behind_an_unknown_proxy_nobody_may(app, header):
    assert await asked_from(app, "127.0.0.1", **{header: "127.0.0.1"}) == 403


async def test_with_a_list_only_its_addresses_may_and_no_header_helps(tmp_path, running):
    async with running(tmp_path, admin_addresses="192.0.2.0/24", trusted_proxy_hops=1) as app:
        assert await asked_from(app, "10.0.0.1", **{"x-forwarded-for": "192.0.2.7"}) == 200
        assert await asked_from(app, "10.0.0.1", **{"x-forwarded-for": "192.0.2.7, 198.51.100.1"}) == 403
        assert await asked_from(app, "127.0.0.1") == 403


# ---- what it leans on

async def status_of(app, headers):
    answer = await app.http.get("/api-status", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_status_is_for_people_who_are_signed_in(app):
    assert (await app.http.get("/api-status")).status_code == 401
    told = await status_of(app, await app.person())
    assert told["database"]["state"] == "up" and told["database"]["latency_ms"] is not None and told["database"]["last_error"] is None
    assert (told["exchange"]["state"], told["market"]) == ("up", "synthetic")
    assert [told[name]["state"] for name in ("cache", "telegram", "deepseek")] == ["off"] * 3


async def test_what_is_set_up_is_told_and_its_secret_is_not(tmp_path, running):
    async with running(tmp_path, telegram_bot_token="canary-one", deepseek_api_key="canary-two") as app:
        told = await status_of(app, await app.person())
        assert (told["telegram"]["state"], told["deepseek"]["state"]) == ("on", "on") and "canary" not in str(told)


async def test_a_market_that_failed_shows(app):
    mina = await app.person()
    app.house.part(Market).failed = True
    told = await status_of(app, mina)
    assert told["exchange"] == {"state": "down", "latency_ms": None, "last_error": {"at": "2026-01-01T00:00:00Z", "kind": "MarketDown"}}
    app.house.part(Market).failed = False
    told = await status_of(app, mina)
    assert told["exchange"]["state"] == "up" and told["exchange"]["last_error"]["kind"] == "MarketDown"


async def test_a_database_that_does_not_answer_is_told_without_its_words(app, monkeypatch):
    mina = await app.person()

    async def gone() -> float:
        raise OperationalError("SELECT 'canary'", {}, Exception("canary"))

    with monkeypatch.context() as patched:
        patched.setattr(app.house.database, "ping", gone)
        told = await status_of(app, mina)
    assert (told["database"]["state"], told["database"]["last_error"]["kind"]) == ("down", "OperationalError") and "canary" not in str(told)
    after = (await status_of(app, mina))["database"]
    assert after["state"] == "up" and after["last_error"] == told["database"]["last_error"]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def redis_server(tmp_path):
    """A private Redis: its process, and its port."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert any("Ready to accept" in line for line in server.stdout)
        yield server, port
    finally:
        server.kill()
        server.wait()


async def test_the_cache_is_asked_and_its_going_is_told(tmp_path, running, redis_server):
    server, port = redis_server
    async with running(tmp_path, redis_url=f"redis://127.0.0.1:{port}/0") as app:
        mina = await app.person()
        assert (await status_of(app, mina))["cache"]["state"] == "up"
        server.terminate()
        server.wait()
        told = (await status_of(app, mina))["cache"]
        assert (told["state"], told["last_error"]["kind"]) == ("down", "ConnectionError")


async def test_a_database_that_cannot_be_reached_is_noted_whoever_asked_for_it(tmp_path):
    """Nobody can sign in to see the page then: it must be known afterwards."""
    database = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/haechi")
    house = House(settings=load_settings(_env_file=None, haechi_var=tmp_path), clock=SetClock(START), database=database, vault=Vault([Fernet.generate_key().decode()]))
    async with open_status(house) as told:
        with pytest.raises(OperationalError):
            await database.ping()
        assert (told.errors["database"].at, told.errors["database"].kind) == (START, "OperationalError")
    await database.close()
