"""Requests that move money, sent again with the same key over HTTP: done once, answered as the first time."""

from __future__ import annotations

import asyncio

import pytest

QUICK = {"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}}
STILL = 0.000_01  # times real time: the market stands still


@pytest.fixture
def keyed():
    return {"idempotency-key": "3f6f0a0c-5d1b-4a56"}


async def test_a_bot_is_started_once_for_one_key(tmp_path, running, keyed):
    async with running(tmp_path, speed=STILL) as app:
        mina, jun = await app.person(), await app.person("jun@example.com")
        first = await app.http.post("/bot/start", headers=mina | keyed, json=QUICK)
        again = await app.http.post("/api/v1/bot/start", headers=mina | keyed, json=QUICK)
        assert (first.status_code, again.status_code) == (201, 201), first.text
        assert first.content == again.content
        assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
        assert (await app.http.post("/bot/start", headers=mina, json=QUICK)).json()["error"]["code"] == "conflict", "without a key it is tried"
        other = await app.http.post("/bot/start", headers=mina | keyed, json=QUICK | {"capital": "5000"})
        assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")
        elsewhere = await app.http.post("/bot/stop", headers=mina | keyed, json=QUICK)
        assert elsewhere.json()["error"]["code"] == "idempotency_mismatch", "the same body at another address"
        assert (await app.http.post("/bot/start", headers=keyed, json=QUICK)).status_code == 401, "an answer is told to its owner only"
        assert (await app.http.post("/bot/start", headers=jun | keyed, json=QUICK)).json()["id"] != first.json()["id"]


async def test_stopping_twice_with_one_key_is_stopping_once(tmp_path, running, keyed):
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.person()
        await app.http.post("/bot/start", headers=mina, json=QUICK)
        first, again = [await app.http.post("/bot/stop", headers=mina | keyed) for _ in range(2)]
        assert (first.status_code, again.content, again.headers["idempotency-replayed"]) == (200, first.content, "true")


async def test_a_hundred_starts_at_once_with_one_key_are_one(tmp_path, running, keyed):
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.person()
        got = await asyncio.gather(*(app.http.post("/bot/start", headers=mina | keyed, json=QUICK) for _ in range(100)))
        codes = [answer.json().get("error", {}).get("code") for answer in got]
        assert set(codes) <= {None, "idempotency_running"}
        bodies = {answer.content for answer in got if answer.status_code == 201}
        again = await asyncio.gather(*(app.http.post("/bot/start", headers=mina | keyed, json=QUICK) for _ in range(100)))
        assert {answer.content for answer in again} == bodies
        assert len(bodies) == 1
        logs = (await app.http.get("/bot/logs", headers=mina)).json()["items"]
        assert [line["code"] for line in logs] == ["started"]


async def test_a_refusal_and_an_answer_outlive_a_restart(tmp_path, running, keyed):
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.person()
        missing = await app.http.post("/bot/stop", headers=mina | keyed)
        started = await app.http.post("/bot/start", headers=mina | {"idempotency-key": "another-key"}, json=QUICK)
        assert (missing.status_code, started.status_code) == (404, 201)
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.sign_in("mina@example.com")
        assert (await app.http.post("/bot/stop", headers=mina | keyed)).content == missing.content
        again = await app.http.post("/bot/start", headers=mina | {"idempotency-key": "another-key"}, json=QUICK)
        assert (again.content, again.headers["idempotency-replayed"]) == (started.content, "true")


@pytest.mark.parametrize("key", ["", "7 chars", "1234567", "x" * 129, "with space", "tab\tinside", "ключ-ключ".encode(), b"\xff" * 8])
async def test_a_key_that_is_none_is_refused(tmp_path, running, key):
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.person()
        answer = await app.http.post("/bot/start", headers=mina | {"idempotency-key": key}, json=QUICK)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation")
        assert "idempotency-key" in answer.json()["error"]["message"].lower()


async def test_input_that_cannot_be_read_takes_no_key(tmp_path, running, keyed):
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.person()
        assert (await app.http.post("/bot/start", headers=mina | keyed, json={"nonsense": 1})).status_code == 422
        assert (await app.http.post("/bot/start", headers=mina | keyed, json=QUICK)).status_code == 201
