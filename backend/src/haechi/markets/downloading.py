"""`haechi data download`: what was asked on the command line, made into one download after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haechi.core.timeframe import floor_to
from haechi.errors import BadInput
from haechi.platform.clock import Clock, SystemClock

from .bitget_candles import bitget
from .ccxt_candles import ccxt_exchange
from .download import Downloaded, Wanted, download
from .progress import shown
from .store import SYNTHETIC_VENUE, Policy, Store, symbol_name, venue_name
from .timeframes import TIMEFRAMES, timeframe
from .times import instant, iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from .bitget_candles import Bitget
    from .ccxt_candles import Ccxt

BARS_MAX = 20_000_000  # 38 years of minutes


def download_all(store: Store, symbols: Sequence[str], *, exchange: str, timeframe: str, start: str, end: str | None,  # noqa: PLR0913
                 address: str | None, policy: Policy, clock: Clock | None = None) -> Iterator[str]:
    """One sentence for each symbol when it is done. Raises BadInput before anything is asked for, Unreachable and Conflict later."""
    now = (clock or SystemClock()).now_ms()
    wanted = [wish(symbol, timeframe, start, end, now) for symbol in dict.fromkeys(map(symbol_name, symbols))]
    name = venue_name(exchange)
    if name == SYNTHETIC_VENUE or (address is not None and name != "bitget"):
        raise BadInput(f"--exchange {exchange}: " + ("invented markets are made with `haechi data sample`" if name == SYNTHETIC_VENUE else
                                                     "--address is for bitget only"))
    for one in wanted:
        yield sentence(one, name, asyncio.run(fetch(store, one, name, address, policy)))


def wish(symbol: str, timeframe_name: str, start: str, end: str | None, now: int) -> Wanted:
    """Cut to whole bars that are over. Raises BadInput for an empty or endless time."""
    name = timeframe(timeframe_name)
    length = TIMEFRAMES[name]
    begin = floor_to(instant(start) + length - 1, length)
    last = floor_to(min(now, instant(end) if end is not None else now), length)
    if begin >= last:
        raise BadInput(f"there is no finished {name} bar from {start} to {end or 'now'}")
    if (last - begin) // length > BARS_MAX:
        raise BadInput(f"{(last - begin) // length:,} bars are more than the {BARS_MAX:,} of one download; choose a shorter time")
    return Wanted(symbol, name, length, begin, last)


async def fetch(store: Store, wanted: Wanted, exchange: str, address: str | None, policy: Policy) -> Downloaded:
    source: AbstractAsyncContextManager[Bitget | Ccxt] = bitget(address) if exchange == "bitget" else ccxt_exchange(exchange)
    async with source as opened:
        with shown(f"{wanted.symbol} {wanted.timeframe}") as advance:
            return await download(opened, store, wanted, policy=policy, progress=advance)


def sentence(wanted: Wanted, exchange: str, done: Downloaded) -> str:
    what = f"{wanted.symbol} {wanted.timeframe} of {exchange}, {iso(wanted.start)} to {iso(wanted.end)}"
    if not done.stored:
        return f"{what}: the exchange has no bars in that time"
    replaced = f", {done.replaced:,} replaced" if done.replaced else ""
    return f"{what}: {done.added:,} bars added{replaced}; {done.stored:,} are stored, {done.missing:,} the exchange does not have"
