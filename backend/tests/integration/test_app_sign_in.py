"""Sign-in over HTTP, and who may ask for what."""

import re
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from haechi.identity.models import User, UserSession

# Everything else wants a token. A new public path is a decision, taken here.
PUBLIC = {"/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready", "/auth/login", "/auth/login/2fa", "/auth/refresh",
          "/auth/register", "/auth/verify-email", "/auth/forgot-password", "/auth/reset-password",
          "/auth/oauth/{provider}/start", "/auth/oauth/{provider}/callback", "/auth/oauth/finish",
          "/grid/market/{symbol}", "/grid-bot/market/{symbol}",
          "/metrics"}  # of this machine only


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        yield made


def routes(app):
    """Every path and method the application answers, whichever way it was mounted."""
    found = set()
    for route in app.routes:
        for one in route.effective_route_contexts() if hasattr(route, "effective_route_contexts") else [route]:
            found |= {(one.path, method) for method in one.methods if method != "HEAD"}
    return sorted(found)


async def test_a_good_password_gives_tokens_that_say_who_one_is(app):
    await app.add_person("Mina@Example.com")
    answer = await app.http.post("/auth/login", json={"email": " mina@example.COM ", "password": "a long password"})
    assert answer.status_code == 200
    tokens = answer.json()
    assert (tokens["token_type"], tokens["expires_in"], len(tokens["refresh_token"])) == ("bearer", 3600, 43)
    me = await app.http.get("/api/v1/auth/me", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["email"] == "mina@example.com"
    assert me.json()["created_at"] == "2026-01-01T00:00:00Z"


async def test_the_refresh_token_is_stored_only_as_its_hash(app):
    await app.add_person("mina@example.com")
    answer = await app.http.post("/auth/login", json={"email": "mina@example.com", "password": "a long password"})
    refresh = answer.json()["refresh_token"]
    async with app.house.database.reading() as session:
        stored = (await session.execute(select(UserSession.refresh_hash))).scalar_one()
    assert refresh not in stored
    assert re.fullmatch("[0-9a-f]{64}", stored)


async def test_a_wrong_password_and_an_unknown_address_look_alike(app):
    await app.add_person("mina@example.com")
    wrong = await app.http.post("/auth/login", json={"email": "mina@example.com", "password": "not it"})
    unknown = await app.http.post("/auth/login", json={"email": "nobody@example.com", "password": "not it"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["error"] == unknown.json()["error"]
    assert wrong.json()["error"]["code"] == "wrong_credentials"


async def test_every_path_but_the_public_ones_wants_a_token(app):
    open_ones, asked = set(), 0
    for path, method in routes(app.app):
        answer = await app.http.request(method, re.sub(r"{[^}]+}", "0" * 32, path))
        asked += 1
        if answer.status_code != 401:
            open_ones.add(path)
        else:
            assert answer.json()["error"]["code"] == "not_authenticated"
            assert answer.headers["www-authenticate"] == "Bearer"
    assert asked > 20
    assert {path.removeprefix("/api/v1") for path in open_ones} == PUBLIC


async def test_a_token_ends_with_its_hour_its_session_and_its_person(app):
    headers = await app.person()
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 200
    assert (await app.http.post("/auth/logout", headers=headers)).status_code == 204
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 401

    headers = await app.sign_in("mina@example.com")
    async with app.house.database.writing() as session:
        await session.execute(update(User).values(suspended_at=app.clock.now()))
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 401
    suspended = await app.http.post("/auth/login", json={"email": "mina@example.com", "password": "a long password"})
    assert suspended.status_code == 401

    async with app.house.database.writing() as session:
        await session.execute(update(User).values(suspended_at=None))
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 200
    app.clock.advance(timedelta(hours=1))
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 401


async def test_signing_out_leaves_other_sessions_alone(app):
    here, there = await app.person(), await app.sign_in("mina@example.com")
    await app.http.post("/auth/logout", headers=here)
    assert (await app.http.get("/auth/me", headers=there)).status_code == 200


async def test_a_session_that_expired_ends_even_a_token_that_has_not(app):
    headers = await app.person()
    async with app.house.database.writing() as session:
        await session.execute(update(UserSession).values(expires_at=app.clock.now()))
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 401


async def test_the_demo_user_is_made_once_and_can_sign_in(tmp_path, running):
    async with running(tmp_path) as app:
        (said,) = app.said
        password = said.split()[-1]
        await app.sign_in("demo@haechi.local", password)
    async with running(tmp_path) as again:
        assert again.said == []
        await again.sign_in("demo@haechi.local", password)


async def test_production_makes_no_demo_user(tmp_path, running):
    async with running(tmp_path, environment="production", jwt_secret="Qm7xV2kP9sLwT4yB8nRdF6hJ3cZaE5gU",
                       encryption_key=Fernet.generate_key().decode(), database_url=f"sqlite:///{tmp_path}/haechi.db") as app:
        assert app.said == []
        async with app.house.database.reading() as session:
            assert (await session.execute(select(User))).first() is None
