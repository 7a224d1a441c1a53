"""haechi's own figures: one bar a call, grids, the command line as a whole program, the first compile."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import market
from process import Worker, run
from samples import Samples, span, table
from section import Section, Verdict

ROUNDS = 7
STEP_MOST, GRID_LEAST, PROCESS_MOST = 2e-6, 100e6, 1.5
LINES = 100
GRIDS = {"over the year's range and 1 %, 46,600 to 80,800": (46_600, 80_800), "half to double, 30,000 to 120,000": (30_000, 120_000),
         "narrow, ± 5 %, 57,000 to 63,000": (57_000, 63_000)}


def step(ours: Worker, quick: bool) -> Section:
    """Seconds are those of one call."""
    found = Samples("step", ours.hello["version"])
    for _ in range(2 if quick else ROUNDS):
        found.add(ours.ask("step", calls=market.BARS // (8 if quick else 1)))
    rows = [["`engine.step` from Python", span(found.middle()), span(found.least()), span(found.least("cpu_seconds")),
             f"{found.last['calls']:,}"]]
    text = table(["one bar a call, the RSI strategy's signals, stop and target", "median a call", "min", "CPU min", "calls"], rows)
    verdict = Verdict("`step` from Python, a call", "≤ 2 µs", span(found.middle()), found.middle() <= STEP_MOST)
    return Section("One bar a call", text, [verdict])


def frames(ours: Worker, quick: bool) -> Section:
    found = Samples("frames", ours.hello["version"])
    ours.ask("frames")
    for _ in range(2 if quick else ROUNDS):
        found.add(ours.ask("frames"))
    rows = [["`hc.backtest`, all metrics, `.trades` and `.equity` as Polars frames", span(found.middle()), span(found.least()),
             span(found.least("cpu_seconds"))]]
    return Section("The run with its frames", table(["", "median", "min", "CPU min"], rows))


def grid(ours: Worker, quick: bool) -> Section:
    rows, wide = [], 0.0
    for name, (lower, upper) in GRIDS.items():
        for dense in (False, True):
            found = Samples(name, "")
            for _ in range((2 if quick else ROUNDS) + 1):
                found.add(ours.ask("grid", lower=lower, upper=upper, lines=LINES, dense=dense))
            del found.answers[0]  # loads the compiled code
            rate = market.BARS / found.middle()
            wide = max(wide, rate) if name == next(iter(GRIDS)) and not dense else wide
            rows.append([f"{LINES} lines {name}{', every bar walked' if dense else ''}", span(found.middle()), span(found.least()),
                         f"{found.last['trades']:,}", f"{rate / 1e6:.1f} M"])
    text = table(["neutral grid over the year, fills kept", "median", "min", "fills", "bars/s (median)"], rows)
    text += "\n\nThe rate depends on the fills: each costs its own time, bars between two lines are jumped over.\n"
    text += "Results with and without jumps are equal."
    verdict = Verdict(f"{LINES}-line grid over the year's range", "≥ 100 M bars/s", f"{wide / 1e6:.1f} M bars/s", wide >= GRID_LEAST)
    return Section("Grids", text, [verdict])


def process(ours: Worker, quick: bool) -> Section:
    """The program as a user starts it: interpreter, imports, Parquet, run, printing."""
    command = backtest_command(ours)
    run(command)
    found = Samples("process", "")
    for _ in range(2 if quick else ROUNDS):
        found.add(run(command))
    rows = [["`haechi backtest rsi --data BTCUSDT_1m.parquet`", span(found.middle()), span(found.least()), span(found.least("cpu_seconds")),
             f"{found.peak_mb:,.0f} MiB"]]
    text = table(["whole program, compiled code kept from before", "median", "min", "CPU min", "peak memory"], rows)
    verdict = Verdict("`haechi backtest`, one year, warm", "≤ 1.5 s", span(found.middle()), found.middle() <= PROCESS_MOST)
    return Section("Whole program", text, [verdict])


def first_compile(ours: Worker, quick: bool) -> Section:
    """The same program where nothing is compiled yet. `quick` changes nothing: there is only one first time."""
    with tempfile.TemporaryDirectory() as empty:
        found: dict[str, Any] = run(backtest_command(ours), environment={"NUMBA_CACHE_DIR": empty})
    rows = [["`haechi backtest`, empty compile cache", span(found["seconds"]), span(found["cpu_seconds"]), f"{found['peak_mb']:,.0f} MiB"]]
    return Section("The first run after installing", table(["once for each version", "wall", "CPU", "peak memory"], rows))


def backtest_command(ours: Worker) -> list[str]:
    file = market.FOLDER / "BTCUSDT_1m.parquet"
    if not file.exists():
        ours.ask("parquet", path=str(file))
    program = Path(sys.executable).with_name("haechi")
    start = [str(program)] if program.exists() else [sys.executable, "-m", "haechi.cli"]
    return [*start, "backtest", "rsi", "--data", str(file)]
