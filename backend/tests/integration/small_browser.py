"""The status page's own script under Node, in a browser of our own that is as small as it can be; its requests go to the server of the test."""

from __future__ import annotations

import json
import re
import shutil
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("small_browser.js")
LINE_BYTES_MAX = 1 << 24
NOTHING = (None, None)  # no answer at all


class Browser:
    """One tab. `instead(method, path)`: the answer (status, body) that comes in place of the server's, NOTHING, or None to ask the server.
    Requests to a path in `hold` stay open until `release`."""

    def __init__(self, process: Process, http: httpx.AsyncClient) -> None:
        self.process, self.http = process, http
        self.asked: list[dict[str, Any]] = []
        self.open: list[dict[str, Any]] = []
        self.hold: set[str] = set()
        self.instead: Callable[[str, str], tuple[int | None, Any] | None] = lambda method, path: None

    async def order(self, do: str, **given: Any) -> dict[str, Any]:
        """Do it, answer what the page then asks, and tell what it looks like once only held requests are open."""
        seen = await self._done(do=do, **given)
        while due := next((one for one in self.open if one["path"] not in self.hold), None):
            self.open.remove(due)
            status, text = await self._answer(due)
            seen = await self._done(do="answer", id=due["id"], status=status, text=text)
        return seen

    async def release(self) -> dict[str, Any]:
        self.hold = set()
        return await self.order("look")

    async def _done(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.write((json.dumps(order) + "\n").encode())
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            if "seen" in told:
                return told["seen"]
            self.asked.append(told)
            self.open.append(told)
        raise AssertionError((await self.process.stderr.read()).decode())

    async def _answer(self, one: dict[str, Any]) -> tuple[int | None, str]:
        instead = self.instead(one["method"], one["path"])
        if instead is not None:
            return instead[0], json.dumps(instead[1])
        answer = await self.http.request(one["method"], one["path"], headers=one["headers"], content=one["body"])
        return answer.status_code, answer.text


@asynccontextmanager
async def browsing(http: httpx.AsyncClient, address: str = "/?lang=en") -> AsyncIterator[Browser]:
    """A new tab with the page in it."""
    assert NODE is not None
    page = (await http.get(address)).text
    html, script = re.fullmatch(r".*<body>(.*)<script[^>]*>(.*)</script>\s*</body>.*", page, re.S).groups()  # type: ignore[union-attr]
    process = await create_subprocess_exec(NODE, SCRIPT, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=LINE_BYTES_MAX)
    try:
        browser = Browser(process, http)
        await browser.order("open", html=html, script=script)
        yield browser
    finally:
        process.kill()
        await process.communicate()
