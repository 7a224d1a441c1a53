"""Carries a live market to a floor: warmed up by the exchange's bars, then trade by trade.

Streams fail. While nothing true is known the floor takes no orders and its prices stand; what was missed is then read from the
exchange's own bars and played before anything newer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from haechi.errors import BadInput
from haechi.exchanges.errors import Refused, Unreachable
from haechi.markets.live.bars import LiveBars, Trade
from haechi.markets.live.bitget import BitgetPublic, Ticked, Told
from haechi.venue.moments import Book

if TYPE_CHECKING:
    from haechi.platform.clock import Clock
    from haechi.venue.exchange import TickBar
    from haechi.venue.floor import Floor
    from haechi.venue.moments import Moment

WARM_BARS = 600  # so that indicators have a past
BARS_MAX = 10_000  # of a gap that is closed; a longer one is left open
LOOK_MS = 250
STALE_MS = 5_000  # so long without data nobody knows where the market stands
TIMEFRAME_MS = 60_000
SYMBOLS = "BTCUSDT,ETHUSDT,XRPUSDT"
SYMBOLS_MAX = 20
AGAIN_MS = 2_000  # between two tries to read what was missed

log = structlog.get_logger(__name__)


def symbols_of(market: str) -> list[str]:
    """`live:bitget`, or with symbols: `live:bitget:BTCUSDT,SOLUSDT`. Raises BadInput."""
    _, exchange, given = [*market.split(":", 2), SYMBOLS][:3]
    if exchange.lower() != "bitget":
        raise BadInput(f"{market!r}: live markets are those of bitget; write live:bitget or live:bitget:BTCUSDT,SOLUSDT")
    names = list(dict.fromkeys(name.strip().upper() for name in given.split(",") if name.strip()))
    if not names or len(names) > SYMBOLS_MAX:
        raise BadInput(f"{market!r}: name 1 to {SYMBOLS_MAX} symbols, as in live:bitget:BTCUSDT,SOLUSDT")
    return names


@asynccontextmanager
async def open_live(market: str, clock: Clock, *, rest: str = "", stream: str = "") -> AsyncIterator[Live]:
    """rest, stream: other addresses than Bitget's. Raises BadInput, Unreachable or Refused."""
    import aiohttp

    symbols = symbols_of(market)
    async with aiohttp.ClientSession() as session:
        source = BitgetPublic(session, clock, symbols=symbols, timeframe_ms=TIMEFRAME_MS, address=rest, stream=stream)
        await source.open()
        try:
            yield Live(source, timeframe_ms=TIMEFRAME_MS)
        finally:
            await source.close()


