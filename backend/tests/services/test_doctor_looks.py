"""`haechi doctor` with real PostgreSQL and Redis: found, behind, with a wrong password, away."""

from __future__ import annotations

import asyncio

import pytest

from haechi.health.doctor import counters, database, migrate
from haechi.settings import load_settings


@pytest.fixture
def settings(tmp_path):
    return lambda **given: load_settings(_env_file=None, haechi_var=tmp_path / "var", **given)


def test_postgresql_is_found_and_its_tables_are_looked_at(settings, postgres):
    there = settings(database_url=postgres)
    assert (database(there).state, database(there).remedy) == ("note", "run `haechi migrate`")
    assert "went from nothing to" in asyncio.run(migrate(there))
    assert database(there).state == "ok"


def test_a_wrong_password_is_said_and_not_repeated(settings, postgres):
    found = database(settings(database_url=postgres.replace("haechi:", "haechi:wrong-")))
    assert (found.state, found.remedy) == ("wrong", "check DATABASE_URL, and that the database runs")
    assert "wrong-" not in found.text


def test_postgresql_away_is_wrong_at_once(settings, unused_port):
    assert database(settings(database_url=f"postgresql://haechi:x@127.0.0.1:{unused_port}/haechi")).state == "wrong"


def test_redis_is_found_with_its_password_only(settings, redis):
    password, _, address = redis.removeprefix("redis://:").partition("@")
    assert counters(settings(redis_url=redis)).state == "ok"
    assert counters(settings(redis_url=f"redis://{address}", redis_password=password)).state == "ok"
    refused = counters(settings(redis_url=f"redis://{address}", redis_password="another"))
    assert (refused.state, refused.text) == ("wrong", "Redis does not answer: AuthenticationError")
    assert counters(settings(redis_url=f"redis://{address}")).state == "wrong"


def test_redis_away_is_wrong_at_once(settings, unused_port):
    assert counters(settings(redis_url=f"redis://127.0.0.1:{unused_port}/0")).state == "wrong"
