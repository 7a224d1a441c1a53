"""The venue on a port: its market plays, its faces answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import structlog
from aiohttp import web

from haechi.errors import BadInput
from haechi.venue.controls import controls
from haechi.venue.faults import Faults
from haechi.venue.floor import Floor
from haechi.venue.moments import Moment
from haechi.venue.pace import Pace, Steps
from haechi.venue.wire.server import make_app

log = structlog.get_logger(__name__)


class Paced(Protocol):
    async def until(self, ts: int) -> None: ...


async def play(floor: Floor, moments: Iterator[Moment], pace: Paced) -> None:
    """Carry the moments to the floor, each when its time has come, until there are no more."""
    for moment in moments:
        await pace.until(moment.ts)
        await floor.play(moment)
    if isinstance(pace, Steps):
        pace.finish()


@asynccontextmanager
async def listening(floor: Floor, *, host: str, port: int, label: str, pace: Pace | Steps, faults: Faults | None = None,
                    limits: bool = True) -> AsyncIterator[int]:
    """The faces of a floor on a port (0: any that is free); gives the port."""
    app = make_app(floor, faults=faults, limits=limits, controls=controls(floor, label, pace if isinstance(pace, Steps) else None))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as taken:
            raise BadInput(f"port {port} on {host} cannot be used ({taken.strerror}): choose another with --port") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def playing(market: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """The market plays while this is open; a failure of it is logged and ends it."""
    task = asyncio.create_task(_watched(market))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watched(market: Coroutine[Any, Any, None]) -> None:
    try:
        await market
    except Exception:
        log.exception("market_failed")
        raise
