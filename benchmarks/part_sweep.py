"""A thousand combinations, 50 periods × 20 stops: haechi all of them, vectorbt a part that is scaled."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from peers import CannotInstallError, Peer, ensure
from process import CannotMeasureError, Worker
from samples import Samples, span, table, three, times
from section import Section, Verdict

PERIODS = list(range(5, 55))
STOPS = [k / 2 for k in range(1, 21)]  # percent; the target stays at 4 %
SOME_PERIODS, SOME_STOPS = [5, 17, 29, 41, 54], [0.5, 2.0, 3.5, 5.0, 6.0, 7.5, 9.0, 10.0]
QUICK_PERIODS = [17]
CHUNK = 4  # columns at a time: of 1, 4, 10 and 20 the one at which vectorbt needs least CPU
LARGE = 20  # columns: all stops of a period at once, the handier way to write it
LARGE_PERIODS = [5, 54]
ROUNDS = 3
TIMES, SHARE = 300, 0.2
SAYS = """Two comparisons. *All figures* is `hc.sweep` as a user calls it (16 figures a combination, ranked by Sharpe) against the 12 of
them vectorbt has: final value, return, Sharpe, Sortino, Calmar, drawdown, trades, win rate, profit factor, expectancy, coverage, fees.
*Lean* is `haechi.core.sweep` (the engine's sums) against final value, drawdown and trade count. Each is a process of its own; compiling
or loading compiled code comes before the measurement, but counts in its peak memory. vectorbt takes four columns at a time, its best of
1, 4, 10 and 20 (the last row shows 20; all 1,000 at once do not fit into memory). Its cost grows in
proportion with the number of combinations. *The same part* are the combinations vectorbt was given."""


def measure(script: Path, peer: Peer | None, quick: bool) -> Section:
    section = Section("1,000 combinations: 50 RSI periods × 20 stops")
    if peer is None:
        return whole(section, script, None, "not asked for", quick)
    try:
        ensure(peer)
    except CannotInstallError as reason:
        return whole(section, script, None, str(reason), quick)
    return whole(section, script, peer, "", quick)


def whole(section: Section, script: Path, peer: Peer | None, reason: str, quick: bool) -> Section:
    mine, theirs, part = [], [], []
    for task, name, all_figures in (("sweep", "all figures", True), ("core_only", "lean", False)):
        with Worker(Path(sys.executable), script) as ours:
            ours.ask(task, periods=PERIODS[:1], stops=words(STOPS[:2]))
            one = Samples(f"haechi, {name}", ours.hello["version"])
            other = Samples(f"vectorbt, {name}", "")
            try:
                turns(ours, task, one, other, peer, all_figures, quick)
            except CannotMeasureError as error:
                reason = str(error)
            part.append(ours.ask(task, periods=some(quick), stops=words(SOME_STOPS)))
        mine.append(one)
        theirs.append(other)
    large = None if peer is None or quick or reason else a_period_at_a_time(peer)
    section.text = written(mine, theirs, part, reason, large)
    section.verdicts = [against(mine[0], theirs[0], reason), memory(mine[0], theirs[0], reason)]
    return section


def turns(ours: Worker, task: str, one: Samples, other: Samples, peer: Peer | None, all_figures: bool, quick: bool) -> None:
    """haechi, vectorbt, haechi, vectorbt …; without vectorbt haechi alone."""
    if peer is None:
        for _ in range(ROUNDS):
            one.add(ours.ask(task, periods=PERIODS, stops=words(STOPS)))
        return
    with Worker(peer.python, peer.script) as worker:
        asked: dict[str, Any] = {"chunk": CHUNK, "whole": all_figures}
        worker.ask("sweep", periods=PERIODS[:1], stops=[stop / 100 for stop in STOPS[:CHUNK]], **asked)
        other.version = worker.hello["version"]
        other.scale = len(PERIODS) * len(STOPS) / (len(some(quick)) * len(SOME_STOPS))
        for _ in range(1 if quick else ROUNDS):
            one.add(ours.ask(task, periods=PERIODS, stops=words(STOPS)))
            other.add(worker.ask("sweep", periods=some(quick), stops=[stop / 100 for stop in SOME_STOPS], **asked))


def a_period_at_a_time(peer: Peer) -> Samples:
    """vectorbt with more columns at once. Raises CannotMeasureError, as where memory does not suffice."""
    with Worker(peer.python, peer.script) as worker:
        found = Samples("vectorbt, all figures, 20 columns at a time", worker.hello["version"])
        found.scale = len(PERIODS) / len(LARGE_PERIODS)
        asked: dict[str, Any] = {"stops": [stop / 100 for stop in STOPS], "chunk": LARGE, "whole": True}
        worker.ask("sweep", periods=LARGE_PERIODS[:1], **asked)
        for _ in range(2):
            found.add(worker.ask("sweep", periods=LARGE_PERIODS, **asked))
    return found


def some(quick: bool) -> list[int]:
    return QUICK_PERIODS if quick else SOME_PERIODS


def words(stops: list[float]) -> list[str]:
    return [str(stop) for stop in stops]


def written(mine: list[Samples], theirs: list[Samples], part: list[dict[str, Any]], reason: str, large: Samples | None) -> str:
    rows = []
    for one, other, same in zip(mine, theirs, part, strict=True):
        rows.append(row(one, "all 1,000", f"{one.last['trades']:,}", one.last["equity"], ""))
        rows.append([f"{one.name}, the same part", "", "", span(same["seconds"]), "", "", f"{same['trades']:,}", f"{same['equity']:,.2f}",
                     str(same["combinations"])])
        if len(other):
            rows.append(scaled_row(other, one))
        else:
            rows.append([other.name, "–", "–", "–", "–", "–", "–", "–", reason])
    if large is not None:
        rows.append(scaled_row(large, mine[0]))
    head = ["system", "× haechi", "median", "min", "CPU min", "peak memory", "trades", "mean equity", "combinations measured"]
    return table(head, rows) + "\n\n" + SAYS


def scaled_row(other: Samples, one: Samples) -> list[str]:
    measured = f"{other.last['combinations']}, scaled × {other.scale:g}"
    return row(other, measured, f"{other.last['trades']:,}", other.last["equity"], three(times(other, one)))


def row(one: Samples, measured: str, trades: str, equity: float, ratio: str) -> list[str]:
    return [f"{one.name} ({one.version})", ratio, span(one.middle()), span(one.least()), span(one.least("cpu_seconds")),
            f"{one.peak_mb:,.0f} MiB", trades, f"{equity:,.2f}", measured]


def against(one: Samples, other: Samples, reason: str) -> Verdict:
    if not len(other):
        return Verdict("1,000-combination sweep against vectorbt", f"≥ {TIMES} ×", reason, None)
    reached = times(other, one)
    return Verdict("1,000-combination sweep against vectorbt", f"≥ {TIMES} ×", f"{three(reached)} ×", reached >= TIMES)


def memory(one: Samples, other: Samples, reason: str) -> Verdict:
    what, wanted = "its peak memory against vectorbt's", f"≤ {SHARE}"
    if not len(other):
        return Verdict(what, wanted, reason, None)
    share = one.peak_mb / other.peak_mb
    return Verdict(what, wanted, f"{share:.2f} ({one.peak_mb:,.0f} of {other.peak_mb:,.0f} MiB)", share <= SHARE)
