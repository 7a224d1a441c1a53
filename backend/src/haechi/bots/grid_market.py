"""What the grid pages ask the market: its last price and day, its last bars. Of the market this server plays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from haechi.bots.grid_schemas import MarketAnswer
from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.errors import Conflict, NotFound
from haechi.markets.feed import Listing, Market

if TYPE_CHECKING:
    from haechi.venue.exchange import TickBar

DAY_MS = 86_400_000


def instrument_at(there: Listing, symbol: str) -> Instrument:
    """Raises NotFound."""
    known = {one.symbol: one for one in there.instruments}
    if symbol.upper() not in known:
        raise NotFound(f"There is no market {symbol.upper()[:32]}; there are {', '.join(known)}.")
    return known[symbol.upper()]


def last_bars(market: Market, one: Instrument, most: int) -> list[TickBar]:
    """Oldest first. Raises Conflict while the market has told no price."""
    found = list(market.venue.candles.get(one.symbol, ()))[-most:]
    if not found:
        raise no_price(one.symbol)
    return found


def no_price(symbol: str) -> Conflict:
    return Conflict(f"{symbol} has no price yet; ask again in a moment.", code="no_price")


def day_of(market: Market, symbol: str) -> MarketAnswer:
    one = instrument_at(market.tape, symbol)
    rows = last_bars(market, one, DAY_MS // market.tape.timeframe_ms)
    rows = [row for row in rows if row.ts > rows[-1].ts - DAY_MS]
    low, high, opened, close = min(row.low for row in rows), max(row.high for row in rows), rows[0].open, rows[-1].close
    return MarketAnswer(symbol=one.symbol, price=float(one.price(close)), high_24h=float(one.price(high)), low_24h=float(one.price(low)),
                        change_24h=round((close / opened - 1) * 100, 4))


def bars_of(one: Instrument, timeframe_ms: int, rows: Sequence[TickBar]) -> Bars:
    """As a back-test takes them."""
    table = np.array([row[:5] for row in rows], dtype=np.int64)
    ts, opened, high, low, close = (table[:, k].copy() for k in range(5))
    return Bars(one.symbol, timeframe_ms, one.tick, ts, opened, high, low, close, np.array([row.volume for row in rows]))
