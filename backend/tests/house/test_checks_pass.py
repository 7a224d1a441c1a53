"""Style, types and the direction of imports are tests too: what `make check` runs, run here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BACKEND = Path(__file__).resolve().parents[2]
TYPED = [f"src/haechi/{folder}" for folder in ("core", "trading", "bots", "venue", "exchanges")]
CHECKS = {
    "ruff": ["ruff", "check", "..", "--no-cache", "--output-format", "concise"],
    "mypy": ["mypy", "--config-file", "pyproject.toml", *TYPED],
    "imports": ["lint-imports", "--config", "pyproject.toml", "--no-cache"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_check_passes(name: str) -> None:
    command, *given = CHECKS[name]
    done = subprocess.run([Path(sys.executable).with_name(command), *given], cwd=BACKEND, capture_output=True, text=True)
    assert done.returncode == 0, f"`make check` ({name}) says:\n{done.stdout[-4000:]}{done.stderr[-1000:]}"
