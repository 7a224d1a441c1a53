"""The status page's own script under Node, in a browser of our own that is as small as it can be; its requests go to the server of the test."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("small_browser.js")
LINE_BYTES_MAX = 1 << 24
Answer = tuple[int | None, Any]


class Browser:
    """One tab. `instead` answers before the server is asked: (status, body), (None, None) for no answer at all, None to ask it after all."""

    def __init__(self, process: Process, http: httpx.AsyncClient) -> None:
        self.process, self.http = process, http
        self.asked: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []
        self.hold: set[str] = set()
        self.instead: Callable[[str, str], Answer | None] = lambda method, path: None
        self.seen: dict[str, Any] = {}

    async def order(self, do: str, **given: Any) -> dict[str, Any]:
        """Do it, answer what the page asks the server, and look at the page once nothing but held requests is open."""
        await self._write(do=do, **given)
        while True:
            asks, told = await self._read()
            due = [one for one in asks if one["path"] not in self.hold]
            self.held += [one for one in asks if one["path"] in self.hold]
            for one in due:
                status, text = await self._answer(one)
                self.queue.append({"id": one["id"], "status": status, "text": text})
            if not self.queue:
                self.seen = told["seen"]
                return self.seen
            await self._write(do="answer", **self.queue.pop(0))

    async def release(self) -> dict[str, Any]:
        """Answer what was held."""
        self.hold = set()
        self.queue = []
        for one in self.held:
            status, text = await self._answer(one)
            self.queue.append({"id": one["id"], "status": status, "text": text})
        self.held = []
        return await self.order("answer", **self.queue.pop(0))

    queue: list[dict[str, Any]] = []

    async def _write(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps(order) + "\n").encode())
        await self.process.stdin.drain()

    async def _read(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        assert self.process.stdout is not None and self.process.stderr is not None
        asks: list[dict[str, Any]] = []
        while True:
            line = await self.process.stdout.readline()
            assert line, (await self.process.stderr.read()).decode()
            told = json.loads(line)
            if "seen" in told:
                return asks, told
            asks.append(told)
            self.asked.append(told)

    async def _answer(self, one: dict[str, Any]) -> tuple[int | None, str]:
        instead = self.instead(one["method"], one["path"])
        if instead is not None:
            return instead[0], json.dumps(instead[1])
        answer = await self.http.request(one["method"], one["path"], headers=one["headers"], content=one["body"])
        return answer.status_code, answer.text
