"""Files into the store: all of them are read and checked first, then one write brings in everything or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from haechi.errors import BadInput

from .checks import report
from .files import is_synthetic, read_bars, read_funding
from .load import symbol_of, timeframe_name
from .shift import Shift
from .store import FUNDING, SYNTHETIC_VENUE, Added, Policy, Store, check_grid, merge, symbol_name, venue_name
from .timeframes import TIMEFRAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl


class Incoming(NamedTuple):
    """Rows of one symbol, of one or several files. `timeframe` is `funding` for funding rates."""

    symbol: str
    timeframe: str
    frame: pl.DataFrame


def read_incoming(paths: Iterable[Path], *, symbol: str | None = None, timeframe: str | None = None, funding: bool = False) -> Incoming:
    """Files of one symbol and one timeframe as one frame. Rows two files share must be equal. Raises BadInput."""
    found: Incoming | None = None
    first = ""
    for path in paths:
        one = _funding(path, symbol) if funding else _bars(path, symbol, timeframe)
        if found is None:
            found, first = one, path.name
            continue
        if (one.symbol, one.timeframe) != (found.symbol, found.timeframe):
            raise BadInput(f"{path.name} holds {one.symbol} {one.timeframe}, but {first} {found.symbol} {found.timeframe}; "
                           f"import them one by one")
        found = found._replace(frame=_joined(found.frame, one.frame, path.name))
    if found is None:
        raise BadInput("name at least one file to import")
    return found


def _bars(path: Path, symbol: str | None, timeframe: str | None) -> Incoming:
    frame = read_bars(path)
    name = timeframe_name(frame["ts"].to_numpy(), timeframe, path.name)
    try:
        check_grid(int(frame["ts"][0]), name)
    except BadInput as error:
        raise BadInput(f"{path.name}: {error.message}") from None
    return Incoming(symbol_name(symbol or symbol_of(path)), name, frame)


def _funding(path: Path, symbol: str | None) -> Incoming:
    return Incoming(symbol_name(symbol or symbol_of(path)), FUNDING, read_funding(path))


def _joined(old: pl.DataFrame, new: pl.DataFrame, where: str) -> pl.DataFrame:
    try:
        return merge(old, new, "refuse")[0]
    except BadInput as error:
        raise BadInput(f"{where}: {error.message}; an earlier file says otherwise") from None


def import_files(store: Store, paths: Sequence[Path], incoming: Incoming, *, venue: str, policy: Policy = "refuse",
                 trusted: pl.DataFrame | None = None, shift_allowed: bool = False) -> tuple[Added, Shift | None]:
    """Check the times against trusted bars (those given, else the stored ones of the symbol), then write. Raises BadInput and Conflict."""
    check_label(paths, venue)
    shift = None if incoming.timeframe == FUNDING else find_shift(store, incoming, venue, trusted)
    if shift is not None and shift.verdict in ("shifted", "varies") and not shift_allowed:
        raise BadInput(f"{paths[0].name}: {shift.sentence}; correct the times, or import them as they are with --despite-shift")
    added = store.add(incoming.frame, venue=venue, symbol=incoming.symbol, timeframe_name=incoming.timeframe, policy=policy)
    return added, shift


def check_label(paths: Sequence[Path], venue: str) -> None:
    """An invented market stays labelled: it is stored under the venue `synthetic`, and nothing else is."""
    for path in paths:
        if is_synthetic(path) != (venue_name(venue) == SYNTHETIC_VENUE):
            raise BadInput(f"{path.name} is an invented market; import it with --venue {SYNTHETIC_VENUE}" if is_synthetic(path) else
                           f"{path.name} does not say that its market is invented; the venue {SYNTHETIC_VENUE} is for files of "
                           f"`haechi data sample`")


def find_shift(store: Store, incoming: Incoming, venue: str, trusted: pl.DataFrame | None) -> Shift | None:
    """None when there is nothing to compare with."""
    known = trusted if trusted is not None else stored_bars(store, venue, incoming)
    return None if known is None else report(incoming.frame, source=incoming.symbol, trusted=known).shift


def stored_bars(store: Store, venue: str, incoming: Incoming) -> pl.DataFrame | None:
    """The finest stored bars of the symbol that reach into the time of the new ones: of the venue, else of another."""
    first, last = int(incoming.frame["ts"][0]), int(incoming.frame["ts"][-1])
    fitting = [entry for entry in store.list() if entry.symbol == incoming.symbol and entry.timeframe != FUNDING
               and entry.venue != SYNTHETIC_VENUE and entry.first <= last and entry.last >= first]
    if not fitting or venue_name(venue) == SYNTHETIC_VENUE:
        return None
    best = min(fitting, key=lambda entry: (entry.venue != venue_name(venue), TIMEFRAMES[entry.timeframe]))
    return store.read(best.venue, best.symbol, best.timeframe)
