"""Back-tests over HTTP: jobs, owners, pages, cancelling."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from haechi.errors import BadInput
from haechi.research import results
from haechi.research.executor import WorkFailed
from haechi.research.jobs import UNFINISHED_PER_USER_MAX

ASK = {"strategy": "ema", "params": {"fast": 5}, "data": {"symbol": "btcusdt", "timeframe": "1h"}, "tick": "0.1", "lot": "0.001"}
STRANGE_ID = "f" * 32


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        yield made


@pytest.fixture
async def mina(app):
    return await app.person()


async def submit(app, headers, **changed):
    answer = await app.http.post("/backtest/run", headers=headers, json=ASK | changed)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def finish(app, outcome, *, trades=3):
    """Let the job that is being held end, with files as the worker would leave them."""
    (_, folder, _), held = await app.executor.waiting.get()
    if isinstance(outcome, Exception):
        held.set_exception(outcome)
    else:
        results.keep(Path(folder), trades=[{"quantity": str(n)} for n in range(trades)], report="<h1>ema</h1>",
                     equity=[{"time": "2026-01-01T00:00:00Z", "equity": "10000.00000000"}])
        held.set_result(outcome)


async def settled(app):
    await asyncio.gather(*app.jobs._tasks.values(), return_exceptions=True)


async def test_a_back_test_goes_from_asked_to_done(app, mina):
    made = await submit(app, mina)
    assert (made["status"], made["strategy"], made["symbol"]) == ("queued", "ema", "BTCUSDT")
    await app.executor.begun.wait()
    under_way = (await app.http.get(f"/backtest/{made['id']}", headers=mina)).json()
    assert (under_way["status"], under_way["progress"], under_way["metrics"]) == ("running", 0.5, None)
    assert (await app.http.get(f"/backtest/{made['id']}/trades", headers=mina)).status_code == 409

    await finish(app, {"final_equity": "10012.50"})
    await settled(app)
    done = (await app.http.get(f"/api/v1/backtest/{made['id']}", headers=mina)).json()
    assert (done["status"], done["progress"], done["metrics"]) == ("done", 1.0, {"final_equity": "10012.50"})
    assert (await app.http.get(f"/backtest/{made['id']}/equity", headers=mina)).json()["points"][0]["equity"] == "10000.00000000"
    report = await app.http.get(f"/backtest/{made['id']}/report", headers=mina)
    assert report.text == "<h1>ema</h1>"
    assert "sandbox" in report.headers["content-security-policy"]


async def test_trades_come_in_pages(app, mina):
    made = await submit(app, mina)
    await finish(app, {}, trades=5)
    await settled(app)
    seen, cursor = [], ""
    for _ in range(3):
        page = (await app.http.get(f"/backtest/{made['id']}/trades?limit=2{cursor}", headers=mina)).json()
        seen += [row["quantity"] for row in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["0", "1", "2", "3", "4"]
    assert page["next_cursor"] is None


async def test_one_sees_ones_own_back_tests_newest_first_in_pages(app, mina):
    other = await app.person("jun@example.com")
    await submit(app, other)
    made = []
    for _ in range(3):
        made.append((await submit(app, mina))["id"])
        app.clock.advance(timedelta(seconds=1))
    first = (await app.http.get("/backtest/results?limit=2", headers=mina)).json()
    second = (await app.http.get(f"/backtest/results?limit=2&cursor={first['next_cursor']}", headers=mina)).json()
    assert [row["id"] for row in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None
    assert (await app.http.get("/backtest/results?limit=201", headers=mina)).status_code == 422


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/trades"), ("GET", "/equity"), ("GET", "/report"), ("DELETE", "")])
async def test_another_users_back_test_looks_like_a_missing_one(app, mina, method, path):
    other = await app.person("jun@example.com")
    made = await submit(app, mina)
    await finish(app, {})
    await settled(app)
    theirs = await app.http.request(method, f"/backtest/{made['id']}{path}", headers=other)
    missing = await app.http.request(method, f"/backtest/{STRANGE_ID}{path}", headers=other)
    assert theirs.status_code == missing.status_code == 404
    assert theirs.json()["error"] == missing.json()["error"]
    assert (await app.http.get(f"/backtest/{made['id']}/report", headers=mina)).status_code == 200


async def test_deleting_stops_what_runs_and_removes_what_was_kept(app, mina):
    made = await submit(app, mina)
    await app.executor.waiting.get()
    assert (await app.http.delete(f"/backtest/{made['id']}", headers=mina)).status_code == 204
    assert app.executor.cancelled == 1
    assert (await app.http.get(f"/backtest/{made['id']}", headers=mina)).status_code == 404

    kept = await submit(app, mina)
    await finish(app, {})
    await settled(app)
    folder = app.jobs.results(kept["id"])
    assert folder.is_dir()
    await app.http.delete(f"/backtest/{kept['id']}", headers=mina)
    assert not folder.exists()


@pytest.mark.parametrize(("outcome", "said"), [
    (BadInput("There are no candles of BTCUSDT."), "There are no candles of BTCUSDT."),
    (WorkFailed("Traceback: secret inside"), "Something went wrong on our side while computing; the server's log knows what.")])
async def test_a_back_test_that_fails_says_why_and_no_more(app, mina, outcome, said):
    made = await submit(app, mina)
    await finish(app, outcome)
    await settled(app)
    failed = (await app.http.get(f"/backtest/{made['id']}", headers=mina)).json()
    assert (failed["status"], failed["error"], failed["metrics"]) == ("failed", said, None)


async def test_a_full_queue_is_said_and_only_ones_own_counts(app, mina):
    other = await app.person("jun@example.com")
    for _ in range(UNFINISHED_PER_USER_MAX):
        await submit(app, mina)
    refused = await app.http.post("/backtest/run", headers=mina, json=ASK)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_jobs")
    await submit(app, other)


async def test_what_a_stopped_server_left_unfinished_is_marked_failed(tmp_path, running):
    async with running(tmp_path) as app:
        mina = await app.person()
        made = await submit(app, mina)
        await app.executor.waiting.get()
    async with running(tmp_path) as again:
        row = (await again.http.get(f"/backtest/{made['id']}", headers=await again.sign_in("mina@example.com"))).json()
    assert (row["status"], row["error"]) == ("failed", "The server stopped before this was done; run it again.")


DATA = {"symbol": "BTCUSDT", "timeframe": "1h"}
BAR = {"time": "2026-01-01T00:00:00Z", "open": 1, "high": 2, "low": 1, "close": 2, "volume": 5}


@pytest.mark.parametrize("changed", [
    {"strategy": "../etc/passwd"}, {"strategy": 5}, {"reading": "lucky"}, {"capital": "-1"}, {"capital": "NaN"}, {"unknown": 1},
    {"costs": {"taker": "0.5"}}, {"data": DATA | {"symbol": "a/b"}}, {"data": DATA | {"from": "2026-01-01"}},
    {"data": DATA | {"bars": [BAR]}},
    {"data": DATA | {"bars": [BAR] * 20_001}}, {"data": DATA | {"bars": [BAR, BAR | {"open": 1e400}]}},
])
async def test_what_has_a_wrong_shape_is_refused_before_it_becomes_a_job(app, mina, changed):
    as_json = mina | {"content-type": "application/json"}
    answer = await app.http.post("/backtest/run", headers=as_json, content=json.dumps(ASK | changed))
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] == "validation"
    assert app.executor.waiting.empty()


@pytest.mark.parametrize(("changed", "said"), [
    ({"strategy": "emma"}, "did you mean 'ema'"), ({"params": {"fast": 0}}, "from 2 to 500"), ({"params": {"fsat": 5}}, "did you mean 'fast'"),
    ({"params": {"fast": "long"}}, "expected a number"), ({"overrides": {"leverage": 500}}, "leverage"),
    ({"overrides": {"stop_loss.percnt": 1}}, "stop_loss.percent"), ({"overrides": {"size.kind": "half"}}, "size.kind"),
    ({"strategy": {"name": "x", "timeframe": "1h"}}, "size"), ({"strategy": {"name": "x", "timeframe": "7m"}}, "timeframe"),
    ({"params": {"fast": 12.5}}, "whole number"),
])
async def test_a_strategy_that_cannot_be_used_is_refused_with_its_sentence(app, mina, changed, said):
    answer = await app.http.post("/backtest/run", headers=mina, json=ASK | {"params": {}} | changed)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]["message"]
    assert app.executor.waiting.empty()
