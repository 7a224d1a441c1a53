"""Results as text on a terminal, in the language of its user."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import msgspec

import haechi
from haechi.core.definitions import DEFINITIONS
from haechi.research.figures import shown

if TYPE_CHECKING:
    from haechi.core.performance import Figure
    from haechi.research.result import Result
    from haechi.research.sweeping import Sweep

COLUMNS = ("sharpe", "roi", "max_drawdown", "trades", "win_rate", "profit_factor")
WORDS = {
    "en": {"from": "{start} to {end}, {bars:,} bars, reading {reading}", "written": "written: {path}", "note": "note", "benign": "benign",
           "adverse": "adverse", "swept": "{count:,} combinations by {rank}, {reading}"},
    "ko": {"from": "{start} ~ {end}, 봉 {bars:,}개, 읽기 {reading}", "written": "저장: {path}", "note": "참고", "benign": "낙관",
           "adverse": "비관", "swept": "조합 {count:,}개, {rank} 순, {reading}"},
}


def language() -> str:
    """ko where the terminal's language is Korean, else en."""
    spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "ko" if spoken.startswith("ko") else "en"


def print_result(result: Result, written: Sequence[Path]) -> None:
    from haechi.markets.times import iso

    speech = language()
    words = WORDS[speech]
    print(f"{result.strategy} · {'+'.join(result.symbols)} {result.timeframe}" + _params(result.params, result.settings))
    start, end = iso(result.span.start_ms), iso(result.span.end_ms)
    print(words["from"].format(start=start, end=end, bars=len(result.outcome.ts), reading=result.reading))
    print()
    columns = [result.metrics] if result.reading != "both" else [result.interval["adverse"].metrics, result.interval["benign"].metrics]
    rows = [[getattr(one, speech), *(shown(one, figures[key]) for figures in columns)] for key, one in DEFINITIONS.items()]
    heads = [["", words["adverse"], words["benign"]]] if len(columns) == 2 else []
    print_table(heads + rows)
    for remark in result.remarks:
        print(f"{words['note']}: {remark.text(speech)}")
    print_written(written, words)


def print_sweep(found: Sweep, top: int, written: Sequence[Path]) -> None:
    speech = language()
    words = WORDS[speech]
    print(f"{found.task.strategy.name} · {'+'.join(one.symbol for one in found.task.bars)}" + _params(found.params, found.settings))
    print(words["swept"].format(count=len(found), rank=getattr(DEFINITIONS[found.rank], speech), reading=found.task.reading))
    print()
    keys = list(dict.fromkeys((found.rank, *COLUMNS)))
    rows = [["", *(axis.name for axis in found.grid.axes), *(getattr(DEFINITIONS[key], speech) for key in keys)]]
    for place, number in enumerate(found.order[:top], start=1):
        figures: dict[str, Figure] = found.figures[number]
        chosen = [_value(value) for value in found.grid.values(number)]
        rows.append([str(place), *chosen, *(shown(DEFINITIONS[key], figures[key]) for key in keys)])
    print_table(rows)
    print_written(written, words)


def sweep_json(found: Sweep, top: int | None) -> str:
    """Ranked rows; the figures are those of a back-test that need no trade list."""
    data = {"engine": f"haechi {haechi.__version__}", "strategy": found.task.strategy.name, "rank": found.rank,
            "reading": found.task.reading, "symbol": "+".join(one.symbol for one in found.task.bars),
            "combinations": len(found), "rows": found.rows(top)}
    return msgspec.json.encode(data).decode()


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """First column to the left, the others to the right; wide letters count twice."""
    widths = [max(width(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [" " * (most - width(cell)) + cell for cell, most in zip(row[1:], widths[1:], strict=True)]
        print("  ".join([row[0] + " " * (widths[0] - width(row[0])), *cells]).rstrip())


def width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def print_written(written: Sequence[Path], words: dict[str, str]) -> None:
    for path in written:
        if str(path) != "-":
            print(words["written"].format(path=path))


def _params(params: Any, settings: Any) -> str:
    both = ", ".join(f"{name} {_value(value)}" for name, value in (*params.items(), *settings.items()))
    return f" · {both}" if both else ""


def _value(value: Any) -> str:
    return f"{value:f}" if hasattr(value, "is_finite") else str(value)
