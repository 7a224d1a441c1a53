"""The API: an authenticated read of a row beside the plain way to write it, and what a storm of sign-ins does to everybody else.

    .venv/bin/python benchmarks/part_api.py            both, printed

For the reads servers are pinned to one core, the client to another; in the storm the server has both.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import jwt  # noqa: E402
from api_client import Asked, ask, request  # noqa: E402
from samples import table  # noqa: E402
from section import Section, Verdict  # noqa: E402

HERE = Path(__file__).parent
SECRET = "benchmark-7hF3kd92Lsm4Qz8Wx1Vb6Nc5Rt0Yp"
ROUNDS, SECONDS = 7, 3.0
RATIO, STORM_RATIO, EXCESS_MS = 2.0, 2.0, 50.0
STORM, STORM_S = 1_000, 30.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def server(command: list[str], port: int, environment: dict[str, str], *, pinned: bool = True) -> Iterator[str]:
    """A server, on the first core or on all; gives what it said until it answered."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryFile("w+") as said, subprocess.Popen(command, env={**os.environ, **environment}, stdout=said, stderr=subprocess.STDOUT,
                                                                preexec_fn=lambda: os.sched_setaffinity(0, cores[:1] if pinned else cores)) as process:
        try:
            for _ in range(1_200):
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    raise RuntimeError("the server ended before it answered")
                time.sleep(0.1)
            said.seek(0)
            yield said.read()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def haechi(*, pinned: bool = True, **settings: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Our whole server with every middleware, its demo user signed in."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {"HAECHI_VAR": f"{folder}/var", "HAECHI_DATA": f"{folder}/data", "PORT": str(port), "LOG_LEVEL": "warning", "SPEED": "1",
                       "RATE_LIMIT_PER_MINUTE": "1000000", **settings}
        with server([sys.executable, "-m", "haechi.cli", "serve"], port, environment, pinned=pinned) as said:
            found = re.search(r"(\S+@haechi\.local)\s+(\S+)", said)
            assert found is not None, said
            body = json.dumps({"email": found[1], "password": found[2]}).encode()
            token = json.loads(fetched(port, "POST", "/auth/login", body))["access_token"]
            yield port, {"authorization": f"Bearer {token}"}


def fetched(port: int, method: str, path: str, body: bytes = b"") -> bytes:
    import urllib.request

    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, method=method, headers={"content-type": "application/json"})
    with urllib.request.urlopen(asked) as told:
        return bytes(told.read())


@contextmanager
def plain() -> Iterator[tuple[int, dict[str, str]]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, server([sys.executable, str(HERE / "api_plain.py"), str(port), f"{folder}/p.db", SECRET], port, {}):
        yield port, {"authorization": f"Bearer {jwt.encode({'sub': 'p1'}, SECRET, algorithm='HS256')}"}


@contextmanager
def all_cores() -> Iterator[None]:
    """While this part is measured; the others are measured on one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def aside() -> None:
    """The client takes the other cores."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[1:] or cores)


def reads(rounds: int = ROUNDS) -> tuple[list[Asked], list[Asked]]:
    """In turns, so that both meet the same moods of the machine."""
    with all_cores(), haechi() as (ours, mine), plain() as (other, theirs):
        aside()
        asked: tuple[list[Asked], list[Asked]] = ([], [])
        for _ in range(rounds):
            for place, (port, path, headers) in enumerate(((ours, "/auth/me", mine), (other, "/me", theirs))):
                found = asyncio.run(ask(port, lambda _, path=path, headers=headers: request("GET", path, headers), SECONDS))
                assert set(found.statuses) == {200}, found.statuses
                asked[place].append(found)
    return asked


def storm(seconds: float = STORM_S) -> dict[str, Any]:
    """Sign-ins from thousands of networks, all wrong, while somebody signed in asks for his own row fifty times a second, and before."""
    with all_cores(), haechi(pinned=False, TRUSTED_PROXY_HOPS="1") as (port, headers):
        aside()
        return asyncio.run(stormed(port, headers, seconds))


async def stormed(port: int, headers: dict[str, str], seconds: float) -> dict[str, Any]:
    """The storm comes from a process of its own: who waits here waits for the server, not for his own client."""
    def read(_: int) -> bytes:
        return request("GET", "/auth/me", {**headers, "x-forwarded-for": "192.0.2.1"})

    idle = await ask(port, read, 10, connections=2, per_second=50)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        logins = asyncio.get_running_loop().run_in_executor(other, sign_ins, port, seconds)
        await asyncio.sleep(2)  # until that process has begun
        others = await ask(port, read, seconds - 3, connections=2, per_second=50)
        return {"idle": idle, "others": others, "logins": await logins}


def sign_ins(port: int, seconds: float) -> Asked:
    rng = random.Random(1)

    def sign_in(_: int) -> bytes:
        body = json.dumps({"email": f"p{rng.randrange(10**6)}@example.com", "password": "wrong wrong wrong"}).encode()
        address = f"198.{rng.randrange(18, 20)}.{rng.randrange(256)}.{rng.randrange(256)}"
        return request("POST", "/auth/login", {"content-type": "application/json", "x-forwarded-for": address}, body)

    return asyncio.run(ask(port, sign_in, seconds, connections=64, per_second=STORM))


def measure(_ours: object = None, quick: bool = False) -> Section:
    ours, other = reads(2 if quick else ROUNDS)
    rates = [[one.rate for one in asked] for asked in (ours, other)]
    ratio = min(statistics.median(rates[0]) / statistics.median(rates[1]), max(rates[0]) / max(rates[1]))
    rows = [[name, f"{statistics.median(rate):,.0f}", f"{max(rate):,.0f}", f"{asked[-1].quantile(.5):.1f}", f"{asked[-1].quantile(.99):.1f}"]
            for name, rate, asked in (("haechi, /auth/me, all middleware", rates[0], ours), ("plain FastAPI + ORM + aiosqlite", rates[1], other))]
    section = Section("API: an authenticated read with a database row")
    section.text = table(["", "requests/s median", "best", "p50 ms", "p99 ms"], rows)
    section.verdicts = [Verdict("authenticated read beside the plain way", f"≥ {RATIO:g}×", f"{ratio:.2f}×", ratio >= RATIO)]
    return section


def main() -> int:
    found = measure()
    print(found.title, found.text, *(" ".join(map(str, one.row())) for one in found.verdicts), sep="\n")
    told = storm()
    idle, others, logins = told["idle"], told["others"], told["logins"]
    print(f"storm: {logins.rate:,.0f} sign-ins/s for {logins.seconds:.0f} s, statuses {logins.statuses}")
    for status in sorted(logins.statuses):
        print(f"  {status}: p50 {logins.quantile(.5, status):.1f} ms, p99 {logins.quantile(.99, status):.1f} ms")
    print(f"another route: idle p50 {idle.quantile(.5):.1f} p99 {idle.quantile(.99):.1f} ms; in the storm p50 {others.quantile(.5):.1f} "
          f"p99 {others.quantile(.99):.1f} ms, {others.statuses}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
