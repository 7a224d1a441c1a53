"""Guessing passwords: counted for account and network, never a way to lock somebody else out, and no answer tells who exists."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from people import PASSWORD, registered, signed_in


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, rate_limit_per_minute=100_000) as made:
        await registered(made)
        yield made


def from_address(app, address: str) -> httpx.AsyncClient:
    """A client at another address."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app.app, client=(address, 4711)), base_url="http://haechi.test")


async def tried(http, email="mina@example.com", password="not my words", **more) -> int:
    return (await http.post("/auth/login", json={"email": email, "password": password, **more})).status_code


async def test_after_five_failures_a_minute_of_rest_for_this_account_from_this_network(app):
    assert [await tried(app.http) for _ in range(7)] == [401] * 5 + [429] * 2
    answer = await app.http.post("/auth/login", json={"email": "mina@example.com", "password": PASSWORD})
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["retry-after"]) == (429, "locked_out", "60")
    app.clock.advance(timedelta(seconds=60))
    assert await tried(app.http, password=PASSWORD) == 200


async def test_a_right_password_begins_the_count_anew(app):
    for _ in range(3):
        assert [await tried(app.http) for _ in range(4)] == [401] * 4
        assert await tried(app.http, password=PASSWORD) == 200


async def test_a_stranger_does_not_lock_the_owner_out(app):
    async with from_address(app, "198.51.100.7") as stranger:
        assert [await tried(stranger) for _ in range(6)][-1] == 429
    assert await tried(app.http, password=PASSWORD) == 200


async def test_all_strangers_together_have_a_hundred_tries_a_day_and_a_known_device_is_spared(app):
    device = (await signed_in(app))["device_token"]
    tries = 0
    for number in range(30):
        async with from_address(app, f"198.51.100.{number}") as stranger:
            tries += [await tried(stranger) for _ in range(5)].count(401)
    assert tries == 100
    assert await tried(app.http, password=PASSWORD) == 429, "an unknown device has to wait, too"
    assert await tried(app.http, password=PASSWORD, device_token=device) == 200


async def test_a_device_of_somebody_else_or_of_an_old_password_is_not_known(app):
    await registered(app, "kim@example.com")
    kims = (await signed_in(app, "kim@example.com"))["device_token"]
    mine = await signed_in(app)
    assert [await tried(app.http, device_token=kims) for _ in range(6)] == [401] * 5 + [429]
    assert [await tried(app.http, device_token="no.such.token") for _ in range(1)] == [429]
    app.clock.advance(timedelta(minutes=1))
    headers = {"authorization": f"Bearer {mine['access_token']}"}
    await app.http.post("/auth/change-password", headers=headers, json={"old": PASSWORD, "new": "some better words"})
    assert [await tried(app.http, device_token=mine["device_token"]) for _ in range(6)] == [401] * 5 + [429]
    assert await tried(app.http, password="some better words", device_token=mine["device_token"]) == 429


async def test_a_known_devices_tries_are_counted_too(app):
    device = (await signed_in(app))["device_token"]
    assert [await tried(app.http, device_token=device) for _ in range(6)] == [401] * 5 + [429]


async def test_parallel_tries_are_each_counted(app):
    answers = await asyncio.gather(*(tried(app.http) for _ in range(20)))
    assert (answers.count(401), answers.count(429)) == (5, 15)


async def test_an_unknown_address_is_locked_like_a_known_one(app):
    known = [await tried(app.http) for _ in range(7)]
    unknown = [await tried(app.http, "nobody@example.com") for _ in range(7)]
    assert known == unknown


async def test_one_network_trying_many_accounts_is_slowed(app):
    answers = [await tried(app.http, f"p{number}@example.com") for number in range(70)]
    assert answers.count(401) < 61 and answers[-1] == 429


async def test_spellings_of_one_address_are_one_account(app):
    spelled = ["mina@example.com", "MINA@example.com", " mina@Example.com ", "Mina@EXAMPLE.com", "mina@example.com", "mina@example.com"]
    assert [await tried(app.http, email) for email in spelled] == [401] * 5 + [429]
