"""A person's own limits over HTTP: less at once, more only with a fresh proof; and kill switches while a server runs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from people import PASSWORD, bearer, code, signed_in, user_of, with_2fa
from sqlalchemy import select

from haechi.cli import run
from haechi.identity.audit import AuditEntry
from haechi.trading.gate import Gate
from haechi.trading.kill_switch import Kills
from haechi.trading.limits import RiskBook
from haechi.trading.owner import Owner

PATH = "/account/risk-settings"
DEFAULTS = {"daily_loss_limit": "500", "max_leverage": 10, "max_positions": 5, "max_exposure": "20", "order_value_min": "0",
            "order_value_max": "1000000", "price_collar_percent": "5", "price_distance_percent": "80", "orders_per_minute": 1200,
            "duplicate_window_ms": 1000, "allowed_symbols": []}


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, risk_leverage_max=15) as made:
        yield made


async def stale_person(app, email: str = "mina@example.com") -> dict[str, str]:
    await app.add_person(email, PASSWORD)
    headers = bearer(await signed_in(app, email))
    app.clock.advance(timedelta(minutes=6))
    return headers


async def put(app, headers, **body):
    return await app.http.put(PATH, headers=headers, json=body)


async def limits(app, bot_id: str = "", email: str = "mina@example.com"):
    return app.house.part(RiskBook).of(Owner((await user_of(app, email)).id, "account", bot_id))


async def test_the_defaults_are_the_products(app):
    assert (await app.http.get(PATH, headers=await stale_person(app))).json() == DEFAULTS
    mine, bots = await limits(app), await limits(app, "b1")
    assert (mine.leverage_max, mine.duplicate_ms, bots.duplicate_ms, mine.orders_second_max) == (10, 1000, 0, 10)


async def test_lowering_wants_no_proof_and_counts_at_once(app):
    headers = await stale_person(app)
    answer = await put(app, headers, max_leverage=3, daily_loss_limit="250.5", allowed_symbols=["ETHUSDT", "BTCUSDT", "BTCUSDT"])
    assert answer.status_code == 200
    assert answer.json() == DEFAULTS | {"max_leverage": 3, "daily_loss_limit": "250.5", "allowed_symbols": ["BTCUSDT", "ETHUSDT"]}
    assert (await app.http.get(PATH, headers=headers)).json() == answer.json()
    mine = await limits(app)
    assert (mine.leverage_max, str(mine.daily_loss_max), mine.symbols) == (3, "250.5", {"BTCUSDT", "ETHUSDT"})
    async with app.house.database.reading() as session:
        entry = (await session.execute(select(AuditEntry).where(AuditEntry.act == "risk.changed"))).scalar_one()
    assert entry.details["max_leverage"] == {"before": 10, "after": 3} and "max_positions" not in entry.details


RAISED = [{"daily_loss_limit": "500.01"}, {"max_leverage": 11}, {"max_positions": 6}, {"max_exposure": "21"}, {"order_value_max": "1000001"},
          {"price_collar_percent": "6"}, {"price_distance_percent": "81"}, {"orders_per_minute": 1201}, {"duplicate_window_ms": 999},
          {"max_leverage": 5, "max_positions": 6}]


@pytest.mark.parametrize("body", RAISED, ids=str)
async def test_raising_any_limit_wants_a_fresh_proof(app, body):
    headers = await stale_person(app)
    refused = await put(app, headers, **body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "fresh_2fa_needed")
    assert (await app.http.get(PATH, headers=headers)).json() == DEFAULTS
    assert (await app.http.post("/auth/confirm", headers=headers, json={"proof": PASSWORD})).status_code == 204
    assert (await put(app, headers, **body)).json() == DEFAULTS | body


async def test_symbols_once_narrowed_are_widened_only_with_a_proof(app):
    headers = await stale_person(app)
    assert (await put(app, headers, allowed_symbols=["BTCUSDT", "ETHUSDT"], order_value_min="5")).status_code == 200
    assert (await put(app, headers, allowed_symbols=["BTCUSDT"])).status_code == 200
    for wider in ({"allowed_symbols": []}, {"allowed_symbols": ["BTCUSDT", "ETHUSDT"]}, {"order_value_min": "4"}):
        assert (await put(app, headers, **wider)).status_code == 403


async def test_with_the_second_factor_on_the_password_is_no_proof(app):
    headers = await stale_person(app)
    secret, _ = await with_2fa(app, headers)
    app.clock.advance(timedelta(minutes=6))
    assert (await put(app, headers, max_leverage=12)).status_code == 403
    assert (await app.http.post("/auth/confirm", headers=headers, json={"proof": PASSWORD})).status_code != 204
    assert (await app.http.post("/auth/confirm", headers=headers, json={"proof": code(app, secret)})).status_code == 204
    assert (await put(app, headers, max_leverage=12)).status_code == 200


async def test_the_platform_and_the_bot_may_be_tighter(app):
    headers = await stale_person(app)
    await app.http.post("/auth/confirm", headers=headers, json={"proof": PASSWORD})
    assert (await put(app, headers, max_leverage=100)).json()["max_leverage"] == 100
    assert (await limits(app)).leverage_max == 15
    app.house.part(RiskBook).set_bot("b1", leverage_max=7)
    assert ((await limits(app, "b1")).leverage_max, (await limits(app, "b2")).leverage_max) == (7, 15)


async def test_they_outlive_a_restart_and_are_nobody_elses(tmp_path, running):
    async with running(tmp_path) as app:
        assert (await put(app, await stale_person(app), max_leverage=3)).status_code == 200
        jun = await stale_person(app, "jun@example.com")
        assert (await app.http.get(PATH, headers=jun)).json() == DEFAULTS
    async with running(tmp_path) as app:
        assert ((await limits(app)).leverage_max, (await limits(app, email="jun@example.com")).leverage_max) == (3, 10)


@pytest.mark.parametrize("body", [{"max_leverage": 0}, {"max_leverage": 101}, {"max_leverage": 1.5}, {"max_positions": 0}, {"max_positions": 51},
                                  {"daily_loss_limit": "0"}, {"daily_loss_limit": "-1"}, {"daily_loss_limit": "NaN"}, {"daily_loss_limit": "Infinity"},
                                  {"daily_loss_limit": "1e30"}, {"price_collar_percent": "0"}, {"price_collar_percent": "100.1"}, {"orders_per_minute": 0},
                                  {"duplicate_window_ms": -1}, {"duplicate_window_ms": 60_001}, {"allowed_symbols": ["btc"]}, {"allowed_symbols": "BTCUSDT"},
                                  {"user_id": "0" * 32}, {"order_value_min": "9", "order_value_max": "8"}, {"max_exposure": "0"}], ids=str)
async def test_what_is_no_limit_is_refused(app, body):
    headers = await stale_person(app)
    assert (await put(app, headers, **body)).status_code == 422
    assert (await app.http.get(PATH, headers=headers)).json() == DEFAULTS


async def test_the_command_line_kills_what_runs(app, tmp_path, capsys, monkeypatch):
    """Another process, by the files alone; the database is not asked for an id."""
    var, kills = str(tmp_path / "var"), app.house.part(Kills)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert await asyncio.to_thread(run, ["kill", "--reason", "a drill", "--var", var, "--user", "mina"]) == 0
    kills.look()
    assert (kills.on("mina"), kills.on("jun")) == ("user", "")
    assert app.house.part(Gate).killed("mina", "b1") == "user"
    assert await asyncio.to_thread(run, ["kills", "--var", var]) == 1
    assert "a drill" in capsys.readouterr().out
    assert await asyncio.to_thread(run, ["kill", "--reason", "by address", "--var", var, "--user", "mina@example.com"]) == 2
    assert "give the id" in capsys.readouterr().err
    assert await asyncio.to_thread(run, ["unkill", "--var", var, "--user", "mina"]) == 0
    assert await asyncio.to_thread(run, ["kills", "--var", var]) == 0
    kills.look()
    assert kills.on("mina") == ""
