"""`haechi venue`: the simulated exchange on a port of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haechi.errors import BadInput

if TYPE_CHECKING:
    from haechi.markets.live.live import Live
    from haechi.markets.reels import Reel
    from haechi.venue.floor import Floor
    from haechi.venue.records import ApiKey

STEP, LIVE = "step", "live:"
SPEED_FIRST = "60"
SPEED_MAX = 100_000.0
EXAMPLES = """\b
Examples:
  haechi venue                                an invented market, 60 times real time
  haechi venue --market bars.parquet --speed 1  real history as fast as it was
  haechi venue --market live:bitget           Bitget's true market as it happens
  haechi venue --speed step                   stands still until POST /_venue/step
  haechi venue --faults --state venue.db      faults on demand; remembers accounts
"""


Markets = Annotated[str, typer.Option("--market", metavar="synthetic|live:bitget|FILE",
                                        help="Invented, Bitget's own as it happens, or bars, trades, a recorded book.")]
Speed = Annotated[str | None, typer.Option("--speed", metavar="N|step", help="Times real time (60), or `step`: the caller steps it.")]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.", min=0, max=65535)]
Names = Annotated[list[str] | None, typer.Option("--member", metavar="NAME", help="An account; may be given often. Default: demo.")]
Deposit = Annotated[str, typer.Option("--deposit", help="What each new account begins with, USDT.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the invented market and of faults.", min=0)]
State = Annotated[Path | None, typer.Option("--state", metavar="FILE", help="SQLite file that remembers everything.")]
Upset = Annotated[bool, typer.Option("--faults", help="Allow POST /_venue/faults.")]
LiveRest = Annotated[str, typer.Option("--live-rest", metavar="URL", help="Where a live market is read, if not at the exchange.")]
LiveStream = Annotated[str, typer.Option("--live-stream", metavar="URL", help="Its WebSocket, likewise.")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="No rate limits.")]


def venue(market: Markets = "synthetic", speed: Speed = None, host: Host = "127.0.0.1", port: Port = 8100, member: Names = None,  # noqa: PLR0913
          deposit: Deposit = "10000", seed: Seed = 20_260, state: State = None, faults: Upset = False, no_limits: NoLimits = False,
          live_rest: LiveRest = "", live_stream: LiveStream = "") -> None:
    """An exchange that speaks Bitget's protocol, for trying out and for tests. No money is real."""
    if market.startswith(LIVE) and speed is not None:
        raise BadInput("a live market has its own time: leave --speed out")
    pace = 1.0 if market.startswith(LIVE) else speed_of(speed or SPEED_FIRST)
    source = opened(market, seed=seed, speed=pace, rest=live_rest, stream=live_stream)
    asyncio.run(run(source, pace, names=tuple(member or ("demo",)), deposit=money_of(deposit), host=host, port=port, seed=seed, state=state,
                    faults=faults, limits=not no_limits))


venue.__doc__ = f"{venue.__doc__}\n{EXAMPLES}"


def wall_ms() -> int:
    return int(time.time() * 1000)


def speed_of(text: str) -> float | None:
    """None: stepped."""
    if text.lower() == STEP:
        return None
    try:
        speed = float(text)
    except ValueError:
        raise BadInput(f"--speed must be a number or 'step', got {text!r}") from None
    if not 0 < speed <= SPEED_MAX:
        raise BadInput(f"--speed must be more than 0 and at most {SPEED_MAX:.0f}, got {text}")
    return speed


def money_of(text: str) -> Decimal:
    try:
        money = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"--deposit must be an amount of USDT, got {text!r}") from None
    if not money.is_finite() or money <= 0:
        raise BadInput(f"--deposit must be more than 0, got {text}")
    return money


@asynccontextmanager
async def opened(market: str, *, seed: int, speed: float | None, rest: str = "", stream: str = "") -> AsyncIterator[Reel | Live]:
    """What is played. Raises BadInput, for a live market also Unreachable."""
    if market.startswith(LIVE):
        from haechi.markets.live.live import open_live
        from haechi.platform.clock import SystemClock

        async with open_live(market, SystemClock(), rest=rest, stream=stream) as live:
            yield live
    else:
        from haechi.markets.reels import reel_of

        yield reel_of(market, seed=seed, now_ms=wall_ms(), speed=speed)


async def run(source: AbstractAsyncContextManager[Reel | Live], speed: float | None, *, names: tuple[str, ...],  # noqa: PLR0913
              deposit: Decimal, host: str, port: int, seed: int, state: Path | None, faults: bool, limits: bool,
              say: Callable[[str], None] = print, ready: asyncio.Event | None = None) -> None:
    """Until the market is over (and then until stopped), or cancelled."""
    from haechi.venue.controls import make_key
    from haechi.venue.faults import Faults
    from haechi.venue.pace import Pace, Steps
    from haechi.venue.serve import listening, playing

    async with source as reel, floor_of(reel, seed, state) as floor:
        keys = [make_key(floor, name, deposit) for name in names]
        pace = Steps() if speed is None else Pace(speed)
        upset = Faults(floor, seed=seed) if faults else None
        try:
            async with listening(floor, host=host, port=port, label=reel.label, pace=pace, faults=upset, limits=limits) as at:
                say(welcome(f"http://{host}:{at}", reel.label, speed, keys))
                await reel.begin(floor)
                async with playing(reel.play(floor, pace)) as market:
                    if ready is not None:
                        ready.set()
                    await market
                    say(f"The market {reel.label} is over; the accounts can still be read. Ctrl-C ends.")
                    await asyncio.Event().wait()
        finally:
            if upset is not None:
                upset.close()


@asynccontextmanager
async def floor_of(reel: Reel | Live, seed: int, state: Path | None) -> AsyncIterator[Floor]:
    """The floor of a market; with a state file, as it was, and written at the end."""
    from haechi.venue.exchange import Venue
    from haechi.venue.floor import Floor
    from haechi.venue.store import Store

    store = Store(state) if state is not None else None
    try:
        floor = Floor(Venue(reel.instruments, timeframe_ms=reel.timeframe_ms), clock=wall_ms, seed=seed, store=store)
    except ValueError as other:
        raise BadInput(f"{state}: {other}") from None
    try:
        yield floor
    finally:
        if store is not None:
            floor.commit()
            store.close()


def welcome(url: str, label: str, speed: float | None, keys: list[ApiKey]) -> str:
    """What a newcomer needs: address, keys, and a first request."""
    pace = "as it happens" if label.startswith(LIVE) else "stepped by POST /_venue/step" if speed is None else f"{speed:g} times real time"
    lines = [f"Simulated Bitget on {url}  (market {label}, {pace}; no money is real; Ctrl-C ends)"]
    for key in keys:
        lines += [f"  {key.member}:  key {key.key}  secret {key.secret}  passphrase {key.passphrase}"]
    lines += [f"Try:  curl '{url}/api/v2/mix/market/ticker?symbol=BTCUSDT&productType=USDT-FUTURES'"]
    return "\n".join(lines)
