"""Public data: contracts as instruments, closed bars, where the market stands. No key is needed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from haechi.core.instrument import Instrument, Tier
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
NEW_ROWS, PAST_ROWS = 1_000, 200
PAST_PAGES_MAX = 60
PLACES_MAX = 18


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

    async def bars(self, name: str, most: int) -> list[Bar]:
        """The last closed bars, oldest first, at most `most`."""
        found = {bar.ts: bar for bar in await self.recent(name, min(most + 1, NEW_ROWS))}
        for _ in range(PAST_PAGES_MAX):
            if len(found) >= most or not found:
                break
            older = await self._past(name, min(found))
            fresh = {bar.ts: bar for bar in older if bar.ts < min(found)}
            if not fresh:
                break
            found |= fresh
        return [found[ts] for ts in sorted(found)][-most:] if most > 0 else []

    async def with_open(self, name: str, most: int) -> list[Bar]:
        """At most `most` closed bars and the one under way, oldest first."""
        older = await self.bars(name, most) if most >= NEW_ROWS else []
        data = await self.rest.read(CANDLES, self._asked(name, str(min(most + 1, NEW_ROWS))))
        found = {bar.ts: bar for bar in [*older, *readable(CANDLES, self._rows(name), data)]}
        return [found[ts] for ts in sorted(found)]

    async def recent(self, name: str, rows: int) -> list[Bar]:
        """Closed bars of the newest rows: those whose end the market's time has passed when they are read."""
        found = await self._newest(name, rows)
        if not found:
            return []
        now = (await self.price(name)).time_ms
        if now >= found[-1].ts + self.timeframe_ms:
            found = await self._newest(name, rows)  # it was read before we knew that it is over: perhaps before it was
        return [bar for bar in found if bar.ts + self.timeframe_ms <= now]

    async def _newest(self, name: str, rows: int) -> list[Bar]:
        data = await self.rest.read(CANDLES, self._asked(name, str(min(max(rows, 2), NEW_ROWS))))
        return readable(CANDLES, self._rows(name), data)

    async def _past(self, name: str, before: int) -> list[Bar]:
        data = await self.rest.read(HISTORY_CANDLES, self._asked(name, str(PAST_ROWS)) | {"endTime": str(before)})
        return readable(HISTORY_CANDLES, self._rows(name), data)

    def _asked(self, name: str, limit: str) -> dict[str, str]:
        return {"symbol": name, "productType": PRODUCT, "granularity": GRANULARITIES[self.timeframe_ms], "limit": limit}

    def _rows(self, name: str) -> Callable[[Any], list[Bar]]:
        return partial(parse.bars, of=name, timeframe_ms=self.timeframe_ms)


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