class Live:
    """`blind`: the floor is halted. `gaps`: how often something was missed and read afterwards."""

    def __init__(self, source: BitgetPublic, *, timeframe_ms: int) -> None:
        self.source, self.timeframe_ms = source, timeframe_ms
        self.instruments, self.label = tuple(source.instruments), source.label
        self.bars = LiveBars(source.symbols, timeframe_ms)
        self.blind, self.gaps = True, 0
        self._missed = True
        self._since = [0] * len(source.symbols)  # trades before are in the bars that were read
        self._again_ms = 0
        self._books: dict[int, Book] = {}  # the newest of each market since the stream was new or silent
        self._told: asyncio.Queue[Told | None] = asyncio.Queue()

    async def play(self, floor: Floor, _: object = None) -> None:
        """Until cancelled; it has its own time."""
        self.source.tell, self.source.stream.opened = self._told.put_nowait, self._opened
        self.source.stream.start()
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                await self._heard(floor, await self._told.get())
        finally:  # whatever ended it: nobody knows where the market stands from now on
            self._see(floor, sees=False)
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def begin(self, floor: Floor) -> None:
        """The past: for a floor that remembers, from where it stood; else as many bars as indicators like to have. Raises Unreachable or
        Refused when there is nothing to begin with."""
        self._see(floor, sees=False)
        known = floor.now_ms // self.timeframe_ms * self.timeframe_ms
        gone = (self.source.clock.now_ms() - known) // self.timeframe_ms
        found = await self._read(min(max(gone + 1, WARM_BARS), BARS_MAX) if known else WARM_BARS)
        first = max([min(bars) for bars in found if bars] + [known])
        for one, bars in zip(self.instruments, found, strict=True):
            floor.remember([{one.symbol: bars[ts]} for ts in sorted(bars) if ts < first])
        found = [{ts: bar for ts, bar in bars.items() if ts >= first} for bars in found]
        if not all(found):
            raise Unreachable(f"{self.label} has no bars of {', '.join(self.source.symbols)} to begin with")
        await self._carry(floor, self.bars.open(first, [bars[min(bars)].open for bars in found]))
        await self._carry(floor, self.bars.catch_up(found))

    async def _read(self, most: int) -> list[dict[int, TickBar]]:
        found = []
        for m in range(len(self.instruments)):
            self._since[m] = self.source.clock.now_ms()
            found.append(await self.source.bars(m, most))
        return found

    # ---- as it happens

    async def _heard(self, floor: Floor, told: Told | None) -> None:
        self._look(floor)
        if isinstance(told, Book):
            self._books[told.m] = told
        if self._missed:
            await self._catch_up(floor)
        if self.blind:
            return
        if told is not None:
            await self._carry(floor, self._moments(told))
        await self._carry(floor, self.bars.turn(self.source.clock.now_ms()))

    def _moments(self, told: Told) -> Iterable[Moment]:
        if isinstance(told, Trade):
            return self.bars.trade(told) if told.ts >= self._since[told.m] else ()
        self.bars.shown(told.m, told.ts)
        if isinstance(told, Ticked):
            self.bars.funding.setdefault(told.m, (told.rate, told.due))
            if self.bars.funding[told.m][1] == told.due:
                self.bars.funding[told.m] = told.rate, told.due
            return ()
        return (told,)

    async def _carry(self, floor: Floor, moments: Iterable[Moment]) -> None:
        for moment in moments:
            await floor.play(moment)

    async def _tick(self) -> None:
        """So that time is looked at when nothing comes, and their clock measured again."""
        while True:
            await self.source.sleep(LOOK_MS)
            self._told.put_nowait(None)
            if self.source.clock.due:
                try:
                    await self.source.rest.measure()
                except Unreachable as error:
                    log.warning("live_clock_unknown", why=error.message)

    # ---- when it does not happen

    def _opened(self) -> None:
        self._missed = True
        self._books.clear()

    def _look(self, floor: Floor) -> None:
        silent = self.source.silent_ms
        if silent is not None and silent < STALE_MS:
            return
        self._missed = True
        if not self.blind:
            log.warning("live_market_blind", silent_ms=silent)
            self._see(floor, sees=False)
            self._books.clear()
            self.source.stream.distrust("it brings no data")  # a new one begins with where everything stands

    async def _catch_up(self, floor: Floor) -> None:
        """Needs a stream that speaks, else the next gap would begin at once, and has told the book of every market: an order must not be
        filled from one of before."""
        if len(self._books) < len(self.instruments):
            return
        silent, now = self.source.silent_ms, int(self.source.clock.clock.monotonic() * 1000)
        if silent is None or silent >= STALE_MS or now < self._again_ms:
            return
        self._again_ms = now + AGAIN_MS
        try:
            found = await self._read(min((self.source.clock.now_ms() - self.bars.begin) // self.timeframe_ms + 2, BARS_MAX))
        except (Unreachable, Refused) as error:
            log.warning("live_gap_open", why=error.message)
            self._see(floor, sees=False)
            return
        await self._carry(floor, self.bars.catch_up(found))
        await self._carry(floor, self._books.values())
        self._missed, self.gaps = False, self.gaps + 1
        self._see(floor, sees=True)

    def _see(self, floor: Floor, *, sees: bool) -> None:
        self.blind = not sees
        floor.halt(on=self.blind)
