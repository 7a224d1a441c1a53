"""`haechi strategies`: what there is, one as it is written, and whether a document of one's own can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Strategies and strategy documents.")

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@app.command("list")
def listed(json: Json = False) -> None:
    """Every strategy that `haechi backtest` takes by name."""
    import msgspec

    from haechi.core.strategies import find, names
    from haechi.research.printing import print_table

    found = [find(name) for name in names()]
    if json:
        rows = [{"name": one.name, "timeframe": one.timeframe, "source": one.source, "description": one.description} for one in found]
        print(msgspec.json.encode(rows).decode())
        return
    longest = max(len(one.name) for one in found)
    print_table([[f"{one.name:<{longest}}  {one.timeframe or '-':<4} {one.description}"] for one in found])


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME|FILE.yaml")]) -> None:
    """A strategy as it is written; a beginning for one's own."""
    from haechi.core.strategies import LIBRARY, library_text
    from haechi.research.inputs import strategy_of, strategy_source

    if name in LIBRARY:
        print(library_text(name).rstrip())
        return
    source, where = strategy_source(name)
    one = strategy_of(source, where)
    print(source.rstrip() if where and isinstance(source, str) else f"{one.name} ({one.source}): {one.description}")


@app.command()
def validate(file: Annotated[Path, typer.Argument(metavar="FILE.yaml")]) -> None:
    """Whether a document can be used: every fault at once, or its parameters, warm-up and cost."""
    from haechi.core.language import Document, LanguageError
    from haechi.core.strategies import Written
    from haechi.errors import BadInput
    from haechi.research.inputs import document_text
    from haechi.research.result_json import plain

    try:
        one = Written(Document.parse(document_text(file)))
    except LanguageError as error:
        raise BadInput(f"{file.name} cannot be used:\n" + "\n".join(f"  {line}" for line in str(error).splitlines())) from None
    params = ", ".join(f"{name} {plain(value)}" for name, value in one.params().items())
    print(f"{file.name} can be used: {one.name}, {one.timeframe} bars{', ' + params if params else ''}")
    print(f"first signal after {one.warm_up()} bars; {one.cost()} operations a bar")
