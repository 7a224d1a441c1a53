"""Candles for a back-test job, from the store or from what was uploaded. Loads polars: for worker processes only."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from haechi.core.bars import Bars
from haechi.core.run import Funding
from haechi.errors import BadInput, NotFound
from haechi.markets.load import load_funding, to_bars
from haechi.markets.store import FUNDING, Store, check, symbol_name
from haechi.markets.timeframes import TIMEFRAMES, timeframe
from haechi.markets.venues import the_venue
from haechi.research.invented import noted

BARS_MAX = 3_000_000  # five years of minutes


def candles(data: dict[str, Any], tick: Decimal, root: Path) -> tuple[Bars, Funding | None]:
    """Bars on the tick grid, and the stored funding of the same venue if there is any. Raises BadInput and NotFound."""
    return uploaded(data, tick) if "bars" in data else stored(data, tick, Store(root))


def uploaded(data: dict[str, Any], tick: Decimal) -> tuple[Bars, None]:
    name = timeframe(data["timeframe"])
    rows = [{"ts": milliseconds(bar["time"]), **{key: float(bar[key]) for key in ("open", "high", "low", "close", "volume")}}
            for bar in data["bars"]]
    frame = pl.DataFrame(rows)
    check(frame, name)
    return to_bars(frame, symbol=symbol_name(data["symbol"]), timeframe_ms=TIMEFRAMES[name], tick=tick), None


def stored(data: dict[str, Any], tick: Decimal, store: Store) -> tuple[Bars, Funding | None]:
    symbol, name = symbol_name(data["symbol"]), timeframe(data["timeframe"])
    venue = data["venue"] or the_venue(store, symbol, name)
    frame = store.read(venue, symbol, name, start=bound(data["from"]), end=bound(data["to"]))
    if len(frame) > BARS_MAX:
        raise BadInput(f"{len(frame)} candles are more than the {BARS_MAX} one back-test may have; choose a shorter time")
    if not len(frame):
        raise NotFound(f"the store has no {name} candles of {symbol} at {venue} in that time")
    bars = noted(to_bars(frame, symbol=symbol, timeframe_ms=TIMEFRAMES[name], tick=tick), store.path(venue, symbol, name))
    return bars, load_funding(store.path(venue, symbol, FUNDING)) if store.has(venue, symbol, FUNDING) else None


def bound(text: str | None) -> int | None:
    return None if text is None else milliseconds(text)


def milliseconds(text: str) -> int:
    """ISO 8601 with its zone, as pydantic wrote it -> milliseconds UTC."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
