"""`haechi data …`. What the commands need is imported in their bodies, so that the help comes at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haechi.errors import BadInput

if TYPE_CHECKING:
    import polars as pl

    from .store import Store

app = typer.Typer(help="Candle files and the candle store.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Root = Annotated[Path | None, typer.Option("--store", metavar="DIR", help="Folder of the store; default: HAECHI_DATA.")]
Venue = Annotated[str, typer.Option("--venue", metavar="V", help="Where the market is, such as bitget or binance.")]
Symbol = Annotated[str | None, typer.Option("--symbol", metavar="S", help="Default: the file's name up to the first _.")]
Timeframe = Annotated[str | None, typer.Option("--timeframe", metavar="TF", help="Default: the step between the bars.")]
Trusted = Annotated[Path | None, typer.Option("--trusted", metavar="FILE", help="Bars whose times are known to be right.")]
Replace = Annotated[bool, typer.Option("--replace", help="Let the new take the place of the old where they differ.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="First bar, ISO text or ms, UTC.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Bars open before this, ISO text or ms, UTC.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A .parquet file to write.")]


def open_store(given: Path | None) -> Store:
    """The store named, or the one of the settings (which may not be complete: no secret is needed here)."""
    from pydantic import ValidationError

    from haechi.settings import Settings

    from .store import Store

    if given is not None:
        return Store(given)
    try:
        return Store(Settings().haechi_data)
    except ValidationError:
        raise BadInput("the settings cannot be used (haechi doctor says why); name the store with --store") from None


@app.command("import")
def import_command(files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of one symbol and timeframe.")],  # noqa: PLR0913
                   venue: Venue, symbol: Symbol = None, timeframe: Timeframe = None,
                   funding: Annotated[bool, typer.Option("--funding", help="The files hold funding rates.")] = False,
                   replace: Replace = False, trusted: Trusted = None,
                   despite_shift: Annotated[bool, typer.Option("--despite-shift", help="Import although the times look shifted.")] = False,
                   root: Root = None) -> None:
    """Bring Parquet, CSV, Feather or JSON files into the store: all of them or nothing.

    \b
    haechi data import BTCUSDT_1m.csv --venue binance
    haechi data import days/*.json --venue bitget --symbol ETHUSDT --timeframe 5m
    haechi data import BTCUSDT_funding.parquet --venue binance --funding
    """
    from .files import read_bars
    from .importing import import_files, read_incoming
    from .progress import shown
    from .timeframes import timeframe as spelled

    if funding and timeframe:
        raise BadInput("--funding and --timeframe do not go together; funding has no timeframe")
    wanted = spelled(timeframe) if timeframe else None
    with shown("reading") as advance:
        def reading() -> list[Path]:
            return files

        def steps():  # type: ignore[no-untyped-def]
            for done, path in enumerate(reading()):
                advance(done, len(files), path.name)
                yield path
        incoming = read_incoming(steps(), symbol=symbol, timeframe=wanted, funding=funding)
    added, shift = import_files(open_store(root), files, incoming, venue=venue, policy="replace" if replace else "refuse",
                                trusted=read_bars(trusted) if trusted else None, shift_allowed=despite_shift)
    typer.echo(f"{incoming.symbol} {incoming.timeframe} at {venue.lower()}: {added.rows_added:,} rows added, {added.rows_replaced:,} replaced, "
               f"{added.rows_same:,} were there already; {added.rows_after:,} in all")
    if incoming.timeframe != "funding":
        typer.echo(f"time shift: {shift.sentence if shift else 'not looked for, there are no other bars to compare with (--trusted FILE names some)'}")
