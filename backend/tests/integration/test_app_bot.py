"""The one-bot form over HTTP, on the paper market: it trades, says what it does, stops and closes."""

from __future__ import annotations

import asyncio

import pytest

from haechi.bots.service import Bots
from haechi.markets.feed import Market
from haechi.trading.desks import Desks

QUICK = {"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}}
STILL = 0.000_01  # times real time: the market plays what it plays at once, the rest is stepped by the test


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, speed=STILL) as made:
        yield made


@pytest.fixture
async def mina(app):
    return await app.person()


async def played(app, bars: int) -> None:
    market = app.house.part(Market)
    for _ in range(bars):
        assert await market.step()


async def status(app, who):
    answer = await app.http.get("/bot/status", headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_bot_trades_protects_itself_and_tells(app, mina):
    started = await app.http.post("/bot/start", headers=mina, json=QUICK)
    assert (started.status_code, started.json()["observed"], started.json()["market"]) == (201, "running", "synthetic")
    await played(app, 40)
    there = await status(app, mina)
    assert there["bars"] == 40
    assert there["position"] != "0.000"
    assert {order["role"] for order in there["open_orders"]} == {"stop", "target1"}
    lines = (await app.http.get("/bot/logs", headers=mina | {"accept-language": "ko-KR"})).json()["items"]
    assert lines[-1]["text"].startswith("시작: rsi")
    assert any(line["code"] == "fill" for line in lines)


async def test_stopping_cancels_and_closes_at_the_next_price(app, mina):
    await app.http.post("/bot/start", headers=mina, json=QUICK)
    await played(app, 40)
    stopping = await app.http.post("/bot/stop", headers=mina)
    assert stopping.json()["observed"] == "stopping"
    await played(app, 2)
    async with asyncio.timeout(5):  # it is written down by a task of its own
        while (there := await status(app, mina))["observed"] == "stopping":  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert (there["desired"], there["observed"], there["open_orders"]) == ("stopped", "stopped", [])
    assert there["wallet"] not in (None, "10000.00000000")
    assert (await app.http.post("/bot/stop", headers=mina)).status_code == 409
    assert (await app.http.post("/bot/start", headers=mina, json={})).status_code == 201, "a stopped bot makes room for the next"


async def test_one_bot_at_a_time_and_nobody_sees_anothers(app, mina):
    other = await app.person("jun@example.com")
    assert (await app.http.get("/bot/status", headers=mina)).status_code == 404
    await app.http.post("/bot/start", headers=mina, json=QUICK)
    assert (await app.http.post("/bot/start", headers=mina, json=QUICK)).status_code == 409
    assert (await app.http.get("/bot/status", headers=other)).status_code == 404
    assert (await app.http.get("/bot/logs", headers=other)).status_code == 404
    assert (await app.http.post("/bot/stop", headers=other)).status_code == 404
    assert (await app.http.get("/bot/status")).status_code == 401


@pytest.mark.parametrize(("changed", "said"), [
    ({"strategy": "rsii"}, "did you mean 'rsi'"), ({"symbol": "BTCUSD"}, "it has BTCUSDT"), ({"params": {"period": 0}}, "from 2 to 200"),
    ({"params": {"perod": 5}}, "did you mean 'period'"), ({"timeframe": "7m"}, "not a timeframe"), ({"capital": "0"}, "capital"),
    ({"overrides": {"leverage": 500}}, "leverage"), ({"overrides": {"stop_loss.percnt": 1}}, "stop_loss.percent"),
    ({"strategy": {"name": "x"}}, "timeframe"), ({"leverage": 5}, "leverage"), ({"overrides": {"mode": "hedge"}}, "hedge"),
    ({"capital": "NaN"}, "capital"),
])
async def test_what_cannot_trade_is_refused_with_a_sentence(app, mina, changed, said):
    answer = await app.http.post("/bot/start", headers=mina, json=QUICK | changed)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]["message"]
    assert (await app.http.get("/bot/status", headers=mina)).status_code == 404


async def test_a_restart_changes_nothing(tmp_path, running):
    """The same bot, position, wallet and stop; it trades on with the next bar."""
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.person()
        await app.http.post("/bot/start", headers=mina, json=QUICK)
        await played(app, 40)
        await app.house.part(Desks).scribe.settled()
        before = await status(app, mina)
    async with running(tmp_path, speed=STILL) as again:
        mina = await again.sign_in("mina@example.com")
        await at_work(again, mina)
        there = await status(again, mina)
        same = ("id", "desired", "observed", "position", "wallet", "trades", "open_orders")
        assert {name: there[name] for name in same} == {name: before[name] for name in same}
        await played(again, 5)
        assert (await status(again, mina))["bars"] == before["bars"] + 6  # the market played one before the bot was back


async def at_work(app, who) -> None:
    """The supervisor starts it again by itself, and writes it down."""
    async with asyncio.timeout(20):
        while (await status(app, who))["observed"] != "running" or not app.house.part(Bots).runners:  # noqa: ASYNC110 - nobody tells a test of it
            await asyncio.sleep(0.02)


async def test_the_library_and_the_check_of_documents(app, mina):
    items = (await app.http.get("/strategy/library", headers=mina)).json()["items"]
    assert [item["name"] for item in items][:2] == ["ema", "rsi"]
    good = (await app.http.post("/strategy/validate", headers=mina, json={"document": items[1]["text"]})).json()
    assert (good["valid"], good["warm_up"]) == (True, items[1]["warm_up"])
    bad = (await app.http.post("/strategy/validate", headers=mina, json={"document": items[1]["text"].replace("kind: rsi", "kind: rsj")})).json()
    assert bad["problems"][0]["path"] == "indicators.r.kind"
    assert (await app.http.get("/strategy/library")).status_code == 401
