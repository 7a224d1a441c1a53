"""PostgreSQL and Redis stopped and started under a running server: clean 503s meanwhile, and well again by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

STILL = 0.000_01
PATHS = [("GET", "/auth/me", None), ("GET", "/bot/status", None), ("GET", "/backtest/results", None),
         ("POST", "/bot/start", {"strategy": "rsi"}), ("POST", "/auth/login", {"email": "mina@example.com", "password": "a long password"})]


@pytest.fixture
async def app(tmp_path, running, postgres, redis):
    async with running(tmp_path, speed=STILL, database_url=postgres, redis_url=redis, rate_limit_per_minute=10_000) as made:
        yield made


@pytest.fixture
def stopped():
    """`stopped(process)` stops it; in the end it runs again, whatever happened."""
    down = []

    def stop(process):
        down.append(process)
        process.stop()

    yield stop
    for process in down:
        if process.running is None:
            process.start()


async def asked(app, headers):
    return {path: await app.http.request(method, path, headers=headers, json=body) for method, path, body in PATHS}


async def test_without_the_database_every_answer_is_a_clean_503_and_then_all_is_well(app, postgres_server, stopped):
    mina = await app.person()
    assert (await app.http.post("/bot/start", headers=mina, json={"strategy": "rsi"})).status_code == 201
    before = {path: answer.status_code for path, answer in (await asked(app, mina)).items()}
    stopped(postgres_server)
    for round_ in range(2):  # first the broken connections of the pool, then no new ones
        for path, answer in (await asked(app, mina)).items():
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable"), (round_, path, answer.text)
            assert answer.headers["retry-after"] == "5"
            assert "asyncpg" not in answer.text
            assert "127.0.0.1" not in answer.text
    assert (await app.http.get("/health/live")).status_code == 200
    assert (await app.http.get("/health/ready")).status_code == 503
    assert (await app.http.get("/health")).json()["database"]["state"] == "down"
    postgres_server.start()
    after = {path: answer.status_code for path, answer in (await asked(app, mina)).items()}
    assert after == before == {"/auth/me": 200, "/bot/status": 200, "/backtest/results": 200, "/bot/start": 409, "/auth/login": 200}
    assert (await app.http.get("/health/ready")).status_code == 200


async def test_a_restart_between_two_requests_is_not_even_noticed(app, postgres_server, stopped):
    mina = await app.person()
    before = {path: answer.status_code for path, answer in (await asked(app, mina)).items()}
    stopped(postgres_server)
    postgres_server.start()
    assert {path: answer.status_code for path, answer in (await asked(app, mina)).items()} == before | {"/bot/start": 409, "/bot/status": 200}


async def test_a_transaction_cut_off_keeps_nothing(app, postgres_server, stopped):
    with pytest.raises(Exception, match="closed"):
        async with app.house.database.writing() as session:
            await session.execute(text("UPDATE users SET role = 'admin'"))
            stopped(postgres_server)
            await session.execute(text("SELECT 1"))
    postgres_server.start()
    async with app.house.database.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM users WHERE role = 'admin'"))).scalar_one() == 0


async def test_a_wrong_word_in_sql_stays_a_fault_of_ours(app):
    from sqlalchemy.exc import ProgrammingError

    from haechi.platform.db import unreachable

    with pytest.raises(ProgrammingError) as fault:
        async with app.house.database.reading() as session:
            await session.execute(text("SELECT nothing FROM nowhere"))
    assert not unreachable(fault.value)


async def test_without_redis_sign_in_is_refused_and_the_rest_goes_on(app, redis_server, stopped):
    mina = await app.person()
    stopped(redis_server)
    refused = await app.http.post("/auth/login", json={"email": "mina@example.com", "password": "a long password"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "limits_unavailable")
    assert (await app.http.get("/auth/me", headers=mina)).status_code == 200
    assert (await app.http.get("/health/ready")).status_code == 200
    redis_server.start()
    app.clock.advance(timedelta(seconds=5))
    await app.sign_in("mina@example.com")


async def test_limits_are_one_for_two_servers_on_one_redis(tmp_path, running, postgres, redis):
    given = {"speed": STILL, "database_url": postgres, "redis_url": redis, "rate_limit_per_minute": 10}
    async with running(tmp_path / "a", **given) as one, running(tmp_path / "b", **given) as other:
        answers = [(await app.http.get("/auth/me")).status_code for _ in range(6) for app in (one, other)]
    assert answers == [401] * 10 + [429] * 2
