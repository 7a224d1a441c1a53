"""The command `haechi`. Each command loads what it needs when it runs, so that the help and the quick ones are quick."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import haechi
from haechi.errors import BadInput
from haechi.markets.venue_command import venue
from haechi.research.commands import backtest, sweep
from haechi.trading.kill_command import kill, kills, unkill

INTERRUPTED = 130
PLAIN = "Automated crypto futures trading where back-test, paper and live agree, trade for trade."


def later(module: str) -> type[TyperGroup]:
    """A group whose commands are in `module`.app, loaded when one of them or their help is asked for."""

    class Later(TyperGroup):
        def _loaded(self) -> TyperGroup:
            from importlib import import_module

            found = typer.main.get_command(import_module(module).app)
            assert isinstance(found, TyperGroup)
            return found

        def list_commands(self, ctx: Any) -> list[str]:
            return self._loaded().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return self._loaded().get_command(ctx, cmd_name)

    return Later


app = typer.Typer(name="haechi", help=PLAIN, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
                  pretty_exceptions_enable=False)
app.command("backtest")(backtest)
app.command("sweep")(sweep)
app.command("venue")(venue)
app.command("kill")(kill)
app.command("unkill")(unkill)
app.command("kills")(kills)
for name, module, text in (("data", "haechi.markets.commands", "Candle files and the candle store."),
                           ("strategies", "haechi.research.strategy_commands", "Strategies and strategy documents."),
                           ("users", "haechi.identity.commands", "People: add, list, roles, suspend."),
                           ("audit", "haechi.identity.audit_commands", "The chain of privileged acts."),
                           ("keys", "haechi.identity.key_commands", "The keys that seal secrets in the database.")):
    app.add_typer(typer.Typer(cls=later(module), rich_markup_mode=None, no_args_is_help=True), name=name, help=text)


@app.command()
def serve(host: Annotated[str | None, typer.Option(help="Address to listen on; default: HOST.")] = None,
          port: Annotated[int | None, typer.Option(help="Port; default: PORT.")] = None,
          market: Annotated[str | None, typer.Option(metavar="FILE|live:bitget", help="What is played; default: MARKET.")] = None,
          speed: Annotated[float | None, typer.Option(help="How many times faster than real time; default: SPEED.")] = None) -> None:
    """The server: API, status page, paper venue and bots."""
    from haechi.app import serve as run
    from haechi.health.doctor import address_problem
    from haechi.settings import load_settings

    given = {"host": host, "port": port, "market": market, "speed": speed}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    if speed is not None and settings.market.startswith("live:"):
        raise BadInput("a live market has its own time: leave --speed out")
    problem = address_problem(settings.host, settings.port)
    if problem is not None:
        raise typer.Exit(said(problem, 2))
    prepare()
    print(f"haechi {haechi.__version__} on http://{settings.host}:{settings.port}  (Ctrl-C stops it)", flush=True)
    run(settings)


def prepare() -> None:
    """Compile what a bot runs through before anybody can ask for one: a request should not wait for it."""
    from haechi.bots.starting import warm
    from haechi.research.compiling import announce_compile

    announce_compile("decide.decide")
    warm()


@app.command()
def replay(journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A bot's journal.")]) -> None:
    """Repeat what a bot saw, and show that it wishes the same."""
    from haechi.bots.replay import replay_command

    raise typer.Exit(replay_command(journal))


@app.command()
def doctor() -> None:
    """What is missing or unreachable, and what to do about it."""
    from haechi.health.doctor import examine

    raise typer.Exit(examine())


@app.command()
def migrate() -> None:
    """Bring the database to the tables of this version."""
    import asyncio

    from haechi.health.doctor import migrate as run
    from haechi.settings import load_settings

    print(asyncio.run(run(load_settings())))


@app.command()
def version() -> None:
    """The version of this program."""
    print(haechi.__version__)


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Wrong input: one sentence on stderr, exit code 2. Ctrl-C: 130."""
    gc.set_threshold(200_000, 20, 20)  # what is imported lives on: looking through it again and again takes a tenth of a second
    code = run(sys.argv[1:] if arguments is None else arguments)
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # all is written: taking a hundred megabytes of libraries apart again would only make the user wait


def run(arguments: list[str]) -> int:
    """The exit code. Nothing a user can cause ends in a traceback."""
    try:
        answer = app(arguments, standalone_mode=False)
    except KeyboardInterrupt:
        return said("stopped", INTERRUPTED)
    except BrokenPipeError:
        return 141  # whoever read our output has gone
    except Exception as error:
        code = refusal(error)
        if code is None:
            raise
        return code
    if answer == INTERRUPTED:  # typer has caught the Ctrl-C itself
        return said("stopped", INTERRUPTED)
    return answer if isinstance(answer, int) else 0


def refusal(error: Exception) -> int | None:
    """The exit code of an error that is the user's to know, told in a sentence; None for a fault of ours."""
    from haechi.errors import HaechiError

    if isinstance(error, HaechiError):
        return said(error.message, 2)
    if type(error).__name__ in ("UnitError", "LanguageError"):  # of the core, which is not imported for its names
        return said(str(error), 2)
    if type(error).__name__ == "Abort":  # how click tells a Ctrl-C
        return said("stopped", INTERRUPTED)
    if hasattr(error, "format_message"):  # click: unknown option, missing argument …
        return said(f"{error.format_message()} Ask for help with --help.", 2)
    if isinstance(error, MemoryError):
        return said("there is not enough memory for this; use fewer bars", 2)
    return None


def said(sentence: str, code: int) -> int:
    print(f"haechi: {sentence}" if code != 2 else f"error: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
