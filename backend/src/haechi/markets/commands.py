"""`haechi data …`. What the commands need is imported in their bodies, so that the help comes at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from haechi.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .progress import Advance
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
def import_command(files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files of one symbol and timeframe.")],  # noqa: PLR0913
                   venue: Venue, symbol: Symbol = None, timeframe: Timeframe = None,
                   funding: Annotated[bool, typer.Option("--funding", help="The files hold funding rates.")] = False,
                   replace: Replace = False, trusted: Trusted = None,
                   despite_shift: Annotated[bool, typer.Option("--despite-shift", help="Import although the times look shifted.")] = False,
                   root: Root = None) -> None:
    """Bring Parquet, CSV, Feather or JSON files into the store: all of them or nothing.

    \b
    haechi data import BTCUSDT_1m.csv --venue binance
    haechi data import day1.json day2.json --venue bitget --symbol ETHUSDT --timeframe 5m
    haechi data import BTCUSDT_funding.parquet --venue binance --funding
    """
    from .files import read_bars
    from .importing import import_files, read_incoming
    from .progress import shown

    if funding and timeframe:
        raise BadInput("--funding and --timeframe do not go together; funding has no timeframe")
    with shown("reading") as advance:
        incoming = read_incoming(told(files, advance), symbol=symbol, timeframe=timeframe, funding=funding)
    added, shift = import_files(open_store(root), files, incoming, venue=venue, policy="replace" if replace else "refuse",
                                trusted=read_bars(trusted) if trusted else None, shift_allowed=despite_shift)
    print(f"{incoming.symbol} {incoming.timeframe} at {venue.lower()}: {added.rows_added:,} rows added, {added.rows_replaced:,} replaced, "
          f"{added.rows_same:,} were there already; {added.rows_after:,} in all")
    if not funding:
        print(f"time shift: {shift.sentence if shift else 'not looked for, there are no bars to compare with (--trusted names some)'}")


def told(files: list[Path], advance: Advance) -> Iterator[Path]:
    for done, path in enumerate(files):
        advance(done, len(files), path.name)
        yield path


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="Bars: a file, or one of `haechi data list --paths`.")],
          tick: Annotated[str | None, typer.Option("--tick", metavar="PRICE", help="Count the prices off this step.")] = None,
          trusted: Trusted = None, as_json: AsJson = False) -> None:
    """What is right and wrong with a file of bars. Exit code 1 when bars are impossible, out of order or shifted.

    \b
    haechi data check BTCUSDT_1m.csv
    haechi data check BTCUSDT_1m.csv --tick 0.1 --trusted BTCUSDT_1h.parquet --json
    """
    import msgspec

    from .checks import lines, report
    from .files import is_synthetic, read_bars, read_frame

    found = report(read_frame(file), source=file.name, synthetic=is_synthetic(file), tick=tick,
                   trusted=read_bars(trusted) if trusted else None)
    print(msgspec.json.encode(found).decode() if as_json else table(lines(found)))
    raise typer.Exit(0 if found.sound else 1)


@app.command("list")
def list_command(paths: Annotated[bool, typer.Option("--paths", help="Only the files, one a line.")] = False, as_json: AsJson = False,
                 root: Root = None) -> None:
    """What the store holds.

    \b
    haechi data list
    haechi data list --json --store /data/candles
    """
    import msgspec

    from .times import iso

    store = open_store(root)
    entries = store.list()
    if as_json:
        print(msgspec.json.encode(entries).decode())
    elif paths:
        print("\n".join(str(store.path(entry.venue, entry.symbol, entry.timeframe)) for entry in entries))
    elif not entries:
        print(f"{store.root}: nothing is stored yet; bring candles in with `haechi data import` or `haechi data download`")
    else:
        rows = [("venue", "symbol", "timeframe", "rows", "first", "last", "bytes")]
        rows += [(e.venue, e.symbol, e.timeframe, f"{e.rows:,}", iso(e.first), iso(e.last), f"{e.bytes:,}") for e in entries]
        print(table(rows))


@app.command()
def resample(file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Bars; without it, those of the store.")] = None,  # noqa: PLR0913
             to: Annotated[str, typer.Option("--to", metavar="TF", help="Timeframe to make.")] = "", out: Out = None,
             venue: Annotated[str | None, typer.Option("--venue", metavar="V", help="Of the store.")] = None,
             symbol: Annotated[str | None, typer.Option("--symbol", metavar="S", help="Of the store.")] = None,
             source: Annotated[str, typer.Option("--source", metavar="TF", help="Timeframe of the store to make it from.")] = "1m",
             partial: Annotated[bool, typer.Option("--partial", help="Also bars that miss some of what they are made of.")] = False,
             replace: Replace = False, root: Root = None) -> None:
    """Make longer bars: from a file into a file, or inside the store.

    \b
    haechi data resample BTCUSDT_1m.parquet --to 4h --out BTCUSDT_4h.parquet
    haechi data resample --venue bitget --symbol BTCUSDT --source 1m --to 1h
    """
    from .resampling import resample_file, resample_stored

    if not to:
        raise BadInput("--to names the timeframe to make, such as --to 4h")
    if file is not None and out is not None and venue is None and symbol is None:
        made = resample_file(file, to, out, partial=partial, replace=replace)
    elif file is None and out is None and venue is not None and symbol is not None:
        made = resample_stored(open_store(root), venue, symbol, source, to, partial=partial, replace=replace)
    else:
        raise BadInput("give FILE and --out, or --venue and --symbol of the store")
    left = "made of what there is" if partial else "left out"
    print(f"{made.bars:,} bars of {made.timeframe} written: {made.path}; {made.incomplete:,} that miss something inside were {left}")


@app.command()
def download(symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL", help="Such as BTCUSDT.")],  # noqa: PLR0913
             start: Annotated[str, typer.Option("--from", metavar="TIME", help="First bar, ISO text or ms, UTC.")],
             end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Bars open before this; default: now.")] = None,
             timeframe: Annotated[str, typer.Option("--timeframe", metavar="TF", help="Of the bars.")] = "1m",
             exchange: Annotated[str, typer.Option("--exchange", metavar="E", help="bitget, or one of ccxt (an extra).")] = "bitget",
             address: Annotated[str | None, typer.Option("--address", metavar="URL", help="Of what speaks like Bitget's API.")] = None,
             replace: Replace = False, root: Root = None) -> None:
    """Fetch finished bars from an exchange's public API into the store. What is stored already is not asked for again.

    \b
    haechi data download BTCUSDT --from 2024-01-01
    haechi data download BTCUSDT ETHUSDT --timeframe 1h --from 2023-01-01 --to 2024-01-01
    haechi data download BTCUSDT --exchange binance --from 2024-01-01      (needs: pip install 'haechi[ccxt]')
    """
    from .downloading import download_all

    for line in download_all(open_store(root), symbols, exchange=exchange, timeframe=timeframe, start=start, end=end, address=address,
                             policy="replace" if replace else "refuse"):
        print(line)


@app.command()
def sample(out: Annotated[Path, typer.Argument(metavar="FILE.parquet", help="To write; the name up to the first _ is the symbol.")],  # noqa: PLR0913
           bars: Annotated[int, typer.Option("--bars", metavar="N", help="How many.")] = 43_200,
           seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed makes the same market.")] = 1,
           timeframe: Annotated[str, typer.Option("--timeframe", metavar="TF", help="Of the bars.")] = "1m",
           start: Annotated[str, typer.Option("--from", metavar="TIME", help="First bar, UTC.")] = "2024-01-01",
           price: Annotated[str, typer.Option("--price", metavar="PRICE", help="Of the first bar.")] = "60000",
           tick: Annotated[str, typer.Option("--tick", metavar="PRICE", help="Step of the prices.")] = "0.1",
           replace: Replace = False) -> None:
    """Write an invented market, labelled synthetic, to try things with. It says nothing about any real one.

    \b
    haechi data sample BTCUSDT_1m.parquet
    haechi data sample XRPUSDT_5m.parquet --bars 8640 --timeframe 5m --price 0.6 --tick 0.0001 --seed 7
    """
    from .sampling import write_sample

    write_sample(out, bars=bars, seed=seed, timeframe_name=timeframe, start=start, price=price, tick=tick, replace=replace)
    print(f"{bars:,} SYNTHETIC bars written: {out}")


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Columns side by side, two spaces apart."""
    cells = list(rows)
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
