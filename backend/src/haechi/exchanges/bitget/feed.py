"""Prices and closed bars for the listeners. The stream says that something happened; of a closed bar REST has the final word.

A bar is delivered once, in order, and never before it is closed; bars that were missed are fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from haechi.exchanges.bitget.answers import Unreadable
from haechi.exchanges.bitget.ears import Ears
from haechi.exchanges.bitget.market import GRANULARITIES, NEW_ROWS, Market
from haechi.exchanges.bitget.text import Item, exact, items, number, time_ms
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Bar, Price

log = structlog.get_logger(__name__)
Topic = tuple[str, str]  # channel, symbol


class Feed:
    """last: the open time of the newest bar of each symbol that its listeners know."""

    def __init__(self, market: Market, ears: Ears) -> None:
        self.market, self.ears = market, ears
        self.last: dict[str, int] = {}
        self.opened: dict[str, int] = {}  # the newest bar seen in the stream, still open
        self.price_ms: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.candle = f"candle{GRANULARITIES[market.timeframe_ms]}"

    def topics(self) -> set[Topic]:
        return {(self.candle, name) for name in self.ears.symbols()} | {("ticker", name) for name in self.ears.priced()}

    def handed(self, name: str, bars: list[Bar]) -> None:
        """Somebody was given these bars as history: what follows them is news."""
        if bars:
            newest = bars[-1].ts + bars[-1].timeframe_ms - self.market.timeframe_ms  # the last one may be longer than those that follow
            self.last[name] = max(newest, self.last.get(name, 0)) if name in self.ears.symbols() else newest

    # ---- what the stream brings

    async def heard(self, arg: Mapping[str, Any], data: Any) -> None:
        channel, name = str(arg.get("channel")), str(arg.get("instId", "")).upper()
        if channel == "ticker":
            for one in items(data):
                await self._priced(name, one)
        elif channel == self.candle:
            if not isinstance(data, list) or not all(isinstance(row, list) and row for row in data):
                raise Unreadable("no rows of bars")
            newest = max((int(exact(row[0])) for row in data), default=0)
            known = self.opened.get(name)
            self.opened[name] = max(newest, known or 0)
            if known is not None and newest > known:
                await self.closed(name)

    async def _priced(self, name: str, one: Item) -> None:
        """Older than one that was told: late, and no news."""
        now = time_ms(one, "ts")
        if now >= self.price_ms.get(name, 0):
            self.price_ms[name] = now
            await self.ears.tell(Price(name, number(one, "lastPr"), now))

    # ---- what REST knows

    async def closed(self, name: str) -> None:
        """Deliver the bars that have closed since the last one. Failures are left to the next time."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            try:
                for bar in await self._news(name):
                    self.last[name] = bar.ts
                    await self.ears.tell(bar)
            except (Unreachable, Refused) as error:
                log.warning("bitget_bars_missing", symbol=name, why=error.message)

    async def _news(self, name: str) -> list[Bar]:
        last = self.last.get(name)
        found = await self.market.recent(name, 5)
        if last is None:
            self.last[name] = found[-1].ts if found else 0
            return []
        if found and found[0].ts > last + self.market.timeframe_ms:
            gap = (found[-1].ts - last) // self.market.timeframe_ms + 1
            found = await self.market.bars(name, min(gap, 5 * NEW_ROWS))
        return [bar for bar in found if bar.ts > last]

    async def check(self, *, bars: bool, prices: bool) -> None:
        """The timer's look."""
        for name in self.ears.symbols() if bars else ():
            await self.closed(name)
        for name in self.ears.priced() if prices else ():
            try:
                now = await self.market.price(name)
            except (Unreachable, Refused) as error:
                log.warning("bitget_price_missing", symbol=name, why=error.message)
                continue
            if now.time_ms > self.price_ms.get(name, 0):
                self.price_ms[name] = now.time_ms
                await self.ears.tell(now)
