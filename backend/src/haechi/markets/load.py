"""Files -> what a back-test takes: bars on the tick grid, funding in 1e-8. Refuses what is broken; leaves gaps as gaps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from haechi.core.bars import Bars, to_ticks
from haechi.core.units import SCALE, UnitError, exact
from haechi.errors import BadInput

from .files import read_bars, read_funding
from .rows import BLOCK, PRICES
from .timeframes import NAMES, TIMEFRAMES, confirm, detect, milliseconds
from .times import instant

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from haechi.core.run import Funding

THREADS = 2  # rounding releases the interpreter lock; more threads only compete for memory


def load_bars(path: str | Path, *, symbol: str | None = None, timeframe: str | None = None, tick: str | Decimal,  # noqa: PLR0913
              start: int | str | None = None, end: int | str | None = None) -> Bars:
    """Bars of one file, or of the part `start` (included) to `end` (not included), each in ms or ISO text (UTC).

    `symbol` defaults to the file name up to the first `_` (in a store: the folder); `timeframe` to the median step.
    Raises BadInput for a broken or unsorted file, an unclear timeframe, no bar in the range, or a tick that does not fit.
    """
    path = Path(path)
    frame = read_bars(path)
    length = _timeframe(frame["ts"].to_numpy(), timeframe, path.name)
    frame = between(frame, start, end)
    if not len(frame):
        raise BadInput(f"{path.name}: no bar from {start or 'the beginning'} to {end or 'the end'}")
    return to_bars(frame, symbol=symbol or symbol_of(path), timeframe_ms=length, tick=tick)


def to_bars(frame: pl.DataFrame, *, symbol: str, timeframe_ms: int, tick: str | Decimal) -> Bars:
    """A checked frame -> Bars on the tick grid. Raises BadInput when the tick does not fit the prices."""
    try:
        step = exact(tick)
        if step <= 0:
            raise UnitError(f"tick must be greater than 0, got {tick}")
        with ThreadPoolExecutor(THREADS) as pool:
            columns = list(pool.map(lambda name: _ticks(frame[name].to_numpy(), step), PRICES))
    except UnitError as error:
        raise BadInput(str(error)) from None
    (o, h, low, c), off = [ticks for ticks, _ in columns], np.logical_or.reduce([away for _, away in columns])
    if len(low) and int(low.min()) < 1:
        raise BadInput(f"tick {step} is too coarse for {symbol}: a price of {float(frame['low'].to_numpy().min())} would "
                       f"become 0; pass a finer tick")
    return Bars(symbol, timeframe_ms, step, frame["ts"].to_numpy(), o, h, low, c, frame["volume"].to_numpy(), int(off.sum()))


def load_funding(path: str | Path) -> Funding:
    """Funding of one file: times rounded to the nearest minute, rates in 1e-8 (rounded half away from zero)."""
    from haechi.core.run import Funding  # the engine is compiled code: loaded only when it is about to be used

    frame = read_funding(Path(path))
    rate = frame["rate"].to_numpy()
    units = (np.sign(rate) * np.floor(np.abs(rate) * SCALE + 0.5)).astype(np.int64)
    return Funding(ts=frame["ts"].to_numpy(), rate=units)


def between(frame: pl.DataFrame, start: int | str | None, end: int | str | None) -> pl.DataFrame:
    """The rows with start <= ts < end of a sorted frame (a view)."""
    ts = frame["ts"].to_numpy()
    first = 0 if start is None else int(np.searchsorted(ts, instant(start)))
    last = len(ts) if end is None else int(np.searchsorted(ts, instant(end)))
    return frame.slice(first, max(0, last - first))


def symbol_of(path: Path) -> str:
    """BTCUSDT_perp_binance_1m.parquet -> BTCUSDT; in a store, .../BTCUSDT/1m.parquet -> BTCUSDT."""
    if path.stem in TIMEFRAMES:
        return path.resolve().parent.name
    return path.stem.split("_")[0].upper()


def _timeframe(ts: NDArray[np.int64], timeframe: str | None, where: str) -> int:
    try:
        if timeframe is None:
            return detect(ts)
        length = milliseconds(timeframe)
        confirm(ts, length)
    except BadInput as error:
        raise BadInput(f"{where}: {error.message}") from None
    return length


def timeframe_name(ts: NDArray[np.int64], timeframe: str | None, where: str) -> str:
    """The timeframe given, confirmed by the bars, or the one they show. Raises BadInput."""
    return NAMES[_timeframe(ts, timeframe, where)]


def _ticks(values: NDArray[np.float64], tick: Decimal) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The engine's rounding, a block at a time so that its temporaries stay in the cache."""
    ticks, away = np.empty(len(values), dtype=np.int64), np.empty(len(values), dtype=np.bool_)
    for start in range(0, len(values), BLOCK):
        block = slice(start, start + BLOCK)
        ticks[block], away[block] = to_ticks(values[block], tick)
    return ticks, away
