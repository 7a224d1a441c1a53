"""What stands at the door: limits that no header and no spelling gets around, a limit on time."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import PlainTextResponse, StreamingResponse
from structlog.testing import capture_logs

from haechi.errors import NotFound
from haechi.platform.answers import errors
from haechi.platform.clock import SystemClock
from haechi.platform.limits import limited
from haechi.platform.web import Door

TWICE = "http://haechi.test//health"  # written out: a client would take //health for another server
ORIGIN = "http://localhost:5173"


async def known(request: Request, person: Annotated[str, Header()] = "") -> None:
    request.state.user_id = person or None


class Doors:
    """Routes of a test, and the events they wait for."""

    def __init__(self) -> None:
        self.never, self.open, self.cut_off = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.router = APIRouter(responses=errors())
        get = self.router.get
        get("/probe", dependencies=[Depends(limited("probe", 3, 60))])(self.fine)
        get("/probe/missing", dependencies=[Depends(limited("missing", 3, 60))])(self.missing)
        get("/probe/mine", dependencies=[Depends(limited("mine", 2, 60, by="user", known=known))])(self.fine)
        get("/probe/closed", dependencies=[Depends(limited("closed", 3, 60, fail="closed"))])(self.fine)
        get("/probe/twice", dependencies=[Depends(limited("one", 3, 60)), Depends(limited("two", 3, 60))])(self.fine)
        get("/slow")(self.slow)
        get("/own-timeout")(self.own_timeout)
        get("/stream", response_model=None)(self.stream)
        get("/order/close/all")(self.panic)

    async def fine(self) -> str:
        return "fine"

    async def missing(self) -> None:
        raise NotFound("No such thing.")

    async def slow(self) -> None:
        try:
            async with asyncio.timeout(10):  # where nothing cuts it off, the test is to fail and not to hang
                await self.never.wait()
        except asyncio.CancelledError:
            self.cut_off.set()
            raise

    async def own_timeout(self) -> None:
        raise TimeoutError

    async def panic(self) -> str:
        await self.open.wait()
        return "closed all"

    async def stream(self) -> StreamingResponse:
        async def pieces():
            yield "first,"
            await self.open.wait()
            yield "last"

        return StreamingResponse(pieces())


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def opened(tmp_path, running, doors):
    """`async with opened(setting=…) as app`: a server with those routes."""
    @asynccontextmanager
    async def make(**settings):
        async with running(tmp_path, **settings) as app:
            app.app.include_router(doors.router)
            app.app.include_router(doors.router, prefix="/api/v1")
            yield app

    return make


def limits_of(answer):
    return tuple(int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset"))


async def statuses(app, paths, **more):
    return [(await app.http.get(path, **more)).status_code for path in paths]


# ---- the general limit


async def test_the_general_limit_refuses_with_a_sentence_and_lets_in_again(opened):
    async with opened(rate_limit_per_minute=3) as app:
        answers = [await app.http.get("/health", headers={"origin": ORIGIN}) for _ in range(4)]
        assert [limits_of(answer) for answer in answers] == [(3, 2, 60), (3, 1, 60), (3, 0, 60), (3, 0, 60)]
        refused = answers[-1]
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert refused.json()["error"]["code"] == "too_many_requests"
        assert "60 seconds" in refused.json()["error"]["message"]
        assert refused.json()["request_id"] == refused.headers["x-request-id"]
        assert refused.headers["x-frame-options"] == "DENY"
        assert refused.headers["access-control-allow-origin"] == ORIGIN, "a page on another origin may read why"
        assert "Retry-After" in refused.headers["access-control-expose-headers"]
        app.clock.advance(timedelta(seconds=60))
        assert (await app.http.get("/health")).status_code == 200


async def test_no_spelling_of_a_path_and_no_header_is_a_way_around(opened):
    async with opened(rate_limit_per_minute=4) as app:
        assert await statuses(app, ["/health", "/health/", TWICE, "/HEALTH"]) != [429] * 4
        assert await statuses(app, ["/health", "/health/", TWICE, "/HEALTH", "/api/v1/health", "/nothing", "/health?x=1"]) == [429] * 7
        for header in ("x-forwarded-for", "x-real-ip", "forwarded", "x-client-ip", "true-client-ip", "x-http-method-override"):
            assert await statuses(app, ["/health"], headers={header: "198.51.100.1"}) == [429], header
        assert (await app.http.post("/auth/login", json={})).status_code == 429


async def test_behind_a_proxy_its_entry_counts_and_a_network_of_ipv6_is_one(opened):
    async with opened(rate_limit_per_minute=3, trusted_proxy_hops=1) as app:
        async def asked(said):
            return (await app.http.get("/health", headers={"x-forwarded-for": said})).status_code

        assert [await asked(f"{n}.{n}.{n}.{n}, 198.51.100.1") for n in range(1, 6)] == [200] * 3 + [429] * 2
        assert [await asked(f"2001:db8::{n:x}:{n:x}") for n in range(1, 6)] == [200] * 3 + [429] * 2
        assert await asked("2001:db8:0:1::1") == 200
        assert await asked("198.51.100.2") == 200
        assert await asked("[::ffff:198.51.100.1]:99") == 429, "the same address in another spelling"


async def test_ways_out_are_never_held_up(opened):
    async with opened(rate_limit_per_minute=1) as app:
        assert await statuses(app, ["/health"] * 2) == [200, 429]
        for path in ("/bot/stop", "/api/v1/bot/stop", "/bot/stop/", "http://haechi.test//bot//stop", "/BOT/stop", "/order/panic",
                     "/order/close/42", "/bot-instances/7/stop", "/bot-instances/stop-all"):
            for _ in range(3):
                assert (await app.http.post(path)).status_code in (401, 404, 405, 307), path
        assert await statuses(app, ["/health/live"] * 20) == [200] * 20


async def test_the_server_itself_does_not_rewrite_the_peer(tmp_path):
    """In a process of its own, as people start it: uvicorn would believe X-Forwarded-For of every peer on this machine."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    environment = os.environ | {"PORT": str(port), "RATE_LIMIT_PER_MINUTE": "2", "HAECHI_VAR": str(tmp_path), "FORWARDED_ALLOW_IPS": "*"}
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "haechi.cli", "serve", cwd=tmp_path, env=environment,
                                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", transport=httpx.AsyncHTTPTransport()) as http:
            async with asyncio.timeout(60):
                while not await answers(http):  # another process: its port is all there is to wait for
                    assert server.returncode is None
                    await asyncio.sleep(0.05)
            got = [(await http.get("/health", headers={"x-forwarded-for": f"198.51.100.{n}"})).status_code for n in range(4)]
    finally:
        server.terminate()
        await server.wait()
    assert got == [200, 200, 429, 429]


