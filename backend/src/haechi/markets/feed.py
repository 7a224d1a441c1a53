"""What the simulated exchange plays: an invented market from a seed, or real history from a file; and the pace of it.

The invented market is labelled synthetic wherever it is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from haechi.core.instrument import Instrument
from haechi.errors import BadInput
from haechi.platform.house import House

if TYPE_CHECKING:
    from haechi.exchanges.port import Traceable
    from haechi.markets.live.live import Live
    from haechi.markets.synthetic import Mark
    from haechi.venue.exchange import TickBar
    from haechi.venue.floor import Floor
    from haechi.venue.store import Place, Store

SYNTHETIC, LIVE = "synthetic", "live:"
MEMORY = "paper.sqlite"  # in the state folder: members of the paper market, and where it stood
MINUTE_MS = 60_000
FUNDING_HOURS = 8
FUNDING_RATE = 10_000  # 0.01 % every eight hours, the usual figure of a calm market
WARM_BARS = 600  # played at once at the start, so that indicators have a past
MARKETS = (
    (Instrument("BTCUSDT", tick=Decimal("0.1"), lot=Decimal("0.001")), Decimal(60_000)),
    (Instrument("ETHUSDT", tick=Decimal("0.01"), lot=Decimal("0.01")), Decimal(3_000)),
    (Instrument("XRPUSDT", tick=Decimal("0.0001"), lot=Decimal(1)), Decimal("0.6")),
)
Instant = dict[str, "TickBar"]

log = structlog.get_logger(__name__)


def wall_ms() -> int:
    return int(time.time() * 1000)


@dataclass(frozen=True)
class Tape:
    """Markets and their bars, instant by instant. label: what to call it on a page."""

    instruments: tuple[Instrument, ...]
    timeframe_ms: int
    instants: Iterator[Instant]
    label: str
    source: str = ""  # tells it from every other tape
    start_ms: int = 0
    first: int = 0  # number of the first instant that comes
    marks: Callable[[], dict[str, Mark]] = dict  # where its streams can be taken up again


def synthetic(seed: int, start_ms: int, marks: Mapping[str, Mark] | None = None) -> Tape:
    """Three invented markets without end. marks: begin there."""
    from haechi.markets.synthetic import BLOCK, SyntheticStream

    start = start_ms // MINUTE_MS * MINUTE_MS
    streams = {one.symbol: (one, SyntheticStream(seed + k, start_ms=start, price=price, tick=one.tick))
               for k, (one, price) in enumerate(MARKETS)}
    for symbol, mark in (marks or {}).items():
        streams[symbol][1].since(mark)
    first = next(iter(marks.values()))[0] * BLOCK if marks else 0

    def known() -> dict[str, Mark]:
        return {symbol: stream.marks[0] for symbol, (_, stream) in streams.items() if stream.marks}

    def instants() -> Iterator[Instant]:
        while True:
            yield {symbol: _ticked(one, next(stream)) for symbol, (one, stream) in streams.items()}

    return Tape(tuple(one for one, _ in MARKETS), MINUTE_MS, instants(), SYNTHETIC, f"{SYNTHETIC}:{seed}",
                start, first, known)


def _ticked(one: Instrument, bar: Any) -> TickBar:
    from haechi.venue.exchange import TickBar

    ticks = [round(Decimal(repr(price)) / one.tick) for price in (bar.open, bar.high, bar.low, bar.close)]
    due = bar.ts % (FUNDING_HOURS * 60 * MINUTE_MS) == 0
    return TickBar(bar.ts, *ticks, bar.volume, (FUNDING_RATE,) if due else ())


def recorded(path: Path) -> Tape:
    """The bars of one file, once. Raises BadInput."""
    from haechi.core.run import bar_columns
    from haechi.markets.load import load_bars
    from haechi.venue.exchange import TickBar

    tick, lot = grid_of(path)
    bars = load_bars(path, tick=tick)
    one = Instrument(bars.symbol, tick=tick, lot=lot)

    def instants() -> Iterator[Instant]:
        for row, volume in zip(bar_columns(bars), bars.volume, strict=True):
            yield {one.symbol: TickBar(*row.tolist(), float(volume))}

    return Tape((one,), bars.timeframe_ms, instants(), path.name, f"{path.name}:{path.stat().st_size}")


def grid_of(path: Path) -> tuple[Decimal, Decimal]:
    """Tick and lot of a file: the finest decimals its prices use, and a lot worth about a hundredth to a dollar."""
    from haechi.markets.files import read_bars

    closes = [Decimal(repr(price)) for price in read_bars(path)["close"].head(5000).to_list()]
    if not closes:
        raise BadInput(f"{path.name} has no bars")
    decimals = min(8, max(0, *(-int(price.normalize().as_tuple().exponent) for price in closes)))
    lot = Decimal(1).scaleb(-min(3, max(0, len(str(int(closes[0]))) - 2)))
    return Decimal(1).scaleb(-decimals), lot


def tape_of(market: str, *, seed: int, now_ms: int, place: Place | None = None) -> Tape:
    """`synthetic`, or the path of a file of bars. place: where it stood, if it was this one."""
    if market == SYNTHETIC:
        if place is not None and place.source == f"{SYNTHETIC}:{seed}":
            return synthetic(seed, place.start_ms, place.marks)
        return synthetic(seed, now_ms - WARM_BARS * MINUTE_MS)
    path = Path(market)
    if not path.is_file():
        raise BadInput(f"MARKET is {market!r}: neither 'synthetic', 'live:bitget' nor a file of bars")
    return recorded(path)


class Listing(Protocol):
    """What is traded, on bars how long, and what to call it on a page."""

    @property
    def instruments(self) -> tuple[Instrument, ...]: ...

    @property
    def timeframe_ms(self) -> int: ...

    @property
    def label(self) -> str: ...


class Market:
    """The part of the house that plays. `venue` is the exchange, `floor` its members. With a wire face (`steps`) bars are played in
    steps, without one whole, which is the same to the bots. A `live` market has its own time."""

    name = "market"

    def __init__(self, tape: Tape | Live, speed: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, *,
                 wire: Callable[[], int] | None = None, clock: Callable[[], int] = wall_ms, store: Store | None = None) -> None:
        """wire: the wall clock (ms) of the wire face, when there is to be one. store: what the members and the market's place are kept
        in; without one they end with the process. Raises ValueError for a store of other markets."""
        from haechi.markets.taken_up import counted, known_source, taken_up  # compiled code: loads when a market opens
        from haechi.venue.exchange import Venue
        from haechi.venue.floor import Floor

        self.tape: Listing = tape
        self.instants, self.live = (tape.instants, None) if isinstance(tape, Tape) else (iter(()), tape)
        self.speed, self._sleep, self.steps, self.store = speed, sleep, wire is not None, store
        self.venue = Venue(tape.instruments, timeframe_ms=tape.timeframe_ms)
        self.floor: Floor = Floor(self.venue, clock=wire or clock, store=store)
        self.over = False
        self.failed = False
        if isinstance(tape, Tape):
            self.instants = counted(self.floor, tape, taken_up(self.floor, tape))
        else:
            known_source(self.floor, tape.label)
            self.venue.before = tape.source.history

    # ---- accounts

    def open_account(self, name: str, *, capital: Decimal, slippage: Decimal) -> Traceable:
        """The port of the account of this name; made with this capital if there is none."""
        from haechi.core.plan import Costs

        return self.floor.open_paper(name, Costs(slippage=slippage, capital=capital))

    def close_account(self, name: str) -> None:
        """It is forgotten, with its positions and records."""
        self.floor.close_member(name)

    def close(self) -> None:
        """What was not written yet is written."""
        if self.store is not None:
            self.floor.commit()
            self.store.close()

    def condition(self) -> dict[str, Any]:
        blind = self.live is not None and self.live.blind
        return {"state": "down" if self.failed or blind else "up", "market": self.tape.label, "speed": self.speed,
                "bars": self.venue.bars_played, "over": self.over}

    async def step(self) -> bool:
        """Play one instant; False when the tape is over."""
        instant = next(self.instants, None)
        if instant is None:
            self.over = True
            return False
        await self.floor.instant(instant)
        return True

    async def play(self) -> None:
        try:
            if self.live is not None:
                await self.live.begin(self.floor)
                await self.live.play(self.floor)
                return
            if self.steps:
                await self._play_in_steps(self.floor)
                return
            while await self.step():
                await self._sleep(self.tape.timeframe_ms / 1000 / self.speed)
        except Exception:  # the end of a task of its own: /health says down, the log says why
            self.failed = True
            log.exception("market_failed")

    async def _play_in_steps(self, floor: Floor) -> None:
        from haechi.markets.moments import bar_moments
        from haechi.markets.reels import substeps_of
        from haechi.venue.pace import Pace
        from haechi.venue.serve import play

        substeps = substeps_of(self.tape.timeframe_ms, self.speed)
        await play(floor, bar_moments(self.instants, floor.market, self.tape.timeframe_ms, substeps),
                   Pace(self.speed, sleep=self._sleep))
        self.over = True


@asynccontextmanager
async def open_market(house: House) -> AsyncIterator[Market]:
    async with AsyncExitStack() as stack:
        market = await _market(house, stack)
        task = asyncio.create_task(market.play())
        try:
            if house.settings.venue_port > 0:
                from haechi.venue.pace import Pace
                from haechi.venue.serve import listening

                await stack.enter_async_context(listening(market.floor, host=house.settings.host, port=house.settings.venue_port,
                                                          label=market.tape.label, pace=Pace(house.settings.speed)))
            yield market
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            market.close()


async def _market(house: House, stack: AsyncExitStack) -> Market:
    from haechi.venue.store import Store

    settings, now = house.settings, house.clock.now_ms
    settings.haechi_var.mkdir(parents=True, exist_ok=True)
    store = Store(settings.haechi_var / MEMORY)
    stack.callback(store.close)
    if settings.market.startswith(LIVE):
        from haechi.markets.live.live import open_live

        given = {"rest": settings.live_rest, "stream": settings.live_stream}
        live = await stack.enter_async_context(open_live(settings.market, house.clock, **given))
        return await _opened(live, 1.0, store, wire=now)
    session = store.session()
    tape = await asyncio.to_thread(tape_of, settings.market, seed=settings.market_seed, now_ms=now(),
                                   place=None if session is None else session.place)
    return await _opened(tape, settings.speed, store, wire=now if settings.venue_port > 0 else None, clock=now)


async def _opened(tape: Tape | Live, speed: float, store: Store, **given: Any) -> Market:
    from haechi.venue.rehome import rehome

    try:
        rehome(store, tape.instruments)
        return await asyncio.to_thread(Market, tape, speed, store=store, **given)
    except ValueError as other:
        raise BadInput(f"{MEMORY}: {other}") from None
