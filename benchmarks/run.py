"""haechi against other systems: one core, one run, the same year of one-minute bars. Writes RESULTS.md (README.md says how)."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import market  # noqa: E402
import part_api  # noqa: E402
import part_own  # noqa: E402
import part_single  # noqa: E402
import part_sweep  # noqa: E402
import peers as systems  # noqa: E402
from process import CannotMeasureError, Worker, pin  # noqa: E402
from samples import table  # noqa: E402
from section import Section  # noqa: E402

HERE = Path(__file__).parent
OURS = HERE / "peer_haechi.py"
RESULTS = HERE / "RESULTS.md"
OWN: dict[str, Callable[[Worker, bool], Section]] = {
    "frames": part_own.frames, "step": part_own.step, "grid": part_own.grid, "process": part_own.process, "compile": part_own.first_compile, "api": part_api.measure}
PARTS = ("single", "sweep", *OWN)
HEAD = """# How fast

Written by `make bench` (`python benchmarks/run.py`); what is measured and how: [README.md](README.md). Figures of one run on one
machine, to be compared with each other only. Times are wall times unless it says CPU; compilation is done before anything is measured
and has its own row. × is the smallest of the ratios of medians and minima, in wall and in CPU time.
"""


def main() -> int:
    asked = arguments()
    parts, chosen = selection(asked.only)
    remark, began = machine(), time.monotonic()
    pinned = pin()
    market.year()
    sections = []
    with Worker(Path(sys.executable), OURS) as ours:
        for part in parts:
            sections.append(timed(part, ours, chosen, asked.quick))
    text = report(sections, f"{remark}; {pinned}; load {load()} at the end; {time.monotonic() - began:,.0f} s in all", quick=asked.quick)
    print(text)
    if not asked.quick and not asked.only:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and parts of the work, scaled; RESULTS.md stays as it is")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=[*PARTS, *systems.known()],
                        help=f"some of {', '.join([*PARTS, *systems.known()])}; RESULTS.md stays as it is")
    return parser.parse_args()


def selection(only: list[str]) -> tuple[list[str], list[systems.Peer]]:
    """Parts and peers. Peers alone mean the single run (and for vectorbt the sweep), parts alone mean all peers."""
    known = systems.known()
    peers = [name for name in known if name in only] or list(known)
    parts = [part for part in PARTS if part in only]
    if only and not parts:
        parts = ["single", "sweep"] if "vectorbt" in peers else ["single"]
    return parts or list(PARTS), [known[name] for name in peers]


def timed(part: str, ours: Worker, chosen: list[systems.Peer], quick: bool) -> Section:
    """One part; a failure of haechi itself is not hidden."""
    print(f"{part} …", file=sys.stderr, flush=True)
    began = time.monotonic()
    if part == "single":
        section = part_single.measure(ours, chosen, quick)
    elif part == "sweep":
        section = part_sweep.measure(OURS, next((peer for peer in chosen if peer.name == "vectorbt"), None), quick)
    else:
        section = OWN[part](ours, quick)
    section.seconds = time.monotonic() - began
    return section


def report(sections: list[Section], remark: str, *, quick: bool) -> str:
    verdicts = [verdict.row() for section in sections for verdict in section.verdicts]
    note = "\n**A quick run: few rounds, parts of the work scaled. Not for publication.**\n" if quick else ""
    first = [HEAD + note, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {remark}."]
    if verdicts:
        first.append("## Targets\n\n" + table(["what", "target", "measured", "verdict"], verdicts))
    return "\n\n".join([*first, *(f"## {one.title}\n\n{one.text}\n\n_Measured in {one.seconds:,.0f} s._" for one in sections)]) + "\n"


def machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), model)
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {system}; load {load()} at the start"


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotMeasureError as reason:
        sys.exit(f"benchmark stopped: {reason}")
