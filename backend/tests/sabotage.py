"""Plants bugs (planted_bugs.py) in a copy of the backend, one at a time, and shows that the tests named for each notice it.

    .venv/bin/python backend/tests/sabotage.py [--write] [NAME …]

First all those tests run on the code as it is, and must pass. `--write` puts the table into docs/reliability.md; NAME: bugs whose name
has this in it. Exit code 1 if one goes unnoticed, and 2 if a bug no longer fits the source. The working tree is never changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
from planted_bugs import BUGS, Bug  # noqa: E402

BACKEND = Path(__file__).resolve().parents[1]
PAGE = BACKEND.parent / "docs" / "reliability.md"
HEADING = "## Sabotage"
WORKERS = 2
SECONDS_MAX = 300  # a test that hangs has noticed something
INTRODUCTION = """\
Tests that never fail prove nothing. `make sabotage` plants each of these bugs in a copy of the backend, alone, and runs the tests
named beside it: every one of them must fail. Before that they all run on the code as it is, and must pass."""


class Found(NamedTuple):
    """unnoticed: tests that passed all the same."""

    bug: Bug
    unnoticed: tuple[str, ...]
    seconds: float


# ---- planting

def edits(bug: Bug) -> list[tuple[str, str, str]]:
    return [(bug.file, bug.old, bug.new), *bug.more]


def planted(bug: Bug, source: Path) -> dict[Path, str]:
    """The changed files, as text. Raises ValueError where what is to be replaced does not stand there exactly once."""
    made: dict[Path, str] = {}
    for name, old, new in edits(bug):
        path = source / name
        text = made.get(path) or path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{bug.name}: {name} has the text of this bug {text.count(old)} times:\n{old}")
        made[path] = text.replace(old, new)
    return made


def copied(folder: Path) -> Path:
    """Without compiled Python: a bug and its undoing may fall into one second."""
    made = folder / "backend"
    for name in ("src", "tests"):
        shutil.copytree(BACKEND / name, made / name, ignore=shutil.ignore_patterns("*.pyc", "node_modules", ".hypothesis"))
    shutil.copy(BACKEND / "pyproject.toml", made)
    for name in ("docs", ".env.example"):
        (folder / name).symlink_to(BACKEND.parent / name)
    return made


# ---- testing

def run(backend: Path, tests: tuple[str, ...], *, every: bool) -> subprocess.CompletedProcess[str]:
    """every: all of them run; else until the first that fails. Uncompiled: no cache is involved."""
    env = {**os.environ, "PYTHONPATH": str(backend / "src"), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_DISABLE_JIT": "1"}
    probe = ("import haechi, sys; assert haechi.__file__.startswith(sys.argv[1]), haechi.__file__; import pytest; "
             "sys.exit(pytest.main(sys.argv[2:]))")
    command = [sys.executable, "-c", probe, str(backend), "-q", "--no-header", "-p", "no:cacheprovider", "--tb=line", *([] if every else ["-x"]), *tests]
    try:
        return subprocess.run(command, env=env, cwd=backend, capture_output=True, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "1 failed: it hangs", "")


def control(backend: Path, bugs: list[Bug]) -> None:
    tests = tuple(sorted({test for bug in bugs for test in bug.tests}))
    done = run(backend, tests, every=True)
    if done.returncode != 0 or "skipped" in done.stdout:
        raise SystemExit(f"the tests do not pass on the code as it is, so nothing can be said:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")


def tried(bug: Bug, backend: Path) -> Found:
    """One bug in a copy, which is as before when this returns."""
    began, changed = time.monotonic(), planted(bug, backend / "src" / "haechi")
    before = {path: path.read_text(encoding="utf-8") for path in changed}
    try:
        for path, text in changed.items():
            path.write_text(text, encoding="utf-8")
        unnoticed = tuple(test for test in bug.tests if not noticed(backend, test))
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
    return Found(bug, unnoticed, time.monotonic() - began)


def noticed(backend: Path, test: str) -> bool:
    """A test that fails; one that cannot be run at all says nothing."""
    done = run(backend, (test,), every=False)
    if done.returncode not in (0, 1) or " failed" not in done.stdout and done.returncode:
        raise SystemExit(f"{test} did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 1


def all_tried(bugs: list[Bug]) -> list[Found]:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(WORKERS) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(WORKERS):
            (Path(folder) / str(number)).mkdir()
            copies.put(copied(Path(folder) / str(number)))
        first = copies.get()
        control(first, bugs)
        copies.put(first)

        def one(bug: Bug) -> Found:
            backend = copies.get()
            try:
                found = tried(bug, backend)
            finally:
                copies.put(backend)
            print(f"{'SURVIVED' if found.unnoticed else 'caught':9} {found.seconds:4.0f} s  {bug.name} {' '.join(found.unnoticed)}", flush=True)
            return found

        return list(pool.map(one, bugs))


# ---- telling

def rows(bugs: tuple[Bug, ...] = BUGS) -> list[str]:
    made = ["| Planted bug | In | What a user would suffer | Noticed by |", "|---|---|---|---|"]
    for bug in bugs:
        tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in bug.tests)
        made.append(f"| {bug.name} | `{bug.file}` | {bug.harm} | {tests} |")
    return made


def section(found: list[Found]) -> str:
    caught, slowest = sum(not one.unnoticed for one in found), max(one.seconds for one in found)
    figures = f"Last run: {caught} of {len(found)} noticed, the slowest after {slowest:.0f} s, two at a time."
    return "\n".join([HEADING, "", INTRODUCTION, "", figures, "", *rows(), ""])


def written(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Reliability\n"
    there = re.search(rf"^{HEADING}$.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    made = page[:there.start()] + text + "\n" + page[there.end():] if there else f"{page.rstrip()}\n\n{text}"
    PAGE.write_text(made.rstrip() + "\n", encoding="utf-8")


def main() -> int:
    names = [one for one in sys.argv[1:] if one != "--write"]
    bugs = [bug for bug in BUGS if not names or any(name in bug.name for name in names)]
    try:
        for bug in bugs:
            planted(bug, BACKEND / "src" / "haechi")
    except ValueError as error:
        print(error)
        return 2
    began, found = time.monotonic(), all_tried(bugs)
    survived = sum(bool(one.unnoticed) for one in found)
    print(f"{len(found) - survived} of {len(found)} bugs noticed, {time.monotonic() - began:.0f} s")
    if "--write" in sys.argv and not names and not survived:
        written(section(found))
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main())
