"""Bars of an exchange into the store, page by page. What is stored is not asked for again; what has come is kept whatever happens.

The time from `start` to `end` is cut into pages of as many bars as one answer holds. A page that the store has whole is skipped, so a
second run goes on where the first was stopped, and asks again only where bars are missing (one request for each such page).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import polars as pl

from haechi.core.timeframe import floor_to
from haechi.errors import BadInput

from .columns import BARS
from .rows import fault
from .store import Policy, Store
from .timeframes import DAY
from .times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGES_BETWEEN_SAVES = 50  # 10,000 bars: what a power cut can cost
PAGES_WORTH_A_LOOK = 10  # a longer time than this is first searched, in days, for the beginning of the market

Row = tuple[int, float, float, float, float, float]  # open time in ms, open, high, low, close, volume in base units
Progress = Callable[[int, int, str], None]  # pages done, pages in all, where


class Source(Protocol):
    """An exchange that gives finished bars. Raises Unreachable, BadInput for what it refuses or what is broken in its answer."""

    name: str

    def bars_max(self, length_ms: int) -> int:
        """Bars of one answer."""
        ...

    async def candles(self, symbol: str, length_ms: int, start: int, end: int) -> Sequence[Row]:
        """Bars with start <= ts < end, in any order, perhaps twice, perhaps not all and perhaps some beyond."""
        ...


class Wanted(NamedTuple):
    """Bars with start <= ts < end. Only finished ones may be asked for."""

    symbol: str
    timeframe: str
    length_ms: int
    start: int
    end: int


class Downloaded(NamedTuple):
    """Bars. `missing`: asked for, and the exchange has none (counted from the first bar there is)."""

    added: int
    replaced: int
    stored: int
    missing: int


class _Basket:
    """Bars on their way into the store, in the order of time, as pages come."""

    def __init__(self, store: Store, venue: str, wanted: Wanted, policy: Policy) -> None:
        self.store, self.venue, self.wanted, self.policy = store, venue, wanted, policy
        self.rows: list[Row] = []
        self.added = self.replaced = 0

    def save(self) -> None:
        if not self.rows:
            return
        rows, self.rows = self.rows, []
        done = self.store.add(frame_of(rows), venue=self.venue, symbol=self.wanted.symbol, timeframe_name=self.wanted.timeframe,
                              policy=self.policy)
        self.added, self.replaced = self.added + done.rows_added, self.replaced + done.rows_replaced


async def download(source: Source, store: Store, wanted: Wanted, *, policy: Policy = "refuse",
                   progress: Progress = lambda _done, _total, _where: None) -> Downloaded:
    """Fill the store. Whatever ends it (an error, Ctrl-C) ends it after what has come is stored. Raises BadInput, Unreachable, Conflict."""
    have = stored_times(store, source.name, wanted)
    size = source.bars_max(wanted.length_ms) * wanted.length_ms
    first = wanted.start if len(have) and have[0] <= wanted.start else await beginning(source, wanted, size)
    pages = [(at, min(at + size, wanted.end)) for at in range(first, wanted.end, size)]
    basket = _Basket(store, source.name, wanted, policy)
    try:
        for number, (start, end) in enumerate(pages):
            progress(number, len(pages), iso(start))
            if policy == "replace" or not whole(have, start, end, wanted.length_ms):
                basket.rows += await page(source, wanted, start, end)
            if number % PAGES_BETWEEN_SAVES == PAGES_BETWEEN_SAVES - 1:
                basket.save()
    finally:
        basket.save()
    return counted(basket)


def counted(basket: _Basket) -> Downloaded:
    have = stored_times(basket.store, basket.venue, basket.wanted)
    missing = (basket.wanted.end - int(have[0])) // basket.wanted.length_ms - len(have) if len(have) else 0
    return Downloaded(basket.added, basket.replaced, len(have), missing)


def stored_times(store: Store, venue: str, wanted: Wanted) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Open times in the time wanted, sorted."""
    if not store.has(venue, wanted.symbol, wanted.timeframe):
        return np.empty(0, dtype=np.int64)
    return store.read(venue, wanted.symbol, wanted.timeframe, start=wanted.start, end=wanted.end)["ts"].to_numpy()


def whole(have: np.ndarray[tuple[int], np.dtype[np.int64]], start: int, end: int, length_ms: int) -> bool:
    """All bars of this page are stored."""
    first, last = np.searchsorted(have, (start, end))
    return int(last - first) == -(-(end - start) // length_ms)


async def beginning(source: Source, wanted: Wanted, size: int) -> int:
    """Where to begin: at `start`, or at the day the market begins when that is long after."""
    if wanted.length_ms >= DAY or wanted.end - wanted.start <= PAGES_WORTH_A_LOOK * size:
        return wanted.start
    days, last_day = source.bars_max(DAY) * DAY, floor_to(wanted.end - 1, DAY)
    for at in range(floor_to(wanted.start, DAY), last_day, days):
        found = await page(source, wanted._replace(timeframe="1d", length_ms=DAY), at, min(at + days, last_day))
        if found:
            return max(wanted.start, found[0][0])
    return max(wanted.start, last_day)


async def page(source: Source, wanted: Wanted, start: int, end: int) -> list[Row]:
    """All bars of one page that the exchange will give: an answer that lacks some is asked for the rest while that brings more."""
    found: dict[int, Row] = {}
    at, until = start, end
    while at < until:
        before = len(found)
        answer = await source.candles(wanted.symbol, wanted.length_ms, at, until)
        for row in checked(answer, wanted, source.name):
            if start <= row[0] < end and found.setdefault(row[0], row) != row:
                raise BadInput(f"{source.name} gives two different bars of {wanted.symbol} {wanted.timeframe} at {iso(row[0])}: "
                               f"{found[row[0]][1:]} and {row[1:]}; try again later")
        if len(found) == before:
            break
        lacking = [ts for ts in range(start, end, wanted.length_ms) if ts not in found]
        if not lacking:
            break
        at, until = lacking[0], lacking[-1] + wanted.length_ms
    return [found[ts] for ts in sorted(found)]


def checked(rows: Sequence[Row], wanted: Wanted, name: str) -> Iterator[Row]:
    """Raises BadInput at a bar that cannot be, or that stands off the grid of its timeframe."""
    for row in rows:
        wrong = fault(dict(zip(BARS[1:], row[1:], strict=True)))
        if wrong is None and floor_to(row[0], wanted.length_ms) != row[0]:
            wrong = f"it does not open on the UTC grid of {wanted.timeframe}"
        if wrong is not None:
            raise BadInput(f"{name} gives an impossible bar of {wanted.symbol} {wanted.timeframe} at {iso(row[0])}: {wrong}")
        yield row


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    types = {name: pl.Int64 if name == "ts" else pl.Float64 for name in BARS}
    return pl.DataFrame(rows, schema=types, orient="row")
