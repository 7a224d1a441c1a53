"""What is right and wrong with a set of bars: a report for people (rich) and programs (JSON). Nothing is repaired."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from haechi.core.bars import to_ticks
from haechi.core.timeframe import anchor
from haechi.core.units import UnitError, exact
from haechi.errors import BadInput

from .rows import PRICES
from .shift import Shift, compare
from .timeframes import NAMES, detect
from .times import iso

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

GAPS_LISTED = 5
FLAT_BARS = 5  # this many bars in a row at one price make a flat stretch
DECIMALS_MAX = 12


class Gap(msgspec.Struct, frozen=True):
    """Missing bars between two that are there (open times in ms)."""

    after: int
    before: int
    missing: int


class Report(msgspec.Struct, frozen=True):
    """Counts are bars. `None` means: could not be told, and `notes` says why."""

    source: str
    synthetic: bool
    rows: int
    first: int
    last: int
    timeframe: str | None
    gaps: int | None
    bars_missing: int | None
    gaps_largest: list[Gap]
    duplicates: int
    out_of_order: int
    off_time_grid: int | None
    not_finite: int
    non_positive: int
    high_low: int
    volume_negative: int
    volume_zero: int
    flat_stretches: int
    flat_longest: int
    tick_suggested: str | None
    tick: str | None
    off_tick: int | None
    shift: Shift | None
    notes: list[str]

    @property
    def sound(self) -> bool:
        """No bar is impossible, times rise on the grid, and no shift was found. Gaps and flat stretches are no faults."""
        faults = self.duplicates + self.out_of_order + (self.off_time_grid or 0) + self.not_finite + self.non_positive + self.high_low
        shifted = self.shift is not None and self.shift.verdict in ("shifted", "varies")
        return self.timeframe is not None and not faults and not self.volume_negative and not self.off_tick and not shifted


def report(frame: pl.DataFrame, *, source: str, synthetic: bool = False, tick: str | None = None,
           trusted: pl.DataFrame | None = None) -> Report:
    """Examine bars as they are in the file. `tick`: count prices off it. `trusted`: look for a time shift against these bars."""
    notes: list[str] = []
    ts = frame["ts"].to_numpy()
    prices = {name: frame[name].to_numpy() for name in PRICES}
    volume = frame["volume"].to_numpy()
    clean = np.unique(ts)
    length = _length(clean, notes)
    finite = np.logical_and.reduce([np.isfinite(column) for column in prices.values()])
    positive = np.logical_and.reduce([column > 0 for column in prices.values()])
    usable = {name: column[finite & positive] for name, column in prices.items()}
    missing, gaps = _gaps(clean, length)
    stretches, longest = _flat(prices)
    return Report(
        source=source, synthetic=synthetic, rows=len(ts), first=int(ts.min()), last=int(ts.max()),
        timeframe=NAMES[length] if length else None,
        gaps=len(gaps) if length else None, bars_missing=missing,
        gaps_largest=sorted(gaps, key=lambda gap: (-gap.missing, gap.after))[:GAPS_LISTED],
        duplicates=len(ts) - len(clean), out_of_order=int((ts[1:] < ts[:-1]).sum()),
        off_time_grid=int(((ts - anchor(length)) % length != 0).sum()) if length else None,
        not_finite=int((~finite | ~np.isfinite(volume)).sum()), non_positive=int((finite & ~positive).sum()),
        high_low=int((finite & _crossed(prices)).sum()),
        volume_negative=int((volume < 0).sum()), volume_zero=int((volume == 0).sum()),
        flat_stretches=stretches, flat_longest=longest,
        tick_suggested=tick_of(list(usable.values()), notes),
        tick=tick, off_tick=_off_tick(usable, tick) if tick else None,
        shift=_shift(frame, trusted, length, notes) if trusted is not None else None, notes=notes)


def _length(ts: NDArray[np.int64], notes: list[str]) -> int | None:
    try:
        return detect(ts)
    except BadInput as error:
        notes.append(error.message)
        return None


def _gaps(ts: NDArray[np.int64], length: int | None) -> tuple[int | None, list[Gap]]:
    if not length:
        return None, []
    steps = np.diff(ts)
    wide = np.flatnonzero(steps > length)
    gaps = [Gap(int(ts[i]), int(ts[i + 1]), int(steps[i] // length) - 1) for i in wide]
    return sum(gap.missing for gap in gaps), gaps


def _crossed(prices: dict[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    top, bottom = np.maximum(prices["open"], prices["close"]), np.minimum(prices["open"], prices["close"])
    crossed: NDArray[np.bool_] = (prices["high"] < prices["low"]) | (prices["high"] < top) | (prices["low"] > bottom)
    return crossed


def _flat(prices: dict[str, NDArray[np.float64]]) -> tuple[int, int]:
    """Stretches of FLAT_BARS or more bars that all stand at one price, and the longest."""
    still = (prices["high"] == prices["low"]) & (prices["open"] == prices["close"]) & (prices["open"] == prices["high"])
    same = still[1:] & still[:-1] & (prices["close"][1:] == prices["close"][:-1])
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    runs = edges[1::2] - edges[::2] + 1
    long = runs[runs >= FLAT_BARS]
    return len(long), int(long.max()) if len(long) else 0


def tick_of(columns: list[NDArray[np.float64]], notes: list[str]) -> str | None:
    """The largest step on which all prices lie: their greatest common divisor, in as many decimals as they need."""
    values = np.unique(np.concatenate(columns)) if columns else np.empty(0)
    if not len(values):
        return None
    for decimals in range(DECIMALS_MAX + 1):
        scaled = values * 10.0**decimals
        whole = np.rint(scaled)
        if whole[-1] > 2**52:
            break
        if np.all(np.abs(scaled - whole) <= 1e-6 * np.maximum(1.0, whole * 1e-6)):
            step = Decimal(int(np.gcd.reduce(whole.astype(np.int64)))).scaleb(-decimals)
            return f"{step.normalize():f}"
    notes.append("no tick fits all prices: they have too many decimals")
    return None


def _off_tick(usable: dict[str, NDArray[np.float64]], tick: str) -> int:
    try:
        step = exact(tick)
        if step <= 0:
            raise UnitError(f"tick must be greater than 0, got {tick}")
        return int(np.logical_or.reduce([to_ticks(column, step)[1] for column in usable.values()]).sum())
    except UnitError as error:
        raise BadInput(str(error)) from None


def _shift(frame: pl.DataFrame, trusted: pl.DataFrame, length: int | None, notes: list[str]) -> Shift:
    if length is None:
        return Shift("cannot_tell", f"cannot tell: {notes[0]}")
    new = frame.unique("ts", keep="first").sort("ts")
    new = new.filter(new["close"].is_finite() & (new["close"] > 0))
    other = trusted["ts"].to_numpy()
    return compare((new["ts"].to_numpy(), new["close"].to_numpy(), length), (other, trusted["close"].to_numpy(), detect(other)))


def lines(result: Report) -> list[tuple[str, str]]:
    """The report as rows of a table: what, and the finding in words."""
    def count(value: int | None) -> str:
        return "not known" if value is None else f"{value:,}"

    rows = [
        ("source", result.source + (" (SYNTHETIC, no real market)" if result.synthetic else "")),
        ("bars", f"{result.rows:,}, {iso(result.first)} to {iso(result.last)}"),
        ("timeframe", result.timeframe or "not known"),
        ("gaps", f"{count(result.gaps)} ({count(result.bars_missing)} bars missing)"),
        *(("", f"{gap.missing:,} after {iso(gap.after)}") for gap in result.gaps_largest),
        ("duplicate times", count(result.duplicates)), ("out of order", count(result.out_of_order)),
        ("off the UTC grid", count(result.off_time_grid)), ("NaN or infinite", count(result.not_finite)),
        ("price not above 0", count(result.non_positive)), ("high or low violated", count(result.high_low)),
        ("negative volume", count(result.volume_negative)), ("zero volume", count(result.volume_zero)),
        ("flat stretches", f"{count(result.flat_stretches)} (longest {result.flat_longest:,} bars)"),
        ("tick suggested", result.tick_suggested or "none"),
    ]
    if result.tick:
        rows.append((f"off tick {result.tick}", count(result.off_tick)))
    rows.append(("time shift", result.shift.sentence if result.shift else "not looked for: nothing to compare with"))
    return [*rows, *(("note", note) for note in result.notes)]
