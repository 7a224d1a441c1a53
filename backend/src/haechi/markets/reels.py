"""What a venue can play: an invented market, a file of bars, of trades or of a recorded book. One Reel each, read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haechi.core.instrument import Instrument
from haechi.errors import BadInput
from haechi.markets.feed import MINUTE_MS, SYNTHETIC, tape_of
from haechi.venue.moments import Moment

if TYPE_CHECKING:
    import polars as pl

    from haechi.venue.floor import Floor
    from haechi.venue.serve import Paced

REAL_STEP_MS = 250  # how often the price of a replayed bar moves, in the watcher's time
SUBSTEPS_MAX = 40
BOOK_COLUMNS = {"ts", "side", "price", "size", "seq", "snapshot"}
TRADE_COLUMNS = {"ts", "price", "size", "side"}


@dataclass(frozen=True)
class Reel:
    """Instruments and the moments of their markets, in order. label: what to call it. What is before `warm_until` (ms) is past."""

    instruments: tuple[Instrument, ...]
    timeframe_ms: int
    moments: Iterator[Moment]
    label: str
    warm_until: int = 0

    async def begin(self, floor: Floor) -> None:
        """The past of the market, played at once, so that indicators have bars to begin with."""
        while floor.now_ms < self.warm_until:
            moment = next(self.moments, None)
            if moment is None:
                return
            await floor.play(moment)

    async def play(self, floor: Floor, pace: Paced) -> None:
        """The rest of it, each moment when its time has come."""
        from haechi.venue.serve import play

        await play(floor, self.moments, pace)


def reel_of(market: str, *, seed: int, now_ms: int, speed: float | None) -> Reel:
    """`synthetic`, or a file. speed None: stepped. Raises BadInput."""
    path = Path(market)
    if market != SYNTHETIC and not path.is_file():
        raise BadInput(f"{market!r} is neither 'synthetic', 'live:bitget' nor a file of bars, trades or a recorded book")
    columns = set() if market == SYNTHETIC else columns_of(path)
    if columns >= BOOK_COLUMNS:
        return book_reel(path)
    if columns >= TRADE_COLUMNS:
        return trade_reel(path)
    from haechi.markets.moments import bar_moments

    tape = tape_of(market, seed=seed, now_ms=now_ms)
    places = {one.symbol: m for m, one in enumerate(tape.instruments)}
    return Reel(tape.instruments, tape.timeframe_ms, bar_moments(tape.instants, places, tape.timeframe_ms,
                                                                 substeps_of(tape.timeframe_ms, speed)), tape.label,
                now_ms // MINUTE_MS * MINUTE_MS - 1 if market == SYNTHETIC else 0)


def substeps_of(timeframe_ms: int, speed: float | None) -> int:
    """Moves a line of the path, so that a watcher sees the price move about every quarter of a second; a stepped market has its corners."""
    return 1 if speed is None else max(1, min(SUBSTEPS_MAX, round(timeframe_ms / speed / 4 / REAL_STEP_MS)))


def columns_of(path: Path) -> set[str]:
    """Column names of a Parquet file; of others none: they are bars."""
    import polars as pl

    if path.suffix.lower() != ".parquet":
        return set()
    try:
        return set(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(f"{path.name}: the file is damaged: {str(error).splitlines()[0]}") from None


def symbol_of(path: Path) -> str:
    """The first part of the name, as in BTCUSDT_perp_….parquet."""
    symbol = path.stem.split("_")[0].upper()
    if not symbol.isalnum():
        raise BadInput(f"{path.name}: a file of trades or of a book is named after its symbol, as BTCUSDT_….parquet")
    return symbol


def instrument_of(path: Path, prices: list[float], sizes: list[float]) -> Instrument:
    """The grid is the finest decimals that prices and sizes use."""
    if not prices:
        raise BadInput(f"{path.name} has no rows")
    return Instrument(symbol_of(path), tick=finest(prices), lot=finest(sizes))


def finest(figures: list[float]) -> Decimal:
    decimals = max(-int(Decimal(repr(figure)).normalize().as_tuple().exponent) for figure in figures)
    return Decimal(1).scaleb(-min(8, max(0, decimals)))


def trade_reel(path: Path) -> Reel:
    """Trades as they came; bars are made from them."""
    import polars as pl

    from haechi.markets.moments import Minutes

    frame = pl.read_parquet(path, columns=sorted(TRADE_COLUMNS)).sort("ts", maintain_order=True)
    one = instrument_of(path, frame["price"].head(20_000).to_list(), frame["size"].head(20_000).to_list())

    def moments() -> Iterator[Moment]:
        minutes = Minutes(0, one.symbol, MINUTE_MS)
        for row in frame.iter_rows(named=True):
            side = 1 if str(row["side"]).lower() == "buy" else -1
            yield from minutes.price(row["ts"], ticks(one, row["price"]), float(row["size"]), side)
        yield from minutes.end()

    return Reel((one,), MINUTE_MS, moments(), path.name)


def ticks(one: Instrument, price: float) -> int:
    return one.ticks_nearest(Decimal(repr(price)))


def book_reel(path: Path) -> Reel:
    """A recorded book, message by message."""
    import polars as pl

    from haechi.markets.moments import book_moments

    frame = pl.read_parquet(path, columns=sorted(BOOK_COLUMNS))
    one = instrument_of(path, frame["price"].head(20_000).to_list(), frame["size"].head(20_000).to_list())
    return Reel((one,), MINUTE_MS, book_moments(messages(frame, one), 0, one.symbol, MINUTE_MS), path.name)


def messages(frame: pl.DataFrame, one: Instrument) -> Iterator[tuple[int, bool, tuple[Any, ...], tuple[Any, ...]]]:
    """Rows of one seq belong together."""
    rows: list[dict[str, Any]] = []
    for row in frame.iter_rows(named=True):
        if rows and row["seq"] != rows[0]["seq"]:
            yield message(rows, one)
            rows = []
        rows.append(row)
    if rows:
        yield message(rows, one)


def message(rows: list[dict[str, Any]], one: Instrument) -> tuple[int, bool, tuple[Any, ...], tuple[Any, ...]]:
    sides: dict[str, list[tuple[int, int]]] = {"bid": [], "ask": []}
    for row in rows:
        sides[row["side"]].append((ticks(one, row["price"]), one.lots(Decimal(repr(row["size"])))))
    return rows[0]["ts"], bool(rows[0]["snapshot"]), tuple(sides["bid"]), tuple(sides["ask"])
