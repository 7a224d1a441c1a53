"""Nobody learns whether somebody has an account here: the same answer, the same work, and (in the long searches) the same time."""

from __future__ import annotations

import math
import os
import statistics
import time
from datetime import timedelta

import pytest
from people import PASSWORD, letters, registered
from sqlalchemy import event

from haechi.identity.service import Identity

KNOWN, UNKNOWN = "mina@example.com", "nobody@example.com"
CALLS = {"login": ("/auth/login", {"password": "not my words"}), "register": ("/auth/register", {"password": PASSWORD}),
         "forgot": ("/auth/forgot-password", {})}
T_MAX = 4.5  # of Welch's t
SAMPLES = int(os.environ.get("HAECHI_SAMPLES", "0"))


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, rate_limit_per_minute=1_000_000) as made:
        await letters(made)
        await registered(made)
        yield made


class Work:
    """Counts what is done until the answer leaves: hashes computed, statements sent."""

    def __init__(self, app) -> None:
        self.app, self.hashes, self.statements = app, 0, 0
        identity = app.house.part(Identity)
        work = identity.passwords._work

        async def counted(*given):
            self.hashes += 1
            return await work(*given)

        identity.passwords._work = counted
        event.listen(app.house.database.engine.sync_engine, "before_cursor_execute", self._statement)

    def _statement(self, *_):
        self.statements += 1

    async def of(self, path: str, body: dict[str, str]) -> tuple[int, str, int, int]:
        await letters(self.app)
        self.hashes = self.statements = 0
        answer = await self.app.http.post(path, json=body)
        told = answer.status_code, answer.text.replace(answer.headers["x-request-id"], "")
        found = *told, self.hashes, self.statements
        await letters(self.app)
        return found


@pytest.mark.parametrize("call", CALLS)
async def test_known_and_unknown_are_answered_alike_with_the_same_work(app, call):
    path, more = CALLS[call]
    work = Work(app)
    await work.of(path, {"email": "first@example.com", **more})  # what is made once is made
    known, unknown = await work.of(path, {"email": KNOWN, **more}), await work.of(path, {"email": UNKNOWN, **more})
    assert known == unknown
    assert known[2] == (0 if call == "forgot" else 1)


@pytest.mark.skipif(not SAMPLES, reason="a long search: make soak sets HAECHI_SAMPLES")
@pytest.mark.parametrize("call", CALLS)
async def test_time_does_not_tell_them_apart(app, call):
    """Welch's t over interleaved samples, the slowest tenth of each left out: they are the machine's, not the program's."""
    path, more = CALLS[call]
    taken: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for number in range(SAMPLES):
        for email in (KNOWN, UNKNOWN) if number % 2 else (UNKNOWN, KNOWN):
            begun = time.perf_counter()
            answer = await app.http.post(path, json={"email": email, **more})
            taken[email].append(time.perf_counter() - begun)
            assert answer.status_code != 429, answer.text
            await letters(app)
            app.clock.advance(timedelta(hours=25))
    kept = [sorted(one)[:len(one) * 9 // 10] for one in taken.values()]
    spread = math.sqrt(sum(statistics.variance(one) / len(one) for one in kept))
    t = (statistics.fmean(kept[0]) - statistics.fmean(kept[1])) / spread
    assert abs(t) < T_MAX, f"t = {t:.2f} of {SAMPLES} samples each"
