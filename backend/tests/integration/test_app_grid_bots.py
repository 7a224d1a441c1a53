"""Grid bots over HTTP: previewed, made, started, told, changed while they run, stopped; and a market's day, which anybody may ask."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from haechi.bots.service import Bots
from haechi.markets.feed import Market

STILL = 0.000_01  # times real time: the market plays what it plays at once, the rest is stepped by the test
PLAN = {"range": "auto", "auto": {"method": "percentile", "bars": 300, "percent": "1"}, "cells": 12, "direction": "neutral", "quantity": "0.002",
        "leverage": 3}
GRID = {**PLAN, "symbol": "BTCUSDT", "allocation": "50", "name": "quiet"}


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, speed=STILL) as made:
        await made.house.part(Market).step()
        yield made


@pytest.fixture
async def mina(app):
    return await app.person()


async def played(app, bars: int) -> None:
    for _ in range(bars):
        app.clock.advance(timedelta(seconds=1))  # the gate counts orders a second
        assert await app.house.part(Market).step()


async def made(app, who, **changed):
    answer = await app.http.post("/grid-bot", headers=who, json=GRID | changed)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def get(app, who, path):
    answer = await app.http.get(path, headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def observed(app, who, bot_id, state):
    async with asyncio.timeout(10):
        while (there := await get(app, who, f"/grid-bot/{bot_id}/config"))["observed"] != state:  # noqa: ASYNC110
            await asyncio.sleep(0)
            if there["observed"] == "failed":
                raise AssertionError(there)
    return there


async def test_a_markets_day_is_public_and_in_numbers(app):
    for path in ("/grid/market/BTCUSDT", "/grid-bot/market/btcusdt", "/api/v1/grid/market/BTCUSDT"):
        day = (await app.http.get(path)).json()
        assert set(day) == {"symbol", "price", "high_24h", "low_24h", "change_24h"} and day["symbol"] == "BTCUSDT"
        assert all(isinstance(day[name], float) for name in day if name != "symbol") and day["low_24h"] <= day["price"] <= day["high_24h"]
    assert (await app.http.get("/grid/market/NOPE")).status_code == 404


async def test_a_preview_tells_what_the_grid_comes_to(app, mina):
    price = Decimal(str((await app.http.get("/grid/market/BTCUSDT")).json()["price"]))
    body = {"symbol": "BTCUSDT", "lower": "40000", "upper": "80000", "lines": 5, "quantity": "0.01", "leverage": 5, "price": "60000",
            "capital": "5000", "stop_lower": "35000", "direction": "long", "backtest": True, "bars": 200}
    found = (await app.http.post("/grid-bot/preview", headers=mina, json=body)).json()
    assert [line["price"] for line in found["lines"]] == ["40000.0", "50000.0", "60000.0", "70000.0", "80000.0"] and found["cells"] == 4
    assert [line["side"] for line in found["lines"]] == ["buy", "buy", "empty", "sell", "sell"]
    # two lots at once at 60,006 (slipped), one each at 50,000 and 40,000; out at 34,996.5
    entries, out = 2 * Decimal(60_006) + 50_000 + 40_000, 4 * Decimal("34996.5")
    fees = (2 * Decimal(60_006) + out) * Decimal("0.0006") + Decimal(90_000) * Decimal("0.0002")
    assert Decimal(found["loss_at_stop_lower"]) == ((entries - out + fees) / 100).quantize(Decimal("1e-8"))
    assert (found["at_once"], found["long_most"], found["short_most"], found["loss_at_stop_upper"]) == ("0.020", "0.040", "0", None)
    assert Decimal(found["cell_profit_least"]) == Decimal("0.01") * (10_000 - Decimal("0.0002") * 150_000)
    assert found["most_cells"] == 1250 and found["backtest"]["market"] == "synthetic" and found["backtest"]["bars"] == 200
    total = sum(Decimal(found["backtest"][name]) * way for name, way in (("matched", 1), ("unmatched", 1), ("fees", -1), ("funding", -1)))
    assert total == Decimal(found["backtest"]["total"])
    assert price > 0


async def test_its_warnings_come_in_both_languages(app, mina):
    body = {"symbol": "BTCUSDT", "lower": "59000", "upper": "61000", "cells": 190, "quantity": "0.001", "leverage": 1, "price": "50000",
            "capital": "20000"}
    for language, word in (("en", "outside the range"), ("ko-KR", "범위")):
        found = (await app.http.post("/grid-bot/preview", headers=mina | {"accept-language": language}, json=body)).json()
        assert {one["code"] for one in found["warnings"]} == {"cells_lose", "price_outside", "no_stop"}
        assert word in " ".join(one["text"] for one in found["warnings"])


@pytest.mark.parametrize(("changed", "said"), [
    ({"cells": None}, "either cells or lines"), ({"lines": 9}, "either cells or lines"), ({"investment": "5"}, "either a quantity"),
    ({"lower": "1"}, "auto range takes neither"), ({"range": "manual"}, "needs lower and upper"), ({"cells": 1}, "cells"),
    ({"quantity": "0.00001"}, "below the least order"), ({"auto": {"bars": 5}}, "bars"), ({"direction": "up"}, "direction"),
    ({"range": "manual", "lower": "60000", "upper": "60000.3"}, "finer than the tick"), ({"capital": "1"}, "but the capital is 1"),
    ({"range": "manual", "lower": "70000", "upper": "60000"}, "below upper"), ({"stop_lower": "999999"}, "stop_lower"), ({"what": 1}, "what")])
async def test_what_no_grid_can_be_is_refused_with_a_sentence(app, mina, changed, said):
    answer = await app.http.post("/grid-bot/preview", headers=mina, json={**PLAN, "symbol": "BTCUSDT"} | changed)
    assert answer.status_code == 422 and said in answer.json()["error"]["message"], answer.text


async def test_a_grid_is_made_and_listed_and_is_only_its_owners(app, mina):
    bot_id, other = await made(app, mina), await app.person("jun@example.com")
    there = await get(app, mina, f"/grid-bot/{bot_id}/config")
    assert (there["plan"]["cells"], there["plan"]["lines"], there["observed"], there["allocation"]) == (12, 13, "stopped", "50")
    assert [one["kind"] for one in (await get(app, mina, "/grid-bot"))["items"]] == ["grid"]
    assert (await get(app, other, "/grid-bot"))["items"] == []
    assert (await get(app, mina, f"/grid-bot/{bot_id}/orders"))["orders"] == []
    assert (await get(app, mina, f"/grid-bot/{bot_id}/stats"))["total"] is None
    for path in ("config", "orders", "stats"):
        assert (await app.http.get(f"/grid-bot/{bot_id}/{path}", headers=other)).status_code == 404
    strategy = (await app.http.post("/bot-instances", headers=mina, json={"strategy": "rsi"})).json()["id"]
    assert (await app.http.get(f"/grid-bot/{strategy}/config", headers=mina)).status_code == 404, "no grid"


async def test_a_grid_works_tells_changes_while_it_runs_and_stops(app, mina):
    bot_id = await made(app, mina)
    assert (await app.http.post(f"/grid-bot/{bot_id}/start", headers=mina)).status_code == 200
    await observed(app, mina, bot_id, "running")
    await played(app, 60)
    orders = await get(app, mina, f"/grid-bot/{bot_id}/orders")
    assert len(orders["orders"]) == 13 and orders["orders"][orders["empty_line"]]["state"] == "empty"
    assert {line["state"] for line in orders["orders"]} == {"empty", "resting"}
    stats = await get(app, mina, f"/grid-bot/{bot_id}/stats")
    assert Decimal(stats["total"]) == Decimal(stats["matched"]) + Decimal(stats["unmatched"]) - Decimal(stats["fees"]) - Decimal(stats["funding"])
    mind = app.house.part(Bots).runners[bot_id].mind
    assert mind.memory.fills > 0
    plan = (await get(app, mina, f"/grid-bot/{bot_id}/config"))["plan"]
    body = {name: value for name, value in plan.items() if name != "lines" and value is not None} | {"stop_lower": "30000", "stop_upper": "99000"}
    changed = await app.http.post(f"/grid-bot/{bot_id}/config", headers=mina, json=body)
    assert changed.status_code == 200 and changed.json()["plan"]["stop_lower"] == "30000", changed.text
    refused = await app.http.post(f"/grid-bot/{bot_id}/config", headers=mina, json=body | {"leverage": 7})
    assert refused.status_code == 422 and "leverage 3 cannot become 7" in refused.json()["error"]["message"]
    assert (await get(app, mina, f"/grid-bot/{bot_id}/config"))["plan"]["leverage"] == 3
    await played(app, 1)
    held = app.house.part(Bots).runners[bot_id].mind.position
    assert ((await get(app, mina, f"/grid-bot/{bot_id}/orders"))["stop"] is None) == (held == 0)
    assert (await app.http.post(f"/grid-bot/{bot_id}/stop", headers=mina, json={"flatten": True})).status_code == 200
    async with asyncio.timeout(10):
        while (await get(app, mina, f"/grid-bot/{bot_id}/config"))["observed"] != "stopped":
            await played(app, 1)
            await asyncio.sleep(0)