async def answers(http):
    try:
        return (await http.get("/health/live")).status_code == 200
    except httpx.TransportError:
        return False


# ---- limits of routes


async def test_a_limited_route_says_how_much_is_left_and_then_refuses(opened, doors):
    async with opened() as app:
        got = [await app.http.get(path) for path in ("/probe", "/api/v1/probe", "/probe", "/api/v1/probe")]
        assert [answer.status_code for answer in got] == [200, 200, 200, 429]
        assert [limits_of(answer) for answer in got] == [(3, 2, 60), (3, 1, 60), (3, 0, 60), (3, 0, 60)]
        assert got[-1].headers["retry-after"] == "60"
        assert limits_of(await app.http.get("/health"))[0] == 600, "other routes tell the general limit"


async def test_an_error_of_a_limited_route_tells_its_limit_too(opened, doors):
    async with opened() as app:
        got = [await app.http.get("/probe/missing") for _ in range(4)]
        assert [answer.status_code for answer in got] == [404, 404, 404, 429]
        assert limits_of(got[0]) == (3, 2, 60)


async def test_people_are_counted_apart_at_one_address_and_together_at_several(opened, doors):
    async with opened(trusted_proxy_hops=1) as app:
        async def asked(person, address):
            return (await app.http.get("/probe/mine", headers={"person": person, "x-forwarded-for": address})).status_code

        assert [await asked("mina", f"198.51.100.{n}") for n in (1, 2, 3)] == [200, 200, 429]
        assert [await asked("jun", "198.51.100.1") for _ in range(3)] == [200, 200, 429]
        assert [await asked("", "198.51.100.1") for _ in range(3)] == [200, 200, 429], "nobody's requests count by address"
        assert await asked("", "198.51.100.2") == 200
        assert [await asked("", f"2001:db8::{n}:{n}") for n in (1, 2, 3)] == [200, 200, 429], "or by network"


# ---- Redis away


@pytest.fixture
async def silent():
    """A Redis that takes connections and never says a word: its address, and who asked."""
    asked = []

    async def hold(reader, writer):
        asked.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", asked
    server.close()
    for writer in asked:
        writer.close()


async def test_a_silent_redis_holds_up_nobody_and_opens_nothing_that_must_be_counted(opened, doors, silent):
    url, asked = silent
    async with opened(redis_url=url) as app:
        assert await statuses(app, ["/probe/twice"]) == [200]
        refused = await app.http.get("/probe/closed")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "limits_unavailable")
        assert await statuses(app, ["/probe"] * 20) == [200] * 20
        assert len(asked) == 1, "one wait for all of them"
        app.clock.advance(timedelta(seconds=5))
        assert (await app.http.post("/bot/stop")).status_code == 401
        assert len(asked) == 1, "a way out does not even ask"
        assert await statuses(app, ["/probe"]) == [200]
        assert len(asked) == 2, "others ask again whether it is back"


# ---- the limit on time


async def test_what_takes_too_long_is_given_up(opened, doors):
    async with opened(request_seconds_max=0.05) as app:
        answer = await app.http.get("/slow")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "timeout")
        assert "0.05 s" in answer.json()["error"]["message"]
        assert answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_work_is_cut_off_with_the_request_that_asked_for_it(opened, doors):
    async with opened(request_seconds_max=0.3) as app:
        assert await statuses(app, ["/health/live", "/slow"]) == [200, 503]
        assert doors.cut_off.is_set()


async def test_a_timeout_of_our_own_making_is_a_fault(opened):
    async with opened() as app:
        with capture_logs() as said:
            assert await statuses(app, ["/own-timeout"]) == [500]
        assert [line["event"] for line in said] == ["fault", "request"]


async def test_an_answer_that_has_begun_and_a_way_out_may_take_their_time(opened, doors):
    async with opened(request_seconds_max=0.3) as app:
        assert await statuses(app, ["/health/live"]) == [200]  # the first request builds the application
        tasks = [asyncio.create_task(app.http.get(path)) for path in ("/stream", "/order/close/all", "/slow")]
        assert (await tasks[2]).status_code == 503  # that much time has gone by
        doors.open.set()
        assert [(await task).text for task in tasks[:2]] == ["first,last", '"closed all"']


async def test_only_production_asks_browsers_to_stay_with_tls():
    for production in (True, False):
        door = Door(PlainTextResponse("well"), clock=SystemClock(), production=production)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://x") as http:
            assert ("strict-transport-security" in (await http.get("/")).headers) is production
