"""The files of one finished back-test: trades, equity, report. Written by the worker process, read by the server."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from haechi.errors import Conflict

TRADES, EQUITY, REPORT = "trades.json", "equity.json", "report.html"
EQUITY_POINTS_MAX = 2000


def keep(folder: Path, *, trades: Sequence[Mapping[str, Any]], equity: Sequence[Mapping[str, str]], report: str) -> None:
    """All files or none: they are written beside the folder, which then gets its name."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / TRADES).write_text(json.dumps(list(trades)))
    (part / EQUITY).write_text(json.dumps(list(equity)))
    (part / REPORT).write_text(report, encoding="utf-8")
    part.rename(folder)


def read_list(folder: Path, name: str) -> list[dict[str, Any]]:
    """Raises Conflict while there is nothing to read yet."""
    return orjson.loads(read(folder, name))  # type: ignore[no-any-return]


def read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise Conflict("This back-test has no result (yet): its status says why.") from None


def thinned(values: Sequence[int], most: int = EQUITY_POINTS_MAX) -> list[int]:
    """Places to show of a long line: first, last, and lowest and highest of each stretch, so that no drawdown is lost."""
    if len(values) <= most:
        return list(range(len(values)))
    stretch = -(-2 * len(values) // (most - 2))
    places = {0, len(values) - 1}
    for start in range(0, len(values), stretch):
        part = range(start, min(start + stretch, len(values)))
        places |= {min(part, key=values.__getitem__), max(part, key=values.__getitem__)}
    return sorted(places)
