"""Public data: contracts as instruments, closed bars, where the market stands. No key is needed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import structlog

from haechi.core.instrument import Instrument, Tier
from haechi.core.timeframe import floor_to
from haechi.core.units import UnitError
from haechi.exchanges.bitget import parse
from haechi.exchanges.bitget.answers import Unreadable
from haechi.exchanges.bitget.endpoints import CANDLES, CONTRACTS, HISTORY_CANDLES, SYMBOL_PRICE, TIERS
from haechi.exchanges.bitget.evidence import listing, readable
from haechi.exchanges.bitget.requests import PRODUCT
from haechi.exchanges.bitget.rest import Rest
from haechi.exchanges.bitget.text import Item, item, items, number, symbol, time_ms, whole, word
from haechi.exchanges.errors import Refused
from haechi.exchanges.port import Bar, Price

MINUTE = 60_000
HOUR = 60 * MINUTE
# ms -> Bitget's word; without "utc" the longer ones are counted from midnight in UTC+8
GRANULARITIES = {MINUTE: "1m", 3 * MINUTE: "3m", 5 * MINUTE: "5m", 15 * MINUTE: "15m", 30 * MINUTE: "30m", HOUR: "1H", 4 * HOUR: "4H",
                 6 * HOUR: "6Hutc", 12 * HOUR: "12Hutc", 24 * HOUR: "1Dutc", 72 * HOUR: "3Dutc", 168 * HOUR: "1Wutc"}
COUNTED_SOMEHOW = frozenset({72 * HOUR, 168 * HOUR})  # from which day is written nowhere; they are made of days
NEW_ROWS, PAST_ROWS = 1_000, 200
PAST_PAGES_MAX = 60
PLACES_MAX = 18

log = structlog.get_logger(__name__)


class Market:
    """Reads only; raises Unreachable or Refused."""

    def __init__(self, rest: Rest, *, timeframe_ms: int) -> None:
        if timeframe_ms not in GRANULARITIES:
            raise Refused(f"Bitget has no bars of {timeframe_ms // MINUTE} minutes; it has {', '.join(GRANULARITIES.values())}")
        self.rest, self.timeframe_ms = rest, timeframe_ms
        self.listed: dict[str, Item] = {}
        self.known: dict[str, Instrument] = {}

    # ---- what is traded

    async def instrument(self, name: str) -> Instrument | None:
        """None: there is no such contract, or it is not open for trading through the API."""
        if name not in self.known:
            await self._list()
            if name not in self.listed:
                return None
            self.known[name] = readable(TIERS, made(self.listed[name]), await self._tiers(name))
        return self.known[name]

    async def _list(self) -> None:
        data = await self.rest.read(CONTRACTS, {"productType": PRODUCT})
        rows = readable(CONTRACTS, items, data)
        self.listed = {symbol(one): one for one in rows if one.get("symbolStatus") in ("normal", "limit_open")}

    async def _tiers(self, name: str) -> Any:
        return await self.rest.read(TIERS, {"productType": PRODUCT, "symbol": name})

    # ---- where it stands

    async def price(self, name: str) -> Price:
        """The last price, at the market's own time."""
        data = await self.rest.read(SYMBOL_PRICE, {"symbol": name, "productType": PRODUCT})
        return readable(SYMBOL_PRICE, price_of, data)

    # ---- bars

    async def bars(self, name: str, most: int, timeframe_ms: int | None = None, *, before_ms: int | None = None) -> list[Bar]:
        """As the port's. before_ms: only what has ended by then, at the market's own time."""
        if timeframe_ms is None or timeframe_ms == self.timeframe_ms:
            return (await self._closed(name, most, self.timeframe_ms, before_ms=before_ms))[-most:] if most > 0 else []
        first, *finer = self._lengths(timeframe_ms)
        rows = most * (timeframe_ms // first)
        found = (await self._closed(name, rows, first, before_ms=before_ms))[-rows:]
        for length in finer:
            found += await self._after(found, name, timeframe_ms, length, before_ms)
        return found

    def _lengths(self, timeframe_ms: int) -> list[int]:
        """Of which bars a longer one and the one under way are made, longest first: from the second on one request is enough."""
        if timeframe_ms % self.timeframe_ms:
            raise Refused(f"bars of {timeframe_ms // MINUTE} minutes cannot be made of bars of {self.timeframe_ms // MINUTE}")
        known = [length for length in GRANULARITIES if length not in COUNTED_SOMEHOW and length % self.timeframe_ms == 0]
        found = [max((length for length in known if timeframe_ms % length == 0), default=self.timeframe_ms)]
        while found[-1] > self.timeframe_ms:
            few = found[-1] // self.timeframe_ms < NEW_ROWS
            found.append(self.timeframe_ms if few else max(length for length in known if length < found[-1] and found[-1] % length == 0))
        return found

    async def _after(self, longer: list[Bar], name: str, timeframe_ms: int, length: int, before_ms: int | None) -> list[Bar]:
        """The bars of this length that have closed since the last of the longer ones ended; where none has, those of one bar."""
        if not longer:
            return await self._closed(name, timeframe_ms // length, length, before_ms=before_ms)
        end = longer[-1].ts + longer[-1].timeframe_ms
        found = await self._closed(name, longer[-1].timeframe_ms // length + 1, length, since_ms=end, before_ms=before_ms)
        return [bar for bar in found if bar.ts >= end]

    async def _closed(self, name: str, most: int, length: int, *, since_ms: int | None = None, before_ms: int | None = None) -> list[Bar]:
        """The last closed bars: at least `most`, or with since_ms back to there, as far as there are."""
        found = {bar.ts: bar for bar in await self.recent(name, min(most + 1, NEW_ROWS), length, before_ms=before_ms)}
        for _ in range(PAST_PAGES_MAX):
            if not found or (len(found) >= most if since_ms is None else min(found) <= since_ms):
                break
            fresh = {bar.ts: bar for bar in await self._past(name, min(found), length) if bar.ts < min(found)}
            if not fresh:
                break
            found |= fresh
        return [found[ts] for ts in sorted(found)]

    async def with_open(self, name: str, most: int) -> list[Bar]:
        """At most `most` closed bars and the one under way, oldest first."""
        older = await self.bars(name, most) if most >= NEW_ROWS else []
        found = {bar.ts: bar for bar in [*older, *await self._newest(name, most + 1, self.timeframe_ms)]}
        return [found[ts] for ts in sorted(found)]

    async def recent(self, name: str, rows: int, length: int = 0, *, before_ms: int | None = None) -> list[Bar]:
        """Closed bars of the newest rows: those whose end the market's time has passed when they are read. length 0: the market's own."""
        length = length or self.timeframe_ms
        found = await self._newest(name, rows, length)
        if not found:
            return []
        now = (await self.price(name)).time_ms
        if now >= found[-1].ts + length:
            found = await self._newest(name, rows, length)  # it was read before we knew that it is over: perhaps before it was
        return [bar for bar in found if bar.ts + length <= (now if before_ms is None else min(now, before_ms))]

    async def _newest(self, name: str, rows: int, length: int) -> list[Bar]:
        data = await self.rest.read(CANDLES, self._asked(name, str(min(max(rows, 2), NEW_ROWS)), length))
        return readable(CANDLES, self._rows(name, length), data)

    async def _past(self, name: str, before: int, length: int) -> list[Bar]:
        """Nothing where they would be older than what is kept: some exchanges tell it by an empty list, some by a no."""
        try:
            data = await self.rest.read(HISTORY_CANDLES, self._asked(name, str(PAST_ROWS), length) | {"endTime": str(before)})
        except Refused as error:
            if (error.details or {}).get("word") != "parameter":
                raise
            log.info("bitget_history_ends", symbol=name, granularity=GRANULARITIES[length], before_ms=before, why=error.message)
            return []
        return readable(HISTORY_CANDLES, self._rows(name, length), data)

    def _asked(self, name: str, limit: str, length: int) -> dict[str, str]:
        return {"symbol": name, "productType": PRODUCT, "granularity": GRANULARITIES[length], "limit": limit}

    def _rows(self, name: str, length: int) -> Callable[[Any], list[Bar]]:
        return partial(on_the_grid if length != self.timeframe_ms else parse.bars, of=name, timeframe_ms=length)


def on_the_grid(data: Any, *, of: str, timeframe_ms: int) -> list[Bar]:
    """Longer bars must begin where ours do, or a strategy would see others than in its back-test."""
    found = parse.bars(data, of=of, timeframe_ms=timeframe_ms)
    odd = next((bar.ts for bar in found if floor_to(bar.ts, timeframe_ms) != bar.ts), None)
    if odd is not None:
        raise Unreadable(f"a {GRANULARITIES[timeframe_ms]} bar begins at {odd}")
    return found


def price_of(data: Any) -> Price:
    one = items(data)[0] if isinstance(data, list) and data else item(data)
    return Price(symbol(one), number(one, "price"), time_ms(one, "ts"))


def tick(one: Item) -> Decimal:
    """priceEndStep units of the last decimal place."""
    places = whole(one, "pricePlace")
    if not 0 <= places <= PLACES_MAX:
        raise Unreadable(f"pricePlace is {places}")
    return number(one, "priceEndStep").scaleb(-places)


def made(one: Item) -> Callable[[Any], Instrument]:
    """The instrument of a contract, once its tiers are read. Limits as listed: sizes in base coin, values in quote."""

    def read(tiers: Any) -> Instrument:
        steps = tuple(Tier(number(row, "endUnit"), number(row, "keepMarginRate"), whole(row, "leverage"))
                      for row in sorted(listing("tiers")(tiers), key=lambda row: whole(row, "level")))
        try:
            return Instrument(word(one, "symbol").upper(), tick=tick(one).normalize(), lot=number(one, "sizeMultiplier").normalize(),
                              min_quantity=number(one, "minTradeNum"), min_value=number(one, "minTradeUSDT"),
                              maker=number(one, "makerFeeRate"), taker=number(one, "takerFeeRate"), tiers=steps)
        except (UnitError, InvalidOperation) as error:
            raise Unreadable(f"an impossible contract: {error}") from None

    return read
