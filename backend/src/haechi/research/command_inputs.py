"""What a command line says, put into values: pairs, axes, files. Raises BadInput naming the option."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haechi.errors import BadInput
from haechi.research.grid import steps
from haechi.research.writing import check_target

if TYPE_CHECKING:
    from haechi.core.bars import Bars
    from haechi.core.run import Funding


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """["period=14"] -> {"period": "14"}."""
    found: dict[str, str] = {}
    for text in given or []:
        name, sign, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not sign or not name or not value:
            raise BadInput(f"{option} {text!r} must be written name=value")
        if name in found:
            raise BadInput(f"{option} {name} is given twice")
        found[name] = value
    return found


def axes(given: Sequence[str]) -> dict[str, Sequence[Any]]:
    """["period=5:54:1"] -> {"period": 5 … 54}."""
    return {name: steps(f"--grid {name}", value) for name, value in pairs(given, "--grid").items()}


def outputs(*paths: Path | None) -> None:
    """Refuse what could not be written when the work is done."""
    files = [path for path in paths if path is not None and str(path) != "-"]
    for path in files:
        check_target(path)
    if len({path.resolve() for path in files}) < len(files):
        raise BadInput(f"{files[0]} cannot be both --json and --html")


class Files:
    """The market files of a command, one set for each symbol."""

    def __init__(self, data: Sequence[Path], funding: Sequence[Path] | None, detail: Sequence[Path] | None,  # noqa: PLR0913
                 symbol: Sequence[str] | None, *, timeframe: str | None, start: str | None, end: str | None, tick: str) -> None:
        self.data = list(data)
        self.symbols = self._each(symbol, "--symbol")
        self.funding_files, self.detail_files = self._each(funding, "--funding"), self._each(detail, "--detail")
        self.timeframe, self.start, self.end, self.tick = timeframe, start, end, tick
        check_range(start, end)

    def _each(self, given: Sequence[Any] | None, option: str) -> list[Any]:
        if not given:
            return [None] * len(self.data)
        if len(given) != len(self.data):
            raise BadInput(f"{option} is given {len(given)} times and --data {len(self.data)} times; give one for each, in the same order")
        return list(given)

    def bars(self) -> list[Bars]:
        from haechi.research.api import bars

        return [bars(path, symbol=name, timeframe=self.timeframe, tick=self.tick, start=self.start, end=self.end)
                for path, name in zip(self.data, self.symbols, strict=True)]

    def funding(self) -> list[Funding | None]:
        from haechi.research.api import funding

        return [None if path is None else funding(path) for path in self.funding_files]

    def detail(self) -> list[Bars | None]:
        """Under the symbol of the bars they go into."""
        from haechi.markets.load import symbol_of
        from haechi.research.api import bars

        return [None if path is None else bars(path, symbol=name or symbol_of(data), tick=self.tick)
                for path, data, name in zip(self.detail_files, self.data, self.symbols, strict=True)]


def check_range(start: str | None, end: str | None) -> None:
    from haechi.markets.times import instant

    for option, value in (("--from", start), ("--to", end)):
        if value is not None:
            try:
                instant(value)
            except BadInput as error:
                raise BadInput(f"{option}: {error.message}") from None
    if start is not None and end is not None and instant(start) >= instant(end):
        raise BadInput(f"--from {start} is not before --to {end}")
