"""Counting how often somebody asks: moving windows in memory, rules, and a Redis that is not there."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from structlog.testing import capture_logs

from haechi.platform import windows as windows_module
from haechi.platform.clock import SetClock
from haechi.platform.limits import Limiter, LimitsUnavailable, Rule, TooMany, key
from haechi.platform.paths import never_limited, plain
from haechi.platform.windows import REDIS_REST_S, REDIS_TIMEOUT_S, MemoryWindows, RedisWindows, Verdict

LOGIN = Rule("login", 5, 300)


@pytest.fixture
def clock():
    return SetClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def limiter(clock):
    return Limiter(MemoryWindows(clock))


async def test_the_sixth_try_is_refused_until_the_first_is_old_enough(limiter, clock):
    verdicts = []
    for _ in range(5):
        verdicts.append(await limiter.hit(LOGIN, "a"))
        clock.advance(timedelta(seconds=10))
    assert [(one.allowed, one.remaining) for one in verdicts] == [(True, 4), (True, 3), (True, 2), (True, 1), (True, 0)]
    refused = await limiter.hit(LOGIN, "a")
    assert refused == Verdict(allowed=False, limit=5, remaining=0, reset_s=250)
    clock.advance(timedelta(seconds=refused.reset_s - 1))
    assert not (await limiter.hit(LOGIN, "a")).allowed
    clock.advance(timedelta(seconds=1))
    assert await limiter.hit(LOGIN, "a") == Verdict(allowed=True, limit=5, remaining=0, reset_s=10), "one place is free, not five"


async def test_others_and_other_rules_are_counted_apart(limiter):
    once = Rule("once", 1, 60)
    assert (await limiter.hit(once, "a")).allowed
    assert not (await limiter.hit(once, "a")).allowed
    for rule, whose in ((once, ("b",)), (Rule("twice", 1, 60), ("a",)), (once, ("a", "b")), (once, ("a/b",)), (once, ("a', 'b",))):
        assert (await limiter.hit(rule, *whose)).allowed, whose


def test_a_key_is_short_and_does_not_show_whose_it_is():
    made = key(LOGIN, ("mina@example.com" * 1000,))
    assert len(made) == len("login:") + 32
    assert "mina" not in made


@given(st.integers(1, 5), st.lists(st.floats(0, 40), max_size=60))
async def test_no_window_ever_holds_more_than_its_limit(times, pauses):
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    windows, allowed = MemoryWindows(clock), []
    for pause in pauses:
        clock.advance(timedelta(seconds=pause))
        verdict = await windows.take("k", times, 60)
        now = clock.monotonic()
        recent = sum(at > now - 60 for at in allowed)
        assert verdict.allowed == (recent < times)
        if verdict.allowed:
            allowed.append(now)


async def test_many_at_once_get_no_more_than_one_after_another(limiter):
    verdicts = await asyncio.gather(*(limiter.hit(LOGIN, "a") for _ in range(100)))
    assert sum(one.allowed for one in verdicts) == 5


async def test_ended_windows_are_forgotten_and_their_number_is_bounded(clock, monkeypatch):
    windows = MemoryWindows(clock)
    for n in range(windows_module.SWEEP_KEYS - 1):
        await windows.take(f"old{n}", 1, 60)
    clock.advance(timedelta(seconds=61))
    await windows.take("new", 1, 60)
    assert list(windows.tries) == list(windows.ends) == ["new"]
    monkeypatch.setattr(windows_module, "KEYS_MAX", 2_000)
    monkeypatch.setattr(windows_module, "KEYS_LEFT", 1_500)
    for n in range(10_000):
        await windows.take(f"k{n}", 1, 60)
        assert not (await windows.take("new", 1, 60)).allowed, "who keeps asking is not forgotten"
        assert len(windows.tries) <= 2_000
        assert len(windows.ends) == len(windows.tries)


@pytest.mark.parametrize("path", [
    "/order/panic", "/api/v1/order/panic", "/order/panic/", "//order//panic", "/ORDER/Panic", "/API/V1/Order/Panic/", "/order/close/42",
    "/api/v1/order/close/0a1b/", "/bot/stop", "/api/v1//bot/stop", "/bot-instances/0a1b/stop", "/bot-instances/stop-all", "/bot/stop-all",
    "/admin/kill-switch", "/admin/bots/0a1b/stop", "/health/live", "/api/v1/health/live",
])
def test_ways_out_are_never_limited_however_they_are_written(path):
    assert never_limited(path)


@pytest.mark.parametrize("path", [
    "/", "", "/health", "/auth/login", "/order/submit", "/order/panic/x", "/x/order/panic", "/order/close", "/order/close/a/b", "/bot/start",
    "/bot-instances/0a1b/start", "/bot-instances/stop", "/auth/login/../../bot/stop", "/auth/login;/bot/stop", "/api/v2/bot/stop",
    "/api/v1/api/v1/bot/stop", "/bot/stop\n", "/health/liveness", "/api/v1",
])
def test_nothing_else_is_let_by(path):
    assert not never_limited(path)


def test_a_plain_path_has_one_spelling():
    assert {plain(path) for path in ("/auth/login", "/api/v1/auth/login", "//auth///login/", "/AUTH/Login")} == {"/auth/login"}


def test_too_many_says_when_to_come_again():
    error = TooMany(Verdict(allowed=False, limit=5, remaining=0, reset_s=250))
    assert (error.status, error.code, error.headers) == (429, "too_many_requests", {"Retry-After": "250"})
    assert "250 seconds" in error.message
    assert "1 second." in TooMany(Verdict(allowed=False, limit=1, remaining=0, reset_s=1)).message


# ---- Redis away


@pytest.fixture
async def silent():
    """A port that takes connections and never says a word."""
    held = []

    async def hold(reader, writer):
        held.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()
    for writer in held:
        writer.close()


@pytest.fixture
def closed():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{one.getsockname()[1]}/0"


class Counted(RedisWindows):
    asked = 0

    async def _ask(self, item, key):
        self.asked += 1
        return await super()._ask(item, key)


async def test_without_redis_open_rules_let_through_and_closed_ones_refuse(closed, clock):
    limiter = Limiter(RedisWindows(closed, "", clock))
    assert await limiter.hit(LOGIN, "a") == Verdict(allowed=True, limit=5, remaining=5, reset_s=300)
    with pytest.raises(LimitsUnavailable) as caught:
        await limiter.hit(Rule("login", 5, 300, fail="closed"), "a")
    assert (caught.value.status, caught.value.code) == (503, "limits_unavailable")


async def test_nobody_waits_longer_than_a_moment_for_a_silent_redis(silent, clock):
    windows = Counted(silent, "", clock)
    limiter, time = Limiter(windows), asyncio.get_running_loop().time
    begun = time()
    await asyncio.gather(*(limiter.hit(LOGIN, str(n)) for n in range(100)))
    assert REDIS_TIMEOUT_S * 0.9 < time() - begun < 5, "all at once, not a quarter of a second one after another"
    assert windows.asked == 100
    for n in range(100):
        await limiter.hit(LOGIN, str(n))
    assert windows.asked == 100, "while Redis rests nobody asks, nobody waits"
    clock.advance(timedelta(seconds=REDIS_REST_S))
    await asyncio.gather(*(limiter.hit(LOGIN, str(n)) for n in range(100)))
    assert windows.asked == 101, "one asks whether it is back"


async def test_the_log_tells_of_it_once_a_minute(closed, clock):
    limiter = Limiter(RedisWindows(closed, "", clock))
    with capture_logs() as said:
        for _ in range(130):
            await limiter.hit(LOGIN, "a")
            clock.advance(timedelta(seconds=1))
    assert [line["event"] for line in said] == ["redis_gone"] * 3


async def test_the_limits_of_one_request_share_one_patience():
    patience = []

    class Slow:
        async def take(self, key, times, seconds, *, within_s):
            patience.append(within_s)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await asyncio.Event().wait()
            return Verdict(allowed=True, limit=times, remaining=len(patience), reset_s=1)

        async def close(self): ...

    one, other = HTTPConnection({"type": "http"}), HTTPConnection({"type": "http"})
    for connection in (one, one, other):
        await Limiter(Slow()).check(connection, LOGIN, "a")
    assert patience[0] == patience[2] == REDIS_TIMEOUT_S
    assert patience[1] <= REDIS_TIMEOUT_S - 0.05
    assert one.state.limit.remaining == 1, "the tightest one is told"
