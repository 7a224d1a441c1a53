"""HTTP of charts: stored candles."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict

from haechi.identity.current import CurrentUser
from haechi.markets.venues import the_venue
from haechi.platform.answers import errors
from haechi.platform.clock import instant
from haechi.platform.house import TheHouse

CANDLES_DEFAULT = 500
CANDLES_MAX = 2000  # a wide screen shows about that many

router = APIRouter(prefix="/chart", tags=["chart"])

Name = Annotated[str, Query(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]


class Candle(BaseModel):
    """`time`: when it opened. Prices and volume (base currency) are text."""

    time: datetime
    open: str
    high: str
    low: str
    close: str
    volume: str


class CandlesAnswer(BaseModel):
    """The newest candles of the window asked for, oldest first. For older ones ask again with `to` = the first time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "venue": "bitget", "symbol": "BTCUSDT", "timeframe": "1h", "candles": [
            {"time": "2026-01-01T00:00:00Z", "open": "93500.1", "high": "93710", "low": "93402.5", "close": "93688", "volume": "812.4"}]}]})

    venue: str
    symbol: str
    timeframe: str
    candles: list[Candle]


@router.get("/candles", operation_id="chart_candles", summary="Candles of a symbol", responses=errors(401, 404, 422))
async def candles(  # noqa: PLR0913 - one argument a query field
    _user: CurrentUser, house: TheHouse, symbol: Name, timeframe: Annotated[str, Query(min_length=2, max_length=12)],
    venue: Annotated[Name | None, Query(description="Needed only when several venues have the symbol.")] = None,
    start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="Not included.")] = None,
    limit: Annotated[int, Query(ge=1, le=CANDLES_MAX)] = CANDLES_DEFAULT,
) -> CandlesAnswer:
    """Stored candles with `from` <= time < `to`; at most `limit`, the newest of them."""
    window = (milliseconds(start), milliseconds(end))
    return await asyncio.to_thread(stored_candles, house.settings.haechi_data, venue, symbol, timeframe, window, limit)


def milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def stored_candles(root: Path, venue: str | None, symbol: str, timeframe: str, window: tuple[int | None, int | None],  # noqa: PLR0913
                   limit: int) -> CandlesAnswer:
    """Read in a thread: the file is decompressed."""
    from haechi.markets.store import Store, symbol_name  # noqa: PLC0415 - brings polars, which the server starts without
    from haechi.markets.timeframes import timeframe as timeframe_name  # noqa: PLC0415 - brings numpy

    store = Store(root)
    found = venue or the_venue(store, symbol, timeframe)
    frame = store.read(found, symbol, timeframe, start=window[0], end=window[1]).tail(limit)
    return CandlesAnswer(venue=found.lower(), symbol=symbol_name(symbol), timeframe=timeframe_name(timeframe),
                         candles=[candle(row) for row in frame.iter_rows(named=True)])


def candle(row: dict[str, Any]) -> Candle:
    prices = {name: plain(row[name]) for name in ("open", "high", "low", "close", "volume")}
    return Candle(time=instant(row["ts"]), **prices)


def plain(value: float) -> str:
    """The shortest text that reads back as the same float, without exponent: 93500.0 is 93500."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
