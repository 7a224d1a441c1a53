"""A small HTTP client that asks as fast as it is answered, or so many times a second; kept connections, raw sockets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class Asked:
    """Seconds each answer took, and how often each status came."""

    took: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    by_status: dict[int, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds

    def quantile(self, share: float, status: int | None = None) -> float:
        """Milliseconds."""
        took = sorted(self.took if status is None else self.by_status.get(status, []))
        return took[min(len(took) - 1, int(len(took) * share))] * 1000 if took else 0.0


def request(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    told = {"host": "127.0.0.1", "content-length": str(len(body)), **(headers or {})}
    return f"{method} {path} HTTP/1.1\r\n".encode() + "".join(f"{k}: {v}\r\n" for k, v in told.items()).encode() + b"\r\n" + body


async def answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.lower().find(b"content-length:")
    if at >= 0:
        await reader.readexactly(int(head[at + 15:head.index(b"\r", at)]))
    return int(head[9:12])


async def ask(port: int, what, seconds: float, *, connections: int = 16, per_second: float | None = None) -> Asked:
    """what(number) -> bytes of a request. per_second: of all connections together; None: as fast as it goes."""
    asked, end, number = Asked(seconds=seconds), time.perf_counter() + seconds, 0
    begun = time.perf_counter()

    async def one() -> None:
        nonlocal number
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            mine, number = number, number + 1
            if per_second is not None:
                wait = begun + mine / per_second - time.perf_counter()
                if wait > 0:
                    await asyncio.sleep(wait)
            start = time.perf_counter()
            writer.write(what(mine))
            status = await answer(reader)
            took = time.perf_counter() - start
            asked.took.append(took)
            asked.by_status.setdefault(status, []).append(took)
            asked.statuses[status] = asked.statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    asked.seconds = time.perf_counter() - begun
    return asked
