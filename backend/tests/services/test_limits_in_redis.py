"""Limits that several workers count together in a real Redis, which goes away and comes back."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from haechi.platform import windows
from haechi.platform.clock import SetClock, SystemClock
from haechi.platform.limits import Limiter, LimitsUnavailable, Rule
from haechi.platform.windows import REDIS_REST_S, REDIS_TIMEOUT_S, RedisWindows

LOGIN = Rule("login", 5, 300)
CLOSED = Rule("closed", 5, 300, fail="closed")
LONG_S = 60.0


class Patient(Limiter):
    """Waits for Redis as long as it takes: what is claimed with it is how it counts, on a machine however busy."""

    async def hit(self, rule, *whose, within_s=LONG_S):
        return await super().hit(rule, *whose, within_s=within_s)


@pytest.fixture
async def workers(redis, monkeypatch):
    monkeypatch.setattr(windows, "REDIS_TIMEOUT_S", LONG_S)  # of its connections
    made = [Patient(RedisWindows(redis, "", SystemClock())) for _ in range(4)]
    yield made
    for one in made:
        await one.windows.close()


async def test_four_workers_together_let_five_through(workers):
    time = asyncio.get_running_loop().time
    begun = time()
    verdicts = await asyncio.gather(*(workers[n % 4].hit(CLOSED, "a") for n in range(100)))
    assert sum(one.allowed for one in verdicts) == 5
    told = [(await worker.hit(CLOSED, "a")) for worker in workers]
    assert [(one.allowed, one.limit, one.remaining) for one in told] == [(False, 5, 0)] * 4
    assert all(299 - (time() - begun) <= one.reset_s <= 300 for one in [*verdicts, *told])
    assert [(await workers[n].hit(CLOSED, "b")).remaining for n in range(4)] == [4, 3, 2, 1], "somebody else is counted apart"


async def test_a_window_moves_on(workers):
    quick = Rule("quick", 2, 1)
    assert [(await workers[n % 2].hit(quick, "a")).allowed for n in range(4)] == [True, True, False, False]
    async with asyncio.timeout(LONG_S):
        while not (await workers[0].hit(quick, "a")).allowed:  # Redis has a clock of its own; a refused try does not count
            pass


async def test_the_password_may_be_given_apart(redis):
    url = urlsplit(redis)
    bare = f"redis://127.0.0.1:{url.port}/0"
    with_it, without = RedisWindows(bare, url.password or "", SystemClock()), RedisWindows(bare, "", SystemClock())
    assert (await Limiter(with_it).hit(CLOSED, "a")).remaining == 4
    with pytest.raises(LimitsUnavailable):
        await Limiter(without).hit(CLOSED, "a")
    await with_it.close()
    await without.close()


async def test_redis_goes_away_and_comes_back(redis_server, redis):
    clock = SetClock(SystemClock().now())
    limiter = Limiter(RedisWindows(redis, "", clock))
    assert (await limiter.hit(CLOSED, "a")).remaining == 4
    redis_server.stop()
    try:
        with pytest.raises(LimitsUnavailable):
            await limiter.hit(CLOSED, "a")
        assert (await limiter.hit(LOGIN, "a")).allowed
    finally:
        redis_server.start()
    with pytest.raises(LimitsUnavailable):
        await limiter.hit(CLOSED, "a")  # it is left alone for a moment
    clock.advance(timedelta(seconds=REDIS_REST_S))
    assert (await limiter.hit(CLOSED, "a")).remaining == 4, "its memory was empty"
    await limiter.windows.close()


async def test_a_redis_that_hangs_is_given_up_and_heard_again(redis_server, redis):
    clock = SetClock(SystemClock().now())
    limiter, time = Limiter(RedisWindows(redis, "", clock)), asyncio.get_running_loop().time
    assert (await limiter.hit(CLOSED, "a")).remaining == 4
    redis_server.running.send_signal(signal.SIGSTOP)
    try:
        begun = time()
        with pytest.raises(LimitsUnavailable):
            await limiter.hit(CLOSED, "a")
        assert time() - begun < 5
    finally:
        redis_server.running.send_signal(signal.SIGCONT)
    clock.advance(timedelta(seconds=REDIS_REST_S))
    verdicts = [await limiter.hit(CLOSED, "a") for _ in range(6)]
    assert [one.remaining for one in verdicts[-2:]] == [0, 0], "answers that came late are not taken for those of later questions"
    await limiter.windows.close()


async def test_answers_that_each_come_in_time_but_not_together_are_given_up(redis_server, redis):
    """A line with a long way in front of Redis: every single question is answered within the limit."""
    async def carry(reader, writer, pause):
        while data := await reader.read(65536):
            await asyncio.sleep(pause)
            writer.write(data)
        writer.close()

    async def line(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", redis_server.port)
        await asyncio.gather(carry(reader, back, 0), carry(there, writer, REDIS_TIMEOUT_S * 0.7))

    async with await asyncio.start_server(line, "127.0.0.1", 0) as server:
        far = RedisWindows(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", urlsplit(redis).password or "", SystemClock())
        with pytest.raises(LimitsUnavailable):
            await Limiter(far).hit(CLOSED, "a")
        await far.close()
