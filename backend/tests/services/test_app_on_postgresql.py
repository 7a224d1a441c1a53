"""The server on PostgreSQL and Redis: the same people, bots and back-tests as on SQLite, and what they leave in the tables."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from secrets import token_urlsafe
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, text

from haechi.bots.models import Bot
from haechi.markets.feed import Market
from haechi.research.models import Backtest
from haechi.trading.models import Booking, Entry, Order

QUICK = {"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}}
ASK = {"strategy": "ema", "params": {"fast": 5}, "data": {"symbol": "btcusdt", "timeframe": "1h"}, "tick": "0.1", "lot": "0.001"}
STILL = 0.000_01  # times real time: the test plays the bars itself


@pytest.fixture
async def app(tmp_path, running, postgres, redis):
    async with running(tmp_path, speed=STILL, database_url=postgres, redis_url=redis) as made:
        yield made


async def played(app, bars: int) -> None:
    market = app.house.part(Market)
    for _ in range(bars):
        assert await market.step()


async def rows(app, table):
    async with app.house.database.reading() as session:
        return (await session.execute(select(table))).scalars().all()


async def test_one_signs_in_and_out(app):
    mina = await app.person()
    assert (await app.http.get("/auth/me", headers=mina)).json()["email"] == "mina@example.com"
    assert (await app.http.post("/auth/logout", headers=mina)).status_code == 204
    assert (await app.http.get("/auth/me", headers=mina)).status_code == 401


async def test_text_that_it_does_not_keep_is_bad_input(app):
    refused = await app.http.post("/auth/login", json={"email": "mi\u0000na@example.com", "password": "a long password"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "validation") and "U+0000" in refused.json()["error"]["message"]


async def test_health_names_the_database(app):
    answer = await app.http.get("/health")
    assert (answer.status_code, answer.json()["database"]["kind"]) == (200, "postgresql")
    assert (await app.http.get("/health/ready")).status_code == 200


async def test_a_bot_trades_and_its_money_is_exact_in_the_tables(app):
    mina = await app.person()
    assert (await app.http.post("/bot/start", headers=mina, json=QUICK)).status_code == 201
    await played(app, 60)
    there = (await app.http.get("/bot/status", headers=mina)).json()
    assert (there["observed"], there["bars"]) == ("running", 60)
    assert len(await rows(app, Order)) > 2
    bookings = [one.id for one in await rows(app, Booking)]
    entries = await rows(app, Entry)
    assert bookings
    assert {sum((one.amount for one in entries if one.booking_id == booking), Decimal(0)) for booking in bookings} == {Decimal(0)}
    async with app.house.database.reading() as session:
        assert (await session.execute(text("SELECT pg_typeof(amount)::text FROM ledger_entries LIMIT 1"))).scalar_one() == "numeric"
        in_sql = (await session.execute(text("SELECT sum(amount) FROM ledger_entries"))).scalar_one()
    assert in_sql == 0


async def test_what_was_there_is_there_after_a_restart(tmp_path, running, postgres, redis):
    given = {"speed": STILL, "database_url": postgres, "redis_url": redis}
    async with running(tmp_path, **given) as app:
        mina = await app.person()
        await app.http.post("/bot/start", headers=mina, json=QUICK)
        await played(app, 5)
    async with running(tmp_path, **given) as again:
        assert again.said == [], "no second demo user"
        mina = await again.sign_in("mina@example.com")
        there = (await again.http.get("/bot/status", headers=mina)).json()
        assert (there["desired"], there["strategy"]) == ("running", "rsi"), "it goes on"
        assert len(await rows(again, Bot)) == 1


async def test_a_back_test_is_kept_with_its_figures(app):
    mina, jun = await app.person(), await app.person("jun@example.com")
    made = (await app.http.post("/backtest/run", headers=mina, json=ASK)).json()
    _, held = await app.executor.waiting.get()
    held.set_result({"final_equity": "10012.50", "한글": "값"})
    await asyncio.gather(*app.jobs._tasks.values(), return_exceptions=True)
    done = (await app.http.get(f"/backtest/{made['id']}", headers=mina)).json()
    assert (done["status"], done["metrics"]) == ("done", {"final_equity": "10012.50", "한글": "값"})
    assert (await app.http.get(f"/backtest/{made['id']}", headers=jun)).status_code == 404
    kept = (await rows(app, Backtest))[0]
    assert (kept.request["strategy"], kept.finished_at.tzinfo is not None) == ("ema", True)


async def test_two_who_start_at_once_have_one_bot(app):
    mina = await app.person()
    answers = await asyncio.gather(*(app.http.post("/bot/start", headers=mina, json=QUICK) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 4, *[429] * 3], "five starts a minute"
    assert len(await rows(app, Bot)) == 1


async def test_the_command_serves_in_production_as_the_compose_file_sets_it(own_server, postgres, redis):
    address = {name: urlsplit(url) for name, url in (("database", postgres), ("redis", redis))}
    port = own_server([sys.executable, "-m", "haechi.cli", "serve"], {
        "ENVIRONMENT": "production", "HOST": "0.0.0.0", "TRUSTED_PROXY_HOPS": "1", "JWT_SECRET": token_urlsafe(48),
        "ENCRYPTION_KEY": Fernet.generate_key().decode(), "PUBLIC_URL": "https://haechi.example.com",
        "DATABASE_URL": f"postgresql://haechi@127.0.0.1:{address['database'].port}{address['database'].path}",
        "POSTGRES_PASSWORD": address["database"].password, "REDIS_URL": f"redis://127.0.0.1:{address['redis'].port}/1",
        "REDIS_PASSWORD": address["redis"].password, "SPEED": str(STILL)})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/health/ready")).json() == {"status": "ok"}
        there = (await client.get("/health")).json()
        assert (there["environment"], there["database"]["kind"]) == ("production", "postgresql")
        refused = await client.post("/auth/login", json={"email": "nobody@example.com", "password": "a wrong password"})
        assert refused.status_code == 401, "counted in Redis and looked up in PostgreSQL"
