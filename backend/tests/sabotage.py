"""Plants bugs (planted_bugs.py) in a copy of the backend, one at a time, and shows that the tests named for each notice it.

    .venv/bin/python backend/tests/sabotage.py [--write] [NAME …]

First all those tests run on the code as it is, and must pass. `--write` puts the table into docs/reliability.md; NAME: bugs whose name
has this in it. Exit code 1 if one goes unnoticed, and 2 if a bug no longer fits the source. The working tree is never changed.
"""

from __future__ import annotations

import compileall
import multiprocessing
import os
import py_compile
import re
import shutil
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
LIBRARIES = ["pytest", "_pytest.assertion.rewrite", "hypothesis", "sqlalchemy.ext.asyncio", "sqlalchemy.orm", "aiosqlite", "structlog", "msgspec",
             "numba", "fastapi", "httpx", "aiohttp", "cryptography.fernet", "pyotp", "jwt", "pwdlib", "alembic", "pydantic_settings", "uvicorn",
             "limits", "zxcvbn", "redis", "prometheus_client", "xdist"]
FORKS = multiprocessing.get_context("forkserver")
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
    """Compiled by the text of each file, not by its time: a bug and its undoing may fall into one second."""
    made = folder / "backend"
    for name in ("src", "tests"):
        shutil.copytree(BACKEND / name, made / name, ignore=shutil.ignore_patterns("*.pyc", "node_modules", ".hypothesis"))
    shutil.copy(BACKEND / "pyproject.toml", made)
    for name in ("docs", ".env.example"):
        (folder / name).symlink_to(BACKEND.parent / name)
    compileall.compile_dir(made / "src", quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return made


# ---- testing

def inside(backend: str, tests: tuple[str, ...], told: str) -> None:
    """In a process of its own, which has the libraries but nothing of the house: pytest over the copy."""
    with open(told, "w", encoding="utf-8") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(backend)
    sys.dont_write_bytecode = True
    sys.path.insert(0, f"{backend}/src")
    import pytest

    import haechi

    assert str(haechi.__file__).startswith(backend), haechi.__file__
    sys.exit(pytest.main(["--no-header", "-p", "no:cacheprovider", "--tb=line", "--disable-warnings", "-n", "0", *tests]))


def run(backend: Path, tests: tuple[str, ...]) -> tuple[int | None, str]:
    """pytest's code, None where it hangs, and what it printed."""
    told = backend / "told.txt"
    process = FORKS.Process(target=inside, args=(str(backend), tests, str(told)))
    process.start()
    process.join(SECONDS_MAX)
    hangs = process.is_alive()
    if hangs:
        process.kill()
        process.join()
    return None if hangs else process.exitcode, told.read_text(encoding="utf-8", errors="replace") if told.exists() else ""


def control(backend: Path, bugs: list[Bug]) -> None:
    tests = tuple(sorted({test for bug in bugs for test in bug.tests}))
    code, told = run(backend, tests)
    if code != 0 or "skipped" in told:
        raise SystemExit(f"the tests do not pass on the code as it is ({code}), so nothing can be said:\n{told[-4000:]}")
    print(told.strip().splitlines()[-1], "without any bug", flush=True)


def tried(bug: Bug, backend: Path) -> Found:
    """One bug in a copy, which is as before when this returns."""
    began, changed = time.monotonic(), planted(bug, backend / "src" / "haechi")
    before = {path: path.read_text(encoding="utf-8") for path in changed}
    try:
        for path, text in changed.items():
            path.write_text(text, encoding="utf-8")
        code, told = run(backend, bug.tests)
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
    if code not in (None, 0, 1):
        raise SystemExit(f"{bug.name}: the tests did not run ({code}):\n{told[-2000:]}")
    return Found(bug, tuple(test for test in bug.tests if code is not None and not noticed(test, told)), time.monotonic() - began)


def noticed(test: str, told: str) -> bool:
    """It failed, in at least one of its cases."""
    return re.search(rf"^(FAILED|ERROR) {re.escape(test)}", told, re.MULTILINE) is not None


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
    os.environ["NUMBA_DISABLE_JIT"] = "1"  # uncompiled: no cache is involved
    FORKS.set_forkserver_preload(LIBRARIES)
    began, found = time.monotonic(), all_tried(bugs)
    survived = sum(bool(one.unnoticed) for one in found)
    print(f"{len(found) - survived} of {len(found)} bugs noticed, {time.monotonic() - began:.0f} s")
    if "--write" in sys.argv and not names and not survived:
        written(section(found))
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main())
