"""How much the venue carries: signed orders a second over HTTP loopback, and WebSocket clients with ten ticker updates a second.

    .venv/bin/python benchmarks/venue_load.py [--seconds 10] [--connections 8] [--sockets 500] [--profile]

The venue runs in one process, with its state on disk; all clients in another. Prints one table.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import cProfile
import gc
import hmac
import io
import os
import pstats
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import orjson

KEY, SECRET, PASSPHRASE = "load-key", "load-secret", "load-pass"
PLACE, CANCEL = "/api/v2/mix/order/place-order", "/api/v2/mix/order/cancel-order"
ORDER = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "size": "0.001", "side": "buy",
         "orderType": "limit", "price": "59000"}
TICK_S = 0.1


# ---- the venue's process

def serve(pipe, seconds: float, moving: bool, profile: bool) -> None:
    gc.set_threshold(200_000, 20, 20)
    profiler = cProfile.Profile() if profile else None
    if profiler:
        profiler.enable()
    asyncio.run(served(pipe, seconds, moving))
    text = io.StringIO()
    if profiler:
        profiler.disable()
        pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(12)
    pipe.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, text.getvalue()))


async def served(pipe, seconds: float, moving: bool) -> None:
    from aiohttp import web
    from haechi.core.instrument import Instrument
    from haechi.venue.exchange import Venue
    from haechi.venue.floor import Floor
    from haechi.venue.moments import Move, Open
    from haechi.venue.records import ApiKey
    from haechi.venue.store import Store
    from haechi.venue.wire.server import STREAMS, make_app

    folder = tempfile.TemporaryDirectory()
    floor = Floor(Venue([Instrument("BTCUSDT")], timeframe_ms=60_000), clock=lambda: int(time.time() * 1000),
                  store=Store(Path(folder.name) / "venue.db"))
    await floor.play(Open(0, 1_700_000_000_000, 600_000))
    floor.open_member("load", key=ApiKey(KEY, SECRET, PASSPHRASE, "load"))
    app = make_app(floor, limits=False)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    cpu = time.process_time()
    pipe.send(runner.addresses[0][1])
    end, ts = time.monotonic() + seconds, 1_700_000_000_000
    due = time.monotonic()
    while time.monotonic() < end:
        due += TICK_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if moving:
            ts += 100
            await floor.play(Move(0, ts, 600_000 + ts // 100 % 50, 1.0))
    pipe.send((time.process_time() - cpu, app[STREAMS].cut))
    await runner.cleanup()
    folder.cleanup()


# ---- the clients' process

def signed(path: str, body: dict, port: int) -> bytes:
    raw, stamp = orjson.dumps(body), str(int(time.time() * 1000))
    proof = base64.b64encode(hmac.digest(SECRET.encode(), f"{stamp}POST{path}".encode() + raw, "sha256")).decode()
    head = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
            f"ACCESS-KEY: {KEY}\r\nACCESS-SIGN: {proof}\r\nACCESS-TIMESTAMP: {stamp}\r\nACCESS-PASSPHRASE: {PASSPHRASE}\r\n\r\n")
    return head.encode() + raw


async def trip(reader, writer, path: str, body: dict, port: int, taken: list[float]) -> dict:
    begun = time.perf_counter()
    writer.write(signed(path, body, port))
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    said = orjson.loads(await reader.readexactly(size))
    taken.append(time.perf_counter() - begun)
    assert said["code"] == "00000", said
    return said["data"]


async def trader(port: int, end: float, taken: list[float], market: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    side = "buy"
    while time.perf_counter() < end:
        if market:
            await trip(reader, writer, PLACE, {**ORDER, "orderType": "market", "side": side}, port, taken)
            side = "sell" if side == "buy" else "buy"
        else:
            made = await trip(reader, writer, PLACE, ORDER, port, taken)
            await trip(reader, writer, CANCEL, {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", **made}, port, taken)
    writer.close()


async def orders(port: int, seconds: float, connections: int, *, market: bool) -> dict[str, float]:
    taken: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(trader(port, begun + seconds, taken, market) for _ in range(connections)))
    spent = time.perf_counter() - begun
    taken.sort()
    return {"per second": len(taken) / spent, "p50 ms": taken[len(taken) // 2] * 1e3, "p99 ms": taken[int(len(taken) * 0.99)] * 1e3}


class Listener(asyncio.Protocol):
    """A WebSocket client that only counts: frames of the server are short and come unmasked."""

    def __init__(self) -> None:
        self.frames = 0
        self.open = False
        self.lost = False
        self._data = bytearray()

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(b"GET /v2/ws/public HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")

    def connection_lost(self, exc) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self.open:
            if b"\r\n\r\n" not in self._data:
                return
            del self._data[: self._data.index(b"\r\n\r\n") + 4]
            self.open = True
            text = b'{"op":"subscribe","args":[{"instType":"USDT-FUTURES","channel":"ticker","instId":"BTCUSDT"}]}'
            self.transport.write(bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text)
        while len(self._data) >= 2:
            size, start = self._data[1], 2
            if size == 126:
                size, start = int.from_bytes(self._data[2:4], "big"), 4
            if len(self._data) < start + size:
                return
            self.frames += self._data[start:start + 9] == b'{"action"'
            del self._data[: start + size]


async def listeners(port: int, seconds: float, count: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    ears = [Listener() for _ in range(count)]
    for ear in ears:
        await loop.create_connection(lambda ear=ear: ear, "127.0.0.1", port)
    while not all(ear.frames for ear in ears):
        await asyncio.sleep(0.05)
    before, begun = [ear.frames for ear in ears], time.perf_counter()
    await asyncio.sleep(seconds)
    spent = time.perf_counter() - begun
    rates = [(ear.frames - first) / spent for ear, first in zip(ears, before, strict=True)]
    return {"clients": count, "slowest/s": min(rates), "mean/s": sum(rates) / count, "lost": sum(ear.lost for ear in ears)}


def measured(seconds: float, *, moving: bool, profile: bool, client) -> tuple[dict[str, float], str]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, seconds + 6 + (8 if moving else 0), moving, profile))
    server.start()
    found = asyncio.run(client(ours.recv()))
    cpu, cut = ours.recv()
    memory, text = ours.recv()
    server.join()
    return {**found, "server cpu s": cpu, "cut": cut, "server RSS MB": memory}, text


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=10)
    asked.add_argument("--connections", type=int, default=8)
    asked.add_argument("--sockets", type=int, default=500)
    asked.add_argument("--profile", action="store_true", help="name the venue's dearest functions (and slow it down)")
    given = asked.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    runs = {"place and cancel": (False, lambda port: orders(port, given.seconds, given.connections, market=False)),
            "market orders": (False, lambda port: orders(port, given.seconds, given.connections, market=True)),
            "ticker to sockets": (True, lambda port: listeners(port, given.seconds, given.sockets))}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.connections} connections")
    for name, (moving, client) in runs.items():
        figures, text = measured(given.seconds, moving=moving, profile=given.profile, client=client)
        print(f"{name:20s}" + "  ".join(f"{what} {value:,.1f}" for what, value in figures.items()))
        if text:
            sys.stdout.write(text)


if __name__ == "__main__":
    main()
